"""`SignalBus`: carries signals to whoever subscribed to their path.

A supervised process that only decides: what users write (middleware, match functions) runs
in the turn of the publisher.  Each subscription has a lane of its own, so a slow subscriber
delays nobody, and what it cannot take is held, dropped or refused as it said, counted,
and told to the publisher.  The bus refuses what is not a signal, a path or an option.

>>> import asyncio, suptree as st
>>> async def main():
...     async with st.Runtime():
...         bus = await SignalBus.start_link()
...         await SignalBus.subscribe(bus, "shop.order.*")
...         placed = Signal("shop.order.placed", source="/shop", data={"order": 17})
...         published = await SignalBus.publish(bus, placed)
...         received = await st.receive(SignalReceived)
...         return published.counts, received.signal.data
>>> asyncio.run(main())
(Counter({<SignalOutcome.SENT: 'sent'>: 1}), {'order': 17})
"""

from __future__ import annotations

from suptree.services.signals.care_side import Caring
from suptree.services.signals.log_side import Replaying
from suptree.services.signals.publish_side import Publishing
from suptree.services.signals.subscribe_side import Subscribing

__all__ = ["SignalBus"]


class SignalBus(Publishing, Subscribing, Replaying, Caring):
    """A bus of signals.

    Args:
        label: What it is called in telemetry and in the store.
        middleware: What is done to each signal, see `middleware`.
        subscriptions: Those that come with the bus, by name; they are there again after a
            restart of the bus, and wait for their subscribers however long it takes.
        log_entries: How many signals the log keeps; 0 keeps none.
        log_bytes: How many bytes of signals, measured as MessagePack; None: any number.
        log_ttl: For how many seconds; None: for ever.
        max_subscriptions: How many there may be.
        max_dead_letters: How many dead letters are kept; the oldest makes room.
        max_blocked: How many publishers may wait at once.
        store: Where subscriptions by name without a match function are kept, so that they
            come back when the bus does; None keeps none.

    Raises:
        SignalOptionsError: An argument is not as said here.
    """
