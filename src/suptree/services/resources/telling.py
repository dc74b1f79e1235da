"""What a `ResourceManager` tells: its telemetry, with nothing built while nobody listens."""

from __future__ import annotations

from suptree.services.resources.events import (
    ALERT_CLEARED,
    ALERT_RAISED,
    BACKPRESSURE_CHANGED,
    READING_FAILED,
    RESOURCE_ACQUIRED,
    RESOURCE_DENIED,
    RESOURCE_EXPIRED,
    RESOURCE_RELEASED,
)
from suptree.services.resources.records import Reading, Wish
from suptree.services.resources.usage import PressureChanged, ResourceAlert, ResourceToken
from suptree.telemetry import TelemetryBus

__all__ = ["Teller"]


class Teller:
    """Emits the events of one manager."""

    __slots__ = ("_acquired", "_bus", "_denied", "_expired", "_released")

    def __init__(self, bus: TelemetryBus) -> None:
        self._bus = bus
        self._acquired, self._denied = bus.slot(RESOURCE_ACQUIRED), bus.slot(RESOURCE_DENIED)
        self._released, self._expired = bus.slot(RESOURCE_RELEASED), bus.slot(RESOURCE_EXPIRED)

    def acquired(self, token: ResourceToken, in_use: int, waited: float) -> None:
        """A token was given."""
        if self._acquired.handlers:
            self._acquired.emit(
                {"amount_count": token.amount, "in_use_count": in_use, "wait_s": waited},
                {"type": token.type, "owner": token.owner},
            )

    def denied(self, wish: Wish, reason: str, waited: float) -> None:
        """A token was refused."""
        if self._denied.handlers:
            self._denied.emit(
                {"amount_count": wish.amount, "wait_s": waited},
                {"type": wish.type, "owner": wish.owner, "reason": reason},
            )

    def ended(self, token: ResourceToken, in_use: int, held: float, reason: str) -> None:
        """A token came back."""
        slot = self._expired if reason == "expired" else self._released
        if slot.handlers:
            facts: dict[str, object] = {"type": token.type, "owner": token.owner}
            if slot is self._released:
                facts["reason"] = reason
            slot.emit({"amount_count": token.amount, "in_use_count": in_use, "held_s": held}, facts)

    def news(self, news: ResourceAlert | PressureChanged) -> None:
        """An alert, or another level of pressure."""
        if isinstance(news, PressureChanged):
            self._bus.emit(
                BACKPRESSURE_CHANGED,
                {"ratio": news.ratio},
                {
                    "level": str(news.level),
                    "previous": str(news.previous),
                    "budget": news.budget,
                },
            )
        else:
            self._bus.emit(
                ALERT_RAISED if news.kind == "raised" else ALERT_CLEARED,
                {"used_count": news.used, "limit_count": news.limit},
                {"of": news.of, "name": news.name},
            )

    def reading_failed(self, reading: Reading) -> None:
        """A reader gave nothing that could be used."""
        self._bus.emit(
            READING_FAILED, {"count": 1}, {"budget": reading.budget, "error": reading.error}
        )
