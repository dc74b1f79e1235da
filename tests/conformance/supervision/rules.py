"""What OTP's supervisor leaves open, put into one fixed form. Two rules and no more.

Everything else, which_children's order included, is compared line by line as it happened.

>>> tree = ["op 0", "start w1#1 in s1#1 ok", "start w2#1 in s1#1 ok"]
>>> orphans_last([*tree, "op 1", "down s1#1 killed", "down w2#1 killed", "down w1#1 killed", "result done"])[3:]
['op 1', 'down s1#1 killed', 'down w1#1 killed', 'down w2#1 killed', 'result done']
"""

from __future__ import annotations

from collections.abc import Iterator

from tests.conformance.family import Rule, Trace


def failed_starts_end_at_once(trace: Trace) -> Trace:
    """Put the end of a process that failed to start behind the last thing that it, or anything below it, did."""
    kin, result = _Kin(), Trace()
    for segment in _segments(trace):
        kin.learn(segment)
        moved: Trace = []
        for line in segment:
            verb, who = _head(line)
            if verb == "down" and who in kin.never_up:
                moved.insert(_end_of(who, moved, kin), line)
            else:
                moved.append(line)
        result += moved
    return result


def orphans_last(trace: Trace) -> Trace:
    """Take each child of a killed supervisor, with what lives below it, out of its segment, to the end, from the top down."""
    kin, result = _Kin(), Trace()
    for segment in _segments(trace):
        kin.learn(segment)
        result += _orphans_apart(segment, kin)
    return result


RULES = (
    Rule(
        "a failed start ends at once",
        "OTP 25 tells the starter first and exits after (`gen:init_it` acknowledges, then calls `exit`); OTP 26 turned "
        "this round. So the end of such a process may stand before or after what its supervisor does next.",
        failed_starts_end_at_once,
    ),
    Rule(
        "orphans die beside the rest",
        "When a supervisor is killed its children get the exit signal through their links, all at once and while the "
        "level above restarts it already. Each child with what lives below it is a thread of events of its own.",
        orphans_last,
    ),
)


def segments(trace: Trace) -> dict[str, Trace]:
    """The trace as label of the operation -> its lines, for whoever wants to look at one of them."""
    return {segment[0].removeprefix("op "): segment[1:] for segment in _segments(trace)}


class _Kin:
    """Who was started by whom, and who never came up; grows as segments are read."""

    def __init__(self) -> None:
        self.parent: dict[str, str] = {}
        self.never_up: set[str] = set()

    def learn(self, segment: Trace) -> None:
        for line in segment:
            match line.split():
                case ["start", who, "in", parent, outcome]:
                    self.parent.setdefault(who, parent)
                    if outcome != "ok":
                        self.never_up.add(who)
                case ["down", who, reason] if _failed_supervisor(reason):
                    self.never_up.add(who)
                case _:
                    pass

    def line_of(self, who: str) -> Iterator[str]:
        """Yield *who*, its supervisor, the supervisor of that, and so on."""
        while who != "driver" and who:
            yield who
            who = self.parent.get(who, "")


def _orphans_apart(segment: Trace, kin: _Kin) -> Trace:
    killed: set[str] = set()
    rest: Trace = []
    threads: dict[str, Trace] = {}
    for line in segment:
        verb, who = _head(line)
        top = _orphan(who, killed, kin)
        if top is not None:
            threads.setdefault(top, []).append(line)
        else:
            rest.append(line)
        if verb == "down" and line.endswith(" killed"):
            killed.add(who)
    tops = sorted(threads, key=lambda top: (len(list(kin.line_of(top))), top))
    tail = [line for top in tops for line in threads[top]]
    first_result = next((i for i, line in enumerate(rest) if line.startswith("result")), len(rest))
    return rest[:first_result] + tail + rest[first_result:]


def _orphan(who: str, killed: set[str], kin: _Kin) -> str | None:
    """Return the nearest process above *who* (or itself) whose supervisor was killed."""
    return next((each for each in kin.line_of(who) if kin.parent.get(each, "") in killed), None)


def _end_of(who: str, lines: Trace, kin: _Kin) -> int:
    for index in range(len(lines) - 1, -1, -1):
        if who in kin.line_of(_head(lines[index])[1]):
            return index + 1
    return len(lines)


def _segments(trace: Trace) -> Iterator[Trace]:
    segment: Trace = []
    for line in trace:
        if line.startswith("op ") and segment:
            yield segment
            segment = []
        segment.append(line)
    if segment:
        yield segment


def _head(line: str) -> tuple[str, str]:
    verb, _, rest = line.partition(" ")
    return (verb, "") if verb in ("op", "result") else (verb, rest.partition(" ")[0])


def _failed_supervisor(reason: str) -> bool:
    return reason == "bad_spec" or reason.startswith("{failed_to_start_child")
