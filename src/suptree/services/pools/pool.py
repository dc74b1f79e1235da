"""`ConnectionPool`: a supervised pool of connections that the user makes.

Two processes beside one for each connection: the server that lends, and the supervisor
of the connections; if one of the two ends, both begin anew, and every connection is closed
before.  A borrower waits in a fair line with a time limit; a connection whose borrower dies or is
cancelled is not lent again as it is.  The pool never has more than `max_size`, those that are being
opened and closed included, and refuses more waiting borrowers than `max_waiting`.

It does not wait for its first connection to start, so a program starts while the other
side is down; its borrowers wait.

>>> import asyncio, suptree as st
>>> from suptree.services import ConnectionPool, ConnectionPoolSpec
>>> async def connect() -> list[str]:
...     return []
>>> LISTS = ConnectionPoolSpec(name="lists", connect=connect, close=list.clear)
>>> async def main():
...     async with st.Runtime():
...         await ConnectionPool.start_link(LISTS)
...         async with ConnectionPool.connection(LISTS) as mine:
...             mine.append("hello")
...             return mine, (await ConnectionPool.stats(LISTS)).in_use
>>> asyncio.run(main())
([], 1)
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any, TypeVar, overload

from suptree.core import current_process, find_runtime
from suptree.errors import CallTimeoutError
from suptree.otp import ChildSpec, ServerRef, ServerStart, Supervisor, TaskSupervisor, child
from suptree.services.parts.checks import check_number
from suptree.services.pools.errors import ConnectionPoolError
from suptree.services.pools.lease import Borrowed, ConnectionPoolLease, Outcome, check_lease
from suptree.services.pools.server import PoolServer, Wish
from suptree.services.pools.spec import ConnectionPoolSpec
from suptree.services.pools.stats import ConnectionPoolClosing, ConnectionPoolStats

__all__ = ["ConnectionPool"]

C = TypeVar("C")


class ConnectionPool(Supervisor):
    """The tree of one pool, and the client of all; *pool* is everywhere its spec or its name.

    Args:
        spec: What it is a pool of.
    """

    strategy = "one_for_all"

    def __init__(self, spec: ConnectionPoolSpec[Any]) -> None:
        self.spec = spec

    def children(self) -> Sequence[ChildSpec[Any]]:
        """The supervisor of the connections, and the server, which ends first."""
        spec = self.spec
        return [
            TaskSupervisor.child(name=spec.connections, max_children=spec.max_size),
            child(PoolServer, spec).with_(name=spec.name),
        ]

    @classmethod
    def child(cls, spec: ConnectionPoolSpec[Any]) -> ChildSpec[Any]:  # type: ignore[override]  # pyright: ignore[reportIncompatibleMethodOverride]
        """The child spec of a pool; its id is the name of the pool."""
        start = ServerStart(cls, (spec,), {})  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
        return ChildSpec(start=start, id=spec.name, type="supervisor", modules=(cls,))

    # -- borrowing ----------------------------------------------------------------------------

    @overload
    @staticmethod
    def connection(pool: ConnectionPoolSpec[C], *, timeout: float | None = None) -> Borrowed[C]: ...
    @overload
    @staticmethod
    def connection(pool: ServerRef[Any], *, timeout: float | None = None) -> Borrowed[Any]: ...
    @staticmethod
    def connection(
        pool: ConnectionPoolSpec[Any] | ServerRef[Any], *, timeout: float | None = None
    ) -> Borrowed[Any]:
        """A connection for one block: ``async with ConnectionPool.connection(pool) as conn:``.

        When the block ends the connection is given back; it is closed instead after
        `Borrowed.discard`, after an error of `ConnectionPoolSpec.broken_on`, and, as
        `ConnectionPoolSpec.interrupted` says, if the block was cancelled or its process has died.

        Args:
            pool: Its spec, which knows the type of the connection, or its name.
            timeout: Seconds to wait; None: as the spec says; 0 does not wait.

        Raises:
            ConnectionPoolTimeoutError, ConnectionPoolOverloadedError, ConnectionPoolClosedError:
                When the block begins; see `checkout`.
        """
        check_number("ConnectionPool.connection", "timeout", timeout, least=0, optional=True)
        return Borrowed(
            lambda: ConnectionPool.checkout(pool, timeout=timeout), ConnectionPool._give_back
        )

    @overload
    @staticmethod
    async def checkout(
        pool: ConnectionPoolSpec[C], *, timeout: float | None = None
    ) -> ConnectionPoolLease[C]: ...
    @overload
    @staticmethod
    async def checkout(
        pool: ServerRef[Any], *, timeout: float | None = None
    ) -> ConnectionPoolLease[Any]: ...
    @staticmethod
    async def checkout(
        pool: ConnectionPoolSpec[Any] | ServerRef[Any], *, timeout: float | None = None
    ) -> ConnectionPoolLease[Any]:
        """A connection until `checkin` or `discard`; `connection` is safer, and does both.

        Args:
            pool: Its spec, or its name.
            timeout: Seconds to wait; None: as the spec says; 0 does not wait.

        Raises:
            ConnectionPoolTimeoutError: None became free in time; says how many there are, and why
                no more.
            ConnectionPoolOverloadedError: Too many wait already.
            ConnectionPoolClosedError: The pool was closed.
            NoProcessError, ServerExitError: There is no such pool, or it was restarted meanwhile.
        """
        who = "ConnectionPool.checkout"
        check_number(who, "timeout", timeout, least=0, optional=True)
        caller = current_process()
        owner = None if caller is None else caller.pid
        wish = Wish(find_runtime(who).next_id(), owner, timeout)
        server = _server(pool)
        try:
            answer: ConnectionPoolLease[Any] | ConnectionPoolError = await PoolServer.checkout(
                server, wish
            )
        except (asyncio.CancelledError, CallTimeoutError):
            PoolServer.give_back(server, wish.id, "abandoned")
            raise
        if isinstance(answer, ConnectionPoolError):
            raise answer
        return answer

    @staticmethod
    def checkin(lease: ConnectionPoolLease[Any]) -> None:
        """Give the connection back.  A second time is no error, and is counted."""
        check_lease("ConnectionPool.checkin", lease)
        ConnectionPool._give_back(lease, "returned")

    @staticmethod
    def discard(lease: ConnectionPoolLease[Any]) -> None:
        """Give the connection back to be closed: it is broken."""
        check_lease("ConnectionPool.discard", lease)
        ConnectionPool._give_back(lease, "discarded")

    # -- the pool -------------------------------------------------------------------------------

    @staticmethod
    async def stats(pool: ConnectionPoolSpec[Any] | ServerRef[Any]) -> ConnectionPoolStats:
        """What there is now, and the totals."""
        return await PoolServer.stats(_server(pool))

    @staticmethod
    async def close(
        pool: ConnectionPoolSpec[Any] | ServerRef[Any], *, timeout: float = 5.0
    ) -> ConnectionPoolClosing:
        """Lend nothing more, and close every connection when it comes back.

        Those who wait get ConnectionPoolClosedError.  The pool stays closed until it is restarted.

        Args:
            pool: Its spec, or its name.
            timeout: Seconds after which those still in use are closed too.

        Returns:
            How many were closed, and how many of them in use.
        """
        check_number("ConnectionPool.close", "timeout", timeout, least=0)
        closing: ConnectionPoolClosing = await PoolServer.close(_server(pool), timeout)
        return closing

    @staticmethod
    def _give_back(lease: ConnectionPoolLease[Any], outcome: Outcome) -> None:
        PoolServer.give_back(lease.pool, lease.id, outcome)


def _server(pool: ConnectionPoolSpec[Any] | ServerRef[Any]) -> ServerRef[Any]:
    return pool.name if isinstance(pool, ConnectionPoolSpec) else pool
