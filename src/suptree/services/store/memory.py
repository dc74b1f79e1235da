"""State in memory that outlives the services which use it.

`StateOwner` is a process that owns one table and does nothing else, so that there is
nothing in it to crash; it starts before every service.  Services read and write the
table themselves, through a `MemoryStore`, without a message.  What is kept is lost with
the program, or if the owner is killed.

>>> import asyncio, suptree as st
>>> from suptree.services import MemoryStore, StateOwner
>>> async def main():
...     async with st.Runtime():
...         await StateOwner.start_link()
...         store = MemoryStore("state")
...         await store.put("jobs", "nightly", {"at": "02:00"})
...         return await store.load("jobs")
>>> asyncio.run(main())
{'nightly': {'at': '02:00'}}
"""

from __future__ import annotations

from typing import Any, ClassVar

from suptree.core import Table
from suptree.otp import GenServer
from suptree.services.parts.checks import check_name

__all__ = ["MemoryStore", "StateOwner"]


class StateOwner(GenServer):
    """Owns the table that `MemoryStore`s of the same name use.

    Args:
        table: The name of the table, unique in the runtime.
    """

    def __init__(self, table: str = "state") -> None:
        check_name("StateOwner", "table", table)
        self.table: Table[str, dict[str, Any]] = Table(table, access="public")


class MemoryStore:
    """A `Store` in the table of a `StateOwner`.

    Args:
        table: The name of that table.

    Every operation raises NoTableError while the owner is not there: it is being started
    again, and so is whoever depends on it.  A space or a key that is no text, or an empty one,
    is a BadArgumentError.
    """

    __slots__ = ("_table",)

    by_reference: ClassVar[bool] = True
    """Values are not copied, and never leave this program."""

    def __init__(self, table: str = "state") -> None:
        self._table = table

    async def load(self, space: str) -> dict[str, object]:
        """Everything in *space*, in the order in which the keys were first put."""
        check_name("MemoryStore", "space", space)
        return dict(self._spaces().get(space, {}))

    async def put(self, space: str, key: str, value: object) -> None:
        """Keep *value* under *key*."""
        check_name("MemoryStore", "space", space)
        check_name("MemoryStore", "key", key)
        self._spaces().setdefault(space, {})[key] = value

    async def delete(self, space: str, key: str) -> None:
        """Forget *key*."""
        check_name("MemoryStore", "space", space)
        check_name("MemoryStore", "key", key)
        self._spaces().get(space, {}).pop(key, None)

    def _spaces(self) -> Table[str, dict[str, Any]]:
        return Table.lookup(self._table)

    def __repr__(self) -> str:
        return f"MemoryStore({self._table!r})"
