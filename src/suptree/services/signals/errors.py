"""What goes wrong with signals, and what to do about it.

SuptreeError
└── SignalError
    ├── InvalidSignalError        an attribute breaks a rule of CloudEvents       .attribute .value
    ├── SignalFormatError         bytes that are no signal, or data that no format takes  .format
    ├── SignalPathError           a path that is not words, `*` and `**`           .path
    ├── SignalOptionsError        an option of a bus or a subscription             .option .value
    ├── SubscriptionTakenError    another process has the id                       .subscription
    └── ReplayPointError          what to replay from is not in the log            .since
"""

from __future__ import annotations

from suptree.core import safe_repr
from suptree.errors import BadArgumentError, SuptreeError
from suptree.near import meant

__all__ = [
    "InvalidSignalError",
    "ReplayPointError",
    "SignalError",
    "SignalFormatError",
    "SignalOptionsError",
    "SignalPathError",
    "SubscriptionLimitError",
    "SubscriptionNotSavedError",
    "SubscriptionTakenError",
]


class SignalError(SuptreeError):
    """Something about signals or their bus."""


class InvalidSignalError(SignalError):
    """An attribute of a signal breaks a rule of CloudEvents 1.0.2.

    Attributes:
        attribute: Its name.
        must: What it must be.
        value: What it was.
        near: A name that may have been meant; "" for none.
    """

    def __init__(self, attribute: str, must: str, value: object, near: str = "") -> None:
        super().__init__(attribute, must, value, near)
        self.attribute = attribute
        self.must = must
        self.value = value
        self.near = near

    def __str__(self) -> str:
        end = meant(self.near or None)
        return f"Signal: {self.attribute} must be {self.must}; got {_short(self.value)}{end}"


class SignalFormatError(SignalError):
    """What came is no signal in that format, or the data of a signal cannot be written in it.

    Attributes:
        format: "JSON" or "MessagePack".
        problem: What is wrong, in words.
    """

    def __init__(self, format: str, problem: str) -> None:
        super().__init__(format, problem)
        self.format = format
        self.problem = problem

    def __str__(self) -> str:
        return f"Signal in {self.format}: {self.problem}"


class SignalPathError(SignalError):
    """A path is words joined by dots, each a word, `*` (one word) or `**` (any number).

    Attributes:
        path: What was given.
        problem: What is wrong with it.
    """

    def __init__(self, path: object, problem: str) -> None:
        super().__init__(path, problem)
        self.path = path
        self.problem = problem

    def __str__(self) -> str:
        return f"signal path {_short(self.path)}: {self.problem}"


class SignalOptionsError(SignalError, BadArgumentError):
    """An option of a bus or of a subscription is wrong.

    Attributes:
        who: What was being made, or asked.
        option: Which option.
        must: What it must be.
        value: What it was.
        near: What may have been meant; "" for nothing.
    """

    def __init__(self, who: str, option: str, must: str, value: object, near: str = "") -> None:
        super().__init__(who, option, must, _short(value), meant(near or None))
        self.option = option
        self.must = must
        self.value = value
        self.near = near


class SubscriptionTakenError(SignalError):
    """The id belongs to the subscription of another process.

    Attributes:
        subscription: The id.
        subscriber: Whose it is.
    """

    def __init__(self, subscription: str, subscriber: object) -> None:
        super().__init__(subscription, subscriber)
        self.subscription = subscription
        self.subscriber = subscriber

    def __str__(self) -> str:
        return (
            f"subscription {self.subscription!r} belongs to {self.subscriber!r}. "
            "Take another id, or unsubscribe that one first."
        )


class SubscriptionLimitError(SignalError):
    """The bus has its maximum of subscriptions.

    Attributes:
        limit: That maximum.
    """

    def __init__(self, limit: int) -> None:
        super().__init__(limit)
        self.limit = limit

    def __str__(self) -> str:
        return (
            f"the bus has its maximum of {self.limit} subscriptions. "
            "Unsubscribe some, or raise max_subscriptions."
        )


class SubscriptionNotSavedError(SignalError):
    """The store of the bus failed: the subscription stands, but is lost if the bus ends.

    Attributes:
        subscription: Its id.
    """

    def __init__(self, subscription: str) -> None:
        super().__init__(subscription)
        self.subscription = subscription

    def __str__(self) -> str:
        return (
            f"subscription {self.subscription!r} could not be saved: it stands, but will not "
            "come back with the bus. Subscribe again once the store works."
        )


class ReplayPointError(SignalError):
    """The signal to replay from is not in the log: it was dropped from it, or never was there.

    Attributes:
        since: The id that was asked for.
        oldest: The id of the oldest signal in the log; None if the log is empty.
    """

    def __init__(self, since: str, oldest: str | None) -> None:
        super().__init__(since, oldest)
        self.since = since
        self.oldest = oldest

    def __str__(self) -> str:
        there = "the log is empty" if self.oldest is None else f"the oldest is {self.oldest!r}"
        return (
            f"replay: signal {self.since!r} is not in the log; {there}. "
            "Replay from a time, or from the beginning, and skip what you know."
        )


def _short(value: object) -> str:
    return safe_repr(value, 120)
