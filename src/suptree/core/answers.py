"""Errors that are answers: what a server gives a caller to raise, and goes on itself.

The caller gets a copy.  The error as it was raised holds the frames of the server, with
everything that stands in them; and one that is raised more than once, or kept by the
server, would be written to by each caller that raises it.

Whether an error is an answer, the behaviour says (`Body.answers`).
"""

from __future__ import annotations

import types
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, Final, TypeVar, cast

if TYPE_CHECKING:
    from suptree.core.process import Process
    from suptree.core.slot import ReplyTo

__all__ = ["NEVER_ANSWERS", "answer_with", "detached"]

E = TypeVar("E", bound=BaseException)

NEVER_ANSWERS: Final = (StopIteration, StopAsyncIteration, RecursionError, MemoryError)
"""No handler means these for its caller: they end iterations, or say that there is no room."""

_HEAP_TYPE: Final = 1 << 9  # Py_TPFLAGS_HEAPTYPE: a class that was written in Python
_SLOT: Final = types.MemberDescriptorType
_GROUP: Final = BaseExceptionGroup  # its own are written by __new__ alone
# Past whatever a class of somebody's own makes of these names: its code is not to run here.
_ARGS: Final = BaseException.__dict__["args"]
_CAUSE: Final = BaseException.__dict__["__cause__"]
_DICT: Final = BaseException.__dict__["__dict__"]


def answer_with(process: Process, reply_to: ReplyTo, error: BaseException) -> None:
    """Have *error* raised in who waits; where nobody waits any more it is a late reply."""
    if process.pending is not None:
        process.pending.discard(reply_to)
    if not reply_to.fail(detached(error)):
        process.runtime.losses.late_replies += 1


def detached(error: E) -> E:
    """A copy of *error* that holds no frames, and of what led to it only what it was raised *from*.

    Made without its ``__init__``, which may take something else than ``args``.  What
    cannot be copied is given as it is, but for its frames.
    """
    try:
        return _copied(error, set())
    except Exception:
        BaseException.with_traceback(error, None)
        return error


def _copied(error: E, seen: set[int]) -> E:
    seen.add(id(error))
    cls: type[Any] = type(error)
    args: tuple[Any, ...] = _ARGS.__get__(error)
    if issubclass(type(error), _GROUP):
        group = cast("BaseExceptionGroup[BaseException]", error)
        args = (group.message, [_copied(one, seen) for one in group.exceptions])
    copy: E = _origin(cls).__new__(cls, *args)
    _ARGS.__set__(copy, args)
    for field in _fields(cls):
        try:
            value = field.__get__(error, cls)
        except AttributeError:  # a slot that is empty
            continue
        if value is not None:
            field.__set__(copy, value)
    attributes: dict[str, Any] = _DICT.__get__(copy)
    attributes.update(_DICT.__get__(error))
    notes = attributes.get("__notes__")
    if notes is not None:
        attributes["__notes__"] = list(notes)
    cause: BaseException | None = _CAUSE.__get__(error)
    if cause is not None and id(cause) not in seen:
        _CAUSE.__set__(copy, _copied(cause, seen))
    return copy


def _origin(cls: Any) -> Any:
    """The class in C that *cls* is built on: its ``__new__`` is the safe one."""
    while cls.__flags__ & _HEAP_TYPE:
        cls = cls.__base__
    return cls


def _fields(cls: type[BaseException]) -> Iterator[Any]:
    """What an instance has beside ``args`` and ``__dict__``: slots, and the fields of classes in C."""
    for one in cls.__mro__:
        own = vars(one)
        if one.__flags__ & _HEAP_TYPE:
            if "__slots__" in own:
                yield from (each for each in own.values() if isinstance(each, _SLOT))
        elif one.__basicsize__ > BaseException.__basicsize__ and not issubclass(one, _GROUP):
            for name, each in own.items():
                if isinstance(each, (_SLOT, types.GetSetDescriptorType)) and name[0] != "_":
                    yield each
