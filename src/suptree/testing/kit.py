"""Waiting for events in tests: a process is down, a mailbox is empty, anything is true.

No helper sleeps.  Each looks again after every pass of the loop, or is told; on
the virtual loop time moves when everybody else waits.  Each ends after `timeout`
seconds of the loop's time with an error that says what was seen last.

>>> async def test_worker_ends(runtime):
...     pid = runtime.spawn(work)
...     assert await wait_down(pid) is NORMAL
"""

from __future__ import annotations

import asyncio
import contextlib
import inspect
from collections.abc import Callable
from typing import Any, Final

from suptree.clock import loop_clock
from suptree.core import INIT, READY, RUNNING, Pid, Process, SlotExpiredError, find_runtime
from suptree.errors import BadArgumentError, NoProcessError, SuptreeError
from suptree.otp import ServerRef, Supervisor
from suptree.testing.loop import VirtualDeadlockError, VirtualLoop

__all__ = [
    "WaitTimeoutError",
    "turn",
    "wait_down",
    "wait_mailbox_empty",
    "wait_restarted",
    "wait_until",
]

# A real loop spins that many passes before it leaves the processor to others.
_SPINS: Final = 1000


class WaitTimeoutError(SuptreeError, TimeoutError):
    """What a test waited for did not come in time."""

    def __init__(self, what: str, timeout: float, seen: str) -> None:
        super().__init__(what, timeout, seen)
        self.what = what
        self.timeout = timeout
        self.seen = seen

    def __str__(self) -> str:
        return f"{self.what}: not within {self.timeout:g} s of the loop's time; {self.seen}"


async def turn(passes: int = 1) -> None:
    """Let everybody else run for *passes* passes of the loop.

    On the virtual loop a pass in which nobody has anything to do moves time to the
    next timer, if there is one.
    """
    with contextlib.suppress(VirtualDeadlockError):  # nobody has anything to do, ever
        for _ in range(passes):
            await _turn()


async def _turn() -> None:
    loop = asyncio.get_running_loop()
    if isinstance(loop, VirtualLoop):
        await loop.turn()
    else:
        await asyncio.sleep(0)


async def wait_until(
    predicate: Callable[[], object], *, timeout: float = 5.0, what: str | None = None
) -> Any:
    """Wait until *predicate* returns something true, looked at after every pass of the loop.

    Args:
        predicate: A plain function, cheap and without side effects; called many times.
        timeout: Seconds of the loop's time.
        what: Named by the error; default: the source of *predicate*.

    Returns:
        What the predicate returned.

    Raises:
        WaitTimeoutError: It stayed false.
        VirtualDeadlockError: It is false and nothing can happen any more.
        BadArgumentError: It gave a coroutine, which is never false and nobody awaits.
    """
    loop = asyncio.get_running_loop()
    now = loop_clock(loop)
    deadline = now() + timeout
    spins = 0
    settled = False
    while not (value := _look(predicate)):
        if now() >= deadline:
            raise WaitTimeoutError(
                what or f"wait_until({_source(predicate)})", timeout, f"it is still {value!r}"
            )
        spins += 1
        if isinstance(loop, VirtualLoop) and not settled:
            # Time must not move while what is going on in this pass may make it true.
            await asyncio.sleep(0)
            settled = loop.is_settled()
            continue
        settled = False
        try:
            await _turn()
        except VirtualDeadlockError:
            if value := _look(predicate):  # it came true in what was the last thing to happen
                return value
            raise
        if spins > _SPINS and not isinstance(loop, VirtualLoop):
            await asyncio.sleep(0.001)
    return value


def _look(predicate: Callable[[], object]) -> object:
    value = predicate()
    if inspect.iscoroutine(value):
        value.close()  # it will never run, and is not to warn of that
        raise BadArgumentError(
            "wait_until",
            "predicate",
            "a plain function, whose result is true or false",
            f"a coroutine of {value.__qualname__}",
            "Wait with wait_mailbox_empty(server) or by time, and then await the call itself.",
        )
    return value


async def wait_down(pid: Pid[Any], *, timeout: float = 5.0) -> Any:
    """Wait until the process has ended and everything it held is released.

    Args:
        pid: Any process; it need not be linked or monitored.
        timeout: Seconds of the loop's time.

    Returns:
        The exit reason; NOPROC if it had ended before the call.

    Raises:
        WaitTimeoutError: It lives.
    """
    runtime = pid.runtime
    slot = runtime.down_slot(pid)
    if not slot.done():
        runtime.ticker.expire_after(slot, timeout)
    try:
        return await slot
    except SlotExpiredError:
        seen = _state(runtime.processes.get(pid.id))
        raise WaitTimeoutError(f"wait_down({pid!r})", timeout, seen) from None


async def wait_restarted(
    supervisor: ServerRef[Any], id: Any, old_pid: Pid[Any], *, timeout: float = 5.0
) -> Pid[Any]:
    """Wait until a supervisor has started a child anew.

    Args:
        supervisor: A pid, a name, or `via(...)`; a static supervisor, whose children have ids.
        id: The child's id.
        old_pid: The process that it was, taken before it was made to end.
        timeout: Seconds of the loop's time.

    Returns:
        The pid of the new process.

    Raises:
        NoProcessError: The supervisor is gone; it gave up, for one.
        WaitTimeoutError: The child is still the old one, is down, or is being restarted.
        VirtualDeadlockError: As that, and nothing can happen any more.
    """
    now = loop_clock(asyncio.get_running_loop())
    deadline = now() + timeout
    stuck: VirtualDeadlockError | None = None
    while True:
        found = [one.pid for one in await Supervisor.which_children(supervisor) if one.id == id]
        new = found[0] if found else None
        if isinstance(new, Pid) and new is not old_pid:
            return new
        if now() >= deadline:
            seen = f"it is {new!r}" if found else "the supervisor has no such child"
            raise WaitTimeoutError(f"wait_restarted({id!r})", timeout, seen)
        if stuck is not None:
            raise stuck
        try:
            await _turn()
        except VirtualDeadlockError as error:
            stuck = error  # asked once more: it may have restarted since it answered


async def wait_mailbox_empty(target: Pid[Any] | str, *, timeout: float = 5.0) -> None:
    """Wait until the process has handled everything that was sent to it.

    Args:
        target: A pid, or a name of the only runtime that is open here.
        timeout: Seconds of the loop's time.

    Raises:
        NoProcessError: It does not live, or ended meanwhile.
        WaitTimeoutError: It is still busy.
    """
    runtime = target.runtime if isinstance(target, Pid) else find_runtime("wait_mailbox_empty")

    def settled() -> bool:
        process = runtime.find(target, "wait_mailbox_empty")
        if process is None:
            raise NoProcessError(target, "wait_mailbox_empty")
        return (
            not process.mailbox
            and process.current is None
            and process.state not in (INIT, READY, RUNNING)
        )

    try:
        await wait_until(settled, timeout=timeout)
    except WaitTimeoutError:
        seen = _state(runtime.find(target, "wait_mailbox_empty"))
        raise WaitTimeoutError(f"wait_mailbox_empty({target!r})", timeout, seen) from None


def _state(process: Process | None) -> str:
    if process is None:
        return "it is gone"
    return f"it is {process.state.name.lower()} with {len(process.mailbox)} messages waiting"


def _source(predicate: Callable[[], object]) -> str:
    try:
        return " ".join(inspect.getsource(predicate).split())
    except (OSError, TypeError):
        return repr(predicate)
