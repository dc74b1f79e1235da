"""`BusState`: what the process of a bus holds, and what arrives there of itself.

The four sides of `SignalBus` are built on it: publishing, subscribing, the log, and care.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from suptree.core import Down
from suptree.otp import GenServer
from suptree.services.parts.checks import checked_all
from suptree.services.parts.store import Store, checked_store
from suptree.services.signals import events
from suptree.services.signals.deliveries import Deliveries, Ending
from suptree.services.signals.errors import SignalOptionsError
from suptree.services.signals.lane import Lane
from suptree.services.signals.log import SignalLog
from suptree.services.signals.middleware import Middleware, check_middleware
from suptree.services.signals.publishing import Door
from suptree.services.signals.saving import Saving
from suptree.services.signals.subscription import Subscription, check_count, check_seconds

__all__ = ["PAGE", "BusState"]

PAGE: Final = 1000
"""So many things of a long list are given, or looked after, in one turn."""
_EXPIRED: Final = "suptree.signals.expired"


class BusState(GenServer):
    """The state of a bus; see `SignalBus` for the arguments."""

    def __init__(
        self,
        label: str = "signals",
        *,
        middleware: Iterable[Middleware] = (),
        subscriptions: Iterable[Subscription] = (),
        log_entries: int = 100_000,
        log_bytes: int | None = None,
        log_ttl: float | None = None,
        max_subscriptions: int = 100_000,
        max_dead_letters: int = 10_000,
        max_blocked: int = 1000,
        store: Store | None = None,
    ) -> None:
        who = "SignalBus"
        check_count(who, "log_entries", log_entries, 0)
        if log_bytes is not None:
            check_count(who, "log_bytes", log_bytes, 1)
        if log_ttl is not None:
            check_seconds(who, "log_ttl", log_ttl)
        check_count(who, "max_subscriptions", max_subscriptions, 1)
        check_count(who, "max_dead_letters", max_dead_letters, 1)
        check_count(who, "max_blocked", max_blocked, 0)
        runtime = self._process.runtime
        self.label = label
        self.log = SignalLog(entries=log_entries, max_bytes=log_bytes, ttl=log_ttl)
        self.max_subscriptions = max_subscriptions
        self.max_blocked = max_blocked
        self.deliveries = Deliveries(self, label, max_dead_letters, self._ended)
        checked_store(who, store)
        self.saving = None if store is None else Saving(store, label)
        self.door = Door(
            check_middleware(who, middleware),
            self.deliveries.router,
            log_bytes is not None,
            runtime,
            label,
        )
        self.published = self.halted = self.unmatched = 0
        self.middleware_faults = self.match_faults = 0
        self.now = runtime.now
        self.published_slot = runtime.telemetry.slot(events.PUBLISHED)
        self._expiry_armed = False
        for subscription in _declared(who, subscriptions):
            self.deliveries.subscribe(subscription, self.now(), declared=True)

    async def init(self) -> None:
        """Take back the subscriptions that the store has kept."""
        if self.saving is not None:
            for subscription in await self.saving.load():
                if subscription.id not in self.deliveries.lanes:
                    self.deliveries.subscribe(subscription, self.now())

    def handle_info(self, message: object) -> None:
        """The timer, and the end of subscribers and publishers."""
        if self.deliveries.tick(message, self.now()):
            return
        match message:
            case Down():
                self.deliveries.down(message, message.reason, self.now())
            case str() if message == _EXPIRED:
                self._expiry_armed = False
                self.expire()
                self.arm_expiry()
            case _:
                super().handle_info(message)

    # -- for the sides ------------------------------------------------------------------

    def _ended(self, lane: Lane, reason: Ending) -> None:
        """A lane has ended: nothing of it may come back from the store."""
        if reason == "unsubscribed":
            return  # who asked for that waits for it
        if self.saving is not None and self.saving.takes(lane.subscription):
            self.start_task(self.saving.delete(lane.id))

    def expire(self) -> None:
        """Drop from the log what is too old."""
        self.log.expire(self.now(), PAGE)

    def arm_expiry(self) -> None:
        """Look at the log again when its oldest signal is too old."""
        if self.log.ttl is not None and not self._expiry_armed and len(self.log):
            self._expiry_armed = True
            # Not one timer for each signal: what is too old goes a tenth of its life late.
            late = self.log.ttl / 10
            self.send_after(max(0.001, self.log.next_expiry() - self.now() + late), _EXPIRED)


def _declared(who: str, given: Iterable[Subscription]) -> list[Subscription]:
    declared: dict[str, Subscription] = {}
    for one in checked_all(who, "subscriptions", given, Subscription):
        if one.name is None:
            raise SignalOptionsError(who, "subscriptions", "Subscriptions by name", one)
        if one.id in declared:
            raise SignalOptionsError(who, "ids of subscriptions", "unique", one.id)
        declared[one.id] = one
    return list(declared.values())
