"""The server of the manager: what may run, what runs, who waits for it, and what is still known.

It starts no program and runs no code of anybody's: each run has a process of its own
(`run.py`), which tells the server what has come of it.  Used by `manager.py`, its client.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any, Final

from suptree.core import Down, Pid, monitor, safe_repr, send
from suptree.errors import SuptreeError
from suptree.otp import GenServer, NoReply, ServerRef, TaskSupervisor, call, cast
from suptree.services.commands.cache import ResultCache
from suptree.services.commands.errors import (
    CommandError,
    CommandLaunchError,
    CommandLostError,
    CommandNotAllowedError,
    CommandOutputError,
    CommandTimeoutError,
    TooManyCommandsError,
)
from suptree.services.commands.flights import (
    Flight,
    FlightState,
    Request,
    Ticket,
    Waiter,
    result_of,
)
from suptree.services.commands.outcome import Captured, CommandResult, CommandStats, RunOutcome
from suptree.services.commands.run import Began, Job, Order, Over, Peek, Seen, conduct
from suptree.services.commands.settings import CommandOptions, HeldOptions
from suptree.services.commands.spec import Command, CommandRule
from suptree.services.commands.telling import Teller
from suptree.services.commands.totals import Totals
from suptree.services.parts.alarm import Alarm
from suptree.services.parts.deadlines import NEVER, Deadlines
from suptree.services.parts.owners import Owners

__all__ = ["CommandServer", "Family", "Terms"]


@dataclass(frozen=True, slots=True)
class Terms:
    """What a command is checked against; in the place of an answer: they are others by now, ask again."""

    rule: CommandRule
    options: CommandOptions


@dataclass(frozen=True, slots=True)
class Family:
    """Those that a server works with: the supervisor of the runs, and who owns the guardian."""

    runs: ServerRef[Any]
    guardian: ServerRef[Any]


@dataclass(frozen=True, slots=True)
class _Started:
    run: int
    pid: Pid[Any]


class CommandServer(GenServer):
    """Runs commands by their rules.

    Args:
        rules: By name; there again after a restart.
        options: Its bounds, and where it keeps them when they change.
        find: Gives those that it works with.
        conduct: What a run does in its process.
    """

    __front__ = "SystemCommandManager"

    def __init__(
        self,
        rules: Mapping[str, CommandRule],
        options: HeldOptions,
        find: Callable[[], Awaitable[Family]],
        *,
        conduct: Callable[[Pid[Any], ServerRef[Any], Job], Awaitable[None]] = conduct,
    ) -> None:
        runtime = self._process.runtime
        self._now = runtime.now
        self._next_id = runtime.next_id
        self._rules = dict(rules)
        self._options = options
        self._find = find
        self._family: Family | None = None
        self._conduct = conduct
        self._cache = ResultCache(options.now.cache_entries, options.now.cache_bytes)
        self._flights: dict[int, Flight] = {}  # all of them, by run; those queued in their order
        self._shared: dict[tuple[Command, CommandRule], Flight] = {}
        self._waiters: dict[Ticket, Waiter] = {}
        self._owners: Owners[Ticket] = Owners()
        self._deadlines: Deadlines[Waiter] = Deadlines()
        self._alarm = Alarm(self)
        self._running = 0
        self._isolation = "none"
        self._totals = Totals()
        self._tell = Teller(runtime.telemetry)

    # -- requests ---------------------------------------------------------------------------

    @call
    def terms(self, command: Command) -> Terms | CommandError:
        """On which terms a command may be run, for the client to check."""
        rule = self._rules.get(command.name)
        if rule is None:
            return self._refused(command, self._not_allowed(command.name))
        return Terms(rule, self._options.now)

    @cast
    def not_so(self, command: Command, caller: Pid[Any] | None, error: CommandError) -> None:
        """A client has found that the rule does not allow it."""
        self._totals.refused += 1
        self._tell.refused(command, caller, error, self._running, self._queued())

    @call(timeout=None)  # it is answered soon after the limit given
    def execute(self, request: Request) -> Any:
        """A result, the error to raise, or an answer later."""
        command, now = request.command, self._now()
        rule = self._rules.get(command.name)
        if rule is None:
            return self._refused(command, self._not_allowed(command.name))
        if rule != request.rule:
            return Terms(rule, self._options.now)
        if request.ttl > 0:
            found = self._cache.get((command, rule), request.ttl, now)
            if found is not None:
                self._totals.cache_hits += 1
                self._tell.cached(command, self.sender.pid, found.age)
                return found
        flight = self._shared.get((command, rule)) if request.ttl > 0 else None
        if flight is not None:
            self._totals.joined += 1
            flight.ttl = max(flight.ttl, request.ttl)
            self._wait(request, flight, now, shared=True)
            return NoReply()
        if self._running >= self._options.now.max_concurrency:
            queued = self._queued()
            if queued >= self._options.now.max_queued:
                error = TooManyCommandsError(command.name, self._running, queued)
                return self._refused(command, error)
        flight = Flight(self._next_id(), command, rule, now, request.ttl)
        self._flights[flight.run] = flight
        if request.ttl > 0:
            self._shared[flight.key] = flight
        self._wait(request, flight, now, shared=False)
        self._start_next()
        return NoReply()

    @cast
    def leave(self, ticket: Ticket) -> None:
        """A caller waits no longer; no error if it did not."""
        self._abandoned(ticket)

    @call
    def update(self, allow: Mapping[str, CommandRule], forbid: tuple[str, ...]) -> Any:
        """Other rules; the names that are allowed now, or the error to raise."""
        for name in forbid:
            if name not in self._rules:
                return self._not_allowed(name)
        for name in (*allow, *forbid):
            self._cache.forget(name)
        self._rules.update(allow)
        for name in forbid:
            self._rules.pop(name, None)
        for flight in [one for one in self._flights.values() if one.command.name in forbid]:
            if flight.state is FlightState.QUEUED:
                self._totals.refused += len(flight.waiters)
                self._settle(flight, self._not_allowed(flight.command.name))
        self._tell.changed(tuple(allow), forbid, len(self._rules))
        return tuple(sorted(self._rules))

    @call
    def clear_cache(self) -> int:
        """Forget all results; how many there were."""
        count = self._cache.clear()
        self._tell.cleared(count)
        return count

    @call
    def reconfigure(self, changes: Mapping[str, Any]) -> None:
        """Go by other bounds, by field; the others stay as they are at this moment."""
        options = self._options.now = replace(self._options.now, **changes)
        self._cache.resize(options.cache_entries, options.cache_bytes, self._now())
        self._start_next()

    @call
    def stats(self) -> CommandStats:
        """What there is now, and the totals."""
        return CommandStats(
            running=self._running,
            queued=self._queued(),
            waiting=len(self._waiters),
            max_concurrency=self._options.now.max_concurrency,
            allowed=tuple(sorted(self._rules)),
            isolation=self._isolation,
            cached=len(self._cache),
            cached_bytes=self._cache.size,
            **self._totals.as_dict(),
        )

    # -- those who wait -------------------------------------------------------------------------

    def _wait(self, request: Request, flight: Flight, now: float, *, shared: bool) -> None:
        waiter = Waiter(request, self.sender, flight, now)
        self._waiters[waiter.ticket] = flight.waiters[waiter.ticket] = waiter
        if waiter.owner is not None:
            self._owners.add(waiter.owner, waiter.ticket)
        self._deadlines.set(waiter, now + request.limit)
        self._arm()
        self._tell.requested(request, waiter, shared=shared)

    def _forget(self, waiter: Waiter) -> None:
        del self._waiters[waiter.ticket]
        del waiter.flight.waiters[waiter.ticket]
        self._deadlines.clear(waiter)
        if waiter.owner is not None:
            self._owners.discard(waiter.owner, waiter.ticket)

    def _answer(self, waiter: Waiter, answer: CommandResult | CommandError) -> None:
        self._forget(waiter)
        match answer:
            case CommandResult():
                word = "result"
            case CommandTimeoutError():
                word = "timeout"
            case _:
                word = type(answer).__name__
        self._tell.answered(waiter, word, self._now() - waiter.since)
        self.reply(waiter.sender, answer)

    def _abandoned(self, ticket: Ticket) -> None:
        waiter = self._waiters.get(ticket)
        if waiter is None:
            return
        self._forget(waiter)
        self._tell.answered(waiter, "abandoned", self._now() - waiter.since)
        self._end_if_unwanted(waiter.flight)

    def _too_late(self, waiter: Waiter) -> None:
        """Its time is over: it gets what was written until now, or what is known at the end."""
        flight = waiter.flight
        waiter.late = True
        self._totals.timed_out += 1
        if flight.state is FlightState.QUEUED:
            self._answer(waiter, _timeout(waiter, Captured(), gone=True))
        elif any(flight.wanted()):
            if flight.pid is None:
                self._answer(waiter, _timeout(waiter, Captured(), gone=False))
            else:
                send(flight.pid, Peek(waiter.ticket))
        self._end_if_unwanted(flight)

    def _end_if_unwanted(self, flight: Flight) -> None:
        """Nobody waits for it any more: it has no turn, or comes to an end."""
        if flight.state is FlightState.ENDING or any(flight.wanted()):
            return
        if flight.state is FlightState.QUEUED:
            self._take_out(flight)
            return
        flight.state = FlightState.ENDING
        self._unshare(flight)
        if flight.pid is not None:
            send(flight.pid, Order())

    # -- runs -------------------------------------------------------------------------------

    def _queued(self) -> int:
        return len(self._flights) - self._running

    def _start_next(self) -> None:
        """Begin what waits, as far as there is room."""
        if self._running >= self._options.now.max_concurrency:
            return
        for flight in self._flights.values():
            if flight.state is FlightState.QUEUED:
                flight.state = FlightState.FLYING
                self._running += 1
                job = Job(flight.run, flight.command, flight.rule)
                self.start_task(self._begin(job), name=f"start of {job.command.name}")
                if self._running >= self._options.now.max_concurrency:
                    return

    async def _begin(self, job: Job) -> None:
        """Have the process of a run started; runs beside the server."""
        try:
            family = self._family = self._family or await self._find()
            pid = await TaskSupervisor.start_child(
                family.runs, self._conduct, self.pid, family.guardian, job, shutdown=_SHUTDOWN
            )
        except SuptreeError as error:
            outcome = RunOutcome(how="failed", step="run", why=str(error))
            send(self.pid, Over(job.run, outcome))
        else:
            send(self.pid, _Started(job.run, pid))

    def _started(self, message: _Started) -> None:
        flight = self._flights.get(message.run)
        if flight is None:  # it is over already
            return
        flight.pid, flight.ref = message.pid, monitor(message.pid)
        if flight.state is FlightState.ENDING:
            send(message.pid, Order())

    def _began(self, message: Began) -> None:
        self._isolation = message.isolation
        self._totals.started += 1
        flight = self._flights.get(message.run)
        if flight is not None:
            flight.began = True
            self._tell.started(flight, self._now() - flight.since)

    def _seen(self, message: Seen) -> None:
        if isinstance(message.ticket, Ticket):
            waiter = self._waiters.get(message.ticket)
            if waiter is not None:
                self._answer(waiter, _timeout(waiter, message.captured, gone=False))

    def _over(self, run: int, outcome: RunOutcome) -> None:
        flight = self._flights.get(run)
        if flight is None:
            return
        self._totals.note(outcome)
        self._tell.finished(flight, outcome)
        answer = self._answer_of(flight, outcome)
        if isinstance(answer, CommandResult) and answer.ok:
            self._cache.put(flight.key, answer, flight.ttl, self._now())
        self._settle(flight, answer, outcome)
        self._start_next()

    def _answer_of(
        self, flight: Flight, outcome: RunOutcome
    ) -> CommandResult | CommandError | None:
        """What those who wait get; None: each its own."""
        name, captured = flight.command.name, outcome.captured
        match outcome.how:
            case "exited":
                return result_of(flight, outcome)
            case "overflowed":
                most = flight.rule.max_output
                return CommandOutputError(name, most, captured.stdout, captured.stderr)
            case "failed":
                return CommandLaunchError(name, outcome.step, outcome.errno, outcome.why)
            case "lost":
                return CommandLostError(name, outcome.why)
            case "stopped":
                return None

    def _settle(
        self,
        flight: Flight,
        answer: CommandResult | CommandError | None,
        outcome: RunOutcome | None = None,
    ) -> None:
        """It is over: everybody gets an answer, and it is forgotten."""
        for waiter in list(flight.waiters.values()):
            if answer is not None:
                self._answer(waiter, answer)
            elif outcome is not None:
                gone = outcome.left == 0
                self._answer(waiter, _timeout(waiter, outcome.captured, gone=gone))
        self._take_out(flight)

    def _take_out(self, flight: Flight) -> None:
        del self._flights[flight.run]
        self._unshare(flight)
        if flight.state is not FlightState.QUEUED:
            self._running -= 1

    def _unshare(self, flight: Flight) -> None:
        if self._shared.get(flight.key) is flight:
            del self._shared[flight.key]

    # -- what happens by itself ---------------------------------------------------------------

    def handle_info(self, message: object) -> None:
        """From runs, from callers that have ended, and what is due."""
        match message:
            case _Started():
                self._started(message)
            case Began():
                self._began(message)
            case Seen():
                self._seen(message)
            case Over(run, outcome):
                self._over(run, outcome)
            case _ if self._alarm.rang(message):
                while (waiter := self._deadlines.take_due(self._now())) is not None:
                    self._too_late(waiter)
                self._arm()
            case Down() if (flight := self._flight_of(message)) is not None:
                why = f"the process of its run has ended: {safe_repr(message.reason, 200)}"
                self._over(flight.run, RunOutcome(how="lost", why=why))
            case _ if tickets := self._owners.gone(message):
                for ticket in tickets:
                    self._abandoned(ticket)
            case Down():
                return  # of a run that is over
            case _:
                super().handle_info(message)

    def _flight_of(self, down: Down) -> Flight | None:
        return next((one for one in self._flights.values() if one.ref == down.ref), None)

    def _arm(self) -> None:
        due = self._deadlines.next_due()
        self._alarm.arm(None if due == NEVER else due, self._now())

    def _not_allowed(self, name: str) -> CommandNotAllowedError:
        return CommandNotAllowedError(name, self._rules)

    def _refused(self, command: Command, error: CommandError) -> CommandError:
        self._totals.refused += 1
        self._tell.refused(command, self.sender.pid, error, self._running, self._queued())
        return error


_SHUTDOWN: Final = 6.0
"""Seconds that a run has to end its command when it is told to; closing has five."""


def _timeout(waiter: Waiter, captured: Captured, *, gone: bool) -> CommandTimeoutError:
    return CommandTimeoutError(
        waiter.flight.command.name,
        waiter.limit,
        began=waiter.flight.state is not FlightState.QUEUED,
        stdout=captured.stdout,
        stderr=captured.stderr,
        gone=gone,
    )
