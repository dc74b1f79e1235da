"""What a pool tells: its telemetry, with nothing built while nobody listens."""

from __future__ import annotations

from typing import Any

from suptree.core import Pid
from suptree.services.pools.events import (
    CHECK_FAILED,
    CHECKED_IN,
    CHECKED_OUT,
    CHECKOUT_REFUSED,
    CLOSE_FAILED,
    CONNECT_FAILED,
    CONNECTION_CLOSED,
    CONNECTION_OPENED,
)
from suptree.telemetry import TelemetryBus

__all__ = ["Teller"]


class Teller:
    """Emits the events of the pool of that name."""

    __slots__ = ("_bus", "_checked_in", "_checked_out", "_pool")

    def __init__(self, pool: str, bus: TelemetryBus) -> None:
        self._pool = pool
        self._bus = bus
        self._checked_out, self._checked_in = bus.slot(CHECKED_OUT), bus.slot(CHECKED_IN)

    def checked_out(self, owner: Pid[Any] | None, waited: float, in_use: int, waiting: int) -> None:
        """A connection was lent."""
        if self._checked_out.handlers:
            self._checked_out.emit(
                {"wait_s": waited, "in_use_count": in_use, "waiting_count": waiting},
                {"pool": self._pool, "owner": owner},
            )

    def checked_in(self, owner: Pid[Any] | None, held: float, in_use: int, outcome: str) -> None:
        """A connection is not lent any more."""
        if self._checked_in.handlers:
            self._checked_in.emit(
                {"held_s": held, "in_use_count": in_use},
                {"pool": self._pool, "owner": owner, "outcome": outcome},
            )

    def refused(self, owner: Pid[Any] | None, waited: float, waiting: int, reason: str) -> None:
        """A borrower got none."""
        self._bus.emit(
            CHECKOUT_REFUSED,
            {"wait_s": waited, "waiting_count": waiting},
            {"pool": self._pool, "owner": owner, "reason": reason},
        )

    def opened(self, took: float, size: int) -> None:
        """A connection is open."""
        self._bus.emit(
            CONNECTION_OPENED, {"duration_s": took, "size_count": size}, {"pool": self._pool}
        )

    def closed(self, age: float, size: int, reason: str) -> None:
        """A connection is closed."""
        self._bus.emit(
            CONNECTION_CLOSED,
            {"age_s": age, "size_count": size},
            {"pool": self._pool, "reason": reason},
        )

    def connect_failed(self, failures: int, retry: float, error: str) -> None:
        """A connection could not be opened."""
        self._bus.emit(
            CONNECT_FAILED,
            {"failures_count": failures, "retry_s": retry},
            {"pool": self._pool, "error": error},
        )

    def check_failed(self, age: float, error: str) -> None:
        """A check found a connection broken."""
        self._bus.emit(CHECK_FAILED, {"age_s": age}, {"pool": self._pool, "error": error})

    def close_failed(self, error: str) -> None:
        """A close raised or took too long."""
        self._bus.emit(CLOSE_FAILED, {"count": 1}, {"pool": self._pool, "error": error})
