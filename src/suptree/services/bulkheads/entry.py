"""What bulkheads are made of and what can be looked at; and one of them, as the service keeps it."""

from __future__ import annotations

from dataclasses import dataclass

from suptree.services.parts.checks import check_count, check_number
from suptree.services.parts.permits import Permits
from suptree.services.parts.turnstile import Ticket

__all__ = ["BulkheadConfig", "BulkheadStatus", "BulkheadStats", "Entry"]


@dataclass(frozen=True, slots=True, kw_only=True)
class BulkheadConfig:
    """How much room there is.

    Attributes:
        limit: So many calls may be inside at once.
        max_waiting: So many may wait.
        timeout: Seconds that one may wait; None: as long as it takes, or its caller's caller waits.

    Raises:
        ValueError: A field is out of bounds.
    """

    limit: int = 10
    max_waiting: int = 100
    timeout: float | None = 5.0

    def __post_init__(self) -> None:
        check_count("BulkheadConfig", "limit", self.limit)
        check_count("BulkheadConfig", "max_waiting", self.max_waiting, least=0)
        check_number("BulkheadConfig", "timeout", self.timeout, above=0, optional=True)


@dataclass(frozen=True, slots=True, kw_only=True)
class BulkheadStatus:
    """How a bulkhead stands, and what it has done.

    Attributes:
        name: Its name.
        config: How much room there is.
        inside: Calls inside now.
        waiting: Calls in the line now.
        admitted: Calls that came in.
        rejected: Calls that did not: the line was full.
        gave_up: Calls that did not: their time in the line was over, or they were cancelled.
    """

    name: str
    config: BulkheadConfig
    inside: int
    waiting: int
    admitted: int
    rejected: int
    gave_up: int


@dataclass(frozen=True, slots=True, kw_only=True)
class BulkheadStats:
    """What the service as a whole has done.

    Attributes:
        bulkheads: How many there are.
        owners: Processes inside, or in a line, of any of them.
        released: Places given back because their process ended.
    """

    bulkheads: int
    owners: int
    released: int


class Entry:
    """One bulkhead."""

    __slots__ = ("admitted", "config", "gave_up", "name", "permits", "rejected")

    def __init__(self, name: str, config: BulkheadConfig) -> None:
        self.name = name
        self.config = config
        self.permits: Permits[Ticket] = Permits(config.limit, config.max_waiting)
        self.admitted = self.rejected = self.gave_up = 0

    def status(self) -> BulkheadStatus:
        """How it stands, and what it has done."""
        return BulkheadStatus(
            name=self.name,
            config=self.config,
            inside=self.permits.held,
            waiting=self.permits.waiting,
            admitted=self.admitted,
            rejected=self.rejected,
            gave_up=self.gave_up,
        )
