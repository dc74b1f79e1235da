"""Telemetry declared by connection pools."""

from __future__ import annotations

from typing import Final

from suptree.telemetry import Event

__all__ = [
    "CHECKED_IN",
    "CHECKED_OUT",
    "CHECKOUT_REFUSED",
    "CHECK_FAILED",
    "CLOSE_FAILED",
    "CONNECTION_CLOSED",
    "CONNECTION_OPENED",
    "CONNECT_FAILED",
]

CONNECTION_OPENED: Final = Event(
    "suptree.pool.connection.opened",
    measurements={
        "duration_s": "seconds from the wish for it until it was open",
        "size_count": "connections of the pool",
    },
    metadata={"pool": "name of the pool"},
    doc="A connection is open.",
)
CONNECTION_CLOSED: Final = Event(
    "suptree.pool.connection.closed",
    measurements={"age_s": "seconds that it was open", "size_count": "connections that are left"},
    metadata={
        "pool": "name of the pool",
        "reason": "max_age, max_idle, check_failed, discarded, interrupted, lost or pool_closed",
    },
    doc="A connection is closed and its process has ended.",
)
CONNECT_FAILED: Final = Event(
    "suptree.pool.connect.failed",
    measurements={
        "failures_count": "failures in a row",
        "retry_s": "seconds until the next attempt",
    },
    metadata={"pool": "name of the pool", "error": "why, as text"},
    doc="A connection could not be opened.",
)
CHECK_FAILED: Final = Event(
    "suptree.pool.check.failed",
    measurements={"age_s": "seconds that it was open"},
    metadata={"pool": "name of the pool", "error": "what was wrong, as text"},
    doc="The check of a connection found it broken; it is closed.",
)
CLOSE_FAILED: Final = Event(
    "suptree.pool.close.failed",
    measurements={"count": "always 1"},
    metadata={"pool": "name of the pool", "error": "why, as text"},
    doc="The close of a connection raised or took too long; its place is free all the same.",
)
CHECKED_OUT: Final = Event(
    "suptree.pool.connection.checked_out",
    measurements={
        "wait_s": "seconds that it was waited for",
        "in_use_count": "connections that are lent now",
        "waiting_count": "borrowers that wait",
    },
    metadata={"pool": "name of the pool", "owner": "pid of the borrower, or None"},
    doc="A connection was lent.",
)
CHECKED_IN: Final = Event(
    "suptree.pool.connection.checked_in",
    measurements={
        "held_s": "seconds that it was lent",
        "in_use_count": "connections that are lent now",
    },
    metadata={
        "pool": "name of the pool",
        "owner": "pid of the borrower, or None",
        "outcome": "returned, discarded, interrupted, lost, or abandoned: it was never seen",
    },
    doc="A connection is not lent any more.",
)
CHECKOUT_REFUSED: Final = Event(
    "suptree.pool.checkout.refused",
    measurements={
        "wait_s": "seconds that it was waited for",
        "waiting_count": "borrowers that wait",
    },
    metadata={
        "pool": "name of the pool",
        "owner": "pid of the borrower, or None",
        "reason": "timeout, overloaded or closed",
    },
    doc="A borrower got no connection.",
)
