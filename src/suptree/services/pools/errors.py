"""What a pool raises in its borrowers.

ConnectionPoolError
├── ConnectionPoolTimeoutError      no connection in time    (also a TimeoutError)
├── ConnectionPoolOverloadedError   too many wait already
└── ConnectionPoolClosedError       it is being closed, or is closed
"""

from __future__ import annotations

from suptree.errors import SuptreeError

__all__ = [
    "ConnectionPoolClosedError",
    "ConnectionPoolError",
    "ConnectionPoolOverloadedError",
    "ConnectionPoolTimeoutError",
]


class ConnectionPoolError(SuptreeError):
    """Base of what a pool raises.  `pool` is its name."""

    def __init__(self, pool: str, *facts: object) -> None:
        super().__init__(pool, *facts)
        self.pool = pool


class ConnectionPoolTimeoutError(ConnectionPoolError, TimeoutError):
    """No connection became free in the time that was waited.

    Attributes:
        waited: Seconds.
        size: Connections that there are, those being opened and closed included.
        max_size: How many there may be.
        in_use: Of those, lent.
        waiting: Others that wait still.
        last_connect_error: Why the last attempt to open one failed; "" if it did not.
    """

    def __init__(
        self,
        pool: str,
        waited: float,
        *,
        size: int,
        max_size: int,
        in_use: int,
        waiting: int,
        last_connect_error: str = "",
    ) -> None:
        super().__init__(pool, waited, size, max_size, in_use, waiting, last_connect_error)
        self.waited = waited
        self.size = size
        self.max_size = max_size
        self.in_use = in_use
        self.waiting = waiting
        self.last_connect_error = last_connect_error

    def __str__(self) -> str:
        text = (
            f"pool {self.pool!r}: no connection within {self.waited:g} s: {self.size} of "
            f"{self.max_size} open, {self.in_use} in use, {self.waiting} others waiting"
        )
        if self.last_connect_error:
            return f"{text}; the last one could not be opened: {self.last_connect_error}."
        return f"{text}. Hold connections for less time, raise max_size, or wait longer."


class ConnectionPoolOverloadedError(ConnectionPoolError):
    """So many wait that one more is refused at once.  `waiting` is how many."""

    def __init__(self, pool: str, waiting: int) -> None:
        super().__init__(pool, waiting)
        self.waiting = waiting

    def __str__(self) -> str:
        return (
            f"pool {self.pool!r}: {self.waiting} wait for a connection already. "
            "Do less at a time, raise max_size, or raise max_waiting."
        )


class ConnectionPoolClosedError(ConnectionPoolError):
    """The pool is being closed, or is closed: it lends nothing any more."""

    def __str__(self) -> str:
        return f"pool {self.pool!r}: is closed. Restart it under its supervisor to use it again."
