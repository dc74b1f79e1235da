"""The order in which children start, from what they depend on.  Pure.

    start_order='listed'         as listed; what a child depends on must be listed before it
    start_order='dependencies'   sorted so that what a child depends on comes first; children
                                 that do not depend on one another keep their listed order

Cycles and unknown ids are refused with the path.
"""

from __future__ import annotations

import heapq
from collections.abc import Sequence
from typing import Any, Final, Literal

from suptree.errors import ChildSpecError
from suptree.near import meant, near
from suptree.otp.child_spec import ChildSpec

__all__ = ["START_ORDERS", "StartOrder", "arrange"]

StartOrder = Literal["listed", "dependencies"]
START_ORDERS: Final = ("listed", "dependencies")


def arrange(
    who: str, specs: Sequence[ChildSpec[Any]], start_order: StartOrder
) -> list[ChildSpec[Any]]:
    """The specs in start order.

    Raises:
        ChildSpecError: A child depends on itself, on an unknown id, or in a circle; or,
            as listed, on one that is listed after it.
    """
    place = {spec.id: number for number, spec in enumerate(specs)}
    for spec in specs:
        for needed in spec.depends_on:
            if needed not in place:
                raise ChildSpecError(_unknown(who, spec.id, needed, list(place)))
    match start_order:
        case "dependencies":
            return _sorted(who, specs, place)
        case "listed":
            for spec in specs:
                for needed in spec.depends_on:
                    if place[needed] >= place[spec.id]:
                        raise ChildSpecError(
                            f"{who}: child {spec.id!r} depends on {needed!r}, which does not start "
                            "before it. List it earlier, or use start_order='dependencies'."
                        )
            return list(specs)


def _sorted(
    who: str, specs: Sequence[ChildSpec[Any]], place: dict[Any, int]
) -> list[ChildSpec[Any]]:
    """Always the earliest listed child whose dependencies have started."""
    missing = {spec.id: len(set(spec.depends_on)) for spec in specs}
    dependents: dict[Any, list[Any]] = {}
    for spec in specs:
        for needed in set(spec.depends_on):
            dependents.setdefault(needed, []).append(spec.id)
    free = [place[id] for id, count in missing.items() if count == 0]
    heapq.heapify(free)
    order: list[ChildSpec[Any]] = []
    while free:
        spec = specs[heapq.heappop(free)]
        order.append(spec)
        for dependent in dependents.get(spec.id, ()):
            missing[dependent] -= 1
            if missing[dependent] == 0:
                heapq.heappush(free, place[dependent])
    if len(order) < len(specs):
        started = {spec.id for spec in order}
        path = " -> ".join(repr(id) for id in _circle(specs, started))
        raise ChildSpecError(
            f"{who}: children depend on one another in a circle: {path}. Remove one depends_on."
        )
    return order


def _circle(specs: Sequence[ChildSpec[Any]], started: set[Any]) -> list[Any]:
    """One circle among the children that could not start, ending where it begins."""
    needs = {
        spec.id: next(needed for needed in spec.depends_on if needed not in started)
        for spec in specs
        if spec.id not in started
    }
    path = [next(iter(needs))]
    while path[-1] not in path[:-1]:
        path.append(needs[path[-1]])
    return path[path.index(path[-1]) :]


def _unknown(who: str, id: Any, needed: Any, known: list[Any]) -> str:
    hint = meant(near(needed, known))
    ids = ", ".join(repr(other) for other in known)
    return f"{who}: child {id!r} depends on {needed!r}, which is no child{hint} Children: {ids}."
