"""The runtime, the tree and the servers that the workloads share."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Iterable
from typing import Any

import suptree as st
from benchmarks.protocol import Ask, Metrics
from benchmarks.reports import no_reports

Work = Callable[[Ask], Coroutine[Any, Any, Metrics]]


class Counter(st.GenServer):
    """The server that is called."""

    def __init__(self) -> None:
        self.count = 0

    @st.call
    def increment(self) -> int:
        self.count += 1
        return self.count

    @st.call
    async def increment_suspending(self) -> int:
        await asyncio.sleep(0)
        self.count += 1
        return self.count

    @st.cast
    def add(self) -> None:
        self.count += 1


async def supervised(ask: Ask, work: Work, children: Iterable[st.ChildSpec[Any]] = ()) -> Metrics:
    """Run *work* in a supervised process beside *children*; what it is made of is taken down before this returns."""
    no_reports("suptree")
    metrics: Metrics = {}
    async with st.Runtime(direct_call="queued" not in ask.options, stop_timeout=600.0) as rt:
        if "telemetry" in ask.options:
            rt.telemetry.attach("benchmark", "*", lambda event, numbers, facts: None)
        tasks = st.TaskSupervisor.child(name="work")
        await st.Supervisor.start_link([*children, tasks])
        task = await st.TaskSupervisor.async_nolink("work", work, ask)
        metrics = await task
    return metrics  # noqa: RET504  (to a type checker the block above may swallow what it raises)


def pid(name: str) -> st.Pid[Any]:
    """The pid of that name, which is there."""
    found = st.whereis(name)
    assert found is not None
    return found
