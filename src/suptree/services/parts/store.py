"""The seam between a service and where it keeps what must outlive it.

A service is given a `Store` and asks for no more than these three.  The store of this
floor, `MemoryStore`, outlives the service; one on a disk outlives the program too.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol, TypeVar

from suptree.services.parts.checks import bad_argument

__all__ = ["Store", "checked_store"]

S = TypeVar("S", bound="Store | None")


class Store(Protocol):
    """Keeps values under keys, in spaces: one space for each service.

    Values are plain data (None, bool, int, float, str, bytes, and lists, tuples and dicts
    of those), so that every store can keep them; never pids, functions or open things.
    A store that has an attribute `by_reference` which is true lives in this program and gives back
    the very values that it got, so it may be given any.
    """

    async def load(self, space: str) -> Mapping[str, object]:
        """Everything in *space*, in the order in which the keys were first put."""
        ...

    async def put(self, space: str, key: str, value: object) -> None:
        """Keep *value*.  When this returns, it is as safe as this store makes things."""
        ...

    async def delete(self, space: str, key: str) -> None:
        """Forget *key*; one that is not there is no error."""
        ...


def checked_store(who: str, store: S) -> S:
    """*store*, if it is one, or None.

    Raises:
        BadArgumentError: It is neither.
    """
    names = ("load", "put", "delete")
    missing = [name for name in names if not callable(getattr(store, name, None))]
    if store is not None and missing:
        wanted = f"a Store, with async {', '.join(missing)}"
        raise bad_argument(who, "store", wanted, store, "Give it a MemoryStore, or None.")
    return store
