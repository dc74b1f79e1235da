"""A worker: has a file surveyed in a task of its own, and the row kept; then it is acknowledged.

Who owns it: the supervisor of agents, which starts another of its name when it dies. The
task is linked to it: if the survey crashes or is killed, so is the worker, and somebody
else gets the file. There is no other error handling here, and none is needed.
"""

from __future__ import annotations

import asyncio

import suptree as st

from .job import Job
from .messages import Keep, Survey, deliver
from .names import COLLECTOR, SURVEYS
from .pace import turn
from .survey import Row, analyse


class Worker(st.GenServer):
    """Coordinator to task to collector, one file at a time."""

    def __init__(self, job: Job) -> None:
        self._job = job

    async def handle_call(self, request: object, sender: st.ReplyTo) -> None:
        match request:
            case Survey(path):
                task = await st.TaskSupervisor.async_(SURVEYS, survey, self._job, path)
                await deliver(COLLECTOR, Keep(await task))
            case _:
                super().handle_call(request, sender)


async def survey(job: Job, path: str) -> Row:
    """Survey one file, off the loop. Killed while it waits for the thread, it never gets it."""
    await turn(job.pace, path)
    loop = asyncio.get_running_loop()
    return await loop.run_in_executor(job.thread, analyse, job.sources.root, path)
