"""The book of a soak: every message with its outcome, and everything that must not be.

Senders write into it, agents stamp what they get, and whoever finds that a promise was
broken says so with `breach`.  It holds what is on its way, and counts the rest.
"""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Final

import suptree as st
from suptree.services import Acknowledged, Buffered, DeadLettered, Expired, Outcome, Rejected

__all__ = ["Book", "Entry", "Parcel"]

BREACHES_KEPT: Final = 20


class Parcel:
    """One message to an agent.

    Attributes:
        number: Unique in the soak, growing.
        sender: Whose, by name; "" if its order does not matter.
        handled: How often an agent began with it.
    """

    __slots__ = ("handled", "number", "sender")

    def __init__(self, number: int, sender: str = "") -> None:
        self.number = number
        self.sender = sender
        self.handled = 0

    def __repr__(self) -> str:
        return f"<parcel {self.number}>"


class Entry:
    """A message on its way: what its sender was told last."""

    __slots__ = ("outcome", "parcel", "to")

    def __init__(self, parcel: Parcel, to: object) -> None:
        self.parcel = parcel
        self.to = to
        self.outcome: Outcome | None = None


class Book:
    """See the module text.

    Attributes:
        open: Messages whose sender has not been told an outcome.
        ends: How many messages ended how.
        refusals: Errors that services raised in their users, by class.
        crashes: What crashed, and how, by label and reason.
        breaches: The promises that were broken, and how often; `broken` counts all of them.
    """

    def __init__(self) -> None:
        self.open: dict[int, Entry] = {}
        self.ends: Counter[str] = Counter()
        self.refusals: Counter[str] = Counter()
        self.crashes: Counter[str] = Counter()
        self.breaches: Counter[str] = Counter()
        self.broken = 0
        self._numbers = itertools.count(1)
        self._order: dict[tuple[str, str], int] = {}

    def breach(self, what: str) -> None:
        """A promise was broken."""
        self.broken += 1
        if what not in self.breaches:
            if len(self.breaches) == BREACHES_KEPT:
                return
            print(f"soak: BROKEN: {what}", flush=True)
        self.breaches[what] += 1

    # -- senders ---------------------------------------------------------------------------------

    def parcel(self, sender: str = "") -> Parcel:
        """A new message."""
        return Parcel(next(self._numbers), sender)

    @contextmanager
    def sent(self, parcel: Parcel, to: object) -> Iterator[Entry]:
        """While its sender waits; it says in `outcome` what it was told."""
        entry = self.open[parcel.number] = Entry(parcel, to)
        try:
            yield entry
        except (st.NoProcessError, st.ServerExitError):
            self.ends["the router was killed"] += 1
        except BaseException as error:
            own = isinstance(error, st.SuptreeError) or not isinstance(error, Exception)
            self.ends["the sender was killed" if own else "an error"] += 1
            raise
        else:
            self._note(entry)
        finally:
            del self.open[parcel.number]

    def _note(self, entry: Entry) -> None:
        outcome, parcel = entry.outcome, entry.parcel
        if outcome is None:
            self.breach(f"{parcel!r} to {entry.to} has no outcome")
            return
        self.ends[type(outcome).__name__] += 1
        match outcome:
            case Acknowledged(attempts=attempts):
                wrong = not 1 <= parcel.handled <= attempts
            case Rejected():
                wrong = parcel.handled > 0
            case DeadLettered(attempts=attempts):
                wrong = parcel.handled > attempts
            case Expired() | Buffered():
                wrong = False
        if wrong:
            self.breach(
                f"{parcel!r} was handled {parcel.handled} times, and its sender told {outcome}"
            )

    # -- agents ----------------------------------------------------------------------------------

    def handled(self, parcel: Parcel, by: str) -> None:
        """An agent begins with *parcel*; those of one sender to one name come in order."""
        parcel.handled += 1
        if not parcel.sender:
            return
        key = (parcel.sender, by)
        before = self._order.get(key, 0)
        if parcel.number < before:
            self.breach(f"{by} got {parcel!r} of {parcel.sender} after {before}")
        self._order[key] = parcel.number

    # -- everything ------------------------------------------------------------------------------

    def crashed(self, _event: object, _numbers: object, facts: Any) -> None:
        """A handler of `suptree.process.crashed`: only what was meant to may crash."""
        reason = facts["reason"]
        error = reason.exception if isinstance(reason, st.Crashed) else reason
        kind = type(error).__name__ if isinstance(error, BaseException) else str(error)[:60]
        self.crashes[f"{facts['label']}: {kind}"[:120]] += 1
        meant = isinstance(error, (Boom, st.SuptreeError)) or not isinstance(error, BaseException)
        if not meant:
            self.breach(f"{facts['label']} crashed by itself: {error!r}"[:500])


class Boom(Exception):
    """What agents that are to crash crash with."""
