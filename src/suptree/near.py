"""Near names: what somebody probably meant who wrote a name that is not known.

The lowest floor, so that whoever refuses a name ends the sentence in the same words.

>>> near("tikc", ["tick", "workers"])
'tick'
>>> did_you_mean("tikc", ["tick", "workers"])
", did you mean 'tick'?"
>>> did_you_mean("zzz", ["tick", "workers"])
'. Known: tick, workers.'
"""

from __future__ import annotations

import difflib
import heapq
from collections.abc import Iterable
from itertools import islice
from typing import Final, TypeVar

__all__ = ["COMPARED", "SHOWN", "did_you_mean", "ending", "meant", "near"]

K = TypeVar("K")

SHOWN: Final = 12
"""How many known names are listed when none is near."""

COMPARED: Final = 1_000
"""Among how many names a near one is looked for: whoever refuses may have a hundred thousand."""

_LETTERS: Final = 200  # of a name that are compared


def near(name: object, known: Iterable[K]) -> K | None:
    """The one of *known* that looks most like *name*, in whatever letters, if one does.

    Of many, only the first `COMPARED` are looked at: each takes some microseconds.
    """
    spelt = {_spelt(one): one for one in islice(known, COMPARED)}
    found = difflib.get_close_matches(_spelt(name), spelt, n=1)
    return spelt[found[0]] if found else None


def meant(found: object) -> str:
    """The end of a sentence that refuses a name: the one *found* near it; with None, the full stop."""
    return "." if found is None else f", did you mean {found!r}?"


def did_you_mean(name: object, known: Iterable[object]) -> str:
    """The end of a sentence that refuses *name*: the near one, or those that there are.

    What follows is a sentence of its own. Where those that there are stand in the message
    already, or are too many to tell anybody anything, `meant` ends it.
    """
    names = tuple(known)
    found = near(name, names)
    if found is not None or not names:
        return meant(found)
    shown = ", ".join(heapq.nsmallest(SHOWN, map(str, names)))
    more = f" and {len(names) - SHOWN} more" if len(names) > SHOWN else ""
    return f". Known: {shown}{more}."


def ending(advice: str) -> str:
    """The end of a refusal: *advice* may be sentences, nothing, or what the others here give."""
    return advice if advice.startswith((",", ".")) else f". {advice}".rstrip()


def _spelt(name: object) -> str:
    return str(name)[:_LETTERS].casefold()
