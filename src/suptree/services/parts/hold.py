"""The caller's side of a permit: `async with` holds it, and gives it back however the block ends."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from types import TracebackType
from typing import NamedTuple

from suptree.services.parts.turnstile import Ticket

__all__ = ["Door", "Hold"]


class Door(NamedTuple):
    """How a permit is asked for and given back."""

    enter: Callable[[Ticket, float | None], Awaitable[None]]
    """Returns with a permit, or raises."""
    leave: Callable[[Ticket], None]


class Hold:
    """`async with`: the block holds a permit."""

    __slots__ = ("_door", "_ticket", "_timeout")

    def __init__(self, door: Door, timeout: float | None) -> None:
        self._door = door
        self._timeout = timeout
        self._ticket: Ticket | None = None

    async def __aenter__(self) -> None:
        ticket = Ticket()
        entered = False
        try:
            await self._door.enter(ticket, self._timeout)
            entered = True
        finally:
            if not entered:  # cancelled in the line, or with an answer under way
                self._door.leave(ticket)
        self._ticket = ticket

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        ticket, self._ticket = self._ticket, None
        assert ticket is not None
        self._door.leave(ticket)
