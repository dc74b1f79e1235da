"""A worker: takes one file after another and has each surveyed in a task of its own.

Who owns it: the supervisor of workers, which starts another when it dies. The task is
linked to it: if the survey crashes or is killed, so is the worker, and the coordinator
gives the file to somebody else. There is no other error handling here, and none is needed.
"""

from __future__ import annotations

import asyncio
from pathlib import Path

import suptree as st

from .collector import Collector
from .coordinator import Coordinator
from .job import COLLECTOR, COORDINATOR, TASKS, Job
from .pace import Pace
from .survey import Row, analyse


class Worker(st.GenServer):
    """Coordinator to task to collector, round and round."""

    def __init__(self, job: Job) -> None:
        self._job = job

    def init(self) -> st.Continue:
        return st.Continue("next file")

    async def handle_continue(self, argument: object) -> st.Continue:
        path = await Coordinator.next_file(COORDINATOR, self.pid)
        root, pace = self._job.sources.root, self._job.pace
        task = await st.TaskSupervisor.async_(TASKS, survey, root, path, pace)
        await Collector.record(COLLECTOR, await task)
        return st.Continue("next file")


async def survey(root: Path, path: str, pace: Pace) -> Row:
    """Survey one file, off the loop: parsing keeps its thread busy for as long as it takes."""
    await pace.turn(path)
    return await asyncio.to_thread(analyse, root, path)
