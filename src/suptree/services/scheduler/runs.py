"""`Runs`: the runs that go on, by their numbers: since when, until when at most, and in which process.

For use inside the scheduler, whose monitors those of the processes are.
"""

from __future__ import annotations

from typing import Any

from suptree.core import Pid
from suptree.services.parts.due_heap import DueHeap
from suptree.services.parts.owners import Owners

__all__ = ["Running", "Runs"]


class Running:
    """One run that goes on.

    Attributes:
        run: Its number.
        job: The id of its job.
        began: When, on the runtime's clock.
        pid: Its task, or the process that got the message; None while the task is being started.
        is_task: Whether it has a task of its own.
    """

    __slots__ = ("began", "is_task", "job", "pid", "run")

    def __init__(self, run: int, job: str, began: float, is_task: bool) -> None:
        self.run = run
        self.job = job
        self.began = began
        self.is_task = is_task
        self.pid: Pid[Any] | None = None


class Runs:
    """Those that go on.

    Attributes:
        open: By their numbers.
    """

    def __init__(self) -> None:
        self.open: dict[int, Running] = {}
        self._deadlines: DueHeap[int] = DueHeap()
        self._processes: Owners[int] = Owners()

    def begin(self, running: Running, timeout: float | None) -> None:
        """A run has begun."""
        self.open[running.run] = running
        if timeout is not None:
            self._deadlines.put(running.run, running.began + timeout)

    def in_process(self, run: int, pid: Pid[Any]) -> bool:
        """The run is in that process from now on; False if it is over already."""
        running = self.open.get(run)
        if running is None:
            return False
        running.pid = pid
        self._processes.add(pid, run)
        return True

    def end(self, run: int) -> Running | None:
        """A run is over; None if that was known."""
        running = self.open.pop(run, None)
        if running is not None:
            self._deadlines.discard(run)
            if running.pid is not None:
                self._processes.discard(running.pid, run)
        return running

    def gone(self, message: object) -> list[Running]:
        """Those whose process has ended, if *message* says so; they are still open."""
        return [self.open[run] for run in self._processes.gone(message)]

    def earliest(self) -> float | None:
        """When the next one has to be over."""
        return self._deadlines.earliest()

    def overdue(self, now: float) -> list[int]:
        """Those whose time is over."""
        found: list[int] = []
        while (run := self._deadlines.pop(now)) is not None:
            found.append(run)
        return found
