"""Checks of the numbers that policies are made of; each refusal says what would be right."""

from __future__ import annotations

import difflib
import sys
from collections.abc import Iterable
from typing import Any, Final

from suptree.core import safe_repr

__all__ = ["check_classes", "check_count", "check_name", "check_number", "did_you_mean"]

_LARGEST: Final = sys.float_info.max


def did_you_mean(name: str, known: Iterable[str]) -> str:
    """`, did you mean 'payments'?`, or nothing when no name is near."""
    near = difflib.get_close_matches(str(name), list(known), n=1)
    return f", did you mean {near[0]!r}?" if near else "."


def check_name(who: str, field: str, value: Any) -> None:
    """Refuse what is no text, or an empty one.

    Raises:
        ValueError: It will not do.
    """
    if not isinstance(value, str) or not value:
        raise ValueError(
            f"{who}: {field} must be a text that is not empty; got {safe_repr(value, 200)}."
        )


def check_number(
    who: str,
    field: str,
    value: Any,
    *,
    above: float | None = None,
    least: float | None = None,
    most: float | None = None,
    optional: bool = False,
) -> None:
    """Refuse what is no finite number within the bounds.

    Args:
        who: Whose field it is, for the message.
        field: Its name.
        value: What was given.
        above: It must be more than that.
        least: It must be that or more.
        most: It must be that or less.
        optional: Whether None will do.

    Raises:
        ValueError: It will not do.
    """
    if value is None and optional:
        return
    right = (
        isinstance(value, (int, float))
        and not isinstance(value, bool)
        and abs(value) <= _LARGEST  # not math.isfinite: it raises for an int beyond every float
        and (above is None or value > above)
        and (least is None or value >= least)
        and (most is None or value <= most)
    )
    if not right:
        bounds = [
            *([] if above is None else [f"above {above:g}"]),
            *([] if least is None else [f"{least:g} or more"]),
            *([] if most is None else [f"{most:g} or less"]),
        ]
        wanted = " and ".join(bounds)
        raise ValueError(
            f"{who}: {field} must be {'None or ' if optional else ''}a finite number"
            f"{', ' if wanted else ''}{wanted}; got {safe_repr(value, 200)}."
        )


def check_count(
    who: str, field: str, value: Any, *, least: int = 1, optional: bool = False
) -> None:
    """Refuse what is no whole number of *least* or more.

    Raises:
        ValueError: It will not do.
    """
    if value is None and optional:
        return
    if not isinstance(value, int) or isinstance(value, bool) or value < least:
        raise ValueError(
            f"{who}: {field} must be {'None or ' if optional else ''}a whole number, "
            f"{least} or more; got {safe_repr(value, 200)}."
        )


def check_classes(who: str, field: str, value: Any) -> None:
    """Refuse what is no tuple of exception classes.

    Raises:
        ValueError: It will not do.
    """
    if not isinstance(value, tuple) or not all(
        isinstance(one, type) and issubclass(one, Exception)
        for one in value  # pyright: ignore[reportUnknownVariableType]
    ):
        raise ValueError(
            f"{who}: {field} must be a tuple of exception classes below Exception; got {safe_repr(value, 200)}. "
            "Write it like (ConnectionError, TimeoutError)."
        )
