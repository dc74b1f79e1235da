"""The side of a bus for subscribers: `subscribe`, `unsubscribe`, `ack`, `nack`, `subscriptions`."""

from __future__ import annotations

from itertools import islice

from suptree.core import Pid, current
from suptree.errors import CrossRuntimeError
from suptree.otp import NoReply, ServerRef, call, cast
from suptree.services.parts.checks import is_text
from suptree.services.parts.owners import stranger
from suptree.services.signals.bus_state import PAGE, BusState
from suptree.services.signals.errors import (
    SignalError,
    SignalOptionsError,
    SubscriptionLimitError,
    SubscriptionTakenError,
)
from suptree.services.signals.router import SignalMatch
from suptree.services.signals.subscription import SignalDelivery, Subscriber, Subscription, check_id
from suptree.services.signals.values import SignalReceived, SubscriptionInfo

__all__ = ["Subscribing"]


class Subscribing(BusState):
    """Subscribing and acknowledging."""

    __front__ = "SignalBus"

    @staticmethod
    async def subscribe(
        bus: ServerRef[Subscribing],
        path: str,
        subscriber: Subscriber | None = None,
        *,
        id: str = "",
        priority: int = 0,
        match: SignalMatch | None = None,
        delivery: SignalDelivery | None = None,
    ) -> str:
        """Have signals of *path* brought to *subscriber*, each as a `SignalReceived`.

        To subscribe again under the same id, as a restarted subscriber does, changes the
        options and loses nothing.

        Args:
            bus: A pid or a name.
            path: The types, see `paths`.
            subscriber: A pid, or a name that processes take one after another; default: the
                caller's pid.
            id: Names the subscription; default: `subscriber:path`.
            priority: -100 to 100, see `SignalRouter`.
            match: Asked for each signal, in the turn of the publisher.
            delivery: How; default: sent once, without acknowledgement.

        Returns:
            The id.

        Raises:
            SignalPathError: The path is not written like one.
            SignalOptionsError: Another argument is not as said here.
            SubscriptionTakenError: The id belongs to another subscriber.
            SubscriptionLimitError: The bus has its maximum.
            SubscriptionNotSavedError: It stands, but the store failed.
        """
        subscription = Subscription(
            path,
            current() if subscriber is None else subscriber,
            id,
            priority=priority,
            match=match,
            delivery=SignalDelivery() if delivery is None else delivery,
        )
        await Subscribing._subscribe(bus, subscription)
        return subscription.id

    @call(raises=(SignalError, CrossRuntimeError))
    def _subscribe(self, subscription: Subscription) -> NoReply | None:
        foreign = stranger("SignalBus.subscribe", subscription.subscriber)
        if foreign is not None:
            raise foreign
        lanes = self.deliveries.lanes
        lane = lanes.get(subscription.id)
        if lane is not None and lane.subscription.subscriber != subscription.subscriber:
            raise SubscriptionTakenError(subscription.id, lane.subscription.subscriber)
        if lane is None and len(lanes) >= self.max_subscriptions:
            raise SubscriptionLimitError(self.max_subscriptions)
        self.deliveries.subscribe(subscription, self.now())
        if self.saving is None or subscription.name is None:
            return None
        if self.saving.takes(subscription):
            self.start_task(self.saving.put(subscription, self.sender, self))
        else:  # what was kept under this id is not what it is any more
            self.start_task(self.saving.delete(subscription.id, self.sender, self, None))
        return NoReply()

    @staticmethod
    async def unsubscribe(bus: ServerRef[Subscribing], id: str) -> bool:
        """End a subscription; what is held for it is discarded.

        Returns:
            Whether there was one.
        """
        check_id("SignalBus.unsubscribe", id)
        return await Subscribing._unsubscribe(bus, id)

    @call
    def _unsubscribe(self, id: str) -> bool | NoReply:
        lane = self.deliveries.lanes.get(id)
        if lane is None:
            return False
        self.deliveries.end(lane, "unsubscribed", self.now())
        if self.saving is None or not self.saving.takes(lane.subscription):
            return True
        self.start_task(self.saving.delete(id, self.sender, self, True))
        return NoReply()

    @staticmethod
    async def subscriptions(bus: ServerRef[Subscribing]) -> list[SubscriptionInfo]:
        """Every subscription as it is now, in the order in which they were added."""
        found: list[SubscriptionInfo] = []
        while page := await Subscribing._infos(bus, len(found)):
            found += page
        return found

    @call
    def _infos(self, skip: int) -> list[SubscriptionInfo]:
        lanes = islice(self.deliveries.lanes.values(), skip, skip + PAGE)
        return [lane.info() for lane in lanes]

    # -- acknowledging ------------------------------------------------------------------

    @staticmethod
    def ack(received: SignalReceived) -> None:
        """Say that a signal is dealt with, so that it is not brought again; returns at once."""
        _check_received("SignalBus.ack", received)
        Subscribing._acked(received.bus, received.subscription, received.seq)

    @cast
    def _acked(self, subscription: str, seq: int) -> None:
        self.deliveries.ack(subscription, seq, self.now())

    @staticmethod
    def nack(received: SignalReceived) -> None:
        """Say that a signal could not be dealt with: it is brought again; returns at once."""
        _check_received("SignalBus.nack", received)
        Subscribing._nacked(received.bus, received.subscription, received.seq)

    @cast
    def _nacked(self, subscription: str, seq: int) -> None:
        self.deliveries.nack(subscription, seq, self.now())


def _check_received(who: str, received: object) -> None:
    if not (
        isinstance(received, SignalReceived)
        and isinstance(received.bus, Pid)  # pyright: ignore[reportUnnecessaryIsInstance]
        and is_text(received.subscription)
        and isinstance(received.seq, int)  # pyright: ignore[reportUnnecessaryIsInstance]
    ):
        raise SignalOptionsError(
            who, "received", "the SignalReceived that the bus has sent", received
        )
