"""Custody: what must outlive the process that works with it, held by the store.

A router's messages, and the letters of a dead-letter queue, are in one value each, which
the process changes in place; the store (a `MemoryStore`, whose `StateOwner` starts first) only
holds on to it.  So custody costs nothing per message, and is never out of date: a process
that is killed is killed between two turns, and its successor goes on with the same value.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Final, Protocol, TypeVar

from suptree.core import Pid
from suptree.services.coordination.contexts import ContextInfo
from suptree.services.coordination.errors import CustodyError
from suptree.services.coordination.lane import Entry, Lane
from suptree.services.coordination.outcomes import Outcome, Receiver
from suptree.services.parts.store import Store

__all__ = ["Custody", "check_store", "claim"]

_KEY: Final = "custody"


class Held(Protocol):
    """What can be in custody."""

    holder: Pid[Any] | None
    """The process that works with it, or did last."""


H = TypeVar("H", bound=Held)


@dataclass(slots=True)
class Custody:
    """What outlives a router.

    Attributes:
        lanes: The messages on their way, and what is known of their receivers.
        buffered: Those whose senders may ask for the outcome, by id.
        ended: What became of such messages, the last ones.
        contexts: The groups.
        holder: The router.
        unfinished: Whether a router has begun to take this over and not finished.
    """

    lanes: dict[Receiver, Lane] = field(default_factory=dict[Receiver, Lane])
    buffered: dict[int, Entry] = field(default_factory=dict[int, Entry])
    ended: OrderedDict[int, Outcome] = field(default_factory=OrderedDict[int, Outcome])
    contexts: dict[str, ContextInfo] = field(default_factory=dict[str, ContextInfo])
    holder: Pid[Any] | None = None
    unfinished: bool = False


def check_store(who: str, store: Store | None) -> None:
    """Refuse a store that would keep copies.

    Raises:
        ValueError: It would.
    """
    if store is not None and getattr(store, "by_reference", False) is not True:
        raise ValueError(
            f"{who}: store must keep references, as MemoryStore does; got {store!r}. "
            "What waits to be delivered cannot be written down."
        )


async def claim(
    who: str, store: Store | None, space: str, make: Callable[[], H], by: Pid[Any]
) -> H:
    """What the store has in *space*, or a new one, which is *by*'s from now on.

    Raises:
        CustodyError: A living process works with it, or something else is there.
    """
    held = make()
    if store is not None:
        found = (await store.load(space)).get(_KEY)
        if found is None:
            await store.put(space, _KEY, held)
        elif type(found) is not type(held):
            raise CustodyError(who, space, f"it holds {type(found).__name__}")
        else:
            held = found
    if held.holder is not None and held.holder.is_alive() and held.holder != by:
        raise CustodyError(who, space, f"{held.holder!r} works with it")
    held.holder = by
    return held
