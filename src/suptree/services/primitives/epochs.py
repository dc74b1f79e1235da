"""Numbers that grow for ever, over restarts of the server that gives them.

A server takes an epoch when it starts, and its numbers are `epoch * 2**40 + 1, + 2, ...`.
Without a store the epoch is the number of its process, which a runtime never gives
twice; with one it grows over restarts of the program too.
"""

from __future__ import annotations

from typing import Any, Final

from suptree.core import Pid
from suptree.services.parts.store import Store

__all__ = ["first_number"]

_BITS: Final = 40


async def first_number(store: Store | None, space: str, pid: Pid[Any]) -> int:
    """The number below all that the server *pid* gives, above all given before in *space*."""
    if store is None:
        return pid.id << _BITS
    before = (await store.load(space)).get("epoch", 0)
    epoch = (before if isinstance(before, int) else 0) + 1
    await store.put(space, "epoch", epoch)
    return epoch << _BITS
