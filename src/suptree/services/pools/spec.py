"""`ConnectionPoolSpec`: what the user of a pool gives.

A value; it is also how the pool is addressed.

>>> async def connect() -> list[str]:
...     return []
>>> LISTS = ConnectionPoolSpec(name="lists", connect=connect, close=list.clear, max_size=4)
>>> LISTS.connections
'lists.connections'
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any, Final, Generic, Literal, TypeVar

from suptree.services.parts.backoff import RetryPolicy
from suptree.services.parts.checks import (
    bad_argument,
    check_callable,
    check_classes,
    check_count,
    check_name,
    check_number,
)

__all__ = ["ConnectionPoolSpec"]

C = TypeVar("C")

_MOST_CLOSING: Final = 4.0  # a process that is told to end has five seconds
_REFILL: Final = RetryPolicy.exponential(
    first=0.2, cap=30.0, jitter=0.5, max_attempts=None, total_time=3600.0
)


@dataclass(frozen=True, slots=True, kw_only=True)
class ConnectionPoolSpec(Generic[C]):
    """A kind of connection, and how many of it are kept.

    The three functions run in the process of their connection, never in the pool's, each
    with a time limit of its own.

    Args:
        name: The registered name of the pool.
        connect: Makes one connection; async.  What it has half made when it is cancelled
            it closes itself.
        close: Closes one; async or plain.
        check: Says whether one still works; async.  None: none is looked at.
        min_size: Connections kept open at least, also when nobody uses them.
        max_size: Connections open at most, those that are being opened and closed included.
        max_age: Seconds after which one is closed when nobody uses it; None: never.
        age_jitter: The part of *max_age* that is random (0 to 1), so that those which were
            opened together are not closed together.
        max_idle: Seconds without use after which one above *min_size* is closed; None: never.
        check_every: Seconds without use, or since the last check, after which one is checked.
        connect_timeout: Seconds for *connect*.
        check_timeout: Seconds for *check*.
        close_timeout: Seconds for *close*; 4 at most.
        checkout_timeout: Seconds that a borrower waits unless it says otherwise.
        max_waiting: Borrowers that may wait at a time; one more is refused.
        refill: The waits after a connection could not be made; its delays alone, it never gives up.
        broken_on: Errors of the borrower's block after which its connection is closed.
        interrupted: What is done with a connection whose borrower was cancelled or has died in
            the middle of its work: 'discard', or 'check' it and keep it if that is well.

    Raises:
        ValueError: A field is out of bounds.
    """

    name: str
    connect: Callable[[], Awaitable[C]]
    close: Callable[[C], object]
    check: Callable[[C], Awaitable[bool]] | None = None
    min_size: int = 1
    max_size: int = 10
    max_age: float | None = 1800.0
    age_jitter: float = 0.1
    max_idle: float | None = 300.0
    check_every: float = 30.0
    connect_timeout: float = 5.0
    check_timeout: float = 2.0
    close_timeout: float = 2.0
    checkout_timeout: float = 5.0
    max_waiting: int = 1000
    refill: RetryPolicy = _REFILL
    broken_on: tuple[type[Exception], ...] = (OSError, EOFError)
    interrupted: Literal["discard", "check"] = "discard"

    def __post_init__(self) -> None:
        check_name("ConnectionPoolSpec", "name", self.name)
        who = f"pool {self.name!r}"
        check_callable(who, "connect", self.connect)
        check_callable(who, "close", self.close)
        if self.check is not None:
            check_callable(who, "check", self.check)
        check_count(who, "min_size", self.min_size, least=0)
        check_count(who, "max_size", self.max_size, least=max(1, self.min_size))
        check_count(who, "max_waiting", self.max_waiting, least=0)
        for field in ("max_age", "max_idle"):
            check_number(who, field, getattr(self, field), above=0, optional=True)
        check_number(who, "age_jitter", self.age_jitter, least=0, most=1)
        for field in ("check_every", "connect_timeout", "check_timeout"):
            check_number(who, field, getattr(self, field), above=0)
        check_number(who, "close_timeout", self.close_timeout, above=0, most=_MOST_CLOSING)
        check_number(who, "checkout_timeout", self.checkout_timeout, least=0)
        check_classes(who, "broken_on", self.broken_on)
        refill: Any = self.refill
        if not isinstance(refill, RetryPolicy) or refill.cap <= 0:
            raise bad_argument(
                who,
                "refill",
                "a RetryPolicy that waits",
                refill,
                "Write it like RetryPolicy.exponential(first=0.2, cap=30.0).",
            )
        if self.interrupted not in ("discard", "check"):
            raise bad_argument(who, "interrupted", "'discard' or 'check'", self.interrupted)
        if self.interrupted == "check" and self.check is None:
            raise bad_argument(who, "check", "given where interrupted is 'check'", None)

    @property
    def connections(self) -> str:
        """The registered name of the supervisor of its connections."""
        return f"{self.name}.connections"
