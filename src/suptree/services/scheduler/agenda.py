"""`Agenda`: all jobs and when each comes next; decides what is due, late and missed, and does nothing.

Pure: the time is a parameter, a `Moment` on both clocks.  There is one heap for each clock,
because the two drift apart whenever somebody sets the one on the wall; whoever uses the
agenda needs one timer, for `wake_in`.

>>> agenda = Agenda()
>>> job = Job(id="tea", trigger=Every(60.0), what="brew", to="kitchen")
>>> agenda.put(Entry.new(job, Moment(now=0.0, wall=1e9)))
>>> agenda.wake_in(Moment(10.0, 1e9 + 10))
50.0
>>> [due] = agenda.take(Moment(60.5, 1e9 + 60.5))
>>> due.entry.job.id, due.points, due.missed
('tea', [Point(at=60.0, late=0.5)], 0)
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import Final, NamedTuple

from suptree.services.parts.due_heap import DueHeap
from suptree.services.scheduler.job import Job, Owner, RunOutcome
from suptree.services.scheduler.triggers import Cron, Every

__all__ = ["Agenda", "Due", "Entry", "Moment", "Point", "time_for"]

SET_BACK: Final = 3 * 3600.0
"""A wall clock that goes back by more than this was wrong before; by less, what has come does not come again."""


class Moment(NamedTuple):
    """One moment on both clocks.

    Attributes:
        now: Seconds of the runtime's clock.
        wall: Seconds since 1970.
    """

    now: float
    wall: float


class Entry:
    """A job on the agenda.

    Attributes:
        job: What was asked for.
        origin: Where the grid of its points begins.
        point: The next point, on the clock of its trigger; None: it comes no more.
        due: The point with its jitter; None while it is paused or comes no more.
        paused: Whether it waits for `resume`.
        count: How often it has run.
        failures: How many of its runs were not done, since the scheduler was started.
        last: How the last run that is over ended; None: none is.
        running: The numbers of its runs that go on.
        queue: Points, each with those missed before it, that wait for the run that goes on.
        kept: Whether it is in the scheduler's store.
    """

    __slots__ = (
        "count",
        "due",
        "failures",
        "job",
        "kept",
        "last",
        "origin",
        "paused",
        "point",
        "queue",
        "running",
    )

    def __init__(self, job: Job, origin: float, point: float | None) -> None:
        self.job = job
        self.origin = origin
        self.point = point
        self.due: float | None = None
        self.paused = False
        self.kept = False
        self.count = 0
        self.failures = 0
        self.last: RunOutcome | None = None
        self.running: dict[int, None] = {}
        self.queue: deque[tuple[float, int]] = deque()

    @classmethod
    def new(cls, job: Job, moment: Moment) -> Entry:
        """The entry of a job that begins now."""
        point = job.trigger.start(time_for(job, moment))
        return cls(job, 0.0 if point is None else point, point)

    def ended(self, outcome: RunOutcome) -> None:
        """A run is over, or could not begin."""
        self.last = outcome
        self.failures += outcome != "done"

    @property
    def is_over(self) -> bool:
        """Whether it comes no more, and nothing of it goes on."""
        return self.point is None and not self.running and not self.queue


class Point(NamedTuple):
    """One moment at which a job is to run.

    Attributes:
        at: On the clock of its trigger.
        late: Seconds by which it, and its jitter, are over.
    """

    at: float
    late: float


class Due(NamedTuple):
    """An entry whose time has come.

    Attributes:
        entry: It stands on its next point already.
        points: Those to run now, oldest first; none if all were missed.
        missed: How many points before those are not run.
        late: Seconds that the last point of all is late.
    """

    entry: Entry
    points: list[Point]
    missed: int
    late: float


class Agenda:
    """All jobs of a scheduler.

    Args:
        spread: Gives a number from 0 to its argument: the jitter.

    Attributes:
        entries: By the id of their job, in the order in which they were added.
        paused: How many wait for `resume`.
    """

    def __init__(self, spread: Callable[[float], float] = lambda most: 0.0) -> None:
        self.entries: dict[str, Entry] = {}
        self.paused = 0
        self._owned: dict[Owner, dict[str, None]] = {}
        self._heaps: tuple[DueHeap[str], DueHeap[str]] = (DueHeap(), DueHeap())
        self._spread = spread
        self._offset: float | None = None

    # -- changing it -------------------------------------------------------------------------

    def put(self, entry: Entry) -> None:
        """Add an entry as it stands; its id must be unused."""
        id = entry.job.id
        self.entries[id] = entry
        self._owned.setdefault(entry.job.owner, {})[id] = None
        self.paused += entry.paused
        self._plan(entry)

    def remove(self, id: str) -> Entry | None:
        """Forget a job; None if there is none."""
        entry = self.entries.pop(id, None)
        if entry is None:
            return None
        self._heap(entry).discard(id)
        self.paused -= entry.paused
        owned = self._owned[entry.job.owner]
        del owned[id]
        if not owned:
            del self._owned[entry.job.owner]
        return entry

    def change(self, entry: Entry, job: Job, moment: Moment) -> None:
        """The same job, with other values; another trigger begins now."""
        self._heap(entry).discard(job.id)
        if job.trigger != entry.job.trigger:
            fresh = Entry.new(job, moment)
            entry.point, entry.origin = fresh.point, fresh.origin
        entry.job = job
        self._plan(entry)

    def pause(self, entry: Entry) -> bool:
        """Have the job not come; False if it is paused already."""
        if entry.paused:
            return False
        entry.paused = True
        self.paused += 1
        entry.due = None
        self._heap(entry).discard(entry.job.id)
        return True

    def resume(self, entry: Entry, moment: Moment) -> bool:
        """Have the job come again, at the points to come; False if it is not paused.

        What comes once, and would have come meanwhile, is late.
        """
        if not entry.paused:
            return False
        entry.paused = False
        self.paused -= 1
        now = time_for(entry.job, moment)
        trigger = entry.job.trigger
        if isinstance(trigger, (Every, Cron)) and entry.point is not None and entry.point <= now:
            entry.point = trigger.overdue(entry.origin, entry.point, now, 1)[2]
        self._plan(entry)
        return True

    # -- asking it -----------------------------------------------------------------------------

    def owners(self) -> int:
        """How many processes and labels own jobs."""
        return len(self._owned) - (None in self._owned)

    def ids_of(self, owner: Owner) -> list[str]:
        """The jobs of an owner."""
        return list(self._owned.get(owner, ()))

    def wake_in(self, moment: Moment, clock_check: float = 30.0) -> float | None:
        """Seconds until something is due; None: nothing ever is.

        Args:
            moment: Now.
            clock_check: Jobs that follow the wall clock are looked at so often at least.
        """
        heap, wall_heap = self._heaps
        due = heap.earliest()
        wait = None if due is None else max(0.0, due - moment.now)
        due = wall_heap.earliest()
        if due is None:
            return wait
        wall_wait = min(clock_check, max(0.0, due - moment.wall))
        return wall_wait if wait is None else min(wait, wall_wait)

    def upcoming(self, count: int, moment: Moment) -> list[tuple[Entry, float]]:
        """The next *count* entries, each with the seconds until it is due, soonest first."""
        heap, wall_heap = self._heaps
        found = [(due - moment.now, id) for id, due in heap.first(count)]
        found += [(due - moment.wall, id) for id, due in wall_heap.first(count)]
        return [(self.entries[id], wait) for wait, id in sorted(found)[:count]]

    # -- time goes on ------------------------------------------------------------------------------

    def note_clock(self, moment: Moment) -> float:
        """See how far the wall clock was set since the last time; seconds, negative for back.

        After one that went back by more than `SET_BACK`, cron jobs come by what it says now.
        """
        offset = moment.wall - moment.now
        shift = 0.0 if self._offset is None else offset - self._offset
        self._offset = offset
        if shift < -SET_BACK:
            for entry in self.entries.values():
                trigger, point = entry.job.trigger, entry.point
                if isinstance(trigger, Cron) and point is not None and point > moment.wall:
                    entry.point = trigger.start(moment.wall)
                    self._plan(entry)
        return shift

    def take(self, moment: Moment, limit: int = 1000) -> list[Due]:
        """Everything that is due, at most *limit* entries; each goes on to its next point."""
        found: list[Due] = []
        for heap, now in zip(self._heaps, moment, strict=True):
            while len(found) < limit and (id := heap.pop(now)) is not None:
                found.append(self._go_on(self.entries[id], now))
        return found

    def _go_on(self, entry: Entry, now: float) -> Due:
        job, point, due = entry.job, entry.point, entry.due
        assert point is not None
        assert due is not None
        most = job.max_catch_up if job.misfire == "all" else 1
        edge = max(point, now - job.jitter)  # what may still be waiting for its jitter is not due
        newest, count, entry.point = job.trigger.overdue(entry.origin, point, edge, most)
        late = now - (due if count == 1 else newest[-1])
        if job.misfire == "skip" and late > job.grace:
            points: list[Point] = []
        elif count == 1:
            points = [Point(point, late)]
        else:
            points = [Point(at, now - at) for at in newest]
        self._plan(entry)
        return Due(entry, points, count - len(points), late)

    def _plan(self, entry: Entry) -> None:
        """Put the entry where its next point stands."""
        if entry.point is None or entry.paused:
            entry.due = None
            return
        job = entry.job
        entry.due = entry.point
        if job.jitter:
            following = job.trigger.after(entry.origin, entry.point)
            room = job.jitter if following is None else min(job.jitter, following - entry.point)
            entry.due += self._spread(room)
        self._heap(entry).put(job.id, entry.due)

    def _heap(self, entry: Entry) -> DueHeap[str]:
        return self._heaps[entry.job.trigger.wall]


def time_for(job: Job, moment: Moment) -> float:
    """The time on the clock that the job follows."""
    return moment.wall if job.trigger.wall else moment.now
