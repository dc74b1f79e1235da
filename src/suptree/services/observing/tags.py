"""Tags: facts of an event as short texts, by which numbers are kept apart."""

from __future__ import annotations

from collections.abc import Mapping
from enum import Enum
from typing import Final

from suptree.core import safe_repr

__all__ = ["OTHER", "TAG_LENGTH", "tag_values"]

OTHER: Final = "__other__"
"""The value of all tags where there are too many combinations to keep them apart."""

TAG_LENGTH: Final = 200  # characters; what is longer is cut


def tag_values(facts: Mapping[str, object], tags: tuple[str, ...]) -> tuple[str, ...]:
    """The values of *tags*: "" for one that is missing or None.

    Of an exception it is the name of its type, of a member of an enum its own.
    """
    return tuple([_text(facts.get(tag)) for tag in tags]) if tags else ()


def _text(value: object) -> str:
    if isinstance(value, str):
        return value[:TAG_LENGTH]
    if value is None:
        return ""
    if isinstance(value, BaseException):
        return type(value).__name__
    if isinstance(value, Enum):
        return value.name
    return safe_repr(value, TAG_LENGTH)
