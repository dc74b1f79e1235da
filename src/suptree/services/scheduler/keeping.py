"""`Keeping`: what the scheduler writes to its store, and how it reads it when it starts again.

A store that keeps references (`by_reference`) gets each job as it is, a `Kept`: its pids,
its function, its place on the runtime's clock, and the runs that go on.  Any other store gets
plain data, of the jobs that are plain data; the others live as long as the scheduler.

What people ask for is in the store before they get their answer.  That a job has come is
written right after, by a task: a scheduler that is killed in between lets it come again.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from suptree.core import Pid
from suptree.services.parts.store import Store
from suptree.services.scheduler.agenda import Agenda, Entry, Moment
from suptree.services.scheduler.errors import JobRecordError
from suptree.services.scheduler.job import Job
from suptree.services.scheduler.record import from_plain, to_plain, why_not_plain

__all__ = ["Keeping", "Kept", "KeptRun"]


@dataclass(frozen=True, slots=True)
class KeptRun:
    """A run that went on."""

    run: int
    pid: Pid[Any]
    began: float
    is_task: bool


@dataclass(frozen=True, slots=True)
class Kept:
    """A job in a store that keeps references; times are those of its own clock."""

    job: Job
    origin: float
    point: float | None
    paused: bool
    count: int
    runs: tuple[KeptRun, ...]


class Keeping:
    """The scheduler's side of its store.

    Args:
        store: None keeps nothing.
        space: Where in the store.
        agenda: What is kept.
        moment: Tells the time.
        runs: The runs of an entry that go on in some process.
    """

    def __init__(
        self,
        store: Store | None,
        space: str,
        agenda: Agenda,
        moment: Callable[[], Moment],
        runs: Callable[[Entry], tuple[KeptRun, ...]],
    ) -> None:
        self._store = store
        self._space = space
        self._agenda = agenda
        self._moment = moment
        self._runs = runs
        self._by_reference: bool = getattr(store, "by_reference", False)
        self._unwritten: dict[str, None] = {}
        self._writing = False
        # One write at a time, each of what is so by then: an old one never lands on a new one.
        self._lock = asyncio.Lock()

    def keeps(self, job: Job) -> bool:
        """Whether the job comes back when the scheduler starts again."""
        return self._store is not None and (self._by_reference or why_not_plain(job) is None)

    async def load(self) -> list[tuple[Entry, tuple[KeptRun, ...]]]:
        """What the store holds, with the runs that went on.

        Raises:
            JobRecordError: Something in it is no job.
        """
        if self._store is None:
            return []
        moment = self._moment()
        found: list[tuple[Entry, tuple[KeptRun, ...]]] = []
        for key, value in (await self._store.load(self._space)).items():
            if not isinstance(value, Kept):
                found.append((from_plain(key, value, moment), ()))
                continue
            if value.job.id != key:
                raise JobRecordError(key, f"it is {value.job.id!r}")
            entry = Entry(value.job, value.origin, value.point)
            entry.paused, entry.count = value.paused, value.count
            found.append((entry, value.runs))
        return found

    async def save(self, id: str) -> None:
        """Write what there is of that job now: the job, or that it is gone."""
        if self._store is None:
            return
        async with self._lock:
            self._unwritten.pop(id, None)
            entry = self._agenda.entries.get(id)
            if entry is None or not entry.kept:
                await self._store.delete(self._space, id)
            elif self._by_reference:
                await self._store.put(self._space, id, self._kept(entry))
            else:
                await self._store.put(self._space, id, to_plain(entry, self._moment()))

    def touch(self, entry: Entry) -> bool:
        """That entry has changed, or is gone; True if somebody has to run `write`."""
        if not entry.kept:
            return False
        self._unwritten[entry.job.id] = None
        if self._writing:
            return False
        self._writing = True
        return True

    async def write(self) -> None:
        """Save everything that was touched, until there is nothing left."""
        while self._unwritten:
            await self.save(next(iter(self._unwritten)))
        self._writing = False

    def _kept(self, entry: Entry) -> Kept:
        return Kept(
            entry.job, entry.origin, entry.point, entry.paused, entry.count, self._runs(entry)
        )
