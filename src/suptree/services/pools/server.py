"""The server of a pool: who has which connection, who waits, and what is opened and closed.

It runs no code of the user's: each connection has a process of its own (`connection.py`),
which tells the server what has come of it.  Used by `pool.py`, which is its client.
"""

from __future__ import annotations

import random
from dataclasses import asdict, dataclass
from typing import Any, Final, Literal

from suptree.core import SHUTDOWN, Down, Pid, Ref, ReplyTo, exit, monitor, safe_repr, send
from suptree.otp import GenServer, NoReply, TaskSupervisor, call, cast
from suptree.services.parts.agenda import Agenda
from suptree.services.parts.alarm import Alarm
from suptree.services.parts.distribution import Distribution
from suptree.services.parts.owners import Owners
from suptree.services.pools.connection import (
    Checked,
    CloseFailed,
    ConnectFailed,
    Opened,
    Order,
    Started,
    tend,
)
from suptree.services.pools.errors import (
    PoolClosedError,
    PoolError,
    PoolOverloadedError,
    PoolTimeoutError,
)
from suptree.services.pools.lease import Outcome, PoolLease
from suptree.services.pools.policy import Look, look, next_look, retires_at, shortfall
from suptree.services.pools.shelf import Entry, EntryState, Shelf
from suptree.services.pools.spec import PoolSpec
from suptree.services.pools.stats import PoolClosing, PoolStats, Totals
from suptree.services.pools.telling import Teller

__all__ = ["PoolServer", "Wish"]

_Key = tuple[Literal["wait", "look", "refill", "close"], int]
_REFILL: Final[_Key] = ("refill", 0)
_CLOSE: Final[_Key] = ("close", 0)

_GRACE: Final = 0.5  # beside its close, for the steps of a connection that is told to end


@dataclass(frozen=True, slots=True)
class Wish:
    """What a borrower asks for; its lease has the same id."""

    id: int
    owner: Pid[Any] | None
    timeout: float | None


@dataclass(frozen=True, slots=True)
class _Waiting:
    wish: Wish
    sender: ReplyTo
    since: float


@dataclass(frozen=True, slots=True)
class _Lent:
    wish: Wish
    entry: Entry[Any]
    since: float


