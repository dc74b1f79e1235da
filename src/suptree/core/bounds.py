"""Bounds: what happens at a full mailbox, and who waits for a place in it.

Called by `process.py` and the senders for bounded mailboxes only; the bound itself is
a value of `mailbox.py`.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from suptree.core.context import CURRENT
from suptree.core.lifecycle import EXITING
from suptree.core.mailbox import is_user
from suptree.core.messages import CALL, Envelope
from suptree.core.slot import DONE, Slot, SlotExpiredError
from suptree.errors import MailboxFullError

if TYPE_CHECKING:
    from suptree.core.process import Process

__all__ = ["admit", "reserve_place"]


def admit(process: Process, envelope: Envelope) -> bool:
    """Whether the envelope may go in; what is dropped for it, or of it, is counted."""
    bounded = process.bounded
    assert bounded is not None
    if bounded.users < bounded.bound.limit:
        bounded.users += 1
        return True
    policy = bounded.bound.overflow
    process.runtime.overflowed(process, policy)
    if policy == "reject":
        raise MailboxFullError(process.pid, bounded.bound.limit)
    bounded.dropped += 1
    process.runtime.losses.overflowed += 1
    oldest = process.mailbox.take(is_user) if policy == "drop_old" else None
    dropped = envelope if oldest is None else oldest  # every place may be kept for a waiter
    if dropped[0] == CALL:
        dropped[1].fail(MailboxFullError(process.pid, bounded.bound.limit))
    return oldest is not None


async def reserve_place(process: Process, timeout: float | None = None) -> bool:
    """Wait for a place in the bounded mailbox, in the order of asking; it is kept for the caller.

    Give it back with `bounded.users -= 1` right before `deliver`, which takes it.

    Returns:
        False if the process ended meanwhile.

    Raises:
        MailboxFullError: No place within *timeout* seconds, or it would wait for itprocess.
    """
    bounded = process.bounded
    assert bounded is not None
    if bounded.users < bounded.bound.limit:
        bounded.users += 1
        return True
    if CURRENT.get() is process:
        raise MailboxFullError(process.pid, bounded.bound.limit)
    place = Slot(process.runtime.runqueue)
    bounded.waiting.append(place)
    if timeout is not None:
        process.runtime.ticker.expire_after(place, timeout)
    try:
        await place
    except SlotExpiredError:
        bounded.forget(place)
        raise MailboxFullError(process.pid, bounded.bound.limit) from None
    except asyncio.CancelledError:
        if place.state is not DONE:
            bounded.forget(place)
        elif process.state < EXITING:  # woken, and cancelled before it ran
            bounded.release()
        raise
    return process.state < EXITING
