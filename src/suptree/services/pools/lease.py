"""`ConnectionPoolLease`: a connection that is lent; `Borrowed`: that for one `async with`."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Generic, Literal, TypeVar

from suptree.core import Pid
from suptree.errors import UsageError
from suptree.services.parts.checks import bad_argument
from suptree.services.parts.hold import give_back

__all__ = ["Borrowed", "Outcome", "ConnectionPoolLease", "check_lease"]

C_co = TypeVar("C_co", covariant=True)
C = TypeVar("C")

Outcome = Literal["returned", "discarded", "interrupted", "abandoned"]


@dataclass(frozen=True, slots=True)
class ConnectionPoolLease(Generic[C_co]):
    """The right to use *connection* until it is given back.

    Attributes:
        id: Unique in the runtime.
        connection: What `connect` made.
        pool: The process that lent it.
        broken_on: Errors after which it is closed.
    """

    id: int
    connection: C_co
    pool: Pid[Any]
    broken_on: tuple[type[Exception], ...]

    def outcome(self, kind: type[BaseException] | None) -> Outcome:
        """What becomes of the connection when the block that used it ends with *kind*."""
        if kind is None:
            return "returned"
        if issubclass(kind, self.broken_on):
            return "discarded"
        return "returned" if issubclass(kind, Exception) else "interrupted"


class Borrowed(Generic[C]):
    """``async with borrowed as connection``: lent when the block begins, given back when it ends.

    It runs in the borrower, and never waits at the end of the block.  After an error of
    `ConnectionPoolSpec.broken_on`, or `discard()`, the connection is closed and not lent again.
    """

    __slots__ = ("_checkout", "_discarded", "_give_back", "_lease")

    def __init__(
        self,
        checkout: Callable[[], Awaitable[ConnectionPoolLease[C]]],
        give_back: Callable[[ConnectionPoolLease[C], Outcome], object],
    ) -> None:
        self._checkout = checkout
        self._give_back = give_back
        self._lease: ConnectionPoolLease[C] | None = None
        self._discarded = False

    def discard(self) -> None:
        """The connection is broken: close it when the block ends."""
        self._discarded = True

    async def __aenter__(self) -> C:
        if self._lease is not None:
            raise UsageError(
                "ConnectionPool.connection: this block has a connection already. "
                "Ask the pool for each block anew."
            )
        self._discarded = False
        self._lease = await self._checkout()
        return self._lease.connection

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        tb: TracebackType | None,
    ) -> None:
        lease, self._lease = self._lease, None
        assert lease is not None
        outcome: Outcome = "discarded" if self._discarded else lease.outcome(kind)
        give_back(self._give_back, lease, outcome)


def check_lease(who: str, lease: Any) -> None:
    """Refuse what is no lease of a pool.

    Raises:
        ValueError: It will not do.
    """
    if not (
        isinstance(lease, ConnectionPoolLease)
        and isinstance(lease.id, int)
        and isinstance(lease.pool, Pid)  # pyright: ignore[reportUnnecessaryIsInstance]
    ):
        raise bad_argument(
            who,
            "lease",
            "the ConnectionPoolLease that checkout returned",
            lease,  # pyright: ignore[reportUnknownArgumentType]
            "Keep the lease, or use `connection`, which does.",
        )
