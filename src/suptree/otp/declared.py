"""Errors that a request declares: they are answers, and everything else is a crash.

    @st.call(raises=(LedgerClosedError,))     what this request may answer with
    call_raises = (BadArgumentError,)         what every call to the class may, beside that

An override answers with what it declares and with what the handlers that it overrides
declare: whoever calls `Base.request` knows the declaration of `Base`.  `call_raises` is an
attribute of the class like any other: the nearest one counts.

Looked at only after a handler has raised: a request costs nothing more for it.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, cast

from suptree.core import NEVER_ANSWERS, safe_repr

__all__ = ["Raises", "checked_raises", "is_declared"]

Raises = type[Exception] | tuple[type[Exception], ...]
"""One class of exceptions or several, as in an ``except`` clause."""


def is_declared(cls: type, handler: Any, error: BaseException) -> bool:
    """Whether *error* is an answer of that handler, in a server of that class.

    Args:
        cls: The class of the server, whose overrides count.
        handler: None for `handle_call`.
        error: What the handler raised.
    """
    kind = type(error)  # what it says itself of its class may be anything
    if not issubclass(kind, Exception) or issubclass(kind, NEVER_ANSWERS):
        return False
    if issubclass(kind, getattr(cls, "call_raises", ())):
        return True
    return handler is not None and any(issubclass(kind, one) for one in _declared(cls, handler))


def _declared(cls: type, handler: Any) -> Iterator[tuple[type[Exception], ...]]:
    name: str = handler.__name__
    private = name.startswith("__") and not name.endswith("__")
    for one in cls.__mro__:
        client = vars(one).get(f"_{one.__name__.lstrip('_')}{name}" if private else name)
        yield getattr(client, "raises", ())


def checked_raises(who: str, raises: object) -> tuple[type[Exception], ...]:
    """*raises* as a tuple.

    Raises:
        TypeError: It is no exception class, and no tuple of them; or one of those that
            are never answers.
    """
    given = cast("tuple[object, ...]", raises if isinstance(raises, tuple) else (raises,))
    for one in given:
        got = safe_repr(one, 200)
        if not isinstance(one, type) or not issubclass(one, Exception):
            why = "exception classes below Exception, like (LookupError, ValueError)"
        elif one is Exception:
            why = "the errors that callers are to handle, not every one there is"
        elif issubclass(one, NEVER_ANSWERS):
            why = "errors that a handler means for its caller"
        else:
            continue
        raise TypeError(
            f"{who} must be {why}; got {got}. "
            "What is declared is an answer; all else that a handler raises is a crash."
        )
    return cast("tuple[type[Exception], ...]", given)
