"""`Stock`: the connections of a pool, from the wish for one until its process has ended.

The half of the server that opens, checks and closes; it knows nothing of borrowers.  It
runs no code of the user's: each connection has a process of its own (`connection.py`), which
tells the server what has come of it.
"""

from __future__ import annotations

import random
from typing import Any, Final, Literal

from suptree.core import SHUTDOWN, Pid, Ref, exit, monitor, safe_repr, send
from suptree.otp import GenServer, TaskSupervisor
from suptree.services.parts.agenda import Agenda
from suptree.services.parts.alarm import Alarm
from suptree.services.pools.connection import Checked, Opened, Order, Started, tend
from suptree.services.pools.policy import Look, look, next_look, retires_at, shortfall
from suptree.services.pools.shelf import Entry, EntryState, Shelf
from suptree.services.pools.spec import ConnectionPoolSpec
from suptree.services.pools.stats import Totals
from suptree.services.pools.telling import Teller

__all__ = ["Due", "Stock"]

Due = tuple[Literal["wait", "look", "refill", "close"], int]
_REFILL: Final[Due] = ("refill", 0)

_GRACE: Final = 0.5  # beside its close, for the steps of a connection that is told to end


class Stock(GenServer):
    """The connections of one pool.

    Args:
        spec: What it is a pool of.
    """

    def __init__(self, spec: ConnectionPoolSpec[Any]) -> None:
        self.spec = spec
        self.shelf: Shelf[Any] = Shelf()
        self.watched: dict[Ref, int] = {}
        self.due: Agenda[Due] = Agenda()
        self.alarm = Alarm(self)
        self.failures = 0  # to open one, in a row
        self.round = 0  # of attempts: those that were begun together fail as one
        self.retry_at = 0.0
        self.last_delay: float | None = None
        self.last_connect_error = ""
        self.closing = False
        self.totals = Totals()
        self.tell = Teller(spec.name, self._process.runtime.telemetry)

    # -- opening --------------------------------------------------------------------------------

    def _refill(self, now: float, waiting: int) -> None:
        """Begin to open what is missing, unless the last attempts failed and it is too early."""
        failing = self.failures > 0
        if self.closing or (failing and now < self.retry_at):
            return
        missing = shortfall(
            self.spec,
            size=len(self.shelf),
            closing=self.shelf.count(EntryState.CLOSING),
            opening=self.shelf.count(EntryState.OPENING),
            waiting=waiting,
            failing=failing,
        )
        for _ in range(missing):
            entry = self.shelf.add(now, self.round)
            self.start_task(self._start(entry.number), name=f"start of {self.spec.name}")

    async def _start(self, number: int) -> None:
        """Have the process of a connection started; runs beside the server."""
        spec = self.spec
        pid = await TaskSupervisor.start_child(
            spec.connections, tend, self.pid, number, spec, shutdown=spec.close_timeout + _GRACE
        )
        send(self.pid, Started(number, pid))

    def _watch(self, number: int, pid: Pid[Any]) -> Entry[Any] | None:
        """Its process is known, from whichever message comes first."""
        entry = self.shelf.get(number)
        if entry is not None and entry.ref is None:
            entry.pid, entry.ref = pid, monitor(pid)
            self.watched[entry.ref] = number
            if entry.state is EntryState.CLOSING:  # it was given up before
                exit(pid, SHUTDOWN)
        return entry

    def _opened(self, message: Opened) -> None:
        entry = self._watch(message.number, message.pid)
        if entry is None:
            return
        now = self._now()
        entry.connection, entry.opened_at = message.connection, now
        entry.retires_at = retires_at(self.spec, now, random.random())
        self.failures, self.last_delay, self.last_connect_error = 0, None, ""
        self.totals.opened += 1
        self.tell.opened(now - entry.asked_at, len(self.shelf))
        if self.closing:
            self._close(entry, "pool_closed")
        else:
            self._put_back(entry, now)

    def _connect_failed(self, entry: Entry[Any], error: str) -> None:
        self.totals.connect_failures += 1
        self.last_connect_error = error
        if entry.round == self.round:
            self.round += 1
            self.failures += 1
            self.last_delay = self.spec.refill.delay(self.failures, self.last_delay)
            self.retry_at = self._now() + self.last_delay
            self.due.set(_REFILL, self.retry_at)
        self.tell.connect_failed(self.failures, max(0.0, self.retry_at - self._now()), error)

    # -- what is free ---------------------------------------------------------------------------

    def _take_idle(self, now: float) -> Entry[Any] | None:
        """One that is free and not too old; those that are too old are closed on the way."""
        while (entry := self.shelf.next_idle()) is not None:
            if now < entry.retires_at:
                return entry
            self._close(entry, "max_age")
        return None

    def _put_back(self, entry: Entry[Any], now: float) -> None:
        """It is free, and was well just now."""
        entry.idle_since = entry.checked_at = now
        self.shelf.move(entry, EntryState.IDLE)
        self._plan_look(entry, now)

    def _plan_look(self, entry: Entry[Any], now: float) -> None:
        at = next_look(self.spec, entry, now)
        if at is not None:
            self.due.set(("look", entry.number), at)

    # -- checking and closing ---------------------------------------------------------------------

    def _look(self, number: int) -> None:
        """A connection that nobody uses may be too old, or too long idle, or is to be checked."""
        entry = self.shelf.get(number)
        if entry is None or entry.state is not EntryState.IDLE:
            return
        now = self._now()
        kept = len(self.shelf) - self.shelf.count(EntryState.CLOSING)
        match look(self.spec, entry, now, spare=kept > self.spec.min_size):
            case Look.CHECK:
                self._check(entry)
            case Look.KEEP:
                self._plan_look(entry, now)
            case reason:
                self._close(entry, str(reason))

    def _check(self, entry: Entry[Any]) -> None:
        assert entry.pid is not None
        self.shelf.move(entry, EntryState.CHECKING)
        send(entry.pid, Order.CHECK)

    def _checked(self, message: Checked) -> None:
        entry = self.shelf.get(message.number)
        if entry is None or entry.state is not EntryState.CHECKING:
            return
        now = self._now()
        if message.error:  # it closes itself
            self.totals.check_failures += 1
            self.tell.check_failed(now - (entry.opened_at or now), message.error)
            self._close(entry, "check_failed")
        elif self.closing:
            self._close(entry, "pool_closed")
        else:
            entry.checked_at = now
            self.shelf.move(entry, EntryState.IDLE, used=False)
            self._plan_look(entry, now)

    def _close(self, entry: Entry[Any], reason: str) -> None:
        if entry.state is EntryState.CLOSING:
            return
        self.due.discard(("look", entry.number))
        self.shelf.move(entry, EntryState.CLOSING)
        entry.reason = reason
        if entry.pid is not None:
            send(entry.pid, Order.CLOSE)

    def _gone(self, entry: Entry[Any], reason: object) -> None:
        """The process of a connection has ended, and the connection is closed."""
        self.shelf.remove(entry.number)
        self.due.discard(("look", entry.number))
        if entry.opened_at is not None:
            if entry.state is not EntryState.CLOSING:
                self.totals.lost += 1
            self.totals.closed += 1
            age = self._now() - entry.opened_at
            self.tell.closed(age, len(self.shelf), entry.reason or "lost")
        elif entry.state is EntryState.OPENING:  # it did not live to say why
            self._connect_failed(entry, safe_repr(reason, 500))

    def _arm(self) -> None:
        self.alarm.arm(self.due.earliest(), self._now())

    def _now(self) -> float:
        return self._process.runtime.now()
