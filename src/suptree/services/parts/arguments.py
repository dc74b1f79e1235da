"""Checks of what clients are given that is no number and no name; each refusal says what would be right."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from suptree.core import Pid, safe_repr

__all__ = ["check_function", "check_mapping", "check_pid"]


def check_pid(who: str, field: str, value: Any, *, optional: bool = False) -> None:
    """Refuse what is no pid.

    Raises:
        ValueError: It will not do.
    """
    if not isinstance(value, Pid) and not (value is None and optional):
        raise ValueError(
            f"{who}: {field} must be {'None or ' if optional else ''}a pid; "
            f"got {safe_repr(value, 200)}. Give the pid of a process, as `self.pid` or `start_link` does."
        )


def check_mapping(who: str, field: str, value: Any, *, optional: bool = False) -> None:
    """Refuse what is no mapping.

    Raises:
        ValueError: It will not do.
    """
    if not isinstance(value, Mapping) and not (value is None and optional):
        raise ValueError(
            f"{who}: {field} must be {'None or ' if optional else ''}a mapping; "
            f"got {safe_repr(value, 200)}. Write it like {{'name': value}}."
        )


def check_function(who: str, field: str, value: Any, *, optional: bool = False) -> None:
    """Refuse what cannot be called.

    Raises:
        ValueError: It will not do.
    """
    if not callable(value) and not (value is None and optional):
        raise ValueError(
            f"{who}: {field} must be {'None or ' if optional else ''}a function; "
            f"got {safe_repr(value, 200)}. Give the function itself, and its arguments after it."
        )
