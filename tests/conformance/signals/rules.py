"""What the BEAM leaves open between processes, put into one fixed form.

What each process did and received, in its order, is compared exactly, but for what nobody can know: which of several
senders was first.

>>> quiet = "plain links= monitors= watchers= queue=0"
>>> threads_apart(["op 1", "p2 ended boom", "p1 got exit p2 boom", f"view p1 {quiet}", "names nobody nobody"])
['op 1', 'p1 got exit p2 boom', 'p2 ended boom', 'view p1 plain links= monitors= watchers= queue=0', 'names nobody nobody']
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field

from tests.conformance.family import Rule, Trace

EVENT = re.compile(r"p\d+ ")
RECEIVED = re.compile(
    r"(?P<who>p\d+) got "
    r"(?P<text>exit (?P<dead>\w+) (?P<why>.*)|down (?P<ref>m\d+) (?P<gone>\w+) (?P<reason>.*)|message (?P<tag>t\d+))"
)
SENT = re.compile(r"p\d+ (?:bare )?(?:send \w+ (?P<tag>t\d+)|monitor (?P<ref>m\d+) )")
NAMED = re.compile(
    r"p\d+ (?:(?P<verb>(?:un)?register) (?P<name>n\d) ?(?P<pid>p\d+)? true|monitor (?P<ref>m\d+) (?P<of>n\d) )"
    r"|names (?P<n1>\w+) (?P<n2>\w+)"
)
LINKED = re.compile(r"(?P<one>p\d+) (?:(?:bare )?link|spawn_link) (?P<other>p\d+)\b")
AIMED = re.compile(r"(?P<by>p\d+) (?:exits (?P<target>p\d+) |(?:quit|bare) )")
ENDED = re.compile(r"(?P<who>p\d+) ended ")
VIEW = re.compile(r"view (?P<one>p\d+) \w+ links=(?P<others>\S*) ")


def threads_apart(trace: Trace) -> Trace:
    """Put the events of each segment together by process, each process's in their order."""
    result: Trace = []
    for segment in _segments(trace):
        events = [line for line in segment if EVENT.match(line)]
        before = next((i for i, line in enumerate(segment) if line in events), len(segment))
        rest = [line for line in segment if line not in events]
        events.sort(key=lambda line: line.partition(" ")[0])
        result += rest[:before] + events + rest[before:]
    return result


def from_side_to_side(trace: Trace) -> Trace:
    """Order what each process received, as far as nothing says what came first."""
    history = _History()
    for segment in _segments(trace):
        history.learn(segment)
    received: dict[str, list[tuple[int, _Signal]]] = {}
    for place, line in enumerate(trace):
        if match := RECEIVED.match(line):
            received.setdefault(match["who"], []).append((place, _Signal.of(match)))
    result = list(trace)
    for signals in received.values():
        least = _least([signal for _, signal in signals], history)
        for (place, signal), other in zip(signals, least, strict=True):
            result[place] = result[place].removesuffix(signal.text) + other.text
    return result


def no_last_words(trace: Trace) -> Trace:
    """Leave out what a process that died of a signal received, in the same operation, just before it died."""
    result: Trace = []
    for line in trace:
        if ended := ENDED.match(line):
            while result and result[-1].startswith(f"{ended['who']} got "):
                result.pop()
        result.append(line)
    return result


RULES = (
    Rule(
        "processes run side by side",
        "The BEAM orders what one process does and receives, not what several do at the same time. Within one operation "
        "the events are put together by process, each process's in their order.",
        threads_apart,
    ),
    Rule(
        "no last words",
        "A process to which a message and then a deadly signal are on the way may read the message or die first, as its "
        "scheduler likes. So what it received of its own accord just before it died of a signal is left out.",
        no_last_words,
        drops=True,
    ),
    Rule(
        "signals of several senders",
        "Signals keep their order from one sender to one receiver; between senders none is promised. So what a process "
        "received of several that died in one operation is put in order, unless one could only die because the other had "
        "(every path of links from the victims of the operation to it leads through the other). A `noproc` comes from "
        "nobody: it has no place among what else arrived in its operation, but behind the death of the same process.",
        from_side_to_side,
    ),
)


@dataclass(frozen=True, slots=True)
class _Signal:
    """Something received: a message, or of whom an Exit or Down tells."""

    text: str
    who: str
    dead: str | None
    key: str | None
    late: bool
    """It says `noproc`: the process was dead before, and its death is not what it tells of."""

    @staticmethod
    def of(match: re.Match[str]) -> _Signal:
        dead = match["dead"] or match["gone"]
        late = (match["why"] or match["reason"]) == "noproc"
        return _Signal(match["text"], match["who"], dead, match["tag"] or match["ref"], late)


