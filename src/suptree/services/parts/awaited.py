"""What a protected call is made of must be async; what is not says so, and is nobody's failure.

A breaker that counted it would open for a mistake in the calling code, and a retry would repeat it.
"""

from __future__ import annotations

from collections.abc import Awaitable
from inspect import isawaitable
from types import CoroutineType
from typing import TypeVar

from suptree.core import safe_repr
from suptree.errors import SuptreeError

__all__ = ["NotAsyncError", "awaitable"]

R = TypeVar("R")


class NotAsyncError(SuptreeError, TypeError):
    """A function that is to be async gave something that cannot be awaited.

    Attributes:
        who: What was to call it: 'CircuitBreakers.run'.
        function: The function.
        answer: What it gave.
    """

    def __init__(self, who: str, function: object, answer: object) -> None:
        super().__init__(who, function, answer)
        self.who = who
        self.function = function
        self.answer = answer

    def __str__(self) -> str:
        return (
            f"{self.who}: function must be async; {safe_repr(self.function, 200)} gave "
            f"{safe_repr(self.answer, 200)}. Write it with `async def`, or run it in a thread."
        )


def awaitable(who: str, function: object, answer: Awaitable[R]) -> Awaitable[R]:
    """*answer*, which *function* gave to *who*, if it can be awaited.

    Raises:
        NotAsyncError: It cannot.
    """
    if answer.__class__ is CoroutineType or isawaitable(answer):
        return answer
    raise NotAsyncError(who, function, answer)
