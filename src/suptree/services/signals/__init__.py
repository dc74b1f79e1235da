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
from suptree.services.signals.router import SignalMatch, SignalRoute, SignalRouter
from suptree.services.signals.signal import Signal
from suptree.services.signals.subscription import SignalDelivery, Subscription
from suptree.services.signals.values import (
    BusHealth,
    BusStats,
    LoggedSignal,
    Published,
    SignalDeadLetter,
    SignalFault,
    SignalOutcome,
    SignalReceipt,
    SignalReceived,
    SignalsRedriven,
    SubscriptionInfo,
)

__all__ = [
    "BusHealth",
    "BusStats",
    "Halt",
    "InvalidSignalError",
    "LoggedSignal",
    "Middleware",
    "Published",
    "ReplayPointError",
    "Signal",
    "SignalBus",
    "SignalDeadLetter",
    "SignalDelivery",
    "SignalError",
    "SignalFault",
    "SignalFormatError",
    "SignalMatch",
    "SignalOptionsError",
    "SignalOutcome",
    "SignalPath",
    "SignalPathError",
    "SignalReceipt",
    "SignalReceived",
    "SignalRoute",
    "SignalRouter",
    "SignalsRedriven",
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
