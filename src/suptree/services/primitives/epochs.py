"""`Numbered`: a primitive that gives numbers which grow for ever, over its restarts too.

It takes an epoch when it starts, and its numbers are `epoch * 2**40 + 1, + 2, ...`.  Without
a store the epoch is the number of its process, which a runtime never gives twice; with one it
grows over restarts of the program too.
"""

from __future__ import annotations

from typing import Final

from suptree.services.parts.checks import bad_argument
from suptree.services.parts.store import Store, checked_store
from suptree.services.primitives.base import K, Primitive

__all__ = ["Numbered"]

_BITS: Final = 40


class Numbered(Primitive[K]):
    """Takes its epoch from *space* in *store*."""

    def __init__(self, store: Store | None, space: str) -> None:
        super().__init__()
        self.store, self.space = checked_store(type(self).__name__, store), space
        self.number = 0

    async def init(self) -> None:
        """Numbers go on above all that there were.

        Raises:
            BadArgumentError: The store holds no epoch there, but something else: who began
                anew would give numbers that were given before.
        """
        epoch = self.pid.id
        if self.store is not None:
            before = (await self.store.load(self.space)).get("epoch", 0)
            if not isinstance(before, int) or isinstance(before, bool) or before < 0:
                field, wanted = (
                    f"the epoch in space {self.space!r}",
                    "a whole number, as it was put",
                )
                advice = "Give it a space of its own, or repair the store."
                raise bad_argument(type(self).__name__, field, wanted, before, advice)
            epoch = before + 1
            await self.store.put(self.space, "epoch", epoch)
        self.number = epoch << _BITS

    def next_number(self) -> int:
        """The next one."""
        self.number += 1
        return self.number
