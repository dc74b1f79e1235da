"""`SignalRouter`: which targets a signal goes to, and in which order.

A trie over the words of the paths: the cost of a signal depends on its own words and on
what it matches, hardly on how many paths there are.  What it found for a type is kept
until the next change.  Pure: no clock, no process; a match function is called by `match`
alone, in the turn of whoever calls that.

Order: the more specific path first (see `paths`), then the higher priority, then
registration.

>>> router: SignalRouter[str] = SignalRouter()
>>> all_orders = router.add("shop.order.**", "audit")
>>> placed = router.add("shop.order.placed", "till", "stock", priority=10)
>>> router.match(Signal("shop.order.placed", source="/shop"))
['till', 'stock', 'audit']
>>> router.remove(placed)
True
>>> [route.path.text for route in router.routes("shop.order.placed")]
['shop.order.**']
"""

from __future__ import annotations

from bisect import insort
from collections.abc import Callable, Iterator
from typing import Final, Generic, TypeAlias, TypeVar

from suptree.services.signals.errors import SignalOptionsError
from suptree.services.signals.paths import ANY, ONE, SignalPath
from suptree.services.signals.signal import Signal

__all__ = ["SignalMatch", "SignalRoute", "SignalRouter", "check_priority"]

T = TypeVar("T")
SignalMatch: TypeAlias = Callable[[Signal], object]
"""Says of a signal whose type fits whether it is wanted; a plain function, and quick."""
PRIORITIES: Final = range(-100, 101)


class SignalRoute(Generic[T]):
    """One registration; made by `SignalRouter.add`, which `remove` takes back.

    Attributes:
        path: Which types.
        targets: Where to, in order.
        priority: -100 to 100.
        match: What is asked besides; None: nothing.
        order: Sorts before that of a route that comes after.
    """

    __slots__ = ("match", "order", "path", "priority", "targets")

    def __init__(
        self,
        path: SignalPath,
        targets: tuple[T, ...],
        priority: int,
        match: SignalMatch | None,
        number: int,
    ) -> None:
        self.path = path
        self.targets = targets
        self.priority = priority
        self.match = match
        self.order = (path.rank, -priority, number)

    def __repr__(self) -> str:
        return f"<SignalRoute {self.path.text!r}, priority {self.priority}, {len(self.targets)} targets>"


class _Node(Generic[T]):
    """The routes of one path, and the paths that go on from it."""

    __slots__ = ("any", "one", "parent", "repeats", "routes", "word", "words")

    def __init__(self, parent: _Node[T] | None, word: str) -> None:
        self.parent = parent
        self.word = word
        self.repeats = word == ANY
        self.words: dict[str, _Node[T]] = {}
        self.one: _Node[T] | None = None
        self.any: _Node[T] | None = None
        self.routes: list[SignalRoute[T]] = []

    def child(self, word: str) -> _Node[T] | None:
        if word == ONE:
            return self.one
        return self.any if word == ANY else self.words.get(word)

    def set_child(self, word: str, node: _Node[T] | None) -> None:
        if word == ONE:
            self.one = node
        elif word == ANY:
            self.any = node
        elif node is None:
            del self.words[word]
        else:
            self.words[word] = node

    def is_empty(self) -> bool:
        return not (self.routes or self.words or self.one or self.any)


