"""The process that one connection lives in: it opens it, checks it when told to, and closes it.

The user's functions run here and nowhere else.  Whatever they do, raise, hang or exit,
ends this process at the worst, and the pool hears of that.  However the process ends,
the connection is closed: by its own last steps, which its death waits for, or, if those
are cut short, as a resource that it owned.
"""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from enum import Enum
from typing import Any, Generic, TypeVar

from suptree.core import Pid, current, own, receive, safe_repr, send
from suptree.services.pools.spec import ConnectionPoolSpec

__all__ = ["Checked", "CloseFailed", "ConnectFailed", "Opened", "Order", "Started", "tend"]

C = TypeVar("C")
R = TypeVar("R")


class Order(Enum):
    """What a pool says to a connection."""

    CHECK = "check"
    CLOSE = "close"


@dataclass(frozen=True, slots=True)
class Started:
    """To the pool: the process of connection *number* is there."""

    number: int
    pid: Pid[Any]


@dataclass(frozen=True, slots=True)
class Opened:
    """To the pool: it is open."""

    number: int
    pid: Pid[Any]
    connection: Any


@dataclass(frozen=True, slots=True)
class ConnectFailed:
    """To the pool: it could not be opened, and its process ends."""

    number: int
    error: str


@dataclass(frozen=True, slots=True)
class Checked:
    """To the pool: the check is over; with an *error* the connection is being closed."""

    number: int
    error: str


@dataclass(frozen=True, slots=True)
class CloseFailed:
    """To the pool: its close raised or took too long."""

    number: int
    error: str


async def tend(pool: Pid[Any], number: int, spec: ConnectionPoolSpec[Any]) -> None:
    """The life of one connection.

    No wait stands between the end of `connect` and `own`: nothing can come in between.
    """
    try:
        connection = await _within(spec.connect_timeout, spec.connect)
    except Exception as error:  # the user's code, and all that it can do is fail
        send(pool, ConnectFailed(number, safe_repr(error, 500)))
        return
    kept = _Kept(connection, spec)
    own(kept, lambda kept: kept.close_if_left())
    send(pool, Opened(number, current(), connection))
    try:
        await _obey(pool, number, spec, connection)
    except asyncio.CancelledError:
        await _close(pool, number, kept)
        raise
    await _close(pool, number, kept)


async def _obey(pool: Pid[Any], number: int, spec: ConnectionPoolSpec[C], connection: C) -> None:
    """Do what the pool says, until it is to be closed."""
    while True:
        order = await receive(Order)
        if order is Order.CLOSE:
            return
        error = await _what_is_wrong(spec, connection)
        send(pool, Checked(number, error))
        if error:
            return


async def _what_is_wrong(spec: ConnectionPoolSpec[C], connection: C) -> str:
    assert spec.check is not None
    check = spec.check
    try:
        fine = await _within(spec.check_timeout, lambda: check(connection))
    except Exception as error:  # as above
        return safe_repr(error, 500)
    return "" if fine is True else f"check gave {safe_repr(fine, 200)}, not True"


async def _close(pool: Pid[Any], number: int, kept: _Kept[Any]) -> None:
    try:
        await kept.close()
    except Exception as error:  # as above
        send(pool, CloseFailed(number, safe_repr(error, 500)))


async def _within(timeout: float, function: Callable[[], Awaitable[R]]) -> R:
    scope = asyncio.timeout(timeout)
    try:
        async with scope:
            return await function()
    except TimeoutError:
        if scope.expired():
            raise TimeoutError(f"took longer than {timeout:g} s") from None
        raise


class _Kept(Generic[C]):
    """An open connection; closed once, and a second time only if the first was cut short."""

    __slots__ = ("_closed", "_connection", "_spec")

    def __init__(self, connection: C, spec: ConnectionPoolSpec[C]) -> None:
        self._connection = connection
        self._spec = spec
        self._closed = False

    async def close(self) -> None:
        """Close it.  Raises what the user's function raises."""
        try:
            await _within(self._spec.close_timeout, self._run)
        except Exception:
            self._closed = True  # tried to the end: trying again would not help
            raise
        self._closed = True

    def close_if_left(self) -> Awaitable[None] | None:
        """What is done when the process has ended."""
        return None if self._closed else self.close()

    async def _run(self) -> None:
        closing = self._spec.close(self._connection)
        if inspect.isawaitable(closing):
            await closing

    def __repr__(self) -> str:
        return f"a connection of pool {self._spec.name!r}"
