"""The side of a bus for who looks after it: dead letters, `stats` and `health`."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Final

from suptree.errors import CallTimeoutError, NoProcessError, ServerExitError
from suptree.otp import ServerRef, call
from suptree.services.signals.bus_state import PAGE, BusState
from suptree.services.signals.errors import SignalOptionsError
from suptree.services.signals.lane import Lane
from suptree.services.signals.subscription import check_count, check_id, check_seconds
from suptree.services.signals.values import BusHealth, BusStats, SignalDeadLetter, SignalsRedriven

__all__ = ["Caring"]

LOSS_SHOWS: Final = 60.0
"""Seconds for which a loss makes the bus degraded."""
NEARLY_FULL: Final = 0.8


@dataclass(frozen=True, slots=True)
class _Page:
    """How many dead letters were redriven and kept, and up to which number."""

    redriven: int
    kept: int
    upto: int


class Caring(BusState):
    """Dead letters, figures and health."""

    __front__ = "SignalBus"

    # -- dead letters -------------------------------------------------------------------

    @staticmethod
    async def dead_letters(
        bus: ServerRef[Caring], *, subscription: str | None = None, limit: int = 100
    ) -> list[SignalDeadLetter]:
        """The dead letters, of one subscription or of all, oldest first; *limit* at most."""
        who = "SignalBus.dead_letters"
        check_count(who, "limit", limit, 1)
        _check_one_or_all(who, subscription)
        return await Caring._letters(bus, subscription, limit)

    @call
    def _letters(self, subscription: str | None, limit: int) -> list[SignalDeadLetter]:
        return self.deliveries.dead.find(subscription, None, limit)

    @staticmethod
    async def redrive(
        bus: ServerRef[Caring],
        *,
        subscription: str | None = None,
        numbers: Iterable[int] | None = None,
    ) -> SignalsRedriven:
        """Send dead letters on their way again, behind what is held, with all their attempts.

        Args:
            bus: A pid or a name.
            subscription: Those of that one; None: of all.
            numbers: Those with these numbers; None: all.
        """
        _check_one_or_all("SignalBus.redrive", subscription)
        chosen = None if numbers is None else _numbers_of("SignalBus.redrive", numbers)
        redriven = kept = after = 0
        # Those that die again meanwhile have a higher number, and wait for the next redrive.
        last = await Caring._last_letter(bus)
        while after < last:
            answer = await Caring._redrive(bus, subscription, chosen, after, last)
            redriven += answer.redriven
            kept += answer.kept
            after = answer.upto
        return SignalsRedriven(redriven, kept)

    @call
    def _last_letter(self) -> int:
        return self.deliveries.dead.last

    @call
    def _redrive(
        self, subscription: str | None, numbers: frozenset[int] | None, after: int, last: int
    ) -> _Page:
        found = self.deliveries.dead.find(subscription, numbers, PAGE, after)
        letters = [letter for letter in found if letter.number <= last]
        redriven, kept = self.deliveries.redrive(letters, self.now())
        return _Page(redriven, kept, letters[-1].number if letters else last)

    @staticmethod
    async def purge_dead_letters(bus: ServerRef[Caring], *, subscription: str | None = None) -> int:
        """Forget the dead letters of one subscription, or all; returns how many."""
        _check_one_or_all("SignalBus.purge_dead_letters", subscription)
        return await Caring._purge(bus, subscription)

    @call
    def _purge(self, subscription: str | None) -> int:
        return self.deliveries.dead.clear(subscription)

    # -- looking after it ---------------------------------------------------------------

    @call
    def stats(self) -> BusStats:
        """What the bus has done, and what it holds."""
        of, totals = self.deliveries, self.deliveries.totals
        return BusStats(
            subscriptions=len(of.lanes),
            published=self.published,
            halted=self.halted,
            unmatched=self.unmatched,
            sent=totals.sent,
            buffered=totals.buffered,
            acked=totals.acked,
            redelivered=totals.redelivered,
            dropped=totals.dropped,
            rejected=totals.rejected,
            gone=totals.gone,
            discarded=totals.discarded,
            dead_lettered=totals.dead_lettered,
            dead_letters=len(of.dead),
            dead_letters_lost=of.dead.lost,
            blocked=len(of.publishers),
            middleware_faults=self.middleware_faults,
            match_faults=self.match_faults,
            store_faults=0 if self.saving is None else self.saving.faults,
            log_len=len(self.log),
            log_bytes=self.log.bytes,
            log_dropped=self.log.dropped,
        )

    @staticmethod
    async def health(bus: ServerRef[Caring], *, timeout: float = 1.0) -> BusHealth:
        """Whether the bus does its work; a bus that is not there is an answer too.

        Args:
            bus: A pid or a name.
            timeout: Seconds within which it must answer.
        """
        check_seconds("SignalBus.health", "timeout", timeout)
        try:
            reasons = await Caring._troubles.within(timeout)(bus)
        except (NoProcessError, CallTimeoutError, ServerExitError) as error:
            return BusHealth("unhealthy", (str(error),))
        return BusHealth("degraded" if reasons else "healthy", reasons)

    @call
    def _troubles(self) -> tuple[str, ...]:
        reasons: list[str] = []
        of = self.deliveries
        if self.now() - of.totals.last_loss <= LOSS_SHOWS:
            reasons.append("signals were lost within the last minute; see stats")
        full = [lane.id for lane in of.lanes.values() if _is_nearly_full(lane)]
        if full:
            more = f" and {len(full) - 3} more" if len(full) > 3 else ""
            reasons.append(f"nearly full: {', '.join(full[:3])}{more}")
        return tuple(reasons)

    # -- other settings -----------------------------------------------------------------

    @staticmethod
    async def reconfigure(
        bus: ServerRef[Caring],
        *,
        log_entries: int | None = None,
        max_subscriptions: int | None = None,
        max_dead_letters: int | None = None,
        max_blocked: int | None = None,
    ) -> None:
        """Go by other bounds from now on; what is not given stays as it is.

        No subscription, dead letter or publisher that waits goes where a bound gets smaller: it
        holds for what comes.  From a log that is too long two signals leave for each that comes.

        Raises:
            SignalOptionsError: One of them is out of bounds; nothing was changed.
        """
        who = "SignalBus.reconfigure"
        for option, value, least in (
            ("log_entries", log_entries, 0),
            ("max_subscriptions", max_subscriptions, 1),
            ("max_dead_letters", max_dead_letters, 1),
            ("max_blocked", max_blocked, 0),
        ):
            if value is not None:
                check_count(who, option, value, least)
        await Caring._reconfigure(
            bus, log_entries, max_subscriptions, max_dead_letters, max_blocked
        )

    @call
    def _reconfigure(
        self,
        log_entries: int | None,
        max_subscriptions: int | None,
        max_dead_letters: int | None,
        max_blocked: int | None,
    ) -> None:
        self.log.entries = self.log.entries if log_entries is None else log_entries
        self.max_subscriptions = max_subscriptions or self.max_subscriptions
        self.deliveries.dead.limit = max_dead_letters or self.deliveries.dead.limit
        self.max_blocked = self.max_blocked if max_blocked is None else max_blocked


def _numbers_of(who: str, numbers: Any) -> frozenset[int]:
    try:
        numbered = iter(numbers)
    except TypeError:
        numbered = iter([None])
    given: list[Any] = list(numbered)
    chosen = frozenset(one for one in given if isinstance(one, int))
    if len(chosen) < len(given) and not all(isinstance(one, int) for one in given):
        raise SignalOptionsError(who, "numbers", "the numbers of dead letters", numbers)
    return chosen


def _check_one_or_all(who: str, id: object) -> None:
    if id is not None:
        check_id(who, id)


def _is_nearly_full(lane: Lane) -> bool:
    return bool(lane.blocked) or len(lane.pending) > NEARLY_FULL * lane.delivery.max_pending
