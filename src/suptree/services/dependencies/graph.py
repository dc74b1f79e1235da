"""`Dependencies`: which service needs which, checked once, and every order that follows.  Pure.

A value: it is refused when it is made if a service needs one that is not declared, or if
services need one another in a circle; the refusal prints the path.

>>> needs = Dependencies({"api": ["cache", "db"], "cache": ["db"], "db": [], "clock": []})
>>> needs.start_order()
['db', 'cache', 'api', 'clock']
>>> needs.groups()
[['db', 'clock'], ['cache'], ['api']]
>>> Dependencies({"a": ["b"], "b": ["c"], "c": ["a"]})
Traceback (most recent call last):
...
suptree.services.dependencies.errors.DependencyCycleError: Dependencies: services must not depend on one another in a circle; got a -> b -> c -> a. Take one of these dependencies away.

What a tree of supervisors does with the dependencies of its children stands in
`otp/start_order.py`; here the names are those of services, wherever in the tree they are.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping

from suptree.services.dependencies.errors import (
    DependencyCycleError,
    DependencyError,
    MissingDependencyError,
    UnknownServiceError,
)

__all__ = ["Dependencies", "start_order"]


def start_order(services: Mapping[str, Collection[str]]) -> list[str]:
    """The services in an order in which each comes after all that it needs.

    Each service comes right after the last of what it needs, in declared order: the same
    declaration always gives the same order, and what needs nothing keeps its place.

    Args:
        services: Each service with the services that it needs.

    Raises:
        DependencyCycleError: They need one another in a circle; `path` is the circle.
        MissingDependencyError: One needs a service that is not declared.
        DependencyError: A name is no string, or needs are one string.
    """
    _check(services)
    order: dict[str, None] = {}
    for service in services:
        if service not in order:
            _visit(services, service, order)
    return list(order)


def _check(services: Mapping[str, Collection[str]]) -> None:
    for service, needs in services.items():
        if not isinstance(service, str) or not service:
            raise DependencyError(
                f"Dependencies: a service must be a non-empty string; got {service!r}."
            )
        if isinstance(needs, str) or not isinstance(needs, Collection):
            raise DependencyError(
                f"Dependencies: what {service!r} needs must be a list of names; got {needs!r}. "
                f"Write it like {{{service!r}: ['db']}}."
            )
        for needed in needs:
            if needed not in services:
                raise MissingDependencyError(service, needed, services)


def _visit(services: Mapping[str, Collection[str]], first: str, order: dict[str, None]) -> None:
    """Put *first* into *order*, after all that it needs; without recursion, however long the chain."""
    path: dict[str, Iterator[str]] = {first: iter(services[first])}
    while path:
        service, needs = next(reversed(path.items()))
        needed = next((one for one in needs if one not in order), None)
        if needed is None:
            order[service] = None
            del path[service]
        elif needed in path:
            steps = list(path)
            raise DependencyCycleError([*steps[steps.index(needed) :], needed])
        else:
            path[needed] = iter(services[needed])


class Dependencies:
    """A checked declaration of which service needs which.

    Args:
        services: Each service with those that it needs; copied.

    Raises:
        DependencyError: As `start_order`.
    """

    __slots__ = ("_needs", "_order", "_wanted")

    def __init__(self, services: Mapping[str, Collection[str]]) -> None:
        self._order = tuple(start_order(services))
        self._needs = {name: tuple(dict.fromkeys(needs)) for name, needs in services.items()}
        wanted: dict[str, list[str]] = {name: [] for name in services}
        for name in self._order:
            for needed in self._needs[name]:
                wanted[needed].append(name)
        self._wanted = {name: tuple(others) for name, others in wanted.items()}

    def start_order(self) -> list[str]:
        """All services, each after what it needs."""
        return list(self._order)

    def stop_order(self) -> list[str]:
        """The start order backwards: each service stops before what it needs."""
        return list(reversed(self._order))

    def groups(self) -> list[list[str]]:
        """Services that may start together: each group needs only the groups before it."""
        depth: dict[str, int] = {}
        for name in self._order:
            depth[name] = 1 + max((depth[needed] for needed in self._needs[name]), default=-1)
        groups: list[list[str]] = [[] for _ in range(max(depth.values(), default=-1) + 1)]
        for name in self._order:
            groups[depth[name]].append(name)
        return groups

    def needs(self, service: str) -> tuple[str, ...]:
        """What the service needs itself, as declared.

        Raises:
            UnknownServiceError: It is not declared.
        """
        return self._needs[self.known(service)]

    def needed_by(self, service: str) -> tuple[str, ...]:
        """Who needs the service itself, in start order."""
        return self._wanted[self.known(service)]

    def all_needs(self, service: str) -> list[str]:
        """All that must be there for the service, in start order."""
        return self._closure(service, self._needs)

    def all_needed_by(self, service: str) -> list[str]:
        """All that cannot do without the service, in start order."""
        return self._closure(service, self._wanted)

    def known(self, service: str, who: str = "Dependencies") -> str:
        """The service, if it is declared.

        Raises:
            UnknownServiceError: It is not.
        """
        if service not in self._needs:
            raise UnknownServiceError(who, service, self._needs)
        return service

    def _closure(self, service: str, edges: Mapping[str, tuple[str, ...]]) -> list[str]:
        found: set[str] = set()
        left = list(edges[self.known(service)])
        while left:
            name = left.pop()
            if name not in found:
                found.add(name)
                left.extend(edges[name])
        return [name for name in self._order if name in found]

    def __contains__(self, service: object) -> bool:
        return service in self._needs

    def __iter__(self) -> Iterator[str]:
        """The services in start order."""
        return iter(self._order)

    def __len__(self) -> int:
        return len(self._order)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Dependencies):
            return NotImplemented
        return self._needs == other._needs

    def __hash__(self) -> int:
        return hash(frozenset(self._needs.items()))

    def __repr__(self) -> str:
        return f"Dependencies({self._needs!r})"
