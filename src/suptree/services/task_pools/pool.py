"""`Pool`: one pool as the manager sees it: its bounds, who has a place, who waits, what it has done.

No clock and no process: the manager carries out what is decided here.
"""

from __future__ import annotations

from typing import Any, Literal

from suptree.core import Pid, Ref, ReplyTo
from suptree.services.task_pools.config import TaskPoolConfig
from suptree.services.task_pools.job import Job, JobOutcome
from suptree.services.task_pools.line import FairLine
from suptree.services.task_pools.status import PoolState, TaskPoolStatus

__all__ = ["Pool"]

Entry = Literal["place", "line", "line_full", "closed"]


class Pool:
    """One pool.

    Attributes:
        supervisor: Of its tasks; None: it is not up, and all wait.
        ref: The monitor of that.
        line: Those who wait, by their callers.
        running: Jobs that have a place.
        threads: Threads that outlived their task, and have its place.
        opening: Who waits until its supervisor is up.
        closing: Who waits until it is closed; None: it is not being closed.
    """

    __slots__ = (
        "closing",
        "config",
        "counts",
        "gave_up",
        "line",
        "name",
        "opening",
        "ref",
        "rejected",
        "running",
        "started",
        "submitted",
        "supervisor",
        "threads",
    )

    def __init__(self, name: str, config: TaskPoolConfig) -> None:
        self.name = name
        self.config = config
        self.supervisor: Pid[Any] | None = None
        self.ref: Ref | None = None
        self.line: FairLine[Pid[Any] | None, Job] = FairLine()
        self.running: dict[Job, None] = {}
        self.threads: dict[Job, None] = {}
        self.opening: list[ReplyTo] = []
        self.closing: list[ReplyTo] | None = None
        self.submitted = self.started = self.rejected = self.gave_up = 0
        self.counts: dict[JobOutcome, int] = {
            "completed": 0,
            "failed": 0,
            "timed_out": 0,
            "cancelled": 0,
        }

    def entry(self, owner: Pid[Any] | None, *, resident: bool) -> Entry:
        """What becomes of one more job of *owner*; a *resident* is part of a batch that began."""
        if self.closing is not None:
            return "closed"
        if not self.line and self.has_place():
            return "place"
        if resident:
            return "line"
        each = self.config.overflow == "wait"
        waiting = self.line.count(owner) if each else len(self.line)
        return "line" if waiting < self.config.max_waiting else "line_full"

    def has_place(self) -> bool:
        """Whether one more may run."""
        taken = len(self.running) + len(self.threads)
        return self.supervisor is not None and taken < self.config.max_concurrency

    @property
    def state(self) -> PoolState:
        """Whether it works."""
        if self.closing is not None:
            return "closing"
        return "open" if self.supervisor is not None else "restarting"

    def status(self) -> TaskPoolStatus:
        """How it stands."""
        return TaskPoolStatus(
            name=self.name,
            config=self.config,
            state=self.state,
            running=len(self.running),
            threads=len(self.threads),
            waiting=len(self.line),
            submitted=self.submitted,
            started=self.started,
            completed=self.counts["completed"],
            failed=self.counts["failed"],
            timed_out=self.counts["timed_out"],
            cancelled=self.counts["cancelled"],
            rejected=self.rejected,
            gave_up=self.gave_up,
        )
