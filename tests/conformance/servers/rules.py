"""What the BEAM leaves open between servers, put into one fixed form.

>>> ends_by_name(["op 1", "ended b#1 boom", "ended a#1 boom"])
['op 1', 'ended a#1 boom', 'ended b#1 boom']
"""

from __future__ import annotations

from collections.abc import Callable
from itertools import groupby

from tests.conformance.family import Rule, Trace

RESPONSE = "driver response "


def ends_by_name(trace: Trace) -> Trace:
    """Sort what a watcher of several processes was told of their ends after one operation."""
    return _sorted_where(trace, lambda line: line.startswith(("ended ", "driver exit ")))


def responses_by_server(trace: Trace) -> Trace:
    """Put the responses that were collected at once into groups, one for each server, in the order of each."""
    return _sorted_where(
        trace, lambda line: line.startswith(RESPONSE), lambda line: line.split()[2]
    )


def failures_by_number(trace: Trace) -> Trace:
    """Sort the requests that were answered, one after the other, by the end of their server."""
    return _sorted_where(trace, lambda line: line.startswith(RESPONSE) and " exit " in line)


def _sorted_where(
    trace: Trace, belongs: Callable[[str], bool], key: Callable[[str], str] = str
) -> Trace:
    result: Trace = []
    for belonging, lines in groupby(trace, belongs):
        found = list(lines)
        result += sorted(found, key=key) if belonging else found
    return result


RULES = (
    Rule(
        "ends of several, by name",
        "When one death takes others with it, each of the dead tells those who watch it by itself, and between signals "
        "of different senders no order is promised.",
        ends_by_name,
    ),
    Rule(
        "responses, by server",
        "Replies of several servers to one client come in any order; those of one server come in its order.",
        responses_by_server,
    ),
    Rule(
        "requests that failed, by number",
        "Each request has a monitor of its own, and in which order a dead process answers its monitors is not said.",
        failures_by_number,
    ),
)
