"""The processes of a registry: a supervisor, and the partitions that own its tables.

A `Book` is what a registry is; it outlives the partitions, which enter themselves there.
Who registers is linked to the partition that holds its entry, and has its end noted in
what it owns, so its entries are gone before anybody is told of its death.

Used by `registry.py`, which is the client of all this.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any, Literal

from suptree.core import INFO, Pid, Process, require_room
from suptree.errors import AlreadyRegisteredError, RegistryError
from suptree.otp.child_spec import ChildSpec, child
from suptree.otp.gen_server import GenServer
from suptree.otp.registry_tables import DuplicateTable, Table, UniqueTable
from suptree.otp.supervisor import Supervisor

__all__ = [
    "Book",
    "KeyRegistered",
    "KeyUnregistered",
    "Keys",
    "Partition",
    "RegistrySupervisor",
]

Keys = Literal["unique", "duplicate"]


@dataclass(frozen=True, slots=True)
class KeyRegistered:
    """To the listeners of a registry: *pid* registered itself (S218)."""

    registry: str
    key: Any
    pid: Pid[Any]
    value: Any


@dataclass(frozen=True, slots=True)
class KeyUnregistered:
    """To the listeners of a registry: *pid* unregistered itself; a death is not told (S218).

    It holds nothing under the key; told even if it did not before.
    """

    registry: str
    key: Any
    pid: Pid[Any]


class Book:
    """What a registry is: its partitions, listeners and metadata.  Outlives the partitions."""

    __slots__ = ("keys", "listeners", "meta", "name", "partitions")

    def __init__(self, name: str, keys: Keys, partitions: int, listeners: tuple[str, ...]) -> None:
        self.name = name
        self.keys = keys
        self.listeners = listeners
        self.meta: dict[Any, Any] = {}
        self.partitions: list[Partition | None] = [None] * partitions

    def partition(self, key: Any, pid: Pid[Any] | None) -> Partition | None:
        """Where *key*, or what *pid* registers, has its place; None while it is down (S219)."""
        if len(self.partitions) == 1:
            return self.partitions[0]
        number = hash(key) if self.keys == "unique" or pid is None else pid.id
        return self.partitions[number % len(self.partitions)]

    def tables(self) -> Iterable[Table]:
        """The tables of the partitions that live."""
        return [part.table for part in self.partitions if part is not None]

    def tables_for(self, key: Any) -> Iterable[Table]:
        """Where entries of *key* may be."""
        if self.keys == "duplicate":
            return self.tables()
        part = self.partition(key, None)
        return [] if part is None else [part.table]

    def holder(self, key: Any) -> Pid[Any] | None:
        """The live process under a unique *key*, or None."""
        part = self.partitions[0] if len(self.partitions) == 1 else self.partition(key, None)
        if part is None:
            return None
        table = part.table
        if table.__class__ is not UniqueTable:
            self.require_unique("whereis")
        return table.holder(key)  # type: ignore[union-attr]

    def require_unique(self, doing: str) -> Book:
        """Refuse what a registry of duplicate keys cannot do."""
        if self.keys != "unique":
            raise RegistryError(
                f"Registry.{doing}: {self.name!r} has duplicate keys, which name no single process. "
                "Use a registry with keys='unique'."
            )
        return self

    def register(self, process: Process, key: Any, value: Any) -> Pid[Any]:
        """Enter *process*; see `Registry.register`."""
        part = self.partition(key, process.pid)
        if part is None:
            raise RegistryError(
                f"register: the partition of {self.name!r} for {key!r} is being restarted. "
                "Crash and let your supervisor try again, or retry."
            )
        holder = part.register(process, key, value)
        if holder is not None:
            raise AlreadyRegisteredError(self.name, key, holder)
        self._tell(process, KeyRegistered(self.name, key, process.pid, value))
        return part.pid

    def unregister(
        self, process: Process, key: Any, matching: Callable[[Any], object] | None
    ) -> None:
        """Take entries of *process* away; see `Registry.unregister`.

        Listeners hear that it holds nothing under the key now, even if it never did, as in Elixir.
        """
        part = self.partition(key, process.pid)
        if part is None:
            return
        part.unregister(process, key, matching)
        if not part.table.holds(key, process.pid):
            self._tell(process, KeyUnregistered(self.name, key, process.pid))

    def _tell(self, process: Process, news: KeyRegistered | KeyUnregistered) -> None:
        for name in self.listeners:
            listener = process.runtime.names.get(name)
            if listener is not None:
                listener.deliver((INFO, news))


class Partition(GenServer):
    """Owns one part of the tables.  Linked to whoever registered in it; outlives them all."""

    trap_exit = True

    def __init__(self, book: Book, number: int) -> None:
        self.table: Table = UniqueTable() if book.keys == "unique" else DuplicateTable()
        book.partitions[number] = self
        self._book, self._number = book, number
        self.own(self, Partition.close)

    def handle_info(self, message: object) -> None:
        """Exits of the registered, who are gone from the table already."""

    def register(self, process: Process, key: Any, value: Any) -> Pid[Any] | None:
        """Enter *process* and be linked to it; the holder if the key is taken."""
        require_room("Registry.register")
        pid = process.pid
        is_first = not self.table.has(pid)
        holder = self.table.put(key, pid, value)
        if holder is None and is_first and process is not self._process:
            process.runtime.link(process, self.pid)
            process.owned = [*(process.owned or ()), (pid, self.forget)]
        return holder

    def unregister(
        self, process: Process, key: Any, matching: Callable[[Any], object] | None
    ) -> None:
        """Take entries of *process* away; with its last one the link."""
        pid = process.pid
        if self.table.remove(key, pid, matching) and not self.table.has(pid):
            process.runtime.unlink_processes(process, self._process)
            if process.owned is not None:
                process.owned.remove((pid, self.forget))

    def forget(self, pid: Pid[Any]) -> None:
        """*pid* has ended: nothing of it stays, and it needs no Exit message to say so."""
        self.table.drop(pid)
        if pid._process is not None:
            pid._process.runtime.unlink_processes(pid._process, self._process)

    def close(self) -> None:
        """The partition has ended: its entries are gone, and its links take the registered along."""
        self._book.partitions[self._number] = None
        for process in self._process.links or ():
            if process.owned is not None and (process.pid, self.forget) in process.owned:
                process.owned.remove((process.pid, self.forget))


class RegistrySupervisor(Supervisor):
    """The process that a registry's name belongs to: a supervisor of its partitions."""

    def __init__(self, name: str, keys: Keys, partitions: int, listeners: tuple[str, ...]) -> None:
        self.book = Book(name, keys, partitions, listeners)
        # Unique keys of one process are spread over partitions, so all of them go (S219).
        self.strategy = "one_for_all" if keys == "unique" else "one_for_one"

    def children(self) -> list[ChildSpec[Any]]:
        """One partition for each number."""
        return [
            child(Partition, self.book, number).with_(id=number)
            for number in range(len(self.book.partitions))
        ]