class SignalRouter(Generic[T]):
    """Routes by path.

    Args:
        remember: For how many types what was found is kept; 0 keeps nothing.
    """

    __slots__ = ("_found", "_guarded", "_nodes_any", "_number", "_remember", "_root", "_size")

    def __init__(self, *, remember: int = 1024) -> None:
        self._root: _Node[T] = _Node(None, "")
        self._remember = remember
        self._found: dict[str, tuple[SignalRoute[T], ...]] = {}
        self._number = 0
        self._size = 0
        self._guarded = 0
        self._nodes_any = 0  # nodes of `**`; without any, no node is reached in two ways

    def add(
        self,
        path: SignalPath | str,
        *targets: T,
        priority: int = 0,
        match: SignalMatch | None = None,
    ) -> SignalRoute[T]:
        """SignalRoute signals of *path* to *targets*.

        Args:
            path: A path, see `paths`.
            targets: One or more; they are given in this order.
            priority: -100 to 100; the higher goes first among paths equally specific.
            match: Asked for each signal by `match`, in the caller's turn.

        Raises:
            SignalPathError: The path is not written like one.
            SignalOptionsError: The priority is out of range, or there is no target.
        """
        check_priority("SignalRouter.add", priority)
        if not targets:
            raise SignalOptionsError("SignalRouter.add", "targets", "one or more", targets)
        path = path if isinstance(path, SignalPath) else SignalPath(path)
        self._number += 1
        route = SignalRoute(path, targets, priority, match, self._number)
        node = self._root
        for word in path.words:
            child = node.child(word)
            if child is None:
                child = _Node(node, word)
                node.set_child(word, child)
                self._nodes_any += child.repeats
            node = child
        insort(node.routes, route, key=_order)
        self._size += 1
        self._guarded += match is not None
        self._found.clear()
        return route

    def remove(self, route: SignalRoute[T]) -> bool:
        """Take *route* out; False if it was not in."""
        node = self._root
        for word in route.path.words:
            child = node.child(word)
            if child is None:
                return False
            node = child
        if route not in node.routes:
            return False
        node.routes.remove(route)
        self._size -= 1
        self._guarded -= route.match is not None
        self._found.clear()
        while node.parent is not None and node.is_empty():
            self._nodes_any -= node.repeats
            node.parent.set_child(node.word, None)
            node = node.parent
        return True

    def routes(self, type: str) -> tuple[SignalRoute[T], ...]:
        """The routes whose path fits *type*, in order; match functions are not asked."""
        found = self._found.get(type)
        if found is None:
            found = self._look(type)
            if self._remember:
                if len(self._found) >= self._remember:
                    self._found.clear()
                self._found[type] = found
        return found

    def match(self, signal: Signal) -> list[T]:
        """The targets of *signal* in order, match functions asked; what one raises flies."""
        return [
            target
            for route in self.routes(signal.type)
            if route.match is None or route.match(signal)
            for target in route.targets
        ]

    def has_matches(self) -> bool:
        """Whether any route has a match function."""
        return self._guarded > 0

    def __len__(self) -> int:
        """How many routes there are."""
        return self._size

    def __iter__(self) -> Iterator[SignalRoute[T]]:
        """Every route, in no order that is promised."""
        nodes = [self._root]
        while nodes:
            node = nodes.pop()
            yield from node.routes
            nodes += node.words.values()
            nodes += (child for child in (node.one, node.any) if child is not None)

    def _look(self, type: str) -> tuple[SignalRoute[T], ...]:
        active = [self._root]
        if self._root.any is not None:
            active.append(self._root.any)
        for word in type.split("."):
            reached: list[_Node[T]] = []
            for node in active:
                if node.repeats:
                    reached.append(node)
                for child in (node.words.get(word), node.one):
                    if child is not None:
                        reached.append(child)
                        if child.any is not None:
                            reached.append(child.any)
            # Invariant: a node stands in `active` once.  Only one below a `**` can be
            # reached in two ways: from its parent, and from itself.
            active = list(dict.fromkeys(reached)) if self._nodes_any else reached
            if not active:
                return ()
        full = [node.routes for node in active if node.routes]
        if len(full) == 1:
            return tuple(full[0])
        return tuple(sorted((route for routes in full for route in routes), key=_order))


def check_priority(who: str, priority: object) -> None:
    """Refuse what is no priority."""
    if not isinstance(priority, int) or isinstance(priority, bool) or priority not in PRIORITIES:
        raise SignalOptionsError(who, "priority", "an integer from -100 to 100", priority)


def _order(route: SignalRoute[T]) -> tuple[bytes, int, int]:
    return route.order
