"""`Tree`: a whole system declared once: who is in it, under whom, and who needs whom.  Pure.

Production, tests and documentation use the same declaration.  A `Service` is a process or
a supervisor of its own; a `Branch` is a supervisor of services and branches, with its
strategy and intensity.  The start order is derived: each comes after all that it needs,
wherever in the tree that is.  Processes are registered by their path, `system.managers.scheduler`.

Refused: a name twice, a need that nobody has declared, and circles, with the path printed.

>>> tree = Tree(Branch("shop", Service("till", child(Till), needs=["ledger"]), Service("ledger", child(Ledger))))
>>> print(tree.plan())
shop  one_for_one, 3 restarts in 5 s
├─ 1  shop.ledger  Ledger, permanent, shutdown 5 s
└─ 2  shop.till    Till, permanent, shutdown 5 s, needs ledger
"""

from __future__ import annotations

import dataclasses
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple

from suptree.errors import SpecError
from suptree.otp import ChildSpec, Supervisor
from suptree.services import Dependencies

__all__ = ["Branch", "PlanLine", "Service", "Tree"]

Strategy = Literal["one_for_one", "one_for_all", "rest_for_one"]
AutoShutdown = Literal["never", "any_significant", "all_significant"]


class Service:
    """One service of a tree.

    Args:
        name: Its own name, unique in the tree.
        spec: Its child spec; the tree gives it its registered name and its id.
        needs: Names of services and branches that must be up before it.
    """

    __slots__ = ("name", "needs", "spec")

    def __init__(self, name: str, spec: ChildSpec[Any], *, needs: Collection[str] = ()) -> None:
        self.name = _word(name)
        self.spec = _spec(name, spec)
        self.needs = _needs(name, needs)


class Branch:
    """A supervisor in a tree, and what stands under it.

    Args:
        name: Its own name, unique in the tree.
        children: Services and branches, in any order.
        strategy: As of `Supervisor`.
        max_restarts: As of `Supervisor`.
        max_seconds: As of `Supervisor`.
        auto_shutdown: As of `Supervisor`.
        needs: Names of services and branches that must be up before it.
    """

    __slots__ = (
        "auto_shutdown",
        "children",
        "max_restarts",
        "max_seconds",
        "name",
        "needs",
        "strategy",
    )

    def __init__(
        self,
        name: str,
        *children: Service | Branch,
        strategy: Strategy = "one_for_one",
        max_restarts: int = 3,
        max_seconds: float = 5.0,
        auto_shutdown: AutoShutdown = "never",
        needs: Collection[str] = (),
    ) -> None:
        self.name = _word(name)
        self.children = tuple(_node(name, child) for child in children)
        self.strategy: Strategy = strategy
        self.max_restarts = max_restarts
        self.max_seconds = max_seconds
        self.auto_shutdown: AutoShutdown = auto_shutdown
        self.needs = _needs(name, needs)


class PlanLine(NamedTuple):
    """One process of the plan.

    Attributes:
        depth: How many supervisors stand above it.
        number: Its place in the start order among all services; None for a branch.
        path: Its registered name.
        what: Its class and its options, or the strategy of a branch.
        needs: What it needs.
        last: Whether it is the last child of its supervisor.
    """

    depth: int
    number: int | None
    path: str
    what: str
    needs: tuple[str, ...]
    last: bool


@dataclass(frozen=True, slots=True)
class _Place:
    """Where a node stands: the names of the branches above it, then its own."""

    node: Service | Branch
    path: tuple[str, ...]


