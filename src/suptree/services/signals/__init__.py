"""Signals: CloudEvents values, and the bus that carries them."""

from suptree.services.signals.bus import SignalBus
from suptree.services.signals.codec import from_json, from_msgpack, to_json, to_msgpack
from suptree.services.signals.errors import (
    InvalidSignalError,
    ReplayPointError,
    SignalError,
    SignalFormatError,
    SignalOptionsError,
    SignalPathError,
    SubscriptionLimitError,
    SubscriptionNotSavedError,
    SubscriptionTakenError,
)
from suptree.services.signals.middleware import Halt, Middleware
from suptree.services.signals.paths import SignalPath
from suptree.services.signals.router import Match, Route, SignalRouter
from suptree.services.signals.signal import Signal
from suptree.services.signals.subscription import Delivery, Subscription
from suptree.services.signals.values import (
    BusHealth,
    BusStats,
    DeadLetter,
    Fault,
    LoggedSignal,
    Outcome,
    Published,
    Receipt,
    Redriven,
    SignalReceived,
    SubscriptionInfo,
)

__all__ = [
    "BusHealth",
    "BusStats",
    "DeadLetter",
    "Delivery",
    "Fault",
    "Halt",
    "InvalidSignalError",
    "LoggedSignal",
    "Match",
    "Middleware",
    "Outcome",
    "Published",
    "Receipt",
    "Redriven",
    "ReplayPointError",
    "Route",
    "Signal",
    "SignalBus",
    "SignalError",
    "SignalFormatError",
    "SignalOptionsError",
    "SignalPath",
    "SignalPathError",
    "SignalReceived",
    "SignalRouter",
    "Subscription",
    "SubscriptionInfo",
    "SubscriptionLimitError",
    "SubscriptionNotSavedError",
    "SubscriptionTakenError",
    "from_json",
    "from_msgpack",
    "to_json",
    "to_msgpack",
]
