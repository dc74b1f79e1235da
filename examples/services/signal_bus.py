"""Signal bus: CloudEvents to whoever subscribed to their path, held for who is away, and replayed.

It prints:

    published a lamp {'sent': 1, 'buffered': 1}
    billing: a lamp
    published a broken lamp {'sent': 1, 'buffered': 1}
    billing: a broken lamp
    stock comes to work
    stock: a lamp
    given up after 2 attempts: a broken lamp
    replayed: 1 shop.order.placed a lamp
    replayed: 2 shop.order.placed a broken lamp
"""

import asyncio

import suptree as st
from suptree.services import (
    Signal,
    SignalBus,
    SignalDelivery,
    SignalReceived,
    Subscription,
)

SURE = SignalDelivery(ack=True, max_attempts=2, retry_delay=0.01)


class Billing(st.GenServer):
    """Sends a bill for each order; subscribes by itself, for as long as it lives."""

    async def init(self) -> None:
        await SignalBus.subscribe("bus", "shop.order.*")

    def handle_info(self, message: object) -> None:
        if isinstance(message, SignalReceived):
            print("billing:", message.signal.data)


class Stock(st.GenServer):
    """Takes articles from the shelf, and says of each whether it could."""

    def handle_info(self, message: object) -> None:
        if isinstance(message, SignalReceived):
            if message.signal.data == "a broken lamp":
                SignalBus.nack(message)
            else:
                print("stock:", message.signal.data)
                SignalBus.ack(message)


async def main() -> None:
    declared = [Subscription("shop.**", "stock", "stock orders", delivery=SURE)]
    bus = st.child(SignalBus, subscriptions=declared).with_(name="bus")
    async with st.Runtime():
        await st.Supervisor.start_link([bus, st.child(Billing)], strategy="rest_for_one")

        for data in ("a lamp", "a broken lamp"):
            order = Signal("shop.order.placed", source="/shop", data=data)
            published = await SignalBus.publish("bus", order)
            print("published", data, {str(way): count for way, count in published.counts.items()})
            await asyncio.sleep(0)  # its turn

        print("stock comes to work")
        await st.child(Stock).with_(name="stock").start_link()
        while not (letters := await SignalBus.dead_letters("bus")):
            await asyncio.sleep(0.01)
        print(f"given up after {letters[0].attempts} attempts:", letters[0].signal.data)

        for logged in await SignalBus.replay("bus", "shop.order.*", since=0):
            print("replayed:", logged.seq, logged.signal.type, logged.signal.data)


if __name__ == "__main__":
    asyncio.run(main())
