"""What the BEAM leaves open between servers, put into one fixed form.

>>> ends_by_name(["op 1", "ended b#1 boom", "ended a#1 boom"])
['op 1', 'ended a#1 boom', 'ended b#1 boom']
"""

from __future__ import annotations

from collections.abc import Callable
from itertools import groupby

from tests.conformance.family import Rule, Trace


def ends_by_name(trace: Trace) -> Trace:
    """Sort what a watcher of several processes was told of their ends after one operation."""
    return _sorted_where(trace, lambda line: line.startswith(("ended ", "driver exit ")))


def failures_by_number(trace: Trace) -> Trace:
    """Sort the requests that were answered, one after the other, by the end of their server."""
    return _sorted_where(
        trace, lambda line: line.startswith("driver response ") and " exit " in line
    )


def _sorted_where(trace: Trace, belongs: Callable[[str], bool]) -> Trace:
    result: Trace = []
    for belonging, lines in groupby(trace, belongs):
        found = list(lines)
        result += sorted(found) if belonging else found
    return result


RULES = (
    Rule(
        "ends of several, by name",
        "When one death takes others with it, each of the dead tells those who watch it by itself, and between signals "
        "of different senders no order is promised.",
        ends_by_name,
    ),
    Rule(
        "requests that failed, by number",
        "Each request has a monitor of its own, and in which order a dead process answers its monitors is not said.",
        failures_by_number,
    ),
)