class Tree:
    """A checked declaration of a whole tree.

    Args:
        root: The branch at its top.

    Raises:
        SpecError: A name twice, or an option of a supervisor that is wrong.
        DependencyError: A need that nobody has declared, or a circle.
    """

    def __init__(self, root: Branch) -> None:
        self._root = root
        self._places: dict[str, _Place] = {}
        self._note(root, ())
        needs = {
            name: (*place.node.needs, *_below(place.node)) for name, place in self._places.items()
        }
        self._services = Dependencies(needs)
        self._ordered = {
            name: self._arrange(place.node)
            for name, place in self._places.items()
            if isinstance(place.node, Branch)
        }
        self._spec = self._spec_of(root)

    # -- what follows from it ------------------------------------------------------------------

    def spec(self) -> ChildSpec[Any]:
        """The child spec of its top supervisor."""
        return self._spec

    def children(self) -> list[ChildSpec[Any]]:
        """The child specs below the top, in start order: for an `Application`."""
        return [self._spec_of(child) for child in self._ordered[self._root.name]]

    def path_of(self, name: str) -> str:
        """The registered name of a service or branch.

        Raises:
            UnknownServiceError: There is none of that name.
        """
        self._services.needs(name)  # raises, with a near name
        return ".".join(self._places[name].path)

    def needs(self) -> dict[str, tuple[str, ...]]:
        """Each service with the services that it needs, itself or as part of a branch."""
        return {
            name: tuple(dict.fromkeys(self._services_needed(place)))
            for name, place in self._places.items()
            if isinstance(place.node, Service)
        }

    def start_order(self) -> list[str]:
        """The names of all services, in the order in which they start."""
        return [line.path.rpartition(".")[2] for line in self.lines() if line.number is not None]

    def lines(self) -> Iterator[PlanLine]:
        """Every process, in start order, each branch before what is under it."""
        number = 0
        left: list[tuple[Service | Branch, int, bool]] = [(self._root, 0, True)]
        while left:
            node, depth, last = left.pop()
            path = ".".join(self._places[node.name].path)
            if isinstance(node, Service):
                number += 1
                yield PlanLine(depth, number, path, _options(node.spec), node.needs, last)
                continue
            what = f"{node.strategy}, {node.max_restarts} restarts in {node.max_seconds:g} s"
            if node.auto_shutdown != "never":
                what += f", auto_shutdown {node.auto_shutdown}"
            yield PlanLine(depth, None, path, what, node.needs, last)
            children = self._ordered[node.name]
            left += [(child, depth + 1, child is children[-1]) for child in reversed(children)]

    def plan(self) -> str:
        """The whole tree for people: start order, strategies, intensities, needs."""
        return "\n".join(_drawn(list(self.lines())))

    # -- inside ----------------------------------------------------------------------------------

    def _note(self, node: Service | Branch, above: tuple[str, ...]) -> None:
        path = (*above, node.name)
        other = self._places.get(node.name)
        if other is not None:
            raise SpecError(
                f"Tree: {node.name!r} stands at {'.'.join(other.path)} and at {'.'.join(path)}. "
                "Give one of them another name: needs are told by it."
            )
        self._places[node.name] = _Place(node, path)
        if isinstance(node, Branch):
            for one in node.children:
                self._note(one, path)

    def _arrange(self, branch: Branch) -> list[Service | Branch]:
        """The children of *branch* in start order: what one needs inside another one counts for both."""
        names = [child.name for child in branch.children]
        needs: dict[str, list[str]] = {name: [] for name in names}
        depth = len(self._places[branch.name].path)
        for child in branch.children:
            for needed in self._needs_inside(child):
                path = self._places[needed].path
                inside = path[:depth] == self._places[branch.name].path and len(path) > depth
                if inside and path[depth] != child.name:
                    needs[child.name].append(path[depth])
        order = Dependencies(needs).start_order()
        by_name = {child.name: child for child in branch.children}
        return [by_name[name] for name in order]

    def _needs_inside(self, node: Service | Branch) -> Iterator[str]:
        yield from node.needs
        if isinstance(node, Branch):
            for child in node.children:
                yield from self._needs_inside(child)

    def _services_needed(self, place: _Place) -> Iterator[str]:
        for above in place.path:
            for needed in self._places[above].node.needs:
                yield from _services_of(self._places[needed].node)

    def _spec_of(self, node: Service | Branch) -> ChildSpec[Any]:
        path = ".".join(self._places[node.name].path)
        if isinstance(node, Service):
            return dataclasses.replace(node.spec, id=node.name, name=path)
        spec = Supervisor.child(
            [self._spec_of(child) for child in self._ordered[node.name]],
            strategy=node.strategy,
            max_restarts=node.max_restarts,
            max_seconds=node.max_seconds,
            auto_shutdown=node.auto_shutdown,
            name=path,
        )
        return spec.with_(id=node.name)


def _below(node: Service | Branch) -> Iterator[str]:
    """A branch is up when all that is under it is."""
    if isinstance(node, Branch):
        for child in node.children:
            yield child.name


def _services_of(node: Service | Branch) -> Iterator[str]:
    if isinstance(node, Service):
        yield node.name
    else:
        for child in node.children:
            yield from _services_of(child)


def _options(spec: ChildSpec[Any]) -> str:
    label = spec.start.label
    shutdown = spec.shutdown if isinstance(spec.shutdown, str) else f"{spec.shutdown:g} s"
    significant = ", significant" if spec.significant else ""
    return f"{label}, {spec.restart}{significant}, shutdown {shutdown}"


def _drawn(lines: list[PlanLine]) -> Iterator[str]:
    width = max(len(line.path) for line in lines)
    digits = len(str(max(line.number or 0 for line in lines)))
    open_above: list[bool] = []
    for line in lines:
        del open_above[line.depth :]
        indent = "".join("│  " if more else "   " for more in open_above[1:])
        mark = "" if not line.depth else "└─ " if line.last else "├─ "
        number = "" if line.number is None else f"{line.number:>{digits}}  "
        needs = f", needs {', '.join(line.needs)}" if line.needs else ""
        path = line.path if line.number is None else line.path.ljust(width)
        yield f"{indent}{mark}{number}{path}  {line.what}{needs}".rstrip()
        open_above.append(not line.last)


def _word(name: object) -> str:
    if not isinstance(name, str) or not name.isidentifier():
        raise SpecError(
            f"Tree: a name must be a word like 'dead_letters'; got {name!r}. "
            "It becomes a part of a registered name, as in 'system.dead_letters'."
        )
    return name


def _spec(name: object, spec: ChildSpec[Any]) -> ChildSpec[Any]:
    given: object = spec
    if not isinstance(given, ChildSpec):
        raise SpecError(
            f"Service {name!r}: spec must be a child spec; got {spec!r}. "
            "Write Service(name, st.child(Class, ...))."
        )
    return spec


def _node(branch: object, child: object) -> Service | Branch:
    if not isinstance(child, Service | Branch):
        raise SpecError(
            f"Branch {branch!r}: each child must be a Service or a Branch; got {child!r}. "
            "Write Service(name, st.child(Class, ...))."
        )
    return child


def _needs(name: object, needs: Collection[str]) -> tuple[str, ...]:
    if isinstance(needs, str):
        raise SpecError(
            f"Tree: what {name!r} needs must be a list; got {needs!r}. Write [{needs!r}]."
        )
    return tuple(needs)
