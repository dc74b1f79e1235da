"""The caller's side of a permit: `async with` holds it, and gives it back however the block ends."""

from __future__ import annotations

from collections.abc import Callable
from types import TracebackType
from typing import ParamSpec

from suptree.errors import BadRequestError, NoRuntimeError, RuntimeClosedError
from suptree.services.parts.turnstile import Ticket

__all__ = ["Hold", "give_back"]

P = ParamSpec("P")


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
                give_back(self.leave, ticket)

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        give_back(self.leave, self._ticket)


def give_back(leave: Callable[P, object], *args: P.args, **kwargs: P.kwargs) -> None:
    """Call *leave*, which casts; at the end of a block, whose own result or error is what counts.

    A task of the host may outlive its runtime.  What it would give back has gone with that.
    """
    try:
        leave(*args, **kwargs)
    except (NoRuntimeError, RuntimeClosedError):
        return
