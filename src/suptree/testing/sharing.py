"""What passed by reference and then changed: messages in flight, arguments between starts (law 10).

Messages and child arguments are passed as they are, not copied.  A sender that changes
a message before it is handled, or a server that changes the arguments it will be
started with again, shares state that no supervisor can clean.  A `Sharing` watches
one test, by listening to the methods of `Mailbox` and of the start functions; what it
notes becomes a warning when the test ends.

How a message looks is told by `pictures.py`.  What cannot be looked at is left alone:
to watch must not change what happens.
"""

from __future__ import annotations

import contextlib
import weakref
from collections.abc import Callable, Generator, Iterable
from typing import Any, Final

from suptree.core import CALL, CAST, INFO, Envelope, Mailbox, safe_repr
from suptree.otp import FunctionStart, ServerStart
from suptree.testing.listening import listening
from suptree.testing.pictures import Picture, picture_of
from suptree.testing.sites import Sites

__all__ = ["SharedChangeWarning", "Sharing"]

_TEXT: Final = 120


class SharedChangeWarning(UserWarning):
    """A message changed after it was sent, or an argument between two starts of a child."""


class _Noted:
    """What can change of something that was passed on, as it was then."""

    __slots__ = ("envelope", "pictures", "where")

    def __init__(
        self, pictures: list[tuple[object, Picture]], envelope: Envelope | None, where: object
    ) -> None:
        self.pictures = pictures
        self.envelope = envelope  # held, so that its id stays its own
        self.where = where

    def changes(self) -> Iterable[str]:
        """Each part that is not as it was, in words."""
        for value, before in self.pictures:
            now = picture_of(value)
            if now != before:
                yield f"it was {str(before)[:_TEXT]}, and is {safe_repr(value, _TEXT)}"


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
        self._starts: weakref.WeakKeyDictionary[Any, _Noted] = weakref.WeakKeyDictionary()

    @contextlib.contextmanager
    def watch(self) -> Generator[None, None, None]:
        """See every message and every start inside the block."""
        calls: list[tuple[type, str, Callable[..., None]]] = [
            (Mailbox, "append", self._sent),
            (Mailbox, "popleft", self._first_taken),
            (Mailbox, "__delitem__", self._taken),
            (Mailbox, "clear", self._cleared),
            (ServerStart, "start", self._starting),
            (FunctionStart, "start", self._starting),
        ]
        with contextlib.ExitStack() as watching:
            for owner, name, look in calls:
                watching.enter_context(listening(owner, name, before=_looking(look)))
            yield
        self._in_flight.clear()
        self._starts.clear()

    # -- messages ---------------------------------------------------------------------------

    def _sent(self, _mailbox: Mailbox, envelope: Envelope) -> None:
        pictures = _pictures(_message(envelope))
        if pictures:
            self._in_flight[id(envelope)] = _Noted(pictures, envelope, self._sites.place())

    def _first_taken(self, mailbox: Mailbox) -> None:
        if self._in_flight and mailbox:
            self._look(mailbox[0])

    def _taken(self, mailbox: Mailbox, index: int) -> None:
        if self._in_flight:
            self._look(mailbox[index])

    def _cleared(self, mailbox: Mailbox) -> None:
        for envelope in mailbox:
            self._in_flight.pop(id(envelope), None)

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
        noted = self._starts.get(start)
        if noted is None:
            pictures = _pictures([*start.args, *start.kwargs.values()])
            if pictures:
                self._starts[start] = _Noted(pictures, None, None)
            return
        for change in noted.changes():
            self._note(
                f"an argument of {start.label} changed between two starts: {change}. A restart "
                "uses the same arguments: copy it in __init__, or have start_function make a new "
                "one for each start."
            )

    def _note(self, text: str) -> None:
        self.found[text] = None


def _looking(look: Callable[..., None]) -> Callable[..., None]:
    """Have *look* see what it can: another thread may change it, a proxy may have lost what it is for."""

    def before(*args: Any) -> None:
        try:
            look(*args)
        except Exception:
            return

    return before


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


def _pictures(values: Iterable[object]) -> list[tuple[object, Picture]]:
    """Those of *values* that can change, each with a picture."""
    found = [(value, picture_of(value)) for value in values]
    return [(value, picture) for value, picture in found if picture.can_change]
