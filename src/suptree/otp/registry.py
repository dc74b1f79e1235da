"""Registry: processes found by keys, with values, and gone from it the moment they end.

A process registers itself.  Reads and writes are plain function calls on the tables of
the registry: no message, no waiting.  Keys are `unique` (one live process for each) or
`duplicate` (publish and subscribe).  A unique registry also gives names: `via(registry,
key)` stands wherever the name of a server does.

The registry is a supervisor of partitions.  A partition is a process that owns its part
of the tables and is linked to whoever registered in it: if it crashes, its table is
gone, and so are they (S219).

>>> import asyncio, suptree as st
>>> async def main():
...     async with st.Runtime():
...         await st.Registry.start_link(name="rooms", keys="duplicate")
...         st.Registry.register("rooms", "lobby", "Ada")
...         return [who for pid, who in st.Registry.lookup("rooms", "lobby")]
>>> asyncio.run(main())
['Ada']

After Elixir's Registry (1.14).  What differs: plain functions stand for match specs, and
a dead process is never shown, not even until a clean-up.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any, NamedTuple

from suptree.core import EXITING, Pid, Process, find_runtime, require_process
from suptree.errors import RegistryError, SuptreeError
from suptree.otp.child_spec import ChildSpec, child
from suptree.otp.registry_partitions import Book, Keys, RegistrySupervisor
from suptree.otp.registry_tables import RegistryEntry, UniqueTable

if TYPE_CHECKING:
    from suptree.core import Runtime

__all__ = ["Registry", "Via", "via"]

RegistryRef = Pid[Any] | str
"""A registry: its name or its pid."""


class Registry:
    """Names this kind of registry, and is the client of every one: `Registry.lookup(registry, key)`.

    `registry` is everywhere the name of a registry, or its pid.  What a function needs
    the current process for, only the code of a process itself may call.
    """

    @staticmethod
    def child(
        *,
        name: str,
        keys: Keys = "unique",
        partitions: int = 1,
        listeners: Iterable[str] = (),
    ) -> ChildSpec[Any]:
        """The child spec of a registry.

        Args:
            name: Its registered name, by which everybody finds it.
            keys: 'unique', one live process for each key, or 'duplicate'.
            partitions: Processes that share the entries, and the damage of a crash: by
                key under unique keys, which then all start again together, by process
                under duplicate ones.
            listeners: Registered names that hear of each register and unregister.

        Raises:
            RegistryError: A wrong value.
        """
        if not isinstance(name, str) or not name:
            raise RegistryError(f"Registry: name must be a non-empty string; got {name!r}.")
        if keys not in ("unique", "duplicate"):
            raise RegistryError(
                f"Registry {name!r}: keys must be 'unique' or 'duplicate'; got {keys!r}."
            )
        if not isinstance(partitions, int) or isinstance(partitions, bool) or partitions < 1:
            raise RegistryError(
                f"Registry {name!r}: partitions must be an int of at least 1; got {partitions!r}."
            )
        spec = child(RegistrySupervisor, name, keys, partitions, _names(name, listeners))
        return spec.with_(name=name, modules=(Registry,))

    @staticmethod
    async def start_link(
        *, name: str, keys: Keys = "unique", partitions: int = 1, listeners: Iterable[str] = ()
    ) -> Pid[Any]:
        """Start a registry linked to the current process; see `child`."""
        spec = Registry.child(name=name, keys=keys, partitions=partitions, listeners=listeners)
        return await spec.start_link()

    # -- the current process ------------------------------------------------------------

    @staticmethod
    def register(registry: RegistryRef, key: Any, value: Any = None) -> Pid[Any]:
        """Register the current process under *key* with *value* (S210).

        Returns:
            The partition that owns the entry, and that this process is now linked to.

        Raises:
            AlreadyRegisteredError: The unique key is held by a live process, itself too.
            RegistryError: No such registry, or its partition is being restarted.
        """
        process = require_process("Registry.register")
        return _book(registry, "register").register(process, key, value)

    @staticmethod
    def unregister(registry: RegistryRef, key: Any) -> None:
        """Take all entries of the current process under *key* away, if it has any (S213)."""
        process = require_process("Registry.unregister")
        _book(registry, "unregister").unregister(process, key, None)

    @staticmethod
    def unregister_match(
        registry: RegistryRef, key: Any, matching: Callable[[Any], object]
    ) -> None:
        """Take the entries of the current process under *key* away whose value matches (S213)."""
        process = require_process("Registry.unregister_match")
        _book(registry, "unregister_match").unregister(process, key, matching)

    @staticmethod
    def update_value(
        registry: RegistryRef, key: Any, function: Callable[[Any], Any]
    ) -> tuple[Any, Any]:
        """Map the value that the current process holds under a unique key (S214).

        Returns:
            The new and the old value.

        Raises:
            RegistryError: Duplicate keys, or the process does not hold the key.
        """
        process = require_process("Registry.update_value")
        book = _book(registry, "update_value")
        part = book.require_unique("update_value").partition(key, None)
        table = UniqueTable() if part is None else part.table
        assert isinstance(table, UniqueTable)
        return table.update(key, process.pid, function)

    # -- reading ----------------------------------------------------------------------------

    @staticmethod
    def lookup(registry: RegistryRef, key: Any) -> list[tuple[Pid[Any], Any]]:
        """The live processes under *key*, each with its value, in no promised order (S212)."""
        book = _book(registry, "lookup")
        return [pair for table in book.tables_for(key) for pair in table.lookup(key)]

    @staticmethod
    def whereis(registry: RegistryRef, key: Any) -> Pid[Any] | None:
        """The live process under a unique *key*, or None.

        Raises:
            RegistryError: Duplicate keys, or no such registry.
        """
        return _book(registry, "whereis").holder(key)

    @staticmethod
    def keys(registry: RegistryRef, pid: Pid[Any]) -> list[Any]:
        """The keys of *pid*; a duplicate one as often as it is registered under it (S212)."""
        return [key for table in _book(registry, "keys").tables() for key in table.keys(pid)]

    @staticmethod
    def values(registry: RegistryRef, key: Any, pid: Pid[Any]) -> list[Any]:
        """The values of *pid* under *key* (S212)."""
        return [value for holder, value in Registry.lookup(registry, key) if holder is pid]

    @staticmethod
    def count(registry: RegistryRef) -> int:
        """How many entries there are, without walking them (S212)."""
        return sum(len(table) for table in _book(registry, "count").tables())

    @staticmethod
    def match(
        registry: RegistryRef, key: Any, matching: Callable[[Any], object]
    ) -> list[tuple[Pid[Any], Any]]:
        """As `lookup`, for the values that match (S212)."""
        return [pair for pair in Registry.lookup(registry, key) if matching(pair[1])]

    @staticmethod
    def count_match(registry: RegistryRef, key: Any, matching: Callable[[Any], object]) -> int:
        """How many entries under *key* have a value that matches (S212)."""
        return len(Registry.match(registry, key, matching))

    @staticmethod
    def select(
        registry: RegistryRef, matching: Callable[[RegistryEntry], object] | None = None
    ) -> list[RegistryEntry]:
        """Every entry (key, pid, value) that matches; all of them by default (S212)."""
        book = _book(registry, "select")
        entries = [entry for table in book.tables() for entry in table.entries()]
        return entries if matching is None else [entry for entry in entries if matching(entry)]

    @staticmethod
    def count_select(
        registry: RegistryRef, matching: Callable[[RegistryEntry], object] | None = None
    ) -> int:
        """How many entries match (S212)."""
        return len(Registry.select(registry, matching))

    @staticmethod
    def dispatch(
        registry: RegistryRef,
        key: Any,
        function: Callable[[list[tuple[Pid[Any], Any]]], object],
    ) -> None:
        """Call *function* with the entries under *key*, once per partition that has any (S215).

        It runs in the caller, and what it raises goes to the caller.
        """
        for table in list(_book(registry, "dispatch").tables_for(key)):
            entries = table.lookup(key)
            if entries:
                function(entries)

    # -- metadata -----------------------------------------------------------------------------

    @staticmethod
    def meta(registry: RegistryRef, key: Any, default: Any = None) -> Any:
        """What `put_meta` kept under *key*, or *default* (S216)."""
        return _book(registry, "meta").meta.get(key, default)

    @staticmethod
    def put_meta(registry: RegistryRef, key: Any, value: Any) -> None:
        """Keep *value* with the registry; it outlives every partition (S216)."""
        _book(registry, "put_meta").meta[key] = value

    @staticmethod
    def delete_meta(registry: RegistryRef, key: Any) -> None:
        """Forget what was kept under *key*, if anything (S216)."""
        _book(registry, "delete_meta").meta.pop(key, None)


class Via(NamedTuple):
    """A key of a unique registry as a name; made by `via`.  A tuple, as in Elixir: cheap to make for each call."""

    registry: RegistryRef
    key: Any
    value: Any = None

    def whereis(self, runtime: Runtime) -> Pid[Any] | None:
        """The live process under the key; None without the registry too (S216, S217)."""
        registry, key, _ = self
        book = _find_book(runtime, registry)
        return None if book is None else book.holder(key)

    def claim(self, process: Process) -> None:
        """Register *process*, which has not run yet."""
        book = _find_book(process.runtime, self.registry)
        if book is None:
            raise _unknown(self.registry, "via")
        book.require_unique("via").register(process, self.key, self.value)

    def hint(self) -> str:
        """What to say of a key that nobody has."""
        try:
            known = _find_book(find_runtime("via"), self.registry) is not None
        except SuptreeError:
            return ""
        return "" if known else f" There is no registry {self.registry!r}."

    def __repr__(self) -> str:
        return f"via({self.registry!r}, {self.key!r})"


def via(registry: RegistryRef, key: Any, value: Any = None) -> Via:
    """A key of a unique registry as a name of a server, to call it by and to start it under (S217).

    Args:
        registry: The name of the registry.
        key: The key.
        value: What is registered with a server that is started under this name.

    >>> await Counter.increment(via("rooms", "lobby"))  # doctest: +SKIP
    """
    return Via(registry, key, value)


def _names(name: str, listeners: Iterable[str]) -> tuple[str, ...]:
    names = (listeners,) if isinstance(listeners, str) else tuple(listeners)
    for listener in names:
        if not isinstance(listener, str):
            raise RegistryError(
                f"Registry {name!r}: listeners must be registered names; got {listener!r}."
            )
    return names


def _find_book(runtime: Runtime, registry: RegistryRef) -> Book | None:
    if isinstance(registry, str):  # as `find`, in fewer steps
        process = runtime.names.table.get(registry)
    else:
        process = runtime.find(registry, "Registry")
    if process is None or process.state >= EXITING:
        return None
    subject = process.body.subject()
    return subject.book if isinstance(subject, RegistrySupervisor) else None


def _book(registry: RegistryRef, doing: str) -> Book:
    runtime = registry.runtime if isinstance(registry, Pid) else find_runtime("Registry")
    book = _find_book(runtime, registry)
    if book is None:
        raise _unknown(registry, doing)
    return book


def _unknown(registry: RegistryRef, doing: str) -> RegistryError:
    return RegistryError(
        f"Registry.{doing}: there is no registry {registry!r}. "
        "Start it first: put Registry.child(name=..., keys=...) before its users in the tree."
    )
