"""Put a trace into the one form that is compared: what the BEAM leaves open gets a fixed order, each for a reason.

Two rules and no more. Everything else, which_children's order included, is compared line by line as it happened.

**1. A process that failed to start ends at once.** OTP 25 tells the starter first and exits after (`gen:init_it`
acknowledges, then calls `exit`); OTP 26 turned this round. So the `down` of such a process may stand before or after
what its supervisor does next: it is put behind the last thing that the process, or anything below it, did.

**2. Orphans die beside the rest.** When a supervisor is killed its children get the exit signal through their links, all
at once and while the level above is already restarting. Each child of the killed supervisor, with whatever lives
below it, is a thread of events of its own: these threads are taken out of the segment and put at its end, by name.

>>> tree = ["op 0", "start w1#1 in s1#1 ok", "start w2#1 in s1#1 ok"]
>>> normalise([*tree, "op 1", "down s1#1 killed", "down w2#1 killed", "down w1#1 killed"])[3:]
['op 1', 'down s1#1 killed', 'orphan w1#1', 'down w1#1 killed', 'orphan w2#1', 'down w2#1 killed']
"""

from __future__ import annotations

from collections.abc import Iterator


def normalise(lines: list[str]) -> list[str]:
    """Return *lines* with the two rules applied; each segment (from `op` to the next `op`) by itself.

    The second rule needs to know who is whose child, so the whole trace is to be given, not a part.
    """
    family = _Family()
    result: list[str] = []
    for segment in _segments(lines):
        family.learn(segment)
        result += _orphans_apart(_failed_starts_end_at_once(segment, family), family)
    return result


def segments(lines: list[str]) -> dict[str, list[str]]:
    """Return the trace as label of the operation -> its lines, for whoever wants to look at one of them."""
    return {segment[0].removeprefix("op "): segment[1:] for segment in _segments(lines)}


class _Family:
    """Who was started by whom, and who never came up; grows as segments are read."""

    def __init__(self) -> None:
        self.parent: dict[str, str] = {}
        self.never_up: set[str] = set()

    def learn(self, segment: list[str]) -> None:
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


def _failed_starts_end_at_once(segment: list[str], family: _Family) -> list[str]:
    result: list[str] = []
    for line in segment:
        verb, who = _head(line)
        if verb == "down" and who in family.never_up:
            result.insert(_end_of(who, result, family), line)
        else:
            result.append(line)
    return result


def _orphans_apart(segment: list[str], family: _Family) -> list[str]:
    killed: set[str] = set()
    rest: list[str] = []
    threads: dict[str, list[str]] = {}
    for line in segment:
        verb, who = _head(line)
        top = _orphan(who, killed, family)
        if top is not None:
            threads.setdefault(top, []).append(line)
        else:
            rest.append(line)
        if verb == "down" and line.endswith(" killed"):
            killed.add(who)
    tail = [line for top in sorted(threads) for line in (f"orphan {top}", *threads[top])]
    first_result = next((i for i, line in enumerate(rest) if line.startswith("result")), len(rest))
    return rest[:first_result] + tail + rest[first_result:]


def _orphan(who: str, killed: set[str], family: _Family) -> str | None:
    """Return the highest process above *who* (or itself) whose supervisor was killed."""
    top = None
    for member in family.line_of(who):
        parent = family.parent.get(member, "")
        if parent in killed:
            top = member
    return top


def _end_of(who: str, lines: list[str], family: _Family) -> int:
    for index in range(len(lines) - 1, -1, -1):
        if who in family.line_of(_head(lines[index])[1]):
            return index + 1
    return len(lines)


def _segments(lines: list[str]) -> Iterator[list[str]]:
    segment: list[str] = []
    for line in lines:
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
