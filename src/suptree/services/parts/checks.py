"""Checks of what callers give; each refusal says what would be right.

A service calls them before it changes anything, and declares BadArgumentError as an answer
(`call_raises`): a wrong argument is the caller's mistake, and costs a shared server nothing.
"""

from __future__ import annotations

import inspect
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Final, TypeGuard, TypeVar

from suptree.core import Pid, safe_repr
from suptree.errors import BadArgumentError
from suptree.near import meant, near

__all__ = [
    "bad_argument",
    "check_callable",
    "check_classes",
    "check_count",
    "check_flag",
    "check_hashable",
    "check_kind",
    "check_name",
    "check_number",
    "check_process",
    "check_seconds",
    "check_server",
    "check_text",
    "check_word",
    "checked_all",
    "checked_by_name",
    "checked_items",
    "is_server",
    "is_text",
]

_LARGEST: Final = sys.float_info.max
V = TypeVar("V")

_SHOWN: Final = 200  # characters of a wrong value in the text


def bad_argument(
    who: str, field: str, wanted: str, value: object, advice: str = ""
) -> BadArgumentError:
    """The error about *value*: ``<who>: <field> must be <wanted>; got <value>. <advice>``."""
    return BadArgumentError(who, field, wanted, safe_repr(value, _SHOWN), advice)


# -- texts ---------------------------------------------------------------------------------


def is_text(value: object) -> TypeGuard[str]:
    """Whether *value* is a text that is one to every dict: no subclass with an equality of its own."""
    cls = type(value)
    return cls is str or (
        issubclass(cls, str) and cls.__eq__ is str.__eq__ and cls.__hash__ is str.__hash__
    )


def check_name(who: str, field: str, value: Any) -> None:
    """Refuse what is no text, or an empty one.

    Raises:
        BadArgumentError: It will not do.
    """
    if not is_text(value) or not value:
        raise bad_argument(who, field, "a text that is not empty", value)


def check_text(who: str, field: str, value: Any, *, optional: bool = False) -> None:
    """Refuse what is no text; an empty one will do.

    Raises:
        BadArgumentError: It will not do.
    """
    if not is_text(value) and not (value is None and optional):
        raise bad_argument(who, field, "None or a text" if optional else "a text", value)


def check_word(who: str, field: str, value: Any, words: Sequence[str]) -> None:
    """Refuse what is none of *words*.

    Raises:
        BadArgumentError: It will not do.
    """
    plain = str.__str__(value) if issubclass(type(value), str) else ""
    if plain not in words:
        wanted = f"{', '.join(map(repr, words[:-1]))} or {words[-1]!r}"
        raise bad_argument(who, field, wanted, value, meant(near(plain, words)))


# -- numbers -------------------------------------------------------------------------------


