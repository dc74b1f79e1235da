"""What can be seen of a pool.  Frozen values."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["ConnectionPoolClosing", "ConnectionPoolStats", "Totals"]


@dataclass(frozen=True, slots=True)
class ConnectionPoolStats:
    """A pool now, and its totals since it was started.

    Attributes:
        size: Connections that there are: the sum of the next five.
        idle: Free.
        in_use: Lent.
        opening: Being opened.
        checking: Being checked.
        closing: Being closed.
        min_size: How many are kept at least.
        max_size: How many there are at most.
        waiting: Borrowers that wait.
        closed_for_good: `close` was called.
        last_connect_error: Why the last attempt to open one failed; "" since one succeeded.
        opened: Connections opened so far.
        closed: Connections gone so far, whatever the reason.
        connect_failures: Attempts to open one that failed.
        check_failures: Connections that their check found broken.
        close_failures: Closings that raised or took too long.
        discarded: Closed because the borrower said so, or raised one of `broken_on`.
        interrupted: Lent to a borrower that was cancelled, or has died.
        lost: Gone by themselves: their process was ended.
        checkouts: Connections lent so far.
        refused: Borrowers that got none: too late, too many, or closed.
        late_returns: Returns of what was not lent any more.
        wait_p50_s: Seconds that half of all borrowers waited at most; 0.0 when there was none.
        wait_p99_s: Seconds that 99 of 100 waited at most.
    """

    size: int
    idle: int
    in_use: int
    opening: int
    checking: int
    closing: int
    min_size: int
    max_size: int
    waiting: int
    closed_for_good: bool
    last_connect_error: str
    opened: int
    closed: int
    connect_failures: int
    check_failures: int
    close_failures: int
    discarded: int
    interrupted: int
    lost: int
    checkouts: int
    refused: int
    late_returns: int
    wait_p50_s: float
    wait_p99_s: float


@dataclass(frozen=True, slots=True)
class ConnectionPoolClosing:
    """What `ConnectionPool.close` came to.

    Attributes:
        closed: Connections closed in all.
        forced: Of those, while somebody still used them.
    """

    closed: int
    forced: int


@dataclass(slots=True)
class Totals:
    """What the server of a pool counts; each is explained with `ConnectionPoolStats`."""

    opened: int = 0
    closed: int = 0
    connect_failures: int = 0
    check_failures: int = 0
    close_failures: int = 0
    discarded: int = 0
    interrupted: int = 0
    lost: int = 0
    checkouts: int = 0
    refused: int = 0
    late_returns: int = 0
