"""Who waits for whom: the text of a call timeout, and the chain A -> B -> A (law 16)."""

from __future__ import annotations

from suptree.core.asyncio_private import awaited_by
from suptree.core.lifecycle import IDLE, RESTING
from suptree.core.messages import CALL
from suptree.core.process import Process
from suptree.core.slot import ReplyTo

__all__ = ["describe_wait", "wait_chain", "waiting_for"]


def waiting_for(process: Process) -> Process | None:
    """The process whose reply *process* awaits at this moment, or None."""
    slot = None
    if process.job is not None:
        slot = process.job[2]
    elif process.task is not None:
        slot = awaited_by(process.task)
    if slot is None:
        slot = getattr(process.body, "waiting_on", None)
    return slot.callee if isinstance(slot, ReplyTo) and not slot.done() else None


def wait_chain(process: Process, limit: int | None = None) -> list[Process]:
    """Follow the pending calls from *process*; ends with a repeated process if they form a ring.

    Args:
        limit: How many calls to follow; None follows them all.
    """
    chain = [process]
    seen = {process}
    while limit is None or len(chain) <= limit:
        following = waiting_for(chain[-1])
        if following is None:
            break
        chain.append(following)
        if following in seen:
            break
        seen.add(following)
    return chain


def describe_wait(server: Process, caller: Process | None) -> str:
    """What a server was doing when a call to it timed out."""
    parts = [f"mailbox {len(server.mailbox)}"]
    current = server.current
    if current is not None and current[0] == CALL:
        handler = current[2]
        parts.append(f"running {handler.__name__ if handler is not None else 'handle_call'}")
    elif server.state is not IDLE and server.state is not RESTING:
        parts.append(server.state.name.lower())
    chain = wait_chain(server)
    if caller is not None and len(chain) > 1:
        names = " -> ".join(repr(p.pid) for p in [caller, *chain])
        parts.append(f"waiting: {names}")
    return ", ".join(parts)
