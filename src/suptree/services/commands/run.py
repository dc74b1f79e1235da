"""The process of one run: it has the guardian start a command, and stays with it to its end.

It is a task of the manager's supervisor of runs, and obeys the manager.  However it ends,
its channel is closed, which ends the command and waits for that.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

from suptree.core import Pid, current, find_runtime, own, receive, send, set_label
from suptree.errors import ReceiveTimeoutError
from suptree.otp import ServerRef
from suptree.services.commands.channel import (
    Channel,
    Ended,
    Failed,
    Lost,
    Overflowed,
    Running,
    StreamsClosed,
)
from suptree.services.commands.guardian_server import CommandGuardian
from suptree.services.commands.outcome import Captured, RunOutcome
from suptree.services.commands.runner import GuardianProcess
from suptree.services.commands.spec import Command, CommandRule

__all__ = ["Began", "Job", "Order", "Over", "Peek", "Seen", "conduct"]

LAUNCH_LIMIT: Final = 5.0
"""Seconds within which a minder must say that it has begun; else its guardian is stuck."""

SWEEP_LIMIT: Final = 7.0
"""Seconds beyond the grace within which a minder must have ended everything."""

_LOST: Final = "the process that guarded it is gone, and so is the command"
_STREAMS_LIMIT: Final = 1.0  # after its end: only what was handed to a stranger is open then


@dataclass(frozen=True, slots=True)
class Job:
    """What a run is to run: its number, the command and its rule."""

    run: int
    command: Command
    rule: CommandRule


@dataclass(frozen=True, slots=True)
class Order:
    """To a run: end the command."""


@dataclass(frozen=True, slots=True)
class Peek:
    """To a run: say what was written until now; it is for the caller *ticket*."""

    ticket: object


@dataclass(frozen=True, slots=True)
class Began:
    """To the manager: the program has begun."""

    run: int
    isolation: str


@dataclass(frozen=True, slots=True)
class Seen:
    """To the manager: what was written until now."""

    run: int
    ticket: object
    captured: Captured


@dataclass(frozen=True, slots=True)
class Over:
    """To the manager: the run is over, and nothing of it is left."""

    run: int
    outcome: RunOutcome


async def conduct(manager: Pid[Any], guardians: ServerRef[CommandGuardian], job: Job) -> None:
    """The life of one run."""
    set_label(f"command {job.command}")
    outcome = await _outcome(manager, guardians, job)
    send(manager, Over(job.run, outcome))


async def _outcome(
    manager: Pid[Any], guardians: ServerRef[CommandGuardian], job: Job
) -> RunOutcome:
    guardian: GuardianProcess | OSError = await CommandGuardian.guardian(guardians)
    if isinstance(guardian, OSError):
        return _failed(Failed("guardian", guardian.errno or 0, str(guardian)))
    me = current()
    try:
        channel = Channel(
            guardian,
            job.rule.request(job.command),
            job.command.stdin,
            job.rule.max_output,
            lambda message: send(me, message),
        )
    except OSError as error:
        CommandGuardian.mute(guardians, guardian)
        return _failed(Failed("guardian", error.errno or 0, str(error)))
    own(channel, Channel.close)
    course = _Course(manager, guardian, channel, job)
    outcome = await course.run()
    if course.stuck:
        CommandGuardian.mute(guardians, guardian)
    return outcome


def _failed(failed: Failed) -> RunOutcome:
    return RunOutcome(
        how="failed",
        why=failed.text,
        step=failed.step,
        errno=failed.errno,
    )


class _Course:
    """What has happened in a run until now.

    Attributes:
        stuck: Whether the guardian does not answer.
    """

    def __init__(
        self, manager: Pid[Any], guardian: GuardianProcess, channel: Channel, job: Job
    ) -> None:
        self.manager = manager
        self.guardian = guardian
        self.channel = channel
        self.job = job
        self.now = find_runtime("command").now
        self.began = self.now()
        self.minder: int | None = None
        self.stopping: str = ""
        self.due: float | None = self.began + LAUNCH_LIMIT
        self.closed = False
        self.told_on = False  # the guardian was told that the minder does not answer
        self.stuck = False

    async def run(self) -> RunOutcome:
        """Follow it to its end."""
        while True:
            message = await self._next()
            match message:
                case Running():
                    self._is_running(message)
                case Order():
                    self._stop("stopped", self.job.rule.grace)
                case Overflowed() if self.job.rule.overflow == "kill":
                    self._stop("overflowed", 0.0)
                case Peek(ticket):
                    send(self.manager, Seen(self.job.run, ticket, self.channel.captured()))
                case StreamsClosed():
                    self.closed = True
                case Failed():
                    return _failed(message)
                case Ended():
                    return await self._ended(message)
                case Lost():
                    return self._lost(_LOST)
                case None:
                    if (outcome := self._is_late()) is not None:
                        return outcome
                case _:
                    continue

    async def _next(self) -> object:
        """The next message; None: it is later than it should be."""
        timeout = None if self.due is None else max(0.0, self.due - self.now())
        try:
            message: object = await receive(timeout=timeout)
        except ReceiveTimeoutError:
            return None
        return message

    def _is_running(self, message: Running) -> None:
        self.minder = message.minder
        self.began = self.now()
        if not self.stopping:
            self.due = None
        send(self.manager, Began(self.job.run, message.isolation))

    def _stop(self, why: str, grace: float) -> None:
        if not self.stopping:
            self.stopping = why
            self.due = self.now() + grace + SWEEP_LIMIT
            self.channel.stop(grace)

    def _is_late(self) -> RunOutcome | None:
        """Nobody has answered; what is to be done."""
        if self.minder is None:
            self.stuck = True
            return _failed(Failed("guardian", 0, f"no answer within {LAUNCH_LIMIT:g} s"))
        self.stuck = self.told_on
        if not self.told_on:
            self.told_on = True
            try:
                self.guardian.kill_minder(self.minder)
            except OSError:
                self.stuck = True
        if self.stuck:
            return self._lost("nobody answers who guards it")
        self.due = self.now() + SWEEP_LIMIT
        return None

    async def _ended(self, ended: Ended) -> RunOutcome:
        """It is gone; its last words may still be in the pipes."""
        duration = self.now() - self.began
        until = self.now() + _STREAMS_LIMIT
        while not self.closed and (left := until - self.now()) > 0:
            try:
                await receive(StreamsClosed, timeout=left)
            except ReceiveTimeoutError:
                break
            self.closed = True
        how: Any = self.stopping or ("exited" if ended.why == "exited" else "lost")
        if ended.why == "exited" and how == "stopped":
            how = "exited"  # it was faster than the order
        return RunOutcome(
            how=how,
            why=_LOST if how == "lost" else "",
            code=ended.code,
            signal=ended.signal,
            duration_s=duration,
            captured=self.channel.captured(),
            swept=ended.swept,
            left=ended.left,
        )

    def _lost(self, why: str) -> RunOutcome:
        captured = self.channel.captured()
        duration = self.now() - self.began
        return RunOutcome(how="lost", why=why, captured=captured, duration_s=duration)
