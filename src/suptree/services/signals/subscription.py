"""`Subscription`: who wants which signals, and `SignalDelivery`: how they are brought. Values.

>>> Subscription("shop.order.**", "billing", delivery=SignalDelivery(ack=True, max_in_flight=10)).id
'billing:shop.order.**'
>>> SignalDelivery(overflow="drop_old")
Traceback (most recent call last):
    ...
suptree.services.signals.errors.SignalOptionsError: SignalDelivery: overflow must be 'drop_oldest', 'drop_newest', 'reject' or 'block'; got 'drop_old', did you mean 'drop_oldest'?
"""

from __future__ import annotations

import inspect
from dataclasses import dataclass, field
from typing import Any, Final, Literal, TypeAlias, get_args

from suptree.core import Pid
from suptree.errors import BadArgumentError
from suptree.near import near
from suptree.services.parts import checks
from suptree.services.parts.checks import is_text
from suptree.services.signals.errors import SignalOptionsError
from suptree.services.signals.paths import SignalPath
from suptree.services.signals.router import SignalMatch, check_priority

__all__ = [
    "SignalDelivery",
    "Overflow",
    "Subscriber",
    "Subscription",
    "check_count",
    "check_id",
    "check_seconds",
]

Overflow: TypeAlias = Literal["drop_oldest", "drop_newest", "reject", "block"]
Subscriber: TypeAlias = Pid[Any] | str

_POLICIES: Final = get_args(Overflow)


@dataclass(frozen=True, slots=True)
class SignalDelivery:
    """How the signals of one subscription are brought.

    Attributes:
        ack: False: each signal is sent once, and what the subscriber does with it is its own
            affair.  True: it must `ack` each one, or gets it again.
        max_in_flight: How many may be on their way at once: sent and not acknowledged; without
            *ack*, messages of any kind that wait in the subscriber's mailbox.
        max_pending: How many more the bus holds for it.
        overflow: What happens to one more: `drop_oldest` makes room by dropping the oldest held,
            `drop_newest` drops the new one, `reject` too and calls it rejected, `block` has
            publishers wait who said for how long, and rejects for the others.
        ack_timeout: Seconds from sending to the acknowledgement; then the attempt has failed.
        retry_delay: Seconds from a failed attempt to the next one.
        max_attempts: After so many failed ones the signal is a dead letter.
        absence: Seconds for which signals are held for a name that nobody has; then the
            subscription ends.  One that was declared with the bus never does.

    Raises:
        SignalOptionsError: One of them is out of range.
    """

    ack: bool = False
    max_in_flight: int = 1000
    max_pending: int = 10_000
    overflow: Overflow = "drop_oldest"
    ack_timeout: float = 30.0
    retry_delay: float = 0.1
    max_attempts: int = 5
    absence: float = 30.0

    def __post_init__(self) -> None:
        if not isinstance(self.ack, bool):
            raise SignalOptionsError("SignalDelivery", "ack", "True or False", self.ack)
        check_count("SignalDelivery", "max_in_flight", self.max_in_flight, 1)
        check_count(
            "SignalDelivery", "max_pending", self.max_pending, int(self.overflow == "block")
        )
        check_count("SignalDelivery", "max_attempts", self.max_attempts, 1)
        for option in ("ack_timeout", "retry_delay", "absence"):
            check_seconds("SignalDelivery", option, getattr(self, option))
        if self.overflow not in _POLICIES:
            raise SignalOptionsError(
                "SignalDelivery",
                "overflow",
                "'drop_oldest', 'drop_newest', 'reject' or 'block'",
                self.overflow,
                near(self.overflow, _POLICIES) or "",
            )


@dataclass(frozen=True, slots=True)
class Subscription:
    """Who wants which signals.

    Attributes:
        path: The types, see `paths`.
        subscriber: A pid: the subscription ends with the process.  A name: it goes over to
            the next process of that name, with everything that is held for it.
        id: Names the subscription in the bus; default: `subscriber:path`.  To subscribe again
            under the same id changes the subscription, and loses nothing.
        priority: -100 to 100, see `SignalRouter`.
        match: Asked for each signal of these types whether it is wanted; in the turn of the
            publisher, so it must be a plain function, and quick.
        delivery: How.

    Raises:
        SignalPathError: The path is not written like one.
        SignalOptionsError: Something else is not as said here.
    """

    path: str
    subscriber: Subscriber
    id: str = ""
    priority: int = field(default=0, kw_only=True)
    match: SignalMatch | None = field(default=None, kw_only=True)
    delivery: SignalDelivery = field(default_factory=SignalDelivery, kw_only=True)

    def __post_init__(self) -> None:
        SignalPath(self.path)
        check_priority("Subscription", self.priority)
        if not isinstance(self.subscriber, Pid) and not (
            is_text(self.subscriber) and self.subscriber
        ):
            raise SignalOptionsError(
                "Subscription", "subscriber", "a pid or a registered name", self.subscriber
            )
        if not is_text(self.id):
            raise SignalOptionsError("Subscription", "id", "a string", self.id)
        if self.match is not None and (
            not callable(self.match) or inspect.iscoroutinefunction(self.match)
        ):
            raise SignalOptionsError(
                "Subscription", "match", "a plain function of one signal, not async", self.match
            )
        if not isinstance(self.delivery, SignalDelivery):
            raise SignalOptionsError("Subscription", "delivery", "a SignalDelivery", self.delivery)
        if not self.id:
            object.__setattr__(self, "id", f"{self.subscriber}:{self.path}")

    @property
    def name(self) -> str | None:
        """The name of the subscriber; None if it is a pid."""
        return self.subscriber if isinstance(self.subscriber, str) else None


def check_count(who: str, option: str, value: object, least: int) -> None:
    """Refuse what is no whole number of *least* or more."""
    try:
        checks.check_count(who, option, value, least=least)
    except BadArgumentError as error:
        raise SignalOptionsError(who, option, error.wanted, value) from None


def check_seconds(who: str, option: str, value: object) -> None:
    """Refuse what is no finite number of seconds, 0 or more."""
    try:
        checks.check_seconds(who, option, value, zero=True)
    except BadArgumentError as error:
        raise SignalOptionsError(who, option, error.wanted, value) from None


def check_id(who: str, id: object) -> None:
    """Refuse what cannot be the id of a subscription."""
    if not is_text(id):
        raise SignalOptionsError(who, "id", "the id of a subscription, a string", id)
