"""Near names: what somebody probably meant who wrote a name that is not known.

>>> near("tikc", ["tick", "workers"])
'tick'
>>> did_you_mean("tikc", ["tick", "workers"])
", did you mean 'tick'?"
>>> did_you_mean("zzz", ["tick", "workers"])
'. Known: tick, workers.'
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from typing import Final

__all__ = ["did_you_mean", "near"]

SHOWN: Final = 12
"""How many known names are listed when none is near."""


def near(name: str, known: Iterable[str]) -> str | None:
    """The name of *known* that looks most like *name*, if one does."""
    spelled = {one.casefold(): one for one in known}
    found = difflib.get_close_matches(str(name).casefold(), spelled, n=1)
    return spelled[found[0]] if found else None


def did_you_mean(name: str, known: Iterable[str]) -> str:
    """The end of a sentence that refuses *name*: the near one, or those that there are."""
    names = sorted(known)
    one = near(name, names)
    if one is not None:
        return f", did you mean {one!r}?"
    if not names:
        return "."
    more = f" and {len(names) - SHOWN} more" if len(names) > SHOWN else ""
    return f". Known: {', '.join(names[:SHOWN])}{more}."
