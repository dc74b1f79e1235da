"""How the supervisor of a pool is started and stopped: by supervision, which tells the manager its pid."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from typing import Any

from suptree.core import Pid, Runtime, Slot, require_process
from suptree.errors import ChildNotFoundError, NameTakenError, StartError, SuptreeError
from suptree.otp import (
    ChildSpec,
    DynamicSupervisor,
    ServerRef,
    StartOptions,
    TaskSupervisor,
    start_function,
)

__all__ = ["open_pool", "pool_spec", "start_pool", "stop_pool", "wait_gone"]

Tell = Callable[[Pid[Any]], object]


def pool_spec(name: str | None, label: str, tell: Tell) -> ChildSpec[Any]:
    """The child spec of a pool's supervisor; *tell* gets its pid at each start, the later ones too."""
    spec = start_function(_start, TaskSupervisor.child(), name, label, tell)
    return spec.with_(id=label, type="supervisor", shutdown="infinity", modules=(TaskSupervisor,))


def _start(spec: ChildSpec[Any], name: str | None, label: str, tell: Tell) -> Pid[Any]:
    above = require_process("the supervisor of task pools")
    options = StartOptions(name=name, label=label, supervised=True)
    pid: Pid[Any] = spec.start.start(above.runtime, above, options).outcome()
    tell(pid)
    return pid


async def wait_gone(runtime: Runtime, prefix: str) -> None:
    """Wait until the pools of an earlier manager are gone, whose names begin with *prefix*.

    They end by themselves, their tasks first, since whoever started them is dead; but one who was
    killed could not wait for them, and until then their tasks have the places, and they the names.
    """
    for name in runtime.registered():
        pid = runtime.whereis(name) if name.startswith(prefix) else None
        if pid is not None:
            gone = Slot(runtime.runqueue)
            runtime.down_slot(pid, gone)
            await gone


async def start_pool(supervisor: ServerRef[Any], spec: ChildSpec[Any]) -> Pid[Any]:
    """Have the supervisor of a pool started."""
    return await DynamicSupervisor.start_child(supervisor, spec)


async def open_pool(
    supervisor: ServerRef[Any], spec: ChildSpec[Any], failed: Callable[[SuptreeError], object]
) -> None:
    """Have it started beside the manager; *failed* hears of it if it cannot be."""
    try:
        await start_pool(supervisor, spec)
    except (StartError, NameTakenError) as error:
        failed(error)


async def stop_pool(supervisor: ServerRef[Any], pid: Pid[Any]) -> None:
    """Have it stopped, its tasks first; one that has ended by itself comes again and is told of."""
    with suppress(ChildNotFoundError):
        await DynamicSupervisor.terminate_child(supervisor, pid)
