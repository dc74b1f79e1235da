"""The orders that Elixir's DynamicSupervisor leaves open."""

from __future__ import annotations

from collections.abc import Callable

from tests.conformance.elixir.lines import by_segment, parents, sort_after, subject
from tests.conformance.family import Rule, Trace

CLOSING = ("terminate ", "down ", "info ")

Path = tuple[str, ...]
"""A process, told by the names from the root down to it."""


def _with_paths(
    change: Callable[[Trace, Callable[[str], Path]], Trace],
) -> Callable[[Trace], Trace]:
    def apply(trace: Trace) -> Trace:
        above = parents(trace)

        def path(line: str) -> Path:
            names = [subject(line)]
            while names[-1] in above:
                names.append(above[names[-1]])
            return tuple(reversed(names))

        return by_segment(lambda events: change(events, path))(trace)

    return apply


def _children_together(events: Trace, path: Callable[[str], Path]) -> Trace:
    """Sort what is said of the children of a supervisor just before its end by child, outer supervisors first."""
    ends = [line for line in events if line.startswith("down ") and subject(line)[0] in "rs"]
    for end in sorted(ends, key=lambda line: len(path(line))):
        last = events.index(end)
        depth = len(path(end))
        first = last
        while (
            first > 0
            and events[first - 1].startswith(CLOSING)
            and path(events[first - 1])[:depth] == path(end)
        ):
            first -= 1
        events[first:last] = sorted(events[first:last], key=lambda line: path(line)[depth])
    return events


def _orphans_apart(events: Trace, path: Callable[[str], Path]) -> Trace:
    """Put what is said of the children of a killed supervisor after its end behind the rest, by child."""
    killed: set[Path] = set()
    rest: Trace = []
    orphans: list[tuple[Path, str]] = []
    for line in events:
        names = path(line)
        above = next((names[:k] for k in range(1, len(names)) if names[:k] in killed), None)
        if above is None:
            rest.append(line)
        else:
            orphans.append((names[: len(above) + 1], line))
        if line.startswith("down ") and line.endswith(" killed"):
            killed.add(names)
    return rest + [line for _, line in sorted(orphans, key=lambda orphan: orphan[0])]


RULES = (
    Rule(
        "children in no order",
        "which_children lists the children of a DynamicSupervisor in an order that is not specified: "
        "it is that of a map by pid (S170).",
        sort_after(" children "),
    ),
    Rule(
        "orphans beside the rest",
        "The children of a killed supervisor get the exit signal through their links, all at once and while "
        "the level above restarts it already (S133): each one ends by itself.",
        _with_paths(_orphans_apart),
    ),
    Rule(
        "children stopped together",
        "A DynamicSupervisor that ends tells all its children at once and waits for all (S177): "
        "who says goodbye first is up to the scheduler.",
        _with_paths(_children_together),
    ),
)
