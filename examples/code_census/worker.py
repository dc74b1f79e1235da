"""A worker: takes one file after another and has each surveyed in a task of its own.

Who owns it: the supervisor of workers, which starts another when it dies. The task is
linked to it: if the survey crashes or is killed, so is the worker, and the coordinator
gives the file to somebody else. There is no other error handling here, and none is needed.
"""

from __future__ import annotations

import asyncio

import suptree as st

from .collector import Collector
from .coordinator import Coordinator
from .job import COLLECTOR, COORDINATOR, TASKS, Job
from .survey import Row, analyse


class Worker(st.GenServer):
    """Coordinator to task to collector, round and round."""

    def __init__(self, job: Job) -> None:
        self._job = job

    def init(self) -> st.Continue:
        return st.Continue("next file")

    async def handle_continue(self, argument: object) -> st.Continue:
        path = await Coordinator.next_file(COORDINATOR, self.pid)
        task = await st.TaskSupervisor.async_(TASKS, survey, self._job, path)
        await Collector.record(COLLECTOR, await task)
        return st.Continue("next file")


async def survey(job: Job, path: str) -> Row:
    """Survey one file, off the loop. Killed while it waits for the thread, it never gets it."""
    await job.pace.turn(path)
    loop = asyncio.get_running_loop()
    return await loop.run_in_executor(job.thread, analyse, job.sources.root, path)
