"""Indexes: the agents that have a value at a path, without looking at each.

Pure.  `HashIndex` is for what is equal, of lists each member; `OrderedIndex` is for
numbers.  An entry is in an index as often as its value has members, and never with a value
that no criterion could find.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right, insort
from collections.abc import Iterable, Iterator
from operator import itemgetter
from typing import Any, Final

from suptree.services.agent_registry.entry import AgentEntry
from suptree.services.agent_registry.values import each_of, is_scalar

__all__ = ["HashIndex", "Index", "OrderedIndex", "is_number"]


class HashIndex:
    """Value -> the entries that have it, for scalars and for each member of lists and sets."""

    __slots__ = ("_rows",)

    def __init__(self) -> None:
        self._rows: dict[Any, dict[str, AgentEntry]] = {}

    def add(self, value: Any, entry: AgentEntry) -> None:
        """*entry* has *value* now."""
        for each in _members(value):
            row = self._rows.get(each)
            if row is None:
                self._rows[each] = {entry.id: entry}
            else:
                row[entry.id] = entry

    def remove(self, value: Any, entry: AgentEntry) -> None:
        """*entry* has *value* no longer."""
        for each in _members(value):
            row = self._rows.get(each)
            if row is not None:
                row.pop(entry.id, None)
                if not row:
                    del self._rows[each]

    def find(self, value: Any) -> Iterable[AgentEntry]:
        """Who has *value*."""
        row = self._rows.get(value)
        return () if row is None else row.values()

    def count(self, value: Any) -> int:
        """How many have it."""
        return len(self._rows.get(value, ()))

    def __len__(self) -> int:
        """How many rows there are, an agent for each member of its list."""
        return sum(map(len, self._rows.values()))


class OrderedIndex:
    """The entries by number, least first."""

    __slots__ = ("_rows",)

    def __init__(self) -> None:
        self._rows: list[tuple[float, str, AgentEntry]] = []

    def add(self, value: Any, entry: AgentEntry) -> None:
        """*entry* has *value* now; one that is no number is not kept."""
        if is_number(value):
            insort(self._rows, (value, entry.id, entry))

    def remove(self, value: Any, entry: AgentEntry) -> None:
        """*entry* has *value* no longer."""
        if is_number(value):
            at = bisect_left(self._rows, (value, entry.id))
            if at < len(self._rows) and self._rows[at][1] == entry.id:
                del self._rows[at]

    def span(
        self, least: float | None, most: float | None, *, above: bool = False, below: bool = False
    ) -> tuple[int, int]:
        """From which to before which row the numbers lie; *above* and *below* leave the ends out."""
        find_low = bisect_right if above else bisect_left
        find_high = bisect_left if below else bisect_right
        low = 0 if least is None else find_low(self._rows, least, key=_VALUE)
        high = len(self._rows) if most is None else find_high(self._rows, most, key=_VALUE)
        return low, max(low, high)

    def rows(self, low: int, high: int) -> Iterable[AgentEntry]:
        """Who is in those rows."""
        return map(_ENTRY, self._rows[low:high])

    def __len__(self) -> int:
        return len(self._rows)


Index = HashIndex | OrderedIndex

_VALUE: Final = itemgetter(0)
_ENTRY: Final = itemgetter(2)


def is_number(value: object) -> bool:
    """Whether an ordered index can hold *value*; NaN has no place in any order."""
    return isinstance(value, int | float) and value == value


def _members(value: Any) -> Iterator[Any]:
    """What a hash index keeps of *value*."""
    if value.__class__ is str:
        yield value
        return
    for each in each_of(value):
        if is_scalar(each):
            yield each
