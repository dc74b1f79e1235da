"""Signals: CloudEvents values, and the bus that carries them."""

from suptree.services.signals.codec import from_json, from_msgpack, to_json, to_msgpack
from suptree.services.signals.errors import (
    InvalidSignalError,
    ReplayPointError,
    SignalError,
    SignalFormatError,
    SignalOptionsError,
    SignalPathError,
    SubscriptionTakenError,
)
from suptree.services.signals.paths import SignalPath
from suptree.services.signals.router import Match, Route, SignalRouter
from suptree.services.signals.signal import Signal

__all__ = [
    "InvalidSignalError",
    "Match",
    "ReplayPointError",
    "Route",
    "Signal",
    "SignalError",
    "SignalFormatError",
    "SignalOptionsError",
    "SignalPath",
    "SignalPathError",
    "SignalRouter",
    "SubscriptionTakenError",
    "from_json",
    "from_msgpack",
    "to_json",
    "to_msgpack",
]
