"""The supervision tree of the census: who is there, in which order, and who watches whom.

    census              the root, rest_for_one: who dies takes those below it along,
    │                   because each relies only on those above it
    ├── registry        under which names they find each other
    ├── collector       writes the rows; its own end, when all are there, ends the tree
    ├── coordinator     leases files to workers
    ├── crew            rest_for_one again
    │   ├── tasks       the surveys, one task for each file in work
    │   ├── workers     a dynamic supervisor: they are hired, and replaced when they die
    │   └── hire        a task that hires them, and is gone; a group restart runs it again
    └── display         draws the progress line

State that must survive is outside: in the file of rows and in the `Job`.
"""

from __future__ import annotations

from typing import Any

import suptree as st

from .collector import Collector
from .coordinator import Coordinator
from .display import Display
from .job import COLLECTOR, COORDINATOR, CREW, DISPLAY, REGISTRY, TASKS, WORKERS, Job
from .worker import Worker

RESTARTED = "suptree.supervisor.child.restarted"
"""The event that a supervisor emits with each restart."""


class Census(st.Application):
    """Surveys every file of *job*, then ends by itself."""

    strategy = "rest_for_one"
    auto_shutdown = "any_significant"

    def __init__(self, job: Job) -> None:
        self.job = job
        self.max_restarts = job.intensity.max_restarts
        self.max_seconds = job.intensity.max_seconds

    async def start(self) -> Any:
        st.current().runtime.telemetry.attach("census", RESTARTED, self._count_restart)
        return await super().start()

    def children(self) -> list[st.ChildSpec[Any]]:
        job = self.job
        return [
            st.Registry.child(name=REGISTRY),
            st.child(Collector, job).with_(name=COLLECTOR, restart="transient", significant=True),
            st.child(Coordinator, job).with_(name=COORDINATOR),
            crew(job),
            st.child(Display, job).with_(name=DISPLAY),
        ]

    def stop(self, state: object) -> None:
        """The tree is gone, so nobody needs the thread any more."""
        self.job.thread.shutdown(wait=False, cancel_futures=True)

    def _count_restart(self, *_: object) -> None:
        self.job.tally.restarts += 1


def crew(job: Job) -> st.ChildSpec[Any]:
    """Those who do the work, and the one who hires them."""
    intensity = job.intensity
    return st.Supervisor.child(
        [
            st.TaskSupervisor.child(name=TASKS),
            st.DynamicSupervisor.child(
                name=WORKERS,
                max_restarts=intensity.max_restarts,
                max_seconds=intensity.max_seconds,
            ),
            st.Task.child(hire, job).with_(restart="transient"),
        ],
        strategy="rest_for_one",
        max_restarts=intensity.max_restarts,
        max_seconds=intensity.max_seconds,
        name=CREW,
    )


async def hire(job: Job) -> None:
    """Fill the places that are free: all of them, unless an earlier attempt was cut short."""
    counts = await st.DynamicSupervisor.count_children(WORKERS)
    for _ in range(job.workers - counts.specs):
        await st.DynamicSupervisor.start_child(WORKERS, st.child(Worker, job))
