"""What passed by reference and then changed: messages in flight, arguments between starts (law 10).

Messages and child arguments are passed as they are, not copied.  A sender that changes
a message before it is handled, or a server that changes the arguments it will be
started with again, shares state that no supervisor can clean.  A `Sharing` watches
one test, by wrapping the methods of `Mailbox` and of the start functions; what it
notes becomes a warning when the test ends.

It looks into list, dict, set, bytearray, deque, dataclasses that are not frozen, and what
these and tuples hold.  Anything else (a subclass too) is taken for shared on purpose.
A direct call is never in flight: `--suptree-direct-call=off` sees more.
"""

from __future__ import annotations

import contextlib
import dataclasses
import functools
from collections import deque
from collections.abc import Callable, Generator, Iterable
from typing import Any, Final

from suptree.core import CALL, CAST, INFO, Envelope, Mailbox, safe_repr
from suptree.otp import FunctionStart, ServerStart
from suptree.testing.sites import Sites

__all__ = ["SharedChangeWarning", "Sharing"]

_DEPTH: Final = 5
_ITEMS: Final = 1_000
_TEXT: Final = 120
_ATOMS: Final = frozenset((bool, int, float, complex, str, bytes, type(None)))
_SEQUENCES: Final = (list, tuple, deque)
_SETS: Final = (set, frozenset)


class SharedChangeWarning(UserWarning):
    """A message changed after it was sent, or an argument between two starts of a child."""


class _Noted:
    """Something shared, as it was when it was passed on.  Holds it, so that its id stays its own."""

    __slots__ = ("parts", "thing", "where")

    def __init__(self, thing: object, parts: list[_Part], where: object) -> None:
        self.thing = thing
        self.parts = parts
        self.where = where

    def changes(self) -> Iterable[str]:
        """Each part that is not as it was, in words."""
        for part in self.parts:
            if _picture(part.value) != part.picture:
                yield f"it was {part.text}, and is {safe_repr(part.value, _TEXT)}"


@dataclasses.dataclass(slots=True)
class _Part:
    """One argument that can change."""

    value: object
    picture: object
    text: str


class Sharing:
    """Remembers what was passed by reference in one test.

    Args:
        sites: Finds the line that sent a message.

    Attributes:
        found: What changed, as texts, each once.
    """

    def __init__(self, sites: Sites) -> None:
        self.found: dict[str, None] = {}
        self._sites = sites
        self._in_flight: dict[int, _Noted] = {}
        self._starts: dict[int, _Noted] = {}

    @contextlib.contextmanager
    def watch(self) -> Generator[None, None, None]:
        """See every message and every start inside the block."""
        with contextlib.ExitStack() as restore:
            for name, look in (("append", self._sent), ("popleft", self._first_taken)):
                _before(restore, Mailbox, name, look)
            _before(restore, Mailbox, "__delitem__", self._taken)
            for kind in (ServerStart, FunctionStart):
                _before(restore, kind, "start", self._starting)
            yield
        self._in_flight.clear()
        self._starts.clear()

    # -- messages ---------------------------------------------------------------------------

    def _sent(self, _mailbox: Mailbox, envelope: Envelope) -> None:
        parts = _parts(_message(envelope))
        if parts:
            self._in_flight[id(envelope)] = _Noted(envelope, parts, self._sites.place())

    def _first_taken(self, mailbox: Mailbox) -> None:
        if self._in_flight and mailbox:
            self._look(mailbox[0])

    def _taken(self, mailbox: Mailbox, index: int) -> None:
        if self._in_flight:
            self._look(mailbox[index])

    def _look(self, envelope: Envelope) -> None:
        noted = self._in_flight.pop(id(envelope), None)
        if noted is None:
            return
        for change in noted.changes():
            self._note(
                f"a message changed after it was sent: {_describe(envelope)}, sent at "
                f"{noted.where}: {change}. Messages pass by reference: send a copy, or make a new "
                "one for each message."
            )

    # -- starts -----------------------------------------------------------------------------

    def _starting(self, start: ServerStart | FunctionStart, *_args: object) -> None:
        noted = self._starts.get(id(start))
        if noted is None:
            parts = _parts([*start.args, *start.kwargs.values()])
            if parts:
                self._starts[id(start)] = _Noted(start, parts, None)
            return
        for change in noted.changes():
            self._note(
                f"an argument of {start.label} changed between two starts: {change}. A restart "
                "uses the same arguments: copy it in __init__, or have start_function make a new "
                "one for each start."
            )

    def _note(self, text: str) -> None:
        self.found[text] = None


