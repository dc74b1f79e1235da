"""`Crashed`: the exit reason that an uncaught exception becomes, and `safe_repr`.

A crash must be describable whatever the exception is: one whose `repr` raises, one
with a hundred megabytes of text, one inside a chain or a group.  The frames are
dropped (a kept traceback keeps every local of the caller alive); their places are
remembered and rendered only when somebody reads the report.
"""

from __future__ import annotations

import reprlib
import traceback
from collections.abc import Mapping
from typing import Final, cast

__all__ = ["Crashed", "safe_repr", "safe_text"]

TEXT_LIMIT: Final = 2_000
FRAME_LIMIT: Final = 64
CHAIN_LIMIT: Final = 8

_Place = tuple[str, int, str]


class _BoundedRepr(reprlib.Repr):
    """`repr` with limits on depth, size and length of every builtin container."""

    def __init__(self) -> None:
        super().__init__()
        self.maxlevel = 4
        self.maxdict = self.maxlist = self.maxtuple = self.maxset = self.maxfrozenset = 12
        self.maxdeque = self.maxarray = 12
        self.maxstring = self.maxother = 400
        self.maxlong = 100


def safe_repr(value: object, limit: int = TEXT_LIMIT) -> str:
    """Return a repr of *value* of at most *limit* characters, whatever its `__repr__` does."""
    try:
        text = _BoundedRepr().repr(value)
    except BaseException as error:  # a user's __repr__ may raise anything; the report must live
        text = f"<{type(value).__qualname__} at {id(value):#x}; repr raised {type(error).__name__}>"
    return text if len(text) <= limit else text[: limit - 1] + "…"


def safe_text(exception: BaseException, limit: int = TEXT_LIMIT) -> str:
    """Return `str(exception)` of at most *limit* characters, whatever its `__str__` does."""
    try:
        text = str(exception)
    except BaseException as error:
        text = f"<str raised {type(error).__name__}>"
    return text if len(text) <= limit else text[: limit - 1] + "…"


class Crashed:
    """An uncaught exception as an exit reason.

    Attributes:
        type: The exception's qualified class name, such as `ValueError`.
        text: `str(exception)`, cut at 2,000 characters; a safe fallback if that raises.
        notes: The exception's notes (`add_note`), each as text.
        exception: The live exception without its frames; never re-raised by suptree.
    """

    __slots__ = ("_chain", "exception", "notes", "text", "type")

    def __init__(self, exception: BaseException, *, keep_frames: bool = False) -> None:
        self.type = _type_name(exception)
        self.text = safe_text(exception)
        self.notes: tuple[str, ...] = _notes(exception)
        self._chain = _places_of_chain(exception, self, keep_frames)
        self.exception = exception

    @property
    def traceback(self) -> str:
        """The whole traceback as text, causes first, as Python prints it."""
        return "".join(_render(self._chain))

    def __repr__(self) -> str:
        return f"Crashed({self.type}: {self.text})" if self.text else f"Crashed({self.type})"

    def __reduce__(self) -> tuple[object, ...]:
        # Crosses process boundaries as data (law 14): the live exception may not pickle.
        return (_rebuild, (self.type, self.text, self.notes, self._chain))


class CrashedElsewhere(Exception):
    """Stands for an exception that happened in another OS process."""


def _rebuild(
    type_: str, text: str, notes: tuple[str, ...], chain: list[tuple[str, str, list[_Place]]]
) -> Crashed:
    crashed = Crashed(CrashedElsewhere(text))
    crashed.type, crashed.text, crashed.notes, crashed._chain = type_, text, notes, chain
    return crashed


def _type_name(exception: BaseException) -> str:
    cls = type(exception)
    return (
        cls.__qualname__ if cls.__module__ == "builtins" else f"{cls.__module__}.{cls.__qualname__}"
    )


def _notes(exception: BaseException) -> tuple[str, ...]:
    notes: object = getattr(exception, "__notes__", None)
    if type(notes) is not list:
        return ()
    return tuple(
        note if isinstance(note, str) else safe_repr(note)
        for note in cast("list[object]", notes)[:20]
    )


_HEADINGS: Final[Mapping[str, str]] = {
    "cause": "\nThe above exception was the direct cause of the following exception:\n\n",
    "context": "\nDuring handling of the above exception, another exception occurred:\n\n",
    "": "",
}


def _places_of_chain(
    exception: BaseException, newest: Crashed, keep_frames: bool
) -> list[tuple[str, str, list[_Place]]]:
    """Walk the chain from the newest; return (relation to the next, last line, places), oldest first."""
    if exception.__cause__ is exception.__context__ is None and not newest.notes:
        places = _places(exception)
        if not keep_frames:
            exception.__traceback__ = None
        return [("", f"{newest.type}: {newest.text}", places)]
    links: list[tuple[str, str, list[_Place]]] = []
    relation = ""
    current: BaseException | None = exception
    seen: set[int] = set()
    while current is not None and id(current) not in seen and len(links) < CHAIN_LIMIT:
        seen.add(id(current))
        if current is exception:
            last, notes = f"{newest.type}: {newest.text}", newest.notes
        else:
            last, notes = f"{_type_name(current)}: {safe_text(current)}", _notes(current)
        links.append((relation, "\n".join((last, *notes)) if notes else last, _places(current)))
        if not keep_frames:
            current.__traceback__ = None
        if current.__cause__ is not None:
            relation, current = "cause", current.__cause__
        elif current.__context__ is not None and not current.__suppress_context__:
            relation, current = "context", current.__context__
        else:
            break
    links.reverse()
    return links


def _places(exception: BaseException) -> list[_Place]:
    places: list[_Place] = []
    tb = exception.__traceback__
    while tb is not None:
        code = tb.tb_frame.f_code
        places.append((code.co_filename, tb.tb_lineno, code.co_name))
        tb = tb.tb_next
    if len(places) > FRAME_LIMIT:  # a RecursionError has a thousand alike
        half = FRAME_LIMIT // 2
        places = places[:half] + places[-half:]
    return places


def _render(chain: list[tuple[str, str, list[_Place]]]) -> list[str]:
    out: list[str] = []
    for relation, last, places in chain:
        summary = traceback.StackSummary.from_list(
            [traceback.FrameSummary(file, line, name) for file, line, name in places]
        )
        if places:
            out.append("Traceback (most recent call last):\n")
        out.extend(summary.format())
        out.append(last + "\n")
        out.append(_HEADINGS[relation])
    return out
