"""What the tests of the signal bus share: subscribers, and collectors of telemetry."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import suptree as st
from suptree.services.signals import Signal, SignalBus, SignalDelivery, SignalReceived
from suptree.telemetry import Event


def signal(type: str = "shop.order.placed", data: object = None, **attributes: Any) -> Signal:
    return Signal(type, source="/shop", data=data, **attributes)


def numbered(count: int, type: str = "shop.order.placed") -> list[Signal]:
    return [signal(type, number) for number in range(count)]


async def received(timeout: float = 5.0) -> SignalReceived:
    return await st.receive(SignalReceived, timeout=timeout)


async def all_received() -> list[SignalReceived]:
    """What is in the mailbox now."""
    found: list[SignalReceived] = []
    while True:
        try:
            found.append(await received(timeout=0))
        except st.ReceiveTimeoutError:
            return found


class Seen(list[Any]):
    """What workers note, shared on purpose between one and the next."""


class Worker(st.GenServer):
    """Notes the data of what it gets in a list that outlives it, and acknowledges it.

    The data "crash" crashes it, "forget" is not acknowledged, "refuse" is refused.
    """

    def __init__(self, seen: Seen, delivery: SignalDelivery | None = None, path: str = "") -> None:
        self.seen = seen
        self.delivery = delivery
        self.path = path

    async def init(self) -> None:
        if self.path:
            await SignalBus.subscribe("bus", self.path, delivery=self.delivery)

    def handle_info(self, message: Any) -> None:
        assert isinstance(message, SignalReceived)
        data = message.signal.data
        self.seen.append(data)
        if data == "crash":
            raise RuntimeError("poisoned")
        if data == "refuse":
            SignalBus.nack(message)
        elif data != "forget" and message.ack:
            SignalBus.ack(message)

    @st.call
    async def wait_for(self, seconds: float) -> None:
        import asyncio

        await asyncio.sleep(seconds)


class Recorder:
    """Everything that was emitted below `suptree.signals`."""

    def __init__(self, runtime: st.Runtime) -> None:
        self.events: list[tuple[str, Mapping[str, float], Mapping[str, object]]] = []
        runtime.telemetry.strict = True
        runtime.telemetry.attach("recorder", "suptree.signals.*", self._note)

    def _note(
        self, event: Event, numbers: Mapping[str, float], facts: Mapping[str, object]
    ) -> None:
        self.events.append((event.name.removeprefix("suptree.signals."), numbers, facts))

    def of(self, name: str) -> list[dict[str, object]]:
        return [{**numbers, **facts} for kind, numbers, facts in self.events if kind == name]
