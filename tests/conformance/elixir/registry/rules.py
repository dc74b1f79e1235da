"""The orders that Elixir's Registry leaves open, and what suptree says it does otherwise."""

from __future__ import annotations

from tests.conformance.elixir.lines import by_segment, side_by_side, sort_after
from tests.conformance.family import Rule, Trace


def _one_exit(events: Trace) -> Trace:
    """Leave one of the lines by which a process tells that partitions ended."""
    seen: set[str] = set()
    kept: Trace = []
    for line in events:
        if " exit partition " not in line or line not in seen:
            kept.append(line)
        seen.add(line)
    return kept


RULES = (
    Rule(
        "entries in no order",
        "Registry says of lookup, keys, values, match, select and dispatch that what they give is in no particular "
        "order (S212); nor has the list of who is alive at the end one.",
        lambda trace: sort_after(" alive ")(sort_after(" entries ")(trace)),
    ),
    Rule(
        "processes side by side",
        "The death of a partition reaches all who registered there at once, and its supervisor as well: whose turn is "
        "first is up to the scheduler. What each of them does, in its order, is compared.",
        by_segment(side_by_side),
    ),
    Rule(
        "partitions of a process",
        "There a process is linked to one partition, which is told by its pid; here to those that hold its entries "
        "(semantics: a registered process is linked to the partition of its pid): it may be told of several ends.",
        by_segment(_one_exit),
        own=True,
        drops=True,
    ),
)
