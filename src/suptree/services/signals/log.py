"""`SignalLog`: the last signals of a bus, bounded in number, size and age.  Pure.

>>> log = SignalLog(entries=2)
>>> for seq in (1, 2, 3):
...     log.append(seq, Signal("a.b", source="/s"), wall=1000.0 + seq)
>>> [entry.seq for entry in log.page(0, 10)], log.dropped
([2, 3], 1)
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias

from suptree.services.signals.signal import Signal
from suptree.services.signals.values import LoggedSignal

__all__ = ["SignalLog"]

_Entry: TypeAlias = tuple[Signal, float, float, int]
"""The signal, the wall time, the time of the runtime, and the size."""


class SignalLog:
    """Signals by number; the oldest leaves when there is no place.

    Args:
        entries: How many at most; 0 keeps none.
        max_bytes: How many bytes at most; None: any number.
        ttl: How many seconds at most; None: for ever.

    Attributes:
        entries: As given; when it is lowered, two leave for each that comes until it holds.
        bytes: Their size.
        dropped: How many have left.
    """

    __slots__ = (
        "_at",
        "_first",
        "_ids",
        "_kept",
        "_last",
        "bytes",
        "dropped",
        "entries",
        "max_bytes",
        "ttl",
    )

    def __init__(
        self, *, entries: int, max_bytes: int | None = None, ttl: float | None = None
    ) -> None:
        self.entries = entries
        self.max_bytes = max_bytes
        self.ttl = ttl
        # By number.  Invariant: no number between the first and the
        # last is missing, and times never fall, so that a time is found by halving.
        self._kept: dict[int, _Entry] = {}
        self._ids: dict[str, int] = {}
        self._first = 1
        self._last = 0
        self._at = 0.0
        self.bytes = 0
        self.dropped = 0

    def append(
        self, seq: int, signal: Signal, *, wall: float, now: float = 0.0, size: int = 0
    ) -> None:
        """Keep one more, the number after that of the last one."""
        self._last = seq
        if wall > self._at:
            self._at = wall
        self._kept[seq] = (signal, self._at, now, size)
        self._ids[signal.id] = seq
        self.bytes += size
        for _ in range(min(2, len(self._kept) - self.entries)):  # 2: `entries` was lowered
            self._drop()
        most = self.max_bytes
        while most is not None and self.bytes > most:
            self._drop()

    def expire(self, now: float, limit: int) -> int:
        """Drop up to *limit* that are too old; returns how many were dropped."""
        dropped = 0
        if self.ttl is not None:
            while self._kept and dropped < limit and self.next_expiry() <= now:
                self._drop()
                dropped += 1
        return dropped

    def next_expiry(self) -> float:
        """When the oldest is too old; there must be one, and a ttl."""
        assert self.ttl is not None
        return self._kept[self._first][2] + self.ttl

    def fresh_from(self, now: float) -> int:
        """The number of the oldest that is not too old, dropped or not."""
        ttl = self.ttl
        if ttl is None:
            return self._first
        return self._search(lambda entry: entry[2] + ttl <= now)

    def page(self, after: int, count: int, upto: int | None = None) -> list[LoggedSignal]:
        """Up to *count*, those numbered above *after*, and not above *upto*."""
        first = max(after + 1, self._first)
        last = self._last if upto is None else min(upto, self._last)
        found: list[LoggedSignal] = []
        for seq in range(first, min(first + count, last + 1)):
            signal, at, _, _ = self._kept[seq]
            found.append(LoggedSignal(seq, at, signal))
        return found

    def seq_of(self, id: str) -> int | None:
        """The number of the last signal with that id; None if it is not there."""
        return self._ids.get(id)

    def seq_before(self, at: float) -> int:
        """The number after which signals were published at that time or later."""
        return self._search(lambda entry: entry[1] < at) - 1

    @property
    def last(self) -> int:
        """The number of the newest; 0 if there was none."""
        return self._last

    def id_at(self, seq: int) -> str | None:
        """The id of the signal of that number; None if it is not there."""
        entry = self._kept.get(seq)
        return None if entry is None else entry[0].id

    def __len__(self) -> int:
        """How many are kept."""
        return len(self._kept)

    def _drop(self) -> None:
        signal, _, _, size = self._kept.pop(self._first)
        if self._ids.get(signal.id) == self._first:
            del self._ids[signal.id]
        self._first += 1
        self.bytes -= size
        self.dropped += 1

    def _search(self, is_before: Callable[[_Entry], bool]) -> int:
        """The first number whose entry is not before what is looked for."""
        low, high = self._first, self._last + 1
        while low < high:
            middle = (low + high) // 2
            if is_before(self._kept[middle]):
                low = middle + 1
            else:
                high = middle
        return low
