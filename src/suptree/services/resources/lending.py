"""`Lending`: what the process of a `ResourceManager` holds, and what happens there of itself.

Who holds what, who waits, whose time is over, who is told, and what the readers say; `Ledger` has
the figures, and decides.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from contextlib import suppress
from typing import Any, Final, Literal

from suptree.core import Pid, send
from suptree.errors import MailboxFullError
from suptree.otp import GenServer
from suptree.services.parts.agenda import Agenda
from suptree.services.parts.alarm import Alarm
from suptree.services.parts.checks import check_count, checked_by_name
from suptree.services.parts.owners import Owners
from suptree.services.resources.errors import (
    BackPressureError,
    ResourceDeniedError,
    ResourceTimeoutError,
)
from suptree.services.resources.ledger import Claim, Ledger, Obstacle
from suptree.services.resources.limits import Budget, ResourceLimit
from suptree.services.resources.readers import take_reading
from suptree.services.resources.records import Held, Reading, Totals, Waiting, Wish
from suptree.services.resources.telling import Teller
from suptree.services.resources.usage import ResourceToken

__all__ = ["Lending"]

MAX_WAITING: Final = 10_000

_Key = tuple[Literal["ttl", "wait"], int] | tuple[Literal["read"], str]


class Lending(GenServer):
    """The process side of `ResourceManager`, which documents the arguments."""

    def __init__(
        self,
        limits: Mapping[str, ResourceLimit | int] | None = None,
        *,
        budgets: Mapping[str, Budget] | None = None,
        default: ResourceLimit | int | None = None,
        max_waiting: int = MAX_WAITING,
    ) -> None:
        check_count("ResourceManager", "max_waiting", max_waiting, least=0)
        self.max_waiting = max_waiting
        self.budgets = dict(checked_by_name("ResourceManager", "budgets", budgets, "Budget"))
        self.ledger = Ledger(
            {
                type: _limit(limit)
                for type, limit in checked_by_name(
                    "ResourceManager", "limits", limits, "ResourceLimit"
                ).items()
            },
            self.budgets,
            None if default is None else _limit(default),
        )
        self.held: dict[int, Held] = {}
        self.waiting: dict[int, Waiting] = {}
        self.owners: Owners[int] = Owners()
        self.subscribers: Owners[Pid[Any]] = Owners()
        self.subscribed: dict[Pid[Any], None] = {}
        self.due: Agenda[_Key] = Agenda()
        self.alarm = Alarm(self)
        self.readings: dict[str, asyncio.Task[None]] = {}
        self.totals = Totals()

    def init(self) -> None:
        """Take the first readings."""
        self.tell = Teller(self._process.runtime.telemetry)
        for name in self.budgets:
            self._read(name)
        self._arm()

    # -- granting and refusing ----------------------------------------------------------------

    def _wait(self, wish: Wish, claim: Claim) -> None:
        now = self._now()
        self.ledger.wait(claim)
        self.waiting[wish.id] = Waiting(wish, claim, self.sender, now)
        self.due.set(("wait", wish.id), now + wish.timeout)
        if wish.owner is not None:
            self.owners.add(wish.owner, wish.id)
        self._arm()

    def _granted(self, wish: Wish, claim: Claim, waited: float) -> ResourceToken:
        now = self._now()
        token = ResourceToken(wish.id, wish.type, wish.amount, wish.owner, self.pid, wish.metadata)
        self.held[token.id] = Held(token, claim, now)
        if token.owner is not None:
            self.owners.add(token.owner, token.id)
        if wish.ttl is not None:
            self.due.set(("ttl", token.id), now + wish.ttl)
        self.totals.acquired += 1
        self.tell.acquired(token, self.ledger.in_use(token.type), waited)
        return token

    def _refused(
        self, wish: Wish, obstacle: Obstacle, waited: float | None = None
    ) -> ResourceDeniedError:
        reason = obstacle.reason if waited is None else "timeout"
        self._note_denied(wish, reason, waited or 0.0)
        kind: type[ResourceDeniedError] = ResourceDeniedError
        if waited is not None:
            kind = ResourceTimeoutError
        elif obstacle.reason == "pressure":
            kind = BackPressureError
        return kind(
            wish.type,
            wish.amount,
            reason,
            obstacle.what,
            obstacle.used,
            obstacle.limit,
            waited=waited or 0.0,
        )

    def _note_denied(self, wish: Wish, reason: str, waited: float) -> None:
        self.totals.denied[reason] = self.totals.denied.get(reason, 0) + 1
        self.tell.denied(wish, reason, waited)

    # -- the end of a token, or of a wait ---------------------------------------------------------

    def _forget(self, id: int) -> bool:
        """The wish waits no longer, and needs no answer."""
        waiting = self._leave(id)
        if waiting is None:
            return False
        self.ledger.withdraw(waiting.claim)
        self._settle()
        return True

    def _leave(self, id: int) -> Waiting | None:
        waiting = self.waiting.pop(id, None)
        if waiting is not None:
            self.due.discard(("wait", id))
            if waiting.wish.owner is not None:
                self.owners.discard(waiting.wish.owner, id)
        return waiting

    def _end(self, id: int, reason: str) -> bool:
        """The token is back, and whoever waited for it has it; False if it was before."""
        if not self._take_back(id, reason):
            return False
        self._settle()
        return True

    def _take_back(self, id: int, reason: str) -> bool:
        held = self.held.pop(id, None)
        if held is None:
            return False
        token = held.token
        self.due.discard(("ttl", id))
        if token.owner is not None:
            self.owners.discard(token.owner, id)
        self.ledger.give_back(held.claim)
        self._note_end(held, reason)
        return True

    def _owner_ended(self, ids: list[int]) -> None:
        """Its wishes first: none of them is to be granted to the dead."""
        for id in ids:
            waiting = self._leave(id)
            if waiting is not None:
                self.ledger.withdraw(waiting.claim)
        for id in ids:
            self._take_back(id, "owner_ended")
        self._settle()

    def _note_end(self, held: Held, reason: str) -> None:
        match reason:
            case "expired":
                self.totals.expired += 1
            case "owner_ended":
                self.totals.orphaned += 1
            case "abandoned":
                self.totals.abandoned += 1
            case _:
                self.totals.released += 1
        in_use = self.ledger.in_use(held.token.type)
        self.tell.ended(held.token, in_use, self._now() - held.since, reason)

    # -- what happens by itself -----------------------------------------------------------------

    def handle_info(self, message: object) -> None:
        """An owner or a subscriber has ended, something is due, or a reading has come in."""
        if self.alarm.rang(message):
            for key in self.due.pop(self._now()):
                self._is_due(key)
            self._arm()
            return
        if isinstance(message, Reading):
            self._was_read(message)
            return
        if ids := self.owners.gone(message):
            self._owner_ended(ids)
        elif gone := self.subscribers.gone(message):
            for pid in gone:
                self.subscribed.pop(pid, None)
        else:
            super().handle_info(message)

    def _is_due(self, key: _Key) -> None:
        match key:
            case ("ttl", int(id)):
                self._end(id, "expired")
            case ("wait", int(id)):
                self._waited_too_long(id)
            case ("read", str(budget)):
                self._read(budget)
            case _:
                raise AssertionError(key)

    def _waited_too_long(self, id: int) -> None:
        waiting = self._leave(id)
        if waiting is None:  # it was served by what was due at the same moment, and came before
            return
        self.ledger.withdraw(waiting.claim)
        obstacle = self.ledger.obstacle(waiting.claim) or Obstacle(
            "queue", waiting.wish.type, self.ledger.in_use(waiting.wish.type), 0
        )
        self.reply(
            waiting.sender, self._refused(waiting.wish, obstacle, self._now() - waiting.since)
        )
        self._settle()

    def _settle(self) -> None:
        """Something has become free, or is used otherwise: serve those who wait, and tell."""
        for claim in self.ledger.serve():
            waiting = self._leave(claim.id)
            assert waiting is not None
            token = self._granted(waiting.wish, claim, self._now() - waiting.since)
            self.reply(waiting.sender, token)
        self._tell()
        self._arm()

    def _tell(self) -> None:
        for news in self.ledger.news():
            self.tell.news(news)
            for subscriber in self.subscribed:
                with suppress(MailboxFullError):  # it asked for this: the others and we go on
                    send(subscriber, news)

    # -- readings -------------------------------------------------------------------------------

    def _read(self, name: str) -> None:
        """Begin a reading, unless one is under way, and plan the next."""
        budget = self.budgets[name]
        if budget.reader is None:
            return
        self.due.set(("read", name), self._now() + budget.every)
        under_way = self.readings.get(name)
        if under_way is None or under_way.done():
            self.readings[name] = self.start_task(self._take(name), name=f"reading of {name}")

    async def _take(self, name: str) -> None:
        """Take one reading; runs beside the manager."""
        send(self.pid, await take_reading(name, self.budgets[name]))

    def _was_read(self, reading: Reading) -> None:
        if reading.used is None:
            self.totals.readings_failed += 1
            self.tell.reading_failed(reading)
            return
        self.ledger.read(reading.budget, reading.used)
        self._settle()

    def _arm(self) -> None:
        self.alarm.arm(self.due.earliest(), self._now())

    def _now(self) -> float:
        return self._process.runtime.now()


def _limit(limit: ResourceLimit | int) -> ResourceLimit:
    return limit if isinstance(limit, ResourceLimit) else ResourceLimit(limit)
