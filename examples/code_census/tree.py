"""The census as a system: what it adds to `suptree.system.System`, and what it sets.

    system            the root, rest_for_one: who dies takes those below it along,
    │                 because each relies only on those above it
    ├── state ... observation     what every `System` has: scheduler, coordination and all
    ├── surveys       a task for each file in work, off the event loop
    ├── agents        the workers: hired by the coordinator, replaced when they die
    ├── coordinator   hires them, and gives each file to the one that has the least to do
    ├── collector     orders what has no row, and keeps rows; its own end, when all are there,
    │                 ends the tree
    ├── display       draws the progress line
    └── availability  who of all these is up

`suptree tree --plan examples.code_census.plan:census` prints all of it, in start order.
State that must survive is outside: in the file of rows and in the `Job`.
"""

from __future__ import annotations

from typing import Any

import suptree as st
from suptree.services import Metrics, load_configuration
from suptree.system import Declarations, Service, System, SystemSettings

from .collector import Collector
from .coordinator import Coordinator
from .display import Display
from .job import Job
from .messages import lane
from .names import COLLECTOR, COORDINATOR, METRICS
from .report import KEPT, RESTARTED, Report

AGENT_RESTARTS = 1_000
"""Workers may die often before their supervisor gives up: before that a file that they die over is named."""


class Census(System):
    """Surveys every file of *job*, then ends by itself.

    Attributes:
        job: What it is about.
        report: What telemetry says of it, once it has ended.
    """

    auto_shutdown = "any_significant"

    def __init__(self, job: Job) -> None:
        patience = job.patience
        settings = {
            "supervision.max_restarts": patience.max_restarts,
            "supervision.max_seconds": patience.max_seconds,
            "agents.max_restarts": max(AGENT_RESTARTS, patience.max_restarts),
        }
        configuration = load_configuration(SystemSettings, overrides=settings)
        super().__init__(configuration, declared=declarations(job))
        self.job = job
        self.report = Report.of_nothing()

    async def start(self) -> Any:
        await self.start_beside()
        return await super().start()

    async def start_beside(self) -> None:
        """Start what looks on from outside the tree, so that nothing escapes it."""
        st.current().runtime.telemetry.attach("census", RESTARTED, self._count_restart)
        await st.child(Metrics, KEPT).with_(name=METRICS).start_link()

    async def stop(self, state: object) -> None:
        """The tree is gone: all has been told, and nobody needs the thread any more."""
        self.report = Report.of(await Metrics.snapshot(METRICS))
        self.job.thread.shutdown(wait=False, cancel_futures=True)

    def _count_restart(self, *_: object) -> None:
        self.job.tally.restarts += 1


def declarations(job: Job) -> Declarations:
    """What the census adds to a system."""
    policy = lane(job.patience.deliveries)
    collector = st.child(Collector, job).with_(restart="transient", significant=True)
    return Declarations(
        lanes=dict.fromkeys((COORDINATOR, COLLECTOR, *job.crew()), policy),
        services=[
            Service("surveys", st.TaskSupervisor.child()),
            Service(
                "coordinator",
                st.child(Coordinator, job),
                needs=["surveys", "agents", "coordination", "scheduler"],
            ),
            Service("collector", collector, needs=["coordinator", "coordination"]),
            Service("display", st.child(Display, job), needs=["collector", "scheduler"]),
        ],
    )
