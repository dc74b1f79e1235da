"""`Totals`: what a bus has counted since it started."""

from __future__ import annotations

import math

from suptree.services.signals.values import Outcome

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

    def note(self, outcome: Outcome, now: float) -> None:
        """Count what became of a signal that was not sent at once."""
        match outcome:
            case Outcome.BUFFERED:
                self.buffered += 1
                return
            case Outcome.DISPLACED:
                self.buffered += 1
                self.dropped += 1
            case Outcome.DROPPED:
                self.dropped += 1
            case Outcome.REJECTED:
                self.rejected += 1
            case Outcome.GONE:
                self.gone += 1
            case Outcome.SENT:
                return
        self.last_loss = now
