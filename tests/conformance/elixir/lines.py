"""Reading traces: segments, what a line is about, and who started whom. For the rules of the families."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from tests.conformance.family import Trace


def by_segment(change: Callable[[Trace], Trace]) -> Callable[[Trace], Trace]:
    """Apply *change* to the lines of each operation, its results apart."""

    def apply(trace: Trace) -> Trace:
        return [line for segment in segments(trace) for line in _events_of(segment, change)]

    return apply


def segments(trace: Trace) -> Iterator[Trace]:
    """The lines from each `op` to the next."""
    segment: Trace = []
    for line in trace:
        if line.startswith("op ") and segment:
            yield segment
            segment = []
        segment.append(line)
    if segment:
        yield segment


def subject(line: str) -> str:
    """The process that a line of an event is about: its second word; nobody's in `hang`."""
    return line.partition(" ")[2].partition(" ")[0]


def parents(trace: Trace) -> dict[str, str]:
    """Who was started by whom, from the lines `start w1#1 in root#1 ...`."""
    found = (line.split() for line in trace if line.startswith("start "))
    return {words[1]: words[3] for words in found if words[2] == "in"}


def sort_after(mark: str) -> Callable[[Trace], Trace]:
    """Sort the words after *mark* in every line that has it."""

    def sort(line: str) -> str:
        head, found, tail = line.partition(mark)
        return head + found + " ".join(sorted(tail.split())) if found else line

    return lambda trace: [sort(line) for line in trace]


def _events_of(segment: Trace, change: Callable[[Trace], Trace]) -> Trace:
    results = [line for line in segment[1:] if line.startswith("result ")]
    events = [line for line in segment[1:] if not line.startswith("result ")]
    return [segment[0], *change(events), *results]
