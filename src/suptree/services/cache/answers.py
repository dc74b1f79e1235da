"""What one who asks for a value is told."""

from __future__ import annotations

import copy
from dataclasses import dataclass
from typing import Any

__all__ = ["Failure", "Joined", "Lead", "Line", "Value"]


class Joined:
    """One of the classes below."""

    __slots__ = ()


@dataclass(frozen=True, slots=True)
class Value(Joined):
    """Somebody else made it."""

    value: Any


@dataclass(frozen=True, slots=True)
class Failure(Joined):
    """Somebody else tried to, and failed."""

    error: Exception

    def copied(self) -> Exception:
        """The error, one for each who raises it: raising adds to its traceback."""
        error = self.error
        try:
            twin = copy.copy(error)
        except Exception:  # a class that cannot be made from its `args`
            return error
        if type(twin) is not type(error):
            return error
        twin.__cause__ = error
        return twin


@dataclass(frozen=True, slots=True)
class Lead(Joined):
    """Nobody else does: make it yourself."""


@dataclass(frozen=True, slots=True)
class Line(Joined):
    """Somebody else does: ask again, and wait for it."""
