"""The tables of a registry: who is registered under which key, with which value.

Pure data: no processes, no messages.  A unique table holds one pid for a key, a
duplicate one as many as like, each as often as it likes.  Both know the keys of
every pid, so that a death costs what the dead had registered and nothing more.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

from suptree.core import EXITING, Pid
from suptree.errors import RegistryError

__all__ = ["DuplicateTable", "RegistryEntry", "Table", "UniqueTable"]


class RegistryEntry(NamedTuple):
    """One registration."""

    key: Any
    pid: Pid[Any]
    value: Any


class UniqueTable:
    """At most one live process for each key."""

    __slots__ = ("_entries", "_keys")

    def __init__(self) -> None:
        self._entries: dict[Any, tuple[Pid[Any], Any]] = {}
        self._keys: dict[Pid[Any], set[Any]] = {}

    def put(self, key: Any, pid: Pid[Any], value: Any) -> Pid[Any] | None:
        """Register; returns the live holder instead if there is one, itself too (S210)."""
        held = self._entries.get(key)
        if held is not None:
            if held[0].is_alive():
                return held[0]
            self._lose(key, held[0])  # it is dying: its key can be had at once (S211)
        self._entries[key] = (pid, value)
        self._keys.setdefault(pid, set()).add(key)
        return None

    def lookup(self, key: Any) -> list[tuple[Pid[Any], Any]]:
        """The live holder with its value, or nothing."""
        held = self._entries.get(key)
        return [held] if held is not None and held[0].is_alive() else []

    def holder(self, key: Any) -> Pid[Any] | None:
        """The live holder."""
        held = self._entries.get(key)
        if held is None:
            return None
        process = held[0]._process
        return held[0] if process is not None and process.state < EXITING else None

    def update(self, key: Any, pid: Pid[Any], function: Callable[[Any], Any]) -> tuple[Any, Any]:
        """Map the value that *pid* holds; (new, old)."""
        held = self._entries.get(key)
        if held is None or held[0] is not pid:
            raise RegistryError(
                f"update_value: key {key!r} is not held by {pid!r}. Only its holder may change the value."
            )
        new = function(held[1])
        self._entries[key] = (pid, new)
        return new, held[1]

    def remove(self, key: Any, pid: Pid[Any], matching: Callable[[Any], object] | None) -> bool:
        """Take the entry of *pid* away, if it is its own and its value matches."""
        held = self._entries.get(key)
        if held is None or held[0] is not pid or not (matching is None or matching(held[1])):
            return False
        del self._entries[key]
        self._lose(key, pid)
        return True

    def drop(self, pid: Pid[Any]) -> None:
        """Take everything of *pid* away."""
        for key in self._keys.pop(pid, ()):
            del self._entries[key]

    def keys(self, pid: Pid[Any]) -> list[Any]:
        """The keys of *pid*."""
        return list(self._keys.get(pid, ()))

    def has(self, pid: Pid[Any]) -> bool:
        """Whether *pid* is registered under any key."""
        return pid in self._keys

    def holds(self, key: Any, pid: Pid[Any]) -> bool:
        """Whether *pid* is registered under *key*."""
        return key in self._keys.get(pid, ())

    def entries(self) -> Iterator[RegistryEntry]:
        """Everything that live processes have registered."""
        for key, (pid, value) in self._entries.items():
            if pid.is_alive():
                yield RegistryEntry(key, pid, value)

    def __len__(self) -> int:
        return len(self._entries)

    def _lose(self, key: Any, pid: Pid[Any]) -> None:
        keys = self._keys[pid]
        keys.discard(key)
        if not keys:
            del self._keys[pid]


class DuplicateTable:
    """Any number of processes for each key, each any number of times."""

    __slots__ = ("_entries", "_keys", "_size")

    def __init__(self) -> None:
        self._entries: dict[Any, dict[Pid[Any], list[Any]]] = {}
        self._keys: dict[Pid[Any], set[Any]] = {}
        self._size = 0

    def put(self, key: Any, pid: Pid[Any], value: Any) -> Pid[Any] | None:
        """Register; never refused."""
        self._entries.setdefault(key, {}).setdefault(pid, []).append(value)
        self._keys.setdefault(pid, set()).add(key)
        self._size += 1
        return None

    def lookup(self, key: Any) -> list[tuple[Pid[Any], Any]]:
        """Each live process with each of its values."""
        held = self._entries.get(key)
        if held is None:
            return []
        return [(pid, value) for pid, values in held.items() if pid.is_alive() for value in values]

    def remove(self, key: Any, pid: Pid[Any], matching: Callable[[Any], object] | None) -> bool:
        """Take the entries of *pid* under the key away whose values match."""
        held = self._entries.get(key, {})
        values = held.get(pid)
        if values is None:
            return False
        kept = [] if matching is None else [value for value in values if not matching(value)]
        self._size -= len(values) - len(kept)
        if kept:
            held[pid] = kept
            return len(kept) < len(values)
        self._forget(key, pid)
        keys = self._keys[pid]
        keys.discard(key)
        if not keys:
            del self._keys[pid]
        return True

    def drop(self, pid: Pid[Any]) -> None:
        """Take everything of *pid* away."""
        for key in self._keys.pop(pid, ()):
            self._size -= len(self._entries[key][pid])
            self._forget(key, pid)

    def keys(self, pid: Pid[Any]) -> list[Any]:
        """The keys of *pid*, each as often as it is registered under it."""
        return [key for key in self._keys.get(pid, ()) for _ in self._entries[key][pid]]

    def has(self, pid: Pid[Any]) -> bool:
        """Whether *pid* is registered under any key."""
        return pid in self._keys

    def holds(self, key: Any, pid: Pid[Any]) -> bool:
        """Whether *pid* is registered under *key*."""
        return key in self._keys.get(pid, ())

    def entries(self) -> Iterator[RegistryEntry]:
        """Everything that live processes have registered."""
        for key, held in self._entries.items():
            for pid, values in held.items():
                if pid.is_alive():
                    yield from (RegistryEntry(key, pid, value) for value in values)

    def __len__(self) -> int:
        return self._size

    def _forget(self, key: Any, pid: Pid[Any]) -> None:
        held = self._entries[key]
        del held[pid]
        if not held:
            del self._entries[key]


Table = UniqueTable | DuplicateTable
