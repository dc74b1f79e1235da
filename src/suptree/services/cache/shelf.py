"""`Shelf`: the entries of one cache, within their bound; which goes when, and in whose column.

For use inside the server, in its handlers.  No clock.
"""

from __future__ import annotations

from collections.abc import Hashable, MutableMapping
from typing import Final

from suptree.services.cache.entry import Entry, Tally
from suptree.services.cache.recency import Recency
from suptree.services.cache.telling import Teller
from suptree.services.parts.deadlines import NEVER, Deadlines

__all__ = ["PORTION", "Shelf"]

PORTION: Final = 1000
"""So many entries go in one turn of the server at most."""


class Shelf:
    """See the module text.

    Args:
        entries: The table.
        tally: What is counted.
        teller: Whom to tell.
        max_entries: So many at most.
    """

    __slots__ = ("_deadlines", "_entries", "_recency", "_tally", "_teller", "max_entries")

    def __init__(
        self,
        entries: MutableMapping[Hashable, Entry],
        tally: Tally,
        teller: Teller,
        max_entries: int,
    ) -> None:
        self._entries = entries
        self._tally = tally
        self._teller = teller
        self.max_entries = max_entries
        self._deadlines: Deadlines[Entry] = Deadlines()
        self._recency = Recency()

    def use(self, entry: Entry) -> None:
        """Somebody reads it; the one thing here that readers do."""
        entry.used = self._recency.next()

    def put(self, entry: Entry, now: float) -> None:
        """Keep it, and make room for it."""
        old = self._entries.get(entry.key)
        replaced = old is not None and old.until > now
        if old is not None:
            self._drop(old)
            self._tally.replaced += replaced
            self._tally.expired += not replaced
        self._entries[entry.key] = entry
        self._recency.add(entry)
        self._deadlines.set(entry, entry.until)
        self._tally.puts += 1
        self._teller.put(entry, replaced=replaced)
        if len(self._entries) > self.max_entries:
            self._make_room(now, PORTION)

    def delete(self, key: Hashable, now: float) -> bool:
        """Throw it away; whether it was good."""
        entry = self._entries.get(key)
        if entry is None:
            return False
        good = entry.until > now
        self._drop(entry)
        if good:
            self._tally.deleted += 1
            self._teller.deleted(entry)
        else:
            self._tally.expired += 1
            self._teller.cleaned(1)
        return good

    def clear(self) -> int:
        """Throw everything away; how many there were."""
        count = len(self._entries)
        self._entries.clear()
        self._recency.clear()
        self._deadlines = Deadlines()
        self._tally.cleared += count
        self._teller.cleared(count)
        return count

    def clean(self, now: float, portion: int) -> bool:
        """Throw away whose time is over, and what is too much; whether that was all of it."""
        expired = self._drop_expired(now, portion)
        self._make_room(now, portion - expired)
        return self._deadlines.next_due() > now and len(self._entries) <= self.max_entries

    def soonest(self) -> float | None:
        """No entry is over before that; None: there is none."""
        soonest = self._deadlines.soonest
        return None if soonest == NEVER else soonest

    # -- inside ----------------------------------------------------------------------------------

    def _make_room(self, now: float, portion: int) -> None:
        """Bring the number below its bound: what is over goes first, then what was used longest ago."""
        excess = min(len(self._entries) - self.max_entries, portion)
        if excess <= 0:
            return
        for _ in range(excess - self._drop_expired(now, excess)):
            entry = self._recency.oldest()
            assert entry is not None  # there are more than may be, so there is one
            self._drop(entry)
            self._tally.evicted += 1
            self._teller.evicted(entry, now)

    def _drop_expired(self, now: float, portion: int) -> int:
        count = 0
        while count < portion:
            entry = self._deadlines.take_due(now)
            if entry is None:
                break
            self._drop(entry)
            count += 1
        if count:
            self._tally.expired += count
            self._teller.cleaned(count)
        return count

    def _drop(self, entry: Entry) -> None:
        del self._entries[entry.key]
        self._recency.drop(entry)
        self._deadlines.clear(entry)
        entry.value = None  # the heaps hold the entry for a while; the value may be large
