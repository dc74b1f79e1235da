"""What clients ask for, checked in the server's turn without running any of their code.

A wrong value is refused to whoever gave it, and the server goes on.  So nothing is compared,
hashed or shown here before its class is known, and a value of a class derived from a plain
one becomes the plain one.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Container
from typing import Any, Final

from suptree.core import Pid, Runtime, safe_repr
from suptree.errors import BadArgumentError, CrossRuntimeError
from suptree.otp import Via
from suptree.services.coordination.errors import CoordinationError
from suptree.services.coordination.outcomes import Receiver
from suptree.services.parts.checks import bad_argument, check_number

__all__ = [
    "ANSWERS",
    "check_class",
    "name_asked",
    "number_asked",
    "numbers_asked",
    "receiver_asked",
    "receivers_asked",
    "seconds_asked",
]

ANSWERS: Final = (CoordinationError, BadArgumentError, CrossRuntimeError)
"""What every request may be answered with; see `call_raises`."""
_LISTS: Final[tuple[type[Any], ...]] = (
    list,
    tuple,
    set,
    frozenset,
    deque,
    type(dict[str, str]().keys()),
    type(dict[str, str]().values()),
)
"""What is a list to people.  A class of somebody's own could do anything when it is gone through."""


def check_class(who: str, field: str, value: object, kind: type, example: str) -> None:
    """Refuse what is no *kind*.

    Raises:
        BadArgumentError: It will not do.
    """
    if not issubclass(type(value), kind):
        raise bad_argument(who, field, f"a {kind.__name__}", value, f"Write it like {example}.")


def seconds_asked(
    who: str, field: str, value: Any, *, above: float | None = None, least: float | None = None
) -> float:
    """*value* as a plain number.

    Raises:
        BadArgumentError: It is no finite number within the bounds.
    """
    kind = _class_of(value)
    if kind is not bool and issubclass(kind, float):
        value = float.__float__(value)
    elif kind is not bool and issubclass(kind, int):
        value = int.__int__(value)
    else:
        value = _Shown(value)
    check_number(who, field, value, above=above, least=least)
    return float(value)


def name_asked(who: str, field: str, value: Any) -> str:
    """*value* as a plain text.

    Raises:
        BadArgumentError: It is none, or an empty one.
    """
    plain = str.__str__(value) if issubclass(type(value), str) else ""
    if not plain:
        raise bad_argument(who, field, "a text that is not empty", value)
    return plain


def number_asked(who: str, field: str, value: Any, *, least: int = 0) -> int:
    """*value* as a plain whole number.

    Raises:
        BadArgumentError: It is none, or too small.
    """
    kind = _class_of(value)
    if kind is bool or not issubclass(kind, int) or int.__int__(value) < least:
        raise bad_argument(who, field, f"a whole number, {least} or more", value)
    return int.__int__(value)


def numbers_asked(who: str, value: Any) -> Container[int] | None:
    """Which letters *value* means; None: all.

    Raises:
        BadArgumentError: It is no list of whole numbers.
    """
    if value is None or type(value) is range:
        return value
    if type(value) not in _LISTS:
        hint = f"Write [{value}]." if type(value) is int else ""
        wanted = "a list of the numbers of letters, or None for all"
        raise bad_argument(who, "numbers", wanted, value, hint)
    return frozenset(number_asked(who, "each of numbers", one) for one in value)


def receiver_asked(runtime: Runtime, who: str, to: Any, field: str = "to") -> Receiver:
    """*to* as a receiver that a lane can be for.

    Raises:
        BadArgumentError: It is neither a name, nor a pid, nor a `via`.
        CrossRuntimeError: It is a process of another runtime.
    """
    kind = _class_of(to)
    if kind is str:
        name: str = to
        return name
    if kind is Pid:
        runtime.find(to, who)  # raises if it lives elsewhere
        pid: Pid[Any] = to
        return pid
    if issubclass(kind, str):
        return str.__str__(to)
    if kind is not Via:
        raise bad_argument(
            who,
            field,
            "a name, a pid or via(registry, key)",
            to,
            "Look the process up, or give it a name.",
        )
    try:
        hash(to)
        runtime.find(to, who)
    except Exception as error:  # the hash of a key is code of whoever made its class
        raise bad_argument(who, field, "a via whose key can be registered", to) from error
    via: Via = to
    return via


def receivers_asked(runtime: Runtime, who: str, to: Any, field: str = "to") -> list[Receiver]:
    """The receivers in *to*, each of them once, in its order.

    Raises:
        BadArgumentError: It is no list, or one of them is no receiver.
        CrossRuntimeError: One of them is a process of another runtime.
    """
    if type(to) not in _LISTS:
        shown = safe_repr(to, 200)
        hint = f"Write [{shown}], or Context({shown})." if issubclass(type(to), str) else ""
        raise bad_argument(who, field, "a list of receivers, or a Context", to, hint)
    return list(dict.fromkeys(receiver_asked(runtime, who, one, field) for one in list(to)))


def _class_of(value: object) -> type[Any]:
    """Its class, whatever it says itself."""
    return type(value)


class _Shown:
    """A value in the text of a refusal, whatever its own `__repr__` does."""

    def __init__(self, value: object) -> None:
        self._value = value

    def __repr__(self) -> str:
        return safe_repr(self._value, 200)