def _before(
    restore: contextlib.ExitStack, owner: type, name: str, look: Callable[..., None]
) -> None:
    """Have *look* called with the arguments of a method before it runs."""
    method = getattr(owner, name)
    own = vars(owner).get(name)

    @functools.wraps(method)
    def looking(self: Any, *args: Any, **options: Any) -> Any:
        look(self, *args)
        return method(self, *args, **options)

    setattr(owner, name, looking)
    if own is None:
        restore.callback(delattr, owner, name)
    else:
        restore.callback(setattr, owner, name, own)


def _message(envelope: Envelope) -> Iterable[object]:
    """What a user put into an envelope."""
    if envelope[0] in (CALL, CAST):
        return (*envelope[3], *envelope[4].values())
    return envelope[1:2] if envelope[0] == INFO else ()


def _describe(envelope: Envelope) -> str:
    if envelope[0] == INFO:
        return "a plain message"
    word = "call" if envelope[0] == CALL else "cast"
    handler = envelope[2]
    return f"the {word} {'(untyped)' if handler is None else handler.__name__}"


# -- pictures: what a value holds, comparable later ------------------------------------------


def _parts(values: Iterable[object]) -> list[_Part]:
    """Those of *values* that can change, each with a picture."""
    parts: list[_Part] = []
    for value in values:
        if value.__class__ not in _ATOMS and _can_change(value):
            parts.append(_Part(value, _picture(value), safe_repr(value, _TEXT)))
    return parts


def _can_change(value: object, depth: int = _DEPTH) -> bool:
    kind = value.__class__
    if kind in (list, dict, set, bytearray, deque) or _is_open(value):
        return True
    if kind is tuple and depth:
        items: tuple[object, ...] = value  # type: ignore[assignment]
        return any(_can_change(item, depth - 1) for item in items[:_ITEMS])
    return False


def _is_open(value: object) -> bool:
    """Whether it is a dataclass whose fields may be assigned."""
    params = getattr(value.__class__, "__dataclass_params__", None)
    return params is not None and not params.frozen


def _picture(value: object, depth: int = _DEPTH) -> object:
    """Equal to another picture of *value* as long as it, and what it holds, has not changed.

    Atoms stand for themselves, containers for what they hold, everything else for its identity.
    """
    kind: Any = value.__class__
    if kind in _ATOMS:
        return (kind, value)
    if depth and kind in _SEQUENCES:
        sequence: Any = value
        items = (item for _, item in zip(range(_ITEMS), sequence, strict=False))
        return (kind, len(sequence), [_picture(item, depth - 1) for item in items])
    if depth and kind is dict:
        mapping: Any = value
        pairs = (pair for _, pair in zip(range(_ITEMS), mapping.items(), strict=False))
        return (
            kind,
            len(mapping),
            [(_Same(key), _picture(item, depth - 1)) for key, item in pairs],
        )
    if depth and kind in _SETS:
        members: Any = value
        return (kind, len(members), {id(member) for member in members})
    if kind is bytearray:
        return (kind, bytes(value))  # type: ignore[call-overload]
    if depth and _is_open(value):
        names = [field.name for field in dataclasses.fields(kind)]
        return (kind, [_picture(getattr(value, name, None), depth - 1) for name in names])
    return _Same(value)


class _Same:
    """Equal to another one of the very same object, whatever that says of equality."""

    __slots__ = ("thing",)
    __hash__ = None  # type: ignore[assignment]

    def __init__(self, thing: object) -> None:
        self.thing = thing

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Same) and other.thing is self.thing
