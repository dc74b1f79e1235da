"""What a `ResourceManager` raises in its callers.

ResourceError
├── UnknownResourceError     no such type or budget, and no default  .near
├── ResourceTokenError       what was to be released is no token
└── ResourceDeniedError      it is all in use                        .why .used .limit
    ├── ResourceTimeoutError it was so all the time that was waited  (also a TimeoutError)
    └── BackPressureError    the pressure is severe
"""

from __future__ import annotations

from collections.abc import Iterable

from suptree.core import safe_repr
from suptree.errors import SuptreeError
from suptree.near import meant, near

__all__ = [
    "BackPressureError",
    "ResourceDeniedError",
    "ResourceError",
    "ResourceTimeoutError",
    "ResourceTokenError",
    "UnknownResourceError",
]


class ResourceError(SuptreeError):
    """Base of what a `ResourceManager` raises."""


class UnknownResourceError(ResourceError):
    """There is no type, or no budget, of that name.

    Attributes:
        what: 'type' or 'budget'.
        name: What was asked for.
        near: The one that is like it, if one is.
    """

    def __init__(self, what: str, name: object, known: Iterable[str]) -> None:
        self.known = tuple(known)
        super().__init__(what, name, self.known)
        self.what = what
        self.name = name
        self.near = near(name, self.known)

    def __str__(self) -> str:
        names = ", ".join(map(repr, sorted(self.known))) or "none"
        return (
            f"ResourceManager: {self.what} must be a declared one ({names}); "
            f"got {safe_repr(self.name, 200)}{meant(self.near)} Declare it when the manager is started."
        )


class ResourceTokenError(ResourceError):
    """What was to be released is not a token that `acquire` gave."""

    def __init__(self, token: object) -> None:
        super().__init__(token)
        self.token = token

    def __str__(self) -> str:
        return (
            "ResourceManager.release: token must be the ResourceToken that acquire returned; "
            f"got {safe_repr(self.token, 200)}. Keep the token, or use `hold`, which does."
        )


class ResourceDeniedError(ResourceError):
    """There is not enough left.

    Attributes:
        type: What was asked for.
        amount: How much of it.
        why: 'limit', 'budget', 'pressure', 'queue' (others wait already), 'waiting_full',
            'too_large' (it can never be had), 'timeout'.
        what: The type or the budget that has too little left.
        used: How much of *what* is used.
        limit: How much of *what* there is.
        waited: Seconds that were waited.
    """

    def __init__(
        self,
        type: str,
        amount: int,
        why: str,
        what: str,
        used: int,
        limit: int,
        *,
        waited: float = 0.0,
    ) -> None:
        super().__init__(type, amount, why, what, used, limit)
        self.type = type
        self.amount = amount
        self.why = why
        self.what = what
        self.used = used
        self.limit = limit
        self.waited = waited

    def __str__(self) -> str:
        if self.why == "too_large":
            return (
                f"ResourceManager: {self.amount} of {self.type!r} is more than there is of "
                f"{self.what!r} ({self.limit}). Ask for less, or raise the limit."
            )
        why = f"{self.what!r} has {self.used} of {self.limit} in use"
        if self.why == "queue":
            why += ", and others wait before it"
        elif self.why == "waiting_full":
            why += ", and too many wait already"
        return (
            f"ResourceManager: {self.amount} of {self.type!r} cannot be acquired: {why}. "
            "Give timeout= to wait for it, hold less, or raise the limit."
        )


class ResourceTimeoutError(ResourceDeniedError, TimeoutError):
    """It did not become free in the time that was waited."""

    def __str__(self) -> str:
        return (
            f"ResourceManager: {self.amount} of {self.type!r} did not become free within "
            f"{self.waited:g} s: {self.what!r} has {self.used} of {self.limit} in use. "
            "Raise the timeout, hold less, or raise the limit."
        )


class BackPressureError(ResourceDeniedError):
    """The pressure is severe, and this type gives way to others."""

    def __str__(self) -> str:
        return (
            f"ResourceManager: {self.amount} of {self.type!r} refused while the pressure is severe: "
            f"{self.what!r} has {self.used} of {self.limit} in use. Do less, and come back later."
        )
