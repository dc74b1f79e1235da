"""`Totals`: what a bus has counted since it started."""

from __future__ import annotations

import math

from suptree.services.signals.values import SignalOutcome

__all__ = ["Totals"]


class Totals:
    """What a bus has counted since it started."""

    __slots__ = (
        "acked",
        "buffered",
        "dead_lettered",
        "discarded",
        "dropped",
        "gone",
        "last_loss",
        "redelivered",
        "rejected",
        "sent",
    )

    def __init__(self) -> None:
        self.sent = self.buffered = self.acked = self.redelivered = 0
        self.dropped = self.rejected = self.gone = self.discarded = self.dead_lettered = 0
        self.last_loss = -math.inf

    def note(self, outcome: SignalOutcome, now: float) -> None:
        """Count what became of a signal that was not sent at once."""
        match outcome:
            case SignalOutcome.BUFFERED:
                self.buffered += 1
                return
            case SignalOutcome.DISPLACED:
                self.buffered += 1
                self.dropped += 1
            case SignalOutcome.DROPPED:
                self.dropped += 1
            case SignalOutcome.REJECTED:
                self.rejected += 1
            case SignalOutcome.GONE:
                self.gone += 1
            case SignalOutcome.SENT:
                return
        self.last_loss = now
