"""Telemetry declared by the signal bus."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from suptree.telemetry import Event

__all__ = [
    "DEAD_LETTERED",
    "FAULT",
    "OVERFLOWED",
    "PUBLISHED",
    "REDELIVERED",
    "REDRIVEN",
    "REPLAYED",
    "SUBSCRIBED",
    "SUBSCRIBER_GONE",
    "SUBSCRIBER_RESUMED",
    "UNSUBSCRIBED",
]

_BUS: Final[Mapping[str, str]] = {"bus": "the label of the bus"}
_SIGNAL: Final[Mapping[str, str]] = {"type": "the type of the signal", "id": "its id"}
_SUBSCRIPTION: Final[Mapping[str, str]] = {
    "subscription": "the id of the subscription",
    "subscriber": "pid or name",
}

PUBLISHED: Final = Event(
    "suptree.signals.signal.published",
    measurements={
        "matched_count": "subscriptions that wanted it",
        "sent_count": "of those, signals put into a mailbox at once",
        "held_count": "of those, signals that the bus holds, or whose publisher waits",
        "lost_count": "of those, signals dropped, rejected or for a subscriber that is gone",
    },
    metadata={**_BUS, **_SIGNAL, "source": "its source"},
    doc="A bus took a signal.",
)
OVERFLOWED: Final = Event(
    "suptree.signals.lane.overflowed",
    measurements={"pending_len": "signals held", "limit_count": "how many may be held"},
    metadata={**_BUS, **_SIGNAL, **_SUBSCRIPTION, "outcome": "displaced, dropped or rejected"},
    doc="A subscription had no place for a signal.",
)
REDELIVERED: Final = Event(
    "suptree.signals.signal.redelivered",
    measurements={"attempts_count": "attempts, this one included"},
    metadata={**_BUS, **_SIGNAL, **_SUBSCRIPTION},
    doc="A signal was brought again, since it was not acknowledged.",
)
DEAD_LETTERED: Final = Event(
    "suptree.signals.signal.dead_lettered",
    measurements={"attempts_count": "attempts that failed"},
    metadata={**_BUS, **_SIGNAL, **_SUBSCRIPTION, "reason": "attempts, down or absent"},
    doc="A signal that must be acknowledged could not be brought.",
)
REDRIVEN: Final = Event(
    "suptree.signals.dead_letters.redriven",
    measurements={"redriven_count": "on their way again", "kept_count": "stayed"},
    metadata=dict(_BUS),
    doc="Dead letters were sent on their way again.",
)
SUBSCRIBED: Final = Event(
    "suptree.signals.subscription.added",
    measurements={"subscriptions_count": "subscriptions of the bus, this one included"},
    metadata={**_BUS, **_SUBSCRIPTION, "path": "the types"},
    doc="A subscription was added, or changed by subscribing again.",
)
UNSUBSCRIBED: Final = Event(
    "suptree.signals.subscription.removed",
    measurements={"left_count": "signals that were held for it or on their way"},
    metadata={**_BUS, **_SUBSCRIPTION, "reason": "unsubscribed, down or absent"},
    doc="A subscription ended.",
)
SUBSCRIBER_GONE: Final = Event(
    "suptree.signals.subscriber.lost",
    measurements={"pending_len": "signals held for whoever takes the name"},
    metadata={**_BUS, **_SUBSCRIPTION, "reason": "the exit reason"},
    doc="The process of a subscription by name ended; the subscription waits for the next one.",
)
SUBSCRIBER_RESUMED: Final = Event(
    "suptree.signals.subscriber.resumed",
    measurements={"pending_len": "signals held for it", "absent_s": "seconds without anybody"},
    metadata={**_BUS, **_SUBSCRIPTION, "pid": "who has the name now"},
    doc="A process took the name of a subscription and gets its signals.",
)
FAULT: Final = Event(
    "suptree.signals.fault.reported",
    measurements={"count": "always 1"},
    metadata={
        **_BUS,
        **_SIGNAL,
        "where": "middleware or match",
        "name": "which middleware, or the id of the subscription",
        "problem": "what it did, in words",
    },
    doc="A middleware or a match function failed in the turn of the publisher.",
)
REPLAYED: Final = Event(
    "suptree.signals.log.replayed",
    measurements={"read_count": "signals looked at", "found_count": "signals that fit"},
    metadata={**_BUS, "path": "the types"},
    doc="Somebody read signals from the log of a bus.",
)
