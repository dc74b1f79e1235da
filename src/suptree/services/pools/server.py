"""The server of a pool: who has which connection, and who waits.

The connections themselves are in `stock.py`.  Used by `pool.py`, which is its client.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any, Final, Literal

from suptree.core import SHUTDOWN, Down, Pid, ReplyTo, exit
from suptree.otp import NoReply, call, cast
from suptree.services.parts.distribution import Distribution
from suptree.services.parts.owners import Owners
from suptree.services.pools.connection import (
    Checked,
    CloseFailed,
    ConnectFailed,
    Opened,
    Started,
)
from suptree.services.pools.errors import (
    ConnectionPoolClosedError,
    ConnectionPoolError,
    ConnectionPoolOverloadedError,
    ConnectionPoolTimeoutError,
)
from suptree.services.pools.lease import ConnectionPoolLease, Outcome
from suptree.services.pools.shelf import Entry, EntryState
from suptree.services.pools.spec import ConnectionPoolSpec
from suptree.services.pools.stats import ConnectionPoolClosing, ConnectionPoolStats
from suptree.services.pools.stock import Due, Stock

__all__ = ["PoolServer", "Wish"]

_CLOSE: Final[Due] = ("close", 0)


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


class PoolServer(Stock):
    """Lends the connections of one pool.

    Args:
        spec: What it is a pool of.
    """

    __front__ = "ConnectionPool"

    def __init__(self, spec: ConnectionPoolSpec[Any]) -> None:
        super().__init__(spec)
        self.waiting: dict[int, _Waiting] = {}
        self.lent: dict[int, _Lent] = {}
        self.owners: Owners[int] = Owners()
        self.closers: list[ReplyTo] = []
        self.closed_before = 0
        self.forced = 0
        self.waits = Distribution()

    def init(self) -> None:
        """Begin to open the least that is kept; nobody waits for that."""
        self._settle()

    # -- requests ---------------------------------------------------------------------------

    @call(timeout=None)  # it is answered within the timeout of the wish
    def checkout(self, wish: Wish) -> Any:
        """A lease, a ConnectionPoolError, or either later.

        A refusal has to be cheap, so it is a value, raised by the caller.
        """
        if self.closing:
            return self._refused(wish, "closed", ConnectionPoolClosedError(self.spec.name), 0.0)
        now = self._now()
        entry = self._take_idle(now)
        if entry is not None:  # then nobody waits: `_settle` leaves none free while somebody does
            return self._lend(entry, wish, 0.0, now)
        timeout = self.spec.checkout_timeout if wish.timeout is None else wish.timeout
        if timeout == 0:
            return self._too_late(wish, 0.0)
        if len(self.waiting) >= self.spec.max_waiting:
            error = ConnectionPoolOverloadedError(self.spec.name, len(self.waiting))
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
    def stats(self) -> ConnectionPoolStats:
        """What there is now, and the totals."""
        count = self.shelf.count
        waited = self.waits.count > 0
        return ConnectionPoolStats(
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
    def _lend(
        self, entry: Entry[Any], wish: Wish, waited: float, now: float
    ) -> ConnectionPoolLease[Any]:
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
        return ConnectionPoolLease(wish.id, entry.connection, self.pid, self.spec.broken_on)

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
            error = ConnectionPoolClosedError(self.spec.name)
            waited = self._now() - waiting.since
            self.reply(waiting.sender, self._refused(waiting.wish, "closed", error, waited))

    def _too_late(self, wish: Wish, waited: float) -> ConnectionPoolError:
        error = ConnectionPoolTimeoutError(
            self.spec.name,
            waited,
            size=len(self.shelf),
            max_size=self.spec.max_size,
            in_use=self.shelf.count(EntryState.LENT),
            waiting=len(self.waiting),
            last_connect_error=self.last_connect_error,
        )
        return self._refused(wish, "timeout", error, waited)

    def _refused(
        self, wish: Wish, reason: str, error: ConnectionPoolError, waited: float
    ) -> ConnectionPoolError:
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
        self._refill(now, len(self.waiting))
        self._arm()

    # -- the end of the pool -------------------------------------------------------------------

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
        entry = self.shelf.get(number)
        if entry is None:
            return
        if entry.lease is not None:
            self._end_lease(self.lent[entry.lease], "lost")
        self._gone(entry, reason)
        self._settle()
        if self.closing and not self.shelf:
            closers, self.closers = self.closers, []
            for sender in closers:
                self.reply(sender, self._closed())

    def _closed(self) -> ConnectionPoolClosing:
        return ConnectionPoolClosing(self.totals.closed - self.closed_before, self.forced)

    # -- what happens by itself --------------------------------------------------------------------

    def handle_info(self, message: object) -> None:
        """From connections, from owners that have ended, and what is due."""
        match message:
            case Started(number, pid):
                self._watch(number, pid)
            case Opened():
                self._opened(message)
                self._settle()
            case ConnectFailed(number, error):
                entry = self.shelf.get(number)
                if entry is not None and entry.state is EntryState.OPENING:
                    self._close(entry, "connect_failed")
                    self._connect_failed(entry, error)
                    self._settle()
            case Checked():
                self._checked(message)
                self._settle()
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

    def _is_due(self, key: Due) -> None:
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