class PoolServer(GenServer):
    """Lends the connections of one pool.

    Args:
        spec: What it is a pool of.
    """

    def __init__(self, spec: PoolSpec[Any]) -> None:
        self.spec = spec
        self.shelf: Shelf[Any] = Shelf()
        self.watched: dict[Ref, int] = {}
        self.waiting: dict[int, _Waiting] = {}
        self.lent: dict[int, _Lent] = {}
        self.owners: Owners[int] = Owners()
        self.due: Agenda[_Key] = Agenda()
        self.alarm = Alarm(self)
        self.failures = 0  # to open one, in a row
        self.round = 0  # of attempts: those that were begun together fail as one
        self.retry_at = 0.0
        self.last_delay: float | None = None
        self.last_connect_error = ""
        self.closing = False
        self.closers: list[ReplyTo] = []
        self.closed_before = 0
        self.forced = 0
        self.totals = Totals()
        self.waits = Distribution()

    def init(self) -> None:
        """Begin to open the least that is kept; nobody waits for that."""
        self.tell = Teller(self.spec.name, self._process.runtime.telemetry)
        self._settle()

    # -- requests ---------------------------------------------------------------------------

    @call(timeout=None)  # it is answered within the timeout of the wish
    def checkout(self, wish: Wish) -> Any:
        """A lease, the error to raise, or an answer later."""
        if self.closing:
            return self._refused(wish, "closed", PoolClosedError(self.spec.name), 0.0)
        now = self._now()
        entry = self._take_idle(now)
        if entry is not None:  # then nobody waits: `_settle` leaves none free while somebody does
            return self._lend(entry, wish, 0.0, now)
        timeout = self.spec.checkout_timeout if wish.timeout is None else wish.timeout
        if timeout == 0:
            return self._too_late(wish, 0.0)
        if len(self.waiting) >= self.spec.max_waiting:
            error = PoolOverloadedError(self.spec.name, len(self.waiting))
            return self._refused(wish, "overloaded", error, 0.0)
        self.waiting[wish.id] = _Waiting(wish, self.sender, now)
        self.due.set(("wait", wish.id), now + timeout)
        if wish.owner is not None:
            self.owners.add(wish.owner, wish.id)
        self._settle()
        return NoReply()

    @cast
    def give_back(self, id: int, outcome: Outcome) -> None:
        """The lease is over; one that was abandoned may be a wish that waits still."""
        if outcome == "abandoned" and self._leave(id) is not None:
            self._settle()
            return
        lent = self.lent.get(id)
        if lent is not None:
            self._take_back(lent, outcome)
            self._settle()
        elif outcome != "abandoned":
            self.totals.late_returns += 1

    @call(timeout=None)  # it is answered soon after the timeout given
    def close(self, timeout: float) -> Any:
        """Lend nothing more; answer when every connection is closed."""
        if not self.closing:
            self.closing = True
            self.closed_before = self.totals.closed
            for id in list(self.waiting):
                self._send_away(id)
            for entry in self.shelf.entries():
                if entry.state is EntryState.IDLE:
                    self._close(entry, "pool_closed")
        if not self.shelf:
            return self._closed()
        self.due.set(_CLOSE, self._now() + timeout)
        self.closers.append(self.sender)
        self._arm()
        return NoReply()

    @call
    def stats(self) -> PoolStats:
        """What there is now, and the totals."""
        count = self.shelf.count
        waited = self.waits.count > 0
        return PoolStats(
            size=len(self.shelf),
            idle=count(EntryState.IDLE),
            in_use=count(EntryState.LENT),
            opening=count(EntryState.OPENING),
            checking=count(EntryState.CHECKING),
            closing=count(EntryState.CLOSING),
            min_size=self.spec.min_size,
            max_size=self.spec.max_size,
            waiting=len(self.waiting),
            closed_for_good=self.closing,
            last_connect_error=self.last_connect_error,
            wait_p50_s=self.waits.quantile(0.5) if waited else 0.0,
            wait_p99_s=self.waits.quantile(0.99) if waited else 0.0,
            **asdict(self.totals),
        )

    # -- lending ------------------------------------------------------------------------------

    def _take_idle(self, now: float) -> Entry[Any] | None:
        """One that is free and not too old; those that are too old are closed on the way."""
        while (entry := self.shelf.next_idle()) is not None:
            if now < entry.retires_at:
                return entry
            self._close(entry, "max_age")
        return None

    def _lend(self, entry: Entry[Any], wish: Wish, waited: float, now: float) -> PoolLease[Any]:
        self.shelf.move(entry, EntryState.LENT)
        self.due.discard(("look", entry.number))
        entry.lease = wish.id
        self.lent[wish.id] = _Lent(wish, entry, now)
        if wish.owner is not None:
            self.owners.add(wish.owner, wish.id)
        self.totals.checkouts += 1
        self.waits.record(waited)
        self.tell.checked_out(
            wish.owner, waited, self.shelf.count(EntryState.LENT), len(self.waiting)
        )
        return PoolLease(wish.id, entry.connection, self.pid, self.spec.broken_on)

    def _take_back(self, lent: _Lent, outcome: Outcome | Literal["lost"]) -> None:
        """It is not lent any more; what becomes of the connection is as it came back."""
        entry, now = lent.entry, self._now()
        self._end_lease(lent, outcome)
        if self.closing:
            self._close(entry, "pool_closed")
        elif outcome == "discarded":
            self.totals.discarded += 1
            self._close(entry, "discarded")
        elif outcome != "interrupted":
            self._put_back(entry, now)
        else:
            self.totals.interrupted += 1
            if self.spec.interrupted == "check":
                entry.idle_since = now
                self._check(entry)
            else:
                self._close(entry, "interrupted")

    def _end_lease(self, lent: _Lent, outcome: str) -> None:
        wish = lent.wish
        del self.lent[wish.id]
        lent.entry.lease = None
        if wish.owner is not None:
            self.owners.discard(wish.owner, wish.id)
        in_use = self.shelf.count(EntryState.LENT) - 1
        self.tell.checked_in(wish.owner, self._now() - lent.since, in_use, outcome)

    def _put_back(self, entry: Entry[Any], now: float) -> None:
        """It is free, and was well just now."""
        entry.idle_since = entry.checked_at = now
        self.shelf.move(entry, EntryState.IDLE)
        self._plan_look(entry, now)

    def _plan_look(self, entry: Entry[Any], now: float) -> None:
        at = next_look(self.spec, entry, now)
        if at is not None:
            self.due.set(("look", entry.number), at)

    # -- those who wait -------------------------------------------------------------------------

    def _leave(self, id: int) -> _Waiting | None:
        """The wish waits no longer."""
        waiting = self.waiting.pop(id, None)
        if waiting is not None:
            self.due.discard(("wait", id))
            if waiting.wish.owner is not None:
                self.owners.discard(waiting.wish.owner, id)
        return waiting

    def _waited_too_long(self, id: int) -> None:
        waiting = self._leave(id)
        if waiting is not None:
            waited = self._now() - waiting.since
            self.reply(waiting.sender, self._too_late(waiting.wish, waited))

    def _send_away(self, id: int) -> None:
        waiting = self._leave(id)
        if waiting is not None:
            error = PoolClosedError(self.spec.name)
            waited = self._now() - waiting.since
            self.reply(waiting.sender, self._refused(waiting.wish, "closed", error, waited))

    def _too_late(self, wish: Wish, waited: float) -> PoolError:
        error = PoolTimeoutError(
            self.spec.name,
            waited,
            size=len(self.shelf),
            max_size=self.spec.max_size,
            in_use=self.shelf.count(EntryState.LENT),
            waiting=len(self.waiting),
            last_connect_error=self.last_connect_error,
        )
        return self._refused(wish, "timeout", error, waited)

    def _refused(self, wish: Wish, reason: str, error: PoolError, waited: float) -> PoolError:
        self.totals.refused += 1
        self.tell.refused(wish.owner, waited, len(self.waiting), reason)
        return error

    def _settle(self) -> None:
        """Something has changed: lend what is free, open what is missing."""
        now = self._now()
        while self.waiting and (entry := self._take_idle(now)) is not None:
            waiting = self._leave(next(iter(self.waiting)))
            assert waiting is not None
            if waiting.sender.done():  # cancelled: it says so itself, a little later
                continue
            lease = self._lend(entry, waiting.wish, now - waiting.since, now)
            self.reply(waiting.sender, lease)
        self._refill(now)
        self._arm()

    # -- opening --------------------------------------------------------------------------------

    def _refill(self, now: float) -> None:
        failing = self.failures > 0
        if self.closing or (failing and now < self.retry_at):
            return
        missing = shortfall(
            self.spec,
            size=len(self.shelf),
            closing=self.shelf.count(EntryState.CLOSING),
            opening=self.shelf.count(EntryState.OPENING),
            waiting=len(self.waiting),
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
        self._settle()

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
        self._settle()

    def _close(self, entry: Entry[Any], reason: str) -> None:
        if entry.state is EntryState.CLOSING:
            return
        self.due.discard(("look", entry.number))
        self.shelf.move(entry, EntryState.CLOSING)
        entry.reason = reason
        if entry.pid is not None:
            send(entry.pid, Order.CLOSE)

    def _force(self) -> None:
        """The pool was to be closed by now: end what is in use, or busy with the user's code."""
        for entry in self.shelf.entries():
            busy = entry.state in (EntryState.OPENING, EntryState.CHECKING)
            if entry.lease is not None:
                self.forced += 1
                self._end_lease(self.lent[entry.lease], "interrupted")
            self._close(entry, "pool_closed")
            if busy and entry.pid is not None:
                exit(entry.pid, SHUTDOWN)

    def _ended(self, number: int, reason: object) -> None:
        """The process of a connection has ended, and the connection is closed."""
        entry = self.shelf.get(number)
        if entry is None:
            return
        if entry.lease is not None:
            self._end_lease(self.lent[entry.lease], "lost")
        self.shelf.remove(number)
        self.due.discard(("look", number))
        if entry.opened_at is not None:
            if entry.state is not EntryState.CLOSING:
                self.totals.lost += 1
            self.totals.closed += 1
            age = self._now() - entry.opened_at
            self.tell.closed(age, len(self.shelf), entry.reason or "lost")
        elif entry.state is EntryState.OPENING:  # it did not live to say why
            self._connect_failed(entry, safe_repr(reason, 500))
        self._settle()
        if self.closing and not self.shelf:
            closers, self.closers = self.closers, []
            for sender in closers:
                self.reply(sender, self._closed())

    def _closed(self) -> PoolClosing:
        return PoolClosing(self.totals.closed - self.closed_before, self.forced)

    # -- what happens by itself --------------------------------------------------------------------

    def handle_info(self, message: object) -> None:
        """From connections, from owners that have ended, and what is due."""
        match message:
            case Started(number, pid):
                self._watch(number, pid)
            case Opened():
                self._opened(message)
            case ConnectFailed(number, error):
                entry = self.shelf.get(number)
                if entry is not None and entry.state is EntryState.OPENING:
                    self._close(entry, "connect_failed")
                    self._connect_failed(entry, error)
                    self._settle()
            case Checked():
                self._checked(message)
            case CloseFailed(_, error):
                self.totals.close_failures += 1
                self.tell.close_failed(error)
            case Down(ref=ref, reason=reason) if ref in self.watched:
                self._ended(self.watched.pop(ref), reason)
            case _ if self.alarm.rang(message):
                for key in self.due.pop(self._now()):
                    self._is_due(key)
                self._settle()
            case _ if ids := self.owners.gone(message):
                self._owner_ended(ids)
            case _:
                super().handle_info(message)

    def _is_due(self, key: _Key) -> None:
        match key:
            case ("wait", id):
                self._waited_too_long(id)
            case ("look", number):
                self._look(number)
            case ("close", _):
                self._force()
            case _:
                return  # the next attempt to open one: made by `_settle`

    def _owner_ended(self, ids: list[int]) -> None:
        for id in ids:
            self._leave(id)
        for id in ids:
            lent = self.lent.get(id)
            if lent is not None:
                self._take_back(lent, "interrupted")
        self._settle()

    def _arm(self) -> None:
        self.alarm.arm(self.due.earliest(), self._now())

    def _now(self) -> float:
        return self._process.runtime.now()
