"""What the coordination service refuses."""

from __future__ import annotations

from collections.abc import Iterable

from suptree.errors import SuptreeError
from suptree.near import meant, near

__all__ = [
    "ContextExistsError",
    "ContextNotFoundError",
    "ContextsFullError",
    "CoordinationError",
    "CustodyError",
    "LetterNotFoundError",
    "UnknownMessageError",
]


class CoordinationError(SuptreeError):
    """Base of what the coordination service refuses."""


class ContextExistsError(CoordinationError):
    """There is a context of that name already.

    Attributes:
        name: The name.
    """

    def __init__(self, name: str) -> None:
        super().__init__(name)
        self.name = name

    def __str__(self) -> str:
        return f"context {self.name!r}: it is open already. Join it, or close it first."


class ContextNotFoundError(CoordinationError):
    """There is no context of that name: it was never opened, or it was closed.

    Attributes:
        name: The name.
        near: A name that may have been meant.
    """

    def __init__(self, name: str, names: Iterable[str]) -> None:
        super().__init__(name)
        self.name = name
        self.near = near(name, names)

    def __str__(self) -> str:
        return f"context {self.name!r}: there is none{meant(self.near)} Open it with open_context."


class ContextsFullError(CoordinationError):
    """There are as many contexts as there may be.

    Attributes:
        limit: How many that is.
    """

    def __init__(self, limit: int) -> None:
        super().__init__(limit)
        self.limit = limit

    def __str__(self) -> str:
        return (
            f"open_context: {self.limit} contexts are open, and there may be no more. "
            "Close some, give them owners, or raise `max_contexts`."
        )


class CustodyError(CoordinationError):
    """What a service is to go on with is in other hands.

    Attributes:
        who: The service that asked for it.
        space: Where in the store.
        why: What is wrong.
    """

    def __init__(self, who: str, space: str, why: str) -> None:
        super().__init__(who, space, why)
        self.who = who
        self.space = space
        self.why = why

    def __str__(self) -> str:
        return (
            f"{self.who}: space must be one of its own; got {self.space!r}, and {self.why}. "
            "Give each of them another `space`."
        )


class UnknownMessageError(CoordinationError):
    """The router knows nothing of that message: it ended long ago, or was never accepted.

    Attributes:
        id: Its id.
    """

    def __init__(self, id: int) -> None:
        super().__init__(id)
        self.id = id

    def __str__(self) -> str:
        return (
            f"message {self.id}: nothing is known of it. Ask for its outcome sooner, "
            "or keep more of them with `history`."
        )


class LetterNotFoundError(CoordinationError):
    """The dead-letter queue has no letter of that number.

    Attributes:
        number: The number.
    """

    def __init__(self, number: int) -> None:
        super().__init__(number)
        self.number = number

    def __str__(self) -> str:
        return (
            f"dead letter {self.number}: there is none. It was redriven, purged, or pushed out "
            "by newer ones; look at DeadLetterQueue.letters."
        )
