"""Runs and those who wait for them: values that the manager's server keeps.  No clock.

A flight is one run, waiting for its turn or under way, with the callers that share it.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from enum import Enum
from typing import Any

from suptree.core import Pid, Ref, ReplyTo
from suptree.services.commands.outcome import CommandResult, RunOutcome
from suptree.services.commands.spec import Command, CommandRule
from suptree.services.parts.deadlines import NEVER

__all__ = ["Flight", "FlightState", "Request", "Ticket", "Waiter", "result_of"]


class Ticket:
    """One call: made by the client, and equal to itself only."""

    __slots__ = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """What a client asks for, checked by it.

    Attributes:
        ticket: The call.
        command: What is to be run.
        rule: Under which it was checked.
        limit: Seconds that it may take.
        time_left: Seconds that the caller's caller still waits; None: nobody says.
        ttl: Seconds for which a result is good; 0: neither read from the cache nor kept, and
            no run is shared.
    """

    ticket: Ticket
    command: Command
    rule: CommandRule
    limit: float
    time_left: float | None
    ttl: float


class Waiter:
    """One call that waits.

    Attributes:
        due: When its time is over; set by `Deadlines`.
        late: Whether it was over, and the answer is on its way.
    """

    __slots__ = ("due", "flight", "late", "limit", "owner", "sender", "since", "ticket")

    def __init__(self, request: Request, sender: ReplyTo, flight: Flight, now: float) -> None:
        self.ticket = request.ticket
        self.limit = request.limit
        self.sender = sender
        self.owner = sender.pid
        self.flight = flight
        self.since = now
        self.due = NEVER
        self.late = False


class FlightState(Enum):
    """Where a flight is."""

    QUEUED = "queued"
    FLYING = "flying"
    ENDING = "ending"


@dataclass(slots=True, eq=False)
class Flight:
    """One run.

    Attributes:
        run: Its number.
        command: What is run.
        rule: Under which rule.
        since: When it was asked for first.
        ttl: For how long its result will be good.
        state: Where it is.
        began: Whether the program has begun.
        pid: The process of the run, once it is known.
        ref: The monitor of that.
        waiters: Who waits for it.
    """

    run: int
    command: Command
    rule: CommandRule
    since: float
    ttl: float
    state: FlightState = FlightState.QUEUED
    began: bool = False
    pid: Pid[Any] | None = None
    ref: Ref | None = None
    waiters: dict[Ticket, Waiter] = field(default_factory=dict[Ticket, Waiter])

    @property
    def key(self) -> tuple[Command, CommandRule]:
        """What is equal for flights that may be shared."""
        return self.command, self.rule

    def wanted(self) -> Iterator[Waiter]:
        """Those whose time is not over."""
        return (waiter for waiter in self.waiters.values() if not waiter.late)


def result_of(flight: Flight, outcome: RunOutcome) -> CommandResult:
    """The result of a run that came to its own end."""
    captured = outcome.captured
    return CommandResult(
        command=flight.command.name,
        args=flight.command.shown,
        stdout=captured.stdout,
        stderr=captured.stderr,
        exit_code=outcome.code,
        signal=outcome.signal,
        duration_s=outcome.duration_s,
        stdout_truncated=captured.stdout_bytes > len(captured.stdout),
        stderr_truncated=captured.stderr_bytes > len(captured.stderr),
        swept=outcome.swept,
    )