@dataclass
class _History:
    """When what was sent, who died when, and because of whom; grows as segments are read."""

    died: dict[str, int] = field(default_factory=dict[str, int])
    causes: dict[str, frozenset[str]] = field(default_factory=dict[str, frozenset[str]])
    names: dict[str, str] = field(default_factory=dict[str, str])
    watched: dict[str, str] = field(default_factory=dict[str, str])
    times: dict[str, set[int]] = field(default_factory=dict[str, set[int]])
    links: set[frozenset[str]] = field(default_factory=set[frozenset[str]])
    now: int = 0

    def learn(self, segment: Trace) -> None:
        """Read one more segment."""
        self.now += 1
        for match in _all(SENT, segment):
            self._note(match["tag"] or match["ref"])
        for match in _all(LINKED, segment):
            self._note(f"{match['one']} link {match['other']}")
            self.links.add(frozenset(match.group("one", "other")))
        for match in _all(AIMED, segment):
            self._note(f"{match['by']} exits {match['target']}")
        self._learn_deaths(segment)
        self._learn_names(segment)
        self.links = {
            frozenset((match["one"], other))
            for match in _all(VIEW, segment)
            for other in match["others"].split(",")
        }

    def _learn_names(self, segment: Trace) -> None:
        """Who had a name when it was monitored."""
        for match in _all(NAMED, segment):
            if match["ref"]:
                self.watched[match["ref"]] = self.names.get(match["of"], "nobody")
            elif match["name"]:
                self.names[match["name"]] = match["pid"] or "nobody"
            else:
                self.names |= {"n1": match["n1"], "n2": match["n2"]}

    def _note(self, what: str) -> None:
        self.times.setdefault(what, set()).add(self.now)

    def _learn_deaths(self, segment: Trace) -> None:
        dead = {match["who"] for match in _all(ENDED, segment)}
        aimed = {match["target"] or match["by"] for match in _all(AIMED, segment)} & dead
        for who in dead:
            self.died[who] = self.now
            self.causes[who] = frozenset(
                other for other in dead - {who} if not self._dies_without(who, other, dead, aimed)
            )

    def _dies_without(self, who: str, other: str, dead: set[str], aimed: set[str]) -> bool:
        """Whether *who* would have died if *other* had not."""
        reached = self._reached(aimed - {other}, dead - {other})
        return who in reached or who not in self._reached(aimed, dead)

    def _reached(self, roots: set[str], among: set[str]) -> set[str]:
        reached, edge = set(roots), set(roots)
        while edge:
            edge = {
                n for n in among - reached if any(frozenset((n, e)) in self.links for e in edge)
            }
            reached |= edge
        return reached

    def unordered(self, one: _Signal, other: _Signal) -> bool:
        """Whether nothing says which of the two came first."""
        first, second = self._dead(one), self._dead(other)
        if one.late != other.late and first == second:
            return False
        if one.late or other.late:
            return bool(self._arrivals(one) & self._arrivals(other))
        if first is None or second is None or first == second:
            return False
        return (
            self.died.get(first, 0) == self.died.get(second, -1)
            and first not in self.causes[second]
            and second not in self.causes[first]
        )

    def _dead(self, signal: _Signal) -> str | None:
        """Who is dead: whoever had the name, if it was monitored by name."""
        return self.watched.get(signal.key or "", signal.dead)

    def _arrivals(self, signal: _Signal) -> set[int]:
        """The operations in which *signal* may have arrived."""
        if signal.dead is None or (signal.late and signal.key is not None):
            return self.times.get(signal.key or "", set())
        if signal.late:
            return self.times.get(f"{signal.who} link {signal.dead}", set())
        sent = self.times.get(f"{signal.dead} exits {signal.who}", set())
        return sent | {self.died.get(self._dead(signal) or "", 0)}


def _least(signals: list[_Signal], history: _History) -> list[_Signal]:
    """The first, by its text, of all orders that keep the pairs which are ordered."""
    rest, result = list(signals), list[_Signal]()
    while rest:
        free = [
            index
            for index, signal in enumerate(rest)
            if all(history.unordered(before, signal) for before in rest[:index])
        ]
        result.append(rest.pop(min(free, key=lambda index: rest[index].text)))
    return result


def _all(pattern: re.Pattern[str], segment: Trace) -> Iterator[re.Match[str]]:
    return filter(None, map(pattern.match, segment))


def _segments(trace: Trace) -> Iterator[Trace]:
    segment: Trace = []
    for line in trace:
        if line.startswith("op ") and segment:
            yield segment
            segment = []
        segment.append(line)
    if segment:
        yield segment
