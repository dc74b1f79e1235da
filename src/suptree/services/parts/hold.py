"""The caller's side of a permit: `async with` holds it, and gives it back however the block ends."""

from __future__ import annotations

from types import TracebackType

from suptree.errors import BadRequestError
from suptree.services.parts.turnstile import Ticket

__all__ = ["Hold"]


class Hold:
    """`async with`: the block holds a permit.  A service says how one is asked for and given back."""

    __slots__ = ("_ticket",)

    async def enter(self, ticket: Ticket) -> None:
        """Return with a permit, or raise."""
        raise NotImplementedError

    def leave(self, ticket: Ticket) -> None:
        """Give the permit, or the place in the line, back; no error if there is neither."""
        raise NotImplementedError

    async def __aenter__(self) -> None:
        ticket = self._ticket = Ticket()
        settled = False
        try:
            await self.enter(ticket)
            settled = True
        except BadRequestError:  # it is another server: there is nothing to give back
            settled = True
            raise
        finally:
            if not settled:  # cancelled in the line, or with an answer under way
                self.leave(ticket)

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.leave(self._ticket)
