"""`Teller`: says in telemetry what the manager does; nothing is built while nobody listens."""

from __future__ import annotations

from typing import Any

from suptree.core import Pid
from suptree.services.commands.events import (
    COMMAND_ANSWERED,
    COMMAND_CACHE_CLEARED,
    COMMAND_CACHED,
    COMMAND_FINISHED,
    COMMAND_REFUSED,
    COMMAND_REQUESTED,
    COMMAND_STARTED,
    COMMANDS_CHANGED,
)
from suptree.services.commands.flights import Flight, Request, Waiter
from suptree.services.commands.outcome import RunOutcome
from suptree.services.commands.spec import Command
from suptree.telemetry import TelemetryBus

__all__ = ["Teller"]


class Teller:
    """See the module text."""

    __slots__ = (
        "_answered",
        "_bus",
        "_cached",
        "_finished",
        "_refused",
        "_requested",
        "_started",
    )

    def __init__(self, bus: TelemetryBus) -> None:
        self._bus = bus
        self._requested = bus.slot(COMMAND_REQUESTED)
        self._started = bus.slot(COMMAND_STARTED)
        self._finished = bus.slot(COMMAND_FINISHED)
        self._answered = bus.slot(COMMAND_ANSWERED)
        self._refused = bus.slot(COMMAND_REFUSED)
        self._cached = bus.slot(COMMAND_CACHED)

    def requested(self, request: Request, waiter: Waiter, *, shared: bool) -> None:
        """A run is to be, or is shared."""
        if self._requested.handlers:
            numbers = {"limit_s": request.limit}
            if request.time_left is not None:
                numbers["time_left_s"] = request.time_left
            facts = {
                **_what(request.command),
                "caller": waiter.owner,
                "run": waiter.flight.run,
                "env": tuple(request.command.variables),
                "shared": shared,
            }
            self._requested.emit(numbers, facts)

    def started(self, flight: Flight, waited: float) -> None:
        """A program has begun."""
        if self._started.handlers:
            self._started.emit({"waited_s": waited}, {**_what(flight.command), "run": flight.run})

    def finished(self, flight: Flight, outcome: RunOutcome) -> None:
        """A run is over."""
        if self._finished.handlers:
            numbers = {
                "duration_s": outcome.duration_s,
                "stdout_bytes": outcome.captured.stdout_bytes,
                "stderr_bytes": outcome.captured.stderr_bytes,
                "swept_count": outcome.swept,
                "left_count": outcome.left,
            }
            facts = {
                **_what(flight.command),
                "run": flight.run,
                "how": outcome.how,
                "exit_code": outcome.code,
                "signal": outcome.signal,
                "why": outcome.why,
            }
            self._finished.emit(numbers, facts)

    def answered(self, waiter: Waiter, answer: str, waited: float) -> None:
        """A caller waits no longer."""
        if self._answered.handlers:
            facts = {
                **_what(waiter.flight.command),
                "caller": waiter.owner,
                "run": waiter.flight.run,
                "answer": answer,
            }
            self._answered.emit({"waited_s": waited}, facts)

    def refused(
        self, command: Command, caller: Pid[Any] | None, error: Exception, running: int, queued: int
    ) -> None:
        """A command is not run."""
        if self._refused.handlers:
            facts = {**_what(command), "caller": caller, "why": type(error).__name__}
            self._refused.emit({"running_count": running, "queued_count": queued}, facts)

    def cached(self, command: Command, caller: Pid[Any] | None, age: float) -> None:
        """A result was there."""
        if self._cached.handlers:
            self._cached.emit({"age_s": age}, {**_what(command), "caller": caller})

    def cleared(self, count: int) -> None:
        """The cache is empty."""
        self._bus.emit(COMMAND_CACHE_CLEARED, {"cleared_count": count}, {})

    def changed(self, allowed: tuple[str, ...], forbidden: tuple[str, ...], count: int) -> None:
        """There are other rules."""
        facts = {"allowed": allowed, "forbidden": forbidden}
        self._bus.emit(COMMANDS_CHANGED, {"allowed_count": count}, facts)


def _what(command: Command) -> dict[str, object]:
    return {"command": command.name, "args": " ".join(command.shown)[:1000]}
