"""`Table`: a mapping that a process owns, all may read, and an heir can inherit (OTP: ETS).

For what must outlive a worker, and for what many read and one writes: reading sends no
message.  The owner's death gives the table to its heir, which is told by a
`TableTransfer`; without a living heir the table is deleted, and whoever still holds it
gets NoTableError.  Values pass by reference, as messages do: store immutable ones.
Refused: other threads, other runtimes, and writing by anybody but the owner, unless
the table is 'public'.

>>> class Cache(st.GenServer):
...     def init(self) -> None:
...         self.table = st.Table("cache", heir=st.whereis("keeper"))
...     @st.call
...     def learn(self, key: str, value: int) -> None:
...         self.table[key] = value
>>> st.Table.lookup("cache")["answer"]      # in any process
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, MutableMapping
from typing import Any, Literal, NoReturn, TypeVar

from suptree.core.context import CURRENT, find_runtime, require_process
from suptree.core.messages import INFO, TableTransfer
from suptree.core.pid import Pid
from suptree.core.process import Process
from suptree.core.runtime import Runtime
from suptree.errors import (
    CrossRuntimeError,
    NameTakenError,
    NoProcessError,
    NoTableError,
    TableAccessError,
)

__all__ = ["Access", "Table"]

K = TypeVar("K")
V = TypeVar("V")

Access = Literal["public", "protected", "private"]
"""Who may write and read: all and all, the owner and all, the owner and the owner."""


class Table(MutableMapping[K, V]):
    """A mapping owned by a process.

    Args:
        name: Unique among the tables of the runtime; None for a table known by reference.
        access: 'protected' lets the owner write and all read; see `Access`.
        heir: Gets the table when its owner ends; None: the table is deleted then.
        heir_data: What the heir is told with it.
        owner: Default: the current process.

    Raises:
        NameTakenError: Another table has that name.
        NoProcessError: The owner does not live.
        ValueError: Unknown access.
    """

    __slots__ = ("_access", "_data", "_heir", "_heir_data", "_name", "_owner", "_runtime")

    def __init__(
        self,
        name: str | None = None,
        *,
        access: Access = "protected",
        heir: Pid[Any] | None = None,
        heir_data: object = None,
        owner: Pid[Any] | None = None,
    ) -> None:
        if access not in ("public", "protected", "private"):
            raise ValueError(
                f"Table: access must be 'public', 'protected' or 'private'; got {access!r}."
            )
        process = require_process("Table") if owner is None else _alive(owner, "Table: owner")
        runtime = process.runtime
        _same_runtime(runtime, heir, "heir")
        if name is not None and name in runtime.tables:
            raise NameTakenError(name, f"it is the name of {runtime.tables[name]!r}")
        self._name = name
        self._access = access
        self._heir = heir
        self._heir_data = heir_data
        self._runtime = runtime
        self._data: dict[K, V] | None = {}
        self._owner: Process | None = None
        self._belong_to(process)
        if name is not None:
            runtime.tables[name] = self

    @classmethod
    def lookup(cls, name: str) -> Table[Any, Any]:
        """The table of that name in the current runtime.

        Raises:
            NoTableError: There is none.
        """
        runtime = find_runtime("Table.lookup")
        table: Table[Any, Any] | None = runtime.tables.get(name)
        if table is None:
            raise NoTableError(name, "there is no table of that name")
        return table

    # -- facts ---------------------------------------------------------------------------

    @property
    def name(self) -> str | None:
        """The name, if it has one."""
        return self._name

    @property
    def owner(self) -> Pid[Any] | None:
        """The pid of its owner; None once it is deleted."""
        return None if self._owner is None else self._owner.pid

    @property
    def heir(self) -> Pid[Any] | None:
        """Who gets it when the owner ends."""
        return self._heir

    def __repr__(self) -> str:
        name = "" if self._name is None else f" {self._name!r}"
        if self._data is None:
            return f"<Table{name}, deleted>"
        return f"<Table{name} of {self.owner!r}, {len(self._data)} entries>"

    # -- reading ---------------------------------------------------------------------------

    def __getitem__(self, key: K) -> V:
        return self._readable()[key]

    def __len__(self) -> int:
        return len(self._readable())

    def __iter__(self) -> Iterator[K]:
        """Go through the keys that were there at the start: others may write meanwhile."""
        return iter(list(self._readable()))

    def __contains__(self, key: object) -> bool:
        return key in self._readable()

    def select(self, wanted: Callable[[K, V], bool]) -> list[tuple[K, V]]:
        """The entries for which ``wanted(key, value)`` is true, in order of insertion."""
        return [(key, value) for key, value in list(self._readable().items()) if wanted(key, value)]

    # -- writing -----------------------------------------------------------------------------

    def __setitem__(self, key: K, value: V) -> None:
        self._writable("write")[key] = value

    def __delitem__(self, key: K) -> None:
        del self._writable("delete an entry")[key]

    def clear(self) -> None:
        """Remove every entry."""
        self._writable("clear").clear()

    def insert_new(self, key: K, value: V) -> bool:
        """Write unless the key is there; say whether it was written (OTP: `insert_new`)."""
        data = self._writable("write")
        if key in data:
            return False
        data[key] = value
        return True

    def update_counter(self: Table[K, int], key: K, by: int = 1, default: int = 0) -> int:
        """Add *by* to the number at *key*, which begins at *default*; return the new number."""
        data = self._writable("write")
        value = data[key] = data.get(key, default) + by
        return value

    # -- owner and heir ------------------------------------------------------------------------

    def give_away(self, pid: Pid[Any], data: object = None) -> None:
        """Make *pid* the owner; it is told by ``TableTransfer(table, from_pid, data)``.

        Raises:
            TableAccessError: The current process is not the owner.
            NoProcessError: *pid* does not live.
        """
        self._require_owner("give it away")
        heir = _alive(pid, "give_away")
        _same_runtime(self._runtime, pid, "new owner")
        self._transfer(heir, data)

    def set_heir(self, heir: Pid[Any] | None, data: object = None) -> None:
        """Say who gets the table when its owner ends."""
        self._require_owner("set its heir")
        _same_runtime(self._runtime, heir, "heir")
        self._heir, self._heir_data = heir, data

    def delete(self) -> None:
        """Delete the table; the owner may."""
        self._require_owner("delete it")
        self._delete()

    def owner_died(self, process: Process) -> None:
        """The reaper's: hand the table to its heir, or delete it."""
        heir = None if self._heir is None else self._heir._process
        if heir is None or heir is process or not heir.is_alive():
            self._delete()
        else:
            self._transfer(heir, self._heir_data)

    # -- inside --------------------------------------------------------------------------------

    def _transfer(self, process: Process, data: object) -> None:
        old = self._owner
        assert old is not None
        if old.tables is not None:
            old.tables.pop(self, None)
        self._belong_to(process)
        process.deliver_always((INFO, TableTransfer(self, old.pid, data)))

    def _belong_to(self, process: Process) -> None:
        self._owner = process
        if process.tables is None:
            process.tables = {}
        process.tables[self] = None

    def _delete(self) -> None:
        if self._owner is not None and self._owner.tables is not None:
            self._owner.tables.pop(self, None)
        if self._name is not None and self._runtime.tables.get(self._name) is self:
            del self._runtime.tables[self._name]
        self._data = self._owner = None

    def _readable(self) -> dict[K, V]:
        if self._access == "private":
            self._require_owner("read")
        else:
            self._runtime.check_thread("table")
        return self._existing()

    def _writable(self, doing: str) -> dict[K, V]:
        if self._access == "public":
            self._runtime.check_thread("table")
        else:
            self._require_owner(doing)
        return self._existing()

    def _existing(self) -> dict[K, V]:
        if self._data is None:
            raise NoTableError(
                self._name or self, "its owner has ended without an heir, or deleted it"
            )
        return self._data

    def _require_owner(self, doing: str) -> None:
        self._runtime.check_thread("table")
        self._existing()
        if CURRENT.get() is not self._owner:
            raise TableAccessError(self, doing)

    def __eq__(self, other: object) -> bool:
        return self is other

    def __hash__(self) -> int:
        return id(self)

    def __reduce__(self) -> NoReturn:
        raise TypeError(f"{self!r} cannot be pickled: it lives in its runtime. Send dict(table).")


def _alive(pid: Pid[Any], doing: str) -> Process:
    process = pid._process
    if process is None or not process.is_alive():
        raise NoProcessError(pid, doing)
    return process


def _same_runtime(runtime: Runtime, pid: Pid[Any] | None, what: str) -> None:
    if pid is not None and pid.runtime is not runtime:
        raise CrossRuntimeError(
            f"Table: the {what} {pid!r} lives in runtime {pid.runtime.name!r}, not {runtime.name!r}."
        )