def check_number(
    who: str,
    field: str,
    value: Any,
    *,
    above: float | None = None,
    least: float | None = None,
    most: float | None = None,
    optional: bool = False,
    of: str = "",
    advice: str = "",
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
        of: What it is a number of: 'seconds'.
        advice: What to do instead.

    Raises:
        BadArgumentError: It will not do.
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
        what = f"a finite number of {of}" if of else "a finite number"
        raise bad_argument(
            who,
            field,
            f"{'None or ' if optional else ''}{what}{', ' if wanted else ''}{wanted}",
            value,
            advice,
        )


def check_seconds(
    who: str,
    field: str,
    value: Any,
    *,
    zero: bool = False,
    optional: bool = False,
    advice: str = "",
) -> None:
    """Refuse what is no finite number of seconds above 0; 0 itself will do if *zero* says so.

    Raises:
        BadArgumentError: It will not do.
    """
    above, least = (None, 0.0) if zero else (0.0, None)
    check_number(
        who,
        field,
        value,
        above=above,
        least=least,
        optional=optional,
        of="seconds",
        advice=advice,
    )


def check_count(
    who: str, field: str, value: Any, *, least: int = 1, optional: bool = False
) -> None:
    """Refuse what is no whole number of *least* or more.

    Raises:
        BadArgumentError: It will not do.
    """
    if value is None and optional:
        return
    if not isinstance(value, int) or isinstance(value, bool) or value < least:
        wanted = f"{'None or ' if optional else ''}a whole number, {least} or more"
        raise bad_argument(who, field, wanted, value)


def check_flag(who: str, field: str, value: Any) -> None:
    """Refuse what is neither True nor False.

    Raises:
        BadArgumentError: It will not do.
    """
    if not isinstance(value, bool):
        raise bad_argument(who, field, "True or False", value)


# -- processes -----------------------------------------------------------------------------


def check_process(who: str, field: str, value: Any, *, optional: bool = False) -> None:
    """Refuse what is no pid.

    Raises:
        BadArgumentError: It will not do.
    """
    if not isinstance(value, Pid) and not (value is None and optional):
        raise bad_argument(who, field, "None or a pid" if optional else "a pid", value)


def check_server(who: str, field: str, value: Any, *, optional: bool = False) -> None:
    """Refuse what names no process: neither a pid, nor a name, nor a `via(...)`.

    Raises:
        BadArgumentError: It will not do.
    """
    if value is None and optional:
        return
    if not is_server(value):
        wanted = f"{'None or ' if optional else ''}a pid, a name or via(registry, key)"
        raise bad_argument(who, field, wanted, value)


def is_server(value: object) -> bool:
    """Whether *value* names a process: a pid, a name or a `via(...)`."""
    if isinstance(value, str):
        return is_text(value) and value != ""
    return isinstance(value, Pid) or callable(getattr(type(value), "whereis", None))


# -- other things --------------------------------------------------------------------------


def check_hashable(who: str, field: str, value: Any) -> None:
    """Refuse what cannot be a key: no hash, or not equal to itself.

    Raises:
        BadArgumentError: It will not do.
    """
    try:
        hash(value)
        right = bool(value == value)  # NaN is not, and would never be found
    except Exception as error:
        raise bad_argument(who, field, "hashable, and equal to itself", value) from error
    if not right:
        raise bad_argument(who, field, "hashable, and equal to itself", value)


def check_kind(
    who: str, field: str, value: Any, kind: type | tuple[type, ...], wanted: str, advice: str = ""
) -> None:
    """Refuse what is no instance of *kind*; *wanted* says so in words.

    Raises:
        BadArgumentError: It will not do.
    """
    if not isinstance(value, kind):
        raise bad_argument(who, field, wanted, value, advice)


def checked_by_name(
    who: str, field: str, value: Mapping[str, V] | None, what: str
) -> Mapping[str, V]:
    """*value*, in which each *what* stands under its name; None: there are none.

    Raises:
        BadArgumentError: It is no mapping.
    """
    if value is None:
        return {}
    check_kind(who, field, value, Mapping, f"a mapping of names to a {what} each")
    return value


def checked_items(
    who: str,
    field: str,
    value: Any,
    wanted: str,
    fits: Callable[[Any], bool],
    *,
    may_be_empty: bool = False,
) -> tuple[Any, ...]:
    """What is in *value*, in order; *wanted* says in words what each must be.

    Raises:
        BadArgumentError: It holds nothing, or what does not fit; or it is a text, or nothing
            that could be gone through.
    """
    items: tuple[Any, ...] | None
    try:
        items = None if isinstance(value, (str, bytes)) else tuple(value)
    except Exception as error:
        raise bad_argument(who, field, wanted, value) from error
    if items is None or not (items or may_be_empty) or not all(fits(one) for one in items):
        raise bad_argument(who, field, wanted, value)
    return items


def checked_all(who: str, field: str, value: Iterable[V], kind: type[V]) -> tuple[V, ...]:
    """*value* as a tuple, in which each is a *kind*; there may be none.

    Raises:
        BadArgumentError: It cannot be gone through, or holds something else.
    """
    name = kind.__name__
    wanted = f"a list of {name}" + ("es" if name.endswith(("s", "x", "ch")) else "s")
    return checked_items(
        who, field, value, wanted, lambda one: isinstance(one, kind), may_be_empty=True
    )


def check_callable(who: str, field: str, value: Any) -> Callable[..., Any]:
    """Refuse what cannot be called; returns it.

    Raises:
        BadArgumentError: It will not do.
    """
    if inspect.iscoroutine(value):
        value.close()  # it will never run, and is not to warn of that
        advice = "Give the function itself, without calling it; its arguments come after it."
        raise bad_argument(who, field, "a function", value, advice)
    if not callable(value):
        raise bad_argument(who, field, "a function", value)
    return value  # type: ignore[no-any-return]


def check_classes(who: str, field: str, value: Any) -> None:
    """Refuse what is no tuple of exception classes.

    Raises:
        BadArgumentError: It will not do.
    """
    if not isinstance(value, tuple) or not all(
        isinstance(one, type) and issubclass(one, Exception)
        for one in value  # pyright: ignore[reportUnknownVariableType]
    ):
        raise bad_argument(
            who,
            field,
            "a tuple of exception classes below Exception",
            value,  # pyright: ignore[reportUnknownArgumentType]
            "Write it like (ConnectionError, TimeoutError).",
        )
