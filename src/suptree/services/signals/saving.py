"""`Saving`: the subscriptions of a bus that come back after its restart, in a `Store`."""

from __future__ import annotations

import asyncio
from dataclasses import asdict
from typing import Any, Final

import msgspec

from suptree.core import ReplyTo
from suptree.otp import GenServer
from suptree.services.parts.store import Store
from suptree.services.signals.errors import SignalError, SubscriptionNotSavedError
from suptree.services.signals.subscription import SignalDelivery, Subscription

__all__ = ["Saving"]

_SPACE: Final = "suptree.signals"


class Saving:
    """Keeps subscriptions by name without a match function, one change after another.

    Args:
        store: Where.
        label: That of the bus.

    Attributes:
        faults: What the store could not take, or gave back as nonsense.
    """

    def __init__(self, store: Store, label: str) -> None:
        self._store = store
        self._space = f"{_SPACE}.{label}"
        self._turn = asyncio.Lock()  # it is fair, so changes are kept in the order they were made
        self.faults = 0

    def takes(self, subscription: Subscription) -> bool:
        """Whether it is one that can be kept: pids and functions do not outlive a program."""
        return subscription.name is not None and subscription.match is None

    async def load(self) -> list[Subscription]:
        """What was kept; an entry that is no subscription any more is counted and left out."""
        found: list[Subscription] = []
        for id, value in (await self._store.load(self._space)).items():
            try:
                found.append(_restored(id, value))
            except (msgspec.ValidationError, SignalError):
                self.faults += 1
        return found

    async def put(self, subscription: Subscription, sender: ReplyTo, server: GenServer) -> None:
        """Keep *subscription*, and then have *server* answer who waits for that."""
        failed = False
        value = {
            "path": subscription.path,
            "subscriber": subscription.subscriber,
            "priority": subscription.priority,
            "delivery": asdict(subscription.delivery),
        }
        async with self._turn:
            try:
                await self._store.put(self._space, subscription.id, value)
            except Exception:  # a store is anybody's; the bus goes on without it
                self.faults += 1
                failed = True
        if failed:
            server.reply_error(sender, SubscriptionNotSavedError(subscription.id))
        else:
            server.reply(sender, None)

    async def delete(
        self,
        id: str,
        sender: ReplyTo | None = None,
        server: GenServer | None = None,
        answer: object = None,
    ) -> None:
        """Forget the subscription of that id, and then have *server* give *answer* to who waits for that."""
        async with self._turn:
            try:
                await self._store.delete(self._space, id)
            except Exception:  # a store is anybody's; the bus goes on without it
                self.faults += 1
        if sender is not None and server is not None:
            server.reply(sender, answer)


class _Kept(msgspec.Struct, forbid_unknown_fields=True):
    path: str
    subscriber: str
    priority: int
    delivery: dict[str, Any]


def _restored(id: str, value: object) -> Subscription:
    kept = msgspec.convert(value, _Kept)
    delivery = msgspec.convert(kept.delivery, SignalDelivery)
    return Subscription(kept.path, kept.subscriber, id, priority=kept.priority, delivery=delivery)
