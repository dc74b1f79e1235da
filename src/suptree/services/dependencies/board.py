"""`ReadinessBoard`: where services say that they are ready, and others wait until they are.

One process for a system.  It is given the dependencies, and derives from them who is
really ready: a service is when it says so and all that it needs is.  A word belongs to
the process that gave it: when that ends, the service is not ready and not live, until
its successor speaks.  Waiting is no polling; every wait has an end and says, when it was
in vain, why.

It refuses services that are not declared, and more waiters than `max_waiters`.

>>> import asyncio, suptree as st
>>> from suptree.services import ReadinessBoard
>>> async def main():
...     async with st.Runtime():
...         await st.child(ReadinessBoard, {"api": ["db"], "db": []}).with_(name="board").start_link()
...         await ReadinessBoard.ready("board", "api")
...         print((await ReadinessBoard.readiness("board", "api")).reasons)
...         await ReadinessBoard.ready("board", "db")
...         await ReadinessBoard.wait_ready("board", "api", timeout=5.0)
>>> asyncio.run(main())
('api -> db: has said nothing yet',)
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, MutableMapping
from dataclasses import dataclass
from typing import Any, Final

from suptree.core import Down, Pid, ReplyTo, Table, find_runtime, safe_repr
from suptree.errors import BadArgumentError, CrossRuntimeError
from suptree.otp import GenServer, NoReply, ServerRef, call
from suptree.services.dependencies.errors import (
    NotReadyError,
    TooManyWaitersError,
    UnknownServiceError,
)
from suptree.services.dependencies.events import SERVICE_READINESS_CHANGED, SERVICE_WAIT_EXPIRED
from suptree.services.dependencies.graph import Dependencies
from suptree.services.dependencies.readiness import (
    Readiness,
    ServiceReadiness,
    SystemReadiness,
    Word,
)
from suptree.services.parts.alarm import Alarm
from suptree.services.parts.checks import (
    check_count,
    check_name,
    check_process,
    check_seconds,
    check_text,
)
from suptree.services.parts.deadlines import NEVER, Deadlines
from suptree.services.parts.owners import Owners, stranger

__all__ = ["ReadinessBoard", "ReadinessStats"]

_WHO: Final = "ReadinessBoard"
_SPACE: Final = "readiness"
_LOOK_FROM: Final = 64  # with so many waiters, look for those that have gone


@dataclass(frozen=True, slots=True)
class ReadinessStats:
    """What the board has done since it started.

    Attributes:
        waiters: Who wait now.
        served: Who waited, and the service became ready.
        expired: Who waited in vain.
        refused: Who found too many waiters.
        changes: How often a service became ready or ceased to be.
        deaths: How often the process of a service ended.
    """

    waiters: int
    served: int
    expired: int
    refused: int
    changes: int
    deaths: int


@dataclass(slots=True, eq=False)
class _Waiter:
    reply_to: ReplyTo
    service: str | None  # None: all of them
    timeout: float | None
    due: float = NEVER  # see `Deadlines`


class ReadinessBoard(GenServer):
    """Who is ready, who is live, and why not.

    Args:
        services: The dependencies, or each service with those that it needs.
        table: Name of a public table (of a `StateOwner`) that keeps what services said
            over a restart of the board; None: they must say it again.
        max_waiters: How many may wait at a time.

    Raises:
        DependencyError: The declaration is wrong; the start fails with it.
        NoTableError: There is no such table.
    """

    call_raises = (BadArgumentError, CrossRuntimeError, UnknownServiceError)

    def __init__(
        self,
        services: Dependencies | Mapping[str, Collection[str]],
        *,
        table: str | None = None,
        max_waiters: int = 10_000,
    ) -> None:
        check_count(_WHO, "max_waiters", max_waiters)
        self._graph = services if isinstance(services, Dependencies) else Dependencies(services)
        self._state = Readiness(self._graph)
        self._owners: Owners[str] = Owners()
        self._speakers: dict[str, Pid[Any] | None] = {}
        self._kept: MutableMapping[str, tuple[Pid[Any] | None, Word]] = {}
        self._waiters: dict[_Waiter, None] = {}
        self._dues: Deadlines[_Waiter] = Deadlines()
        self._alarm = Alarm(self)
        self._max_waiters = max_waiters
        self._look_at = _LOOK_FROM
        self._served = self._expired = self._refused = self._changes = self._deaths = 0
        bus = find_runtime("ReadinessBoard").telemetry
        self._changed_event = bus.slot(SERVICE_READINESS_CHANGED)
        self._expired_event = bus.slot(SERVICE_WAIT_EXPIRED)
        if table is not None:
            self._kept = Table.lookup(table).setdefault(_SPACE, {})
            self._remember()

    def _remember(self) -> None:
        """Take up what was said before this process; the dead are told by their Down."""
        for service, (pid, word) in list(self._kept.items()):
            if service in self._graph:
                self._take_down(service, pid, word)
            else:
                del self._kept[service]

    # -- what services say ---------------------------------------------------------------

    @staticmethod
    async def ready(
        board: ServerRef[ReadinessBoard], service: str, *, pid: Pid[Any] | None = None
    ) -> None:
        """Say that *service* can serve, as far as it depends on itself.

        Args:
            board: The board.
            service: A declared one.
            pid: The process that the word belongs to; default: the caller.  A word from
                outside every process belongs to none and stays.

        Raises:
            UnknownServiceError: It is not declared.
            BadArgumentError: *service* or *pid* is none.
            CrossRuntimeError: *pid* lives in another runtime.
        """
        await ReadinessBoard._say(board, service, pid, Word(ready=True))

    @staticmethod
    async def not_ready(
        board: ServerRef[ReadinessBoard],
        service: str,
        reason: str,
        *,
        pid: Pid[Any] | None = None,
    ) -> None:
        """Say that *service* cannot serve, and why; see `ready`."""
        check_text(_WHO, "reason", reason)
        await ReadinessBoard._say(board, service, pid, Word(ready=False, reason=reason))

    @call
    def _say(self, service: str, pid: Pid[Any] | None, word: Word) -> None:
        self._check_declared(service)
        check_process(_WHO, "pid", pid, optional=True)
        foreign = stranger(_WHO, pid)
        if foreign is not None:
            raise foreign
        self._take_down(service, self.sender.pid if pid is None else pid, word)

    def _check_declared(self, service: str) -> None:
        check_name(_WHO, "service", service)
        if service not in self._graph:
            raise UnknownServiceError(_WHO, service, self._graph)

    def _take_down(self, service: str, pid: Pid[Any] | None, word: Word) -> None:
        before = self._speakers.get(service)
        if before is not pid:
            if before is not None:
                self._owners.discard(before, service)
            self._speakers[service] = pid
        if pid is not None:
            self._owners.add(pid, service)
        self._turn(service, pid, word)

    def handle_info(self, message: object) -> None:
        """A service's process ended, or waits are over."""
        if self._alarm.rang(message):
            self._expire()
        elif isinstance(message, Down):
            for service in self._owners.gone(message):
                self._deaths += 1
                self._speakers[service] = None
                reason = f"its process ended: {safe_repr(message.reason, 200)}"
                self._turn(service, None, Word(ready=False, reason=reason, live=False))
        else:
            super().handle_info(message)

    def _turn(self, service: str, pid: Pid[Any] | None, word: Word) -> None:
        """Let everyone know what *word* changes."""
        self._kept[service] = pid, word
        turned = self._state.say(service, word)
        self._changes += len(turned)
        for name in turned:
            if self._changed_event.handlers:
                one = self._state.of(name)
                self._changed_event.emit(
                    {"ready_count": self._state.ready_count},
                    {
                        "board": self.pid,
                        "service": name,
                        "ready": one.ready,
                        "reasons": one.reasons,
                    },
                )
        if turned:
            self._serve()

    # -- asking ----------------------------------------------------------------------------

    @call
    def readiness(self, service: str) -> ServiceReadiness:
        """Whether *service* is ready and live, and why not.

        Raises:
            UnknownServiceError: It is not declared.
        """
        self._check_declared(service)
        return self._state.of(service)

    @call
    def report(self) -> SystemReadiness:
        """All services, in start order; ready and live if all of them are."""
        return self._state.of_all()

    @call
    def dependencies(self) -> Dependencies:
        """What was declared."""
        return self._graph

    @call
    def stats(self) -> ReadinessStats:
        """What the board has done."""
        return ReadinessStats(
            waiters=sum(not one.reply_to.done() for one in self._waiters),
            served=self._served,
            expired=self._expired,
            refused=self._refused,
            changes=self._changes,
            deaths=self._deaths,
        )

    # -- waiting -----------------------------------------------------------------------------

    @staticmethod
    async def wait_ready(
        board: ServerRef[ReadinessBoard], service: str, timeout: float | None = 30.0
    ) -> None:
        """Wait until *service* and all that it needs are ready.

        Args:
            board: The board.
            service: A declared one.
            timeout: Seconds; 0 only looks; None waits as long as the board lives.

        Raises:
            NotReadyError: It was not ready in time; `reasons` says why.
            UnknownServiceError: It is not declared.
            TooManyWaitersError: The board lets nobody wait any more.
        """
        check_name(_WHO, "service", service)
        await _wait(board, service, timeout)

    @staticmethod
    async def wait_all_ready(
        board: ServerRef[ReadinessBoard], timeout: float | None = 30.0
    ) -> None:
        """Wait until every service is ready; see `wait_ready`."""
        await _wait(board, None, timeout)

    # The board answers in time itself, with the reasons.
    @call(timeout=None, raises=(NotReadyError, TooManyWaitersError))
    def _wait(self, service: str | None, timeout: float | None) -> NoReply | None:
        if service is not None:
            self._check_declared(service)
        if self._is_ready(service):
            return None
        if timeout == 0:
            raise self._in_vain(service, 0.0)
        if not self._has_room():
            self._refused += 1
            raise TooManyWaitersError(self._max_waiters)
        waiter = _Waiter(self.sender, service, timeout)
        self._waiters[waiter] = None
        if timeout is not None:
            now = find_runtime("wait_ready").now()
            self._dues.set(waiter, now + timeout)
            self._alarm.arm(waiter.due, now)
        return NoReply()

    def _has_room(self) -> bool:
        """Whether one more may wait; those who gave up are forgotten when there are many."""
        if len(self._waiters) >= min(self._look_at, self._max_waiters):
            for waiter in list(self._waiters):
                if waiter.reply_to.done():
                    self._forget(waiter)
            self._look_at = max(_LOOK_FROM, 2 * len(self._waiters))
        return len(self._waiters) < self._max_waiters

    def _is_ready(self, service: str | None) -> bool:
        if service is None:
            return self._state.ready_count == len(self._graph)
        return self._state.is_ready(service)

    def _serve(self) -> None:
        for waiter in list(self._waiters):
            if self._is_ready(waiter.service):
                self._forget(waiter)
                if not waiter.reply_to.done():
                    self._served += 1
                    self.reply(waiter.reply_to, None)

    def _expire(self) -> None:
        now = find_runtime("ReadinessBoard").now()
        while (waiter := self._dues.take_due(now)) is not None:
            self._forget(waiter)
            if not waiter.reply_to.done():
                error = self._in_vain(waiter.service, waiter.timeout or 0.0)
                self.reply_error(waiter.reply_to, error)
        self._alarm.arm(self._dues.next_due(), now)

    def _forget(self, waiter: _Waiter) -> None:
        del self._waiters[waiter]
        self._dues.clear(waiter)

    def _in_vain(self, service: str | None, timeout: float) -> NotReadyError:
        self._expired += 1
        reasons = (
            self._state.of_all().reasons if service is None else self._state.of(service).reasons
        )
        name = "all services" if service is None else service
        if self._expired_event.handlers:
            facts = {"board": self.pid, "service": name, "reasons": reasons}
            self._expired_event.emit({"timeout_s": timeout}, facts)
        return NotReadyError(name, timeout, reasons)


async def _wait(
    board: ServerRef[ReadinessBoard], service: str | None, timeout: float | None
) -> None:
    check_seconds("ReadinessBoard.wait_ready", "timeout", timeout, zero=True, optional=True)
    await ReadinessBoard._wait(board, service, timeout)
