"""`ResultCache`: results that may be given again, bounded by number, by size and by time.  No clock.

What was used longest ago goes first when there is no room.
"""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass, replace

from suptree.services.commands.outcome import CommandResult
from suptree.services.commands.spec import Command, CommandRule

__all__ = ["ResultCache"]

_Key = tuple[Command, CommandRule]


@dataclass(frozen=True, slots=True)
class _Kept:
    result: CommandResult
    since: float
    until: float
    size: int


class ResultCache:
    """See the module text.

    Args:
        max_entries: So many results at most; 0 keeps none.
        max_bytes: So much output in all of them together.

    Attributes:
        size: How much output there is.
    """

    __slots__ = ("_kept", "_max_bytes", "_max_entries", "size")

    def __init__(self, max_entries: int, max_bytes: int) -> None:
        self._max_entries = max_entries
        self._max_bytes = max_bytes
        self._kept: OrderedDict[_Key, _Kept] = OrderedDict()
        self.size = 0

    def get(self, key: _Key, ttl: float, now: float) -> CommandResult | None:
        """The result of *key*, if it is younger than *ttl* and still good."""
        kept = self._kept.get(key)
        if kept is None or now >= kept.until or now - kept.since >= ttl:
            return None
        self._kept.move_to_end(key)
        return replace(kept.result, cached=True, age=now - kept.since)

    def put(self, key: _Key, result: CommandResult, ttl: float, now: float) -> None:
        """Keep a result for *ttl* seconds, if there is room for it at all."""
        size = len(result.stdout) + len(result.stderr)
        self._drop(key)
        if ttl <= 0 or size > self._max_bytes or self._max_entries == 0:
            return
        self._kept[key] = _Kept(result, now, now + ttl, size)
        self.size += size
        if self.size > self._max_bytes or len(self._kept) > self._max_entries:
            self._make_room(now)

    def forget(self, name: str) -> None:
        """The results of one command are not good any more."""
        for key in [key for key in self._kept if key[0].name == name]:
            self._drop(key)

    def resize(self, max_entries: int, max_bytes: int, now: float) -> None:
        """Other bounds; what there is no room for any more is forgotten."""
        self._max_entries, self._max_bytes = max_entries, max_bytes
        self._make_room(now)

    def clear(self) -> int:
        """Forget all; how many there were."""
        count = len(self._kept)
        self._kept.clear()
        self.size = 0
        return count

    def _make_room(self, now: float) -> None:
        for key in [key for key, kept in self._kept.items() if kept.until <= now]:
            self._drop(key)
        while self.size > self._max_bytes or len(self._kept) > self._max_entries:
            self._drop(next(iter(self._kept)))

    def _drop(self, key: _Key) -> None:
        kept = self._kept.pop(key, None)
        if kept is not None:
            self.size -= kept.size

    def __len__(self) -> int:
        """How many results there are."""
        return len(self._kept)
