"""One named breaker in the service: the machine, its totals, and who makes its probes.  No clock.

And what can be looked at: `BreakerStatus` of one, `BreakerStats` of all.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, NamedTuple

from suptree.core import Pid
from suptree.services.parts.breaker import (
    Admission,
    Breaker,
    BreakerConfig,
    BreakerState,
    Permit,
    Transition,
)
from suptree.services.parts.window import CallOutcome, Counts

__all__ = ["BreakerStatus", "BreakerStats", "Entry", "Grant", "Refusal"]


class Grant(NamedTuple):
    """Leave for one protected call: what the caller needs to make it, and to tell how it went."""

    server: Pid[Any]
    permit: Permit
    config: BreakerConfig


class Refusal(NamedTuple):
    """No leave: while a breaker is open that is so ordinary that it is a value, made an error by the caller."""

    state: str
    retry_after: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class BreakerStatus:
    """What a breaker looks like now, and what it has done since it is there.

    Attributes:
        name: Its name.
        state: closed, open or half open.
        held_open: Whether it was opened by hand, and stays so.
        retry_after: Seconds until a call may go through; 0.0: now; None: nobody knows.
        counts: What is in its window.
        probes: Probes under way.
        config: How it is configured.
        last_transition: Its last change of state; None if there was none.
        permitted: Calls let through.
        rejected: Calls refused.
        successes: Calls that succeeded, those of earlier states too; so for the next two.
        failures: Calls that failed.
        ignored: Calls that count neither way: cancelled ones, or with an error of `ignores`.
        late: Those of the three that told their outcome too late for the window.
        opened: How often it opened.
    """

    name: str
    state: BreakerState
    held_open: bool
    retry_after: float | None
    counts: Counts
    probes: int
    config: BreakerConfig
    last_transition: Transition | None
    permitted: int
    rejected: int
    successes: int
    failures: int
    ignored: int
    late: int
    opened: int


@dataclass(frozen=True, slots=True, kw_only=True)
class BreakerStats:
    """What the service has done since it started.

    Attributes:
        breakers: How many there are.
        open: How many of them are open.
        half_open: How many of them are half open.
        probers: Processes that make probes now.
        released: Probes given back because their process ended.
    """

    breakers: int
    open: int
    half_open: int
    probers: int
    released: int


class Entry:
    """A breaker and what the service knows of it."""

    __slots__ = (
        "_admission",
        "_grant",
        "_server",
        "breaker",
        "last_transition",
        "opened",
        "permitted",
        "probers",
        "rejected",
        "totals",
    )

    def __init__(self, server: Pid[Any], breaker: Breaker) -> None:
        self._server = server
        self.breaker = breaker
        self.probers: dict[Permit, Pid[Any]] = {}  # who makes the probes under way
        self.permitted = self.rejected = self.opened = 0
        self.totals = dict.fromkeys(CallOutcome, 0)
        self.last_transition: Transition | None = None
        self._admission: Admission | None = None
        self._grant: Grant | None = None

    def grant(self, admission: Admission) -> Grant | None:
        """What the caller gets; a closed breaker has one for all."""
        if admission is self._admission:
            return self._grant
        if admission.permit is None:
            return None
        self._grant = Grant(self._server, admission.permit, self.breaker.config)
        self._admission = admission
        return self._grant

    def changed(self, transition: Transition) -> None:
        """Note a change of state."""
        self.last_transition = transition
        if transition.after is BreakerState.OPEN:
            self.opened += 1

    def status(self, name: str, now: float) -> BreakerStatus:
        """How it stands at *now*."""
        breaker = self.breaker
        return BreakerStatus(
            name=name,
            state=breaker.state,
            held_open=breaker.held_open,
            retry_after=breaker.retry_after(now),
            counts=breaker.counts(now),
            probes=breaker.probes_under_way,
            config=breaker.config,
            last_transition=self.last_transition,
            permitted=self.permitted,
            rejected=self.rejected,
            successes=self.totals[CallOutcome.SUCCESS],
            failures=self.totals[CallOutcome.FAILURE],
            ignored=self.totals[CallOutcome.IGNORED],
            late=breaker.counts_late,
            opened=self.opened,
        )
