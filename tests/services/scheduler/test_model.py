"""The whole scheduler against a model of a few lines, under random operations on the virtual clock."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as some

import suptree as st
from suptree.services import After, Every, Job, JobFired, JobNotFoundError, SchedulerManager
from suptree.testing import VirtualLoop
from tests.services.scheduler.conftest import Agent, Wall

S = SchedulerManager
MOST_QUEUED, MOST_MADE_UP, GRACE = 2, 3, 1.0


@dataclass
class Model:
    """One job, thought through without a heap, an index or a counter that is kept up to date."""

    period: float | None  # None: once
    point: float | None
    overlap: str
    misfire: str
    paused: bool = False
    count: int = 0
    running: set[int] = field(default_factory=set)
    queue: list[tuple[float, int]] = field(default_factory=list)

    def due(self, now: float) -> list[float]:
        """The points up to *now*; it goes on to the one after."""
        found: list[float] = []
        while self.point is not None and not self.paused and self.point <= now:
            found.append(self.point)
            self.point = None if self.period is None else self.point + self.period
        return found

    @property
    def is_over(self) -> bool:
        return self.point is None and not self.running and not self.queue


class Scheduler:
    """The model of them all."""

    def __init__(self) -> None:
        self.now = 0.0
        self.jobs: dict[str, Model] = {}
        self.log: list[tuple[str, float, float, int, int]] = []  # job, now, point, missed, count
        self.open: list[
            tuple[str, int]
        ] = []  # whose runs go on, oldest first; those of forgotten jobs too
        self.runs = self.missed = self.skipped = 0

    def pass_time(self, seconds: float) -> None:
        end = self.now + seconds
        while True:
            points = [j.point for j in self.jobs.values() if j.point is not None and not j.paused]
            self.now = max(self.now, min([*points, end]))
            if self.now >= end and not any(point <= end for point in points):
                return
            self.tick()

    def tick(self) -> None:
        for id, job in list(self.jobs.items()):
            points = job.due(self.now)
            if not points:
                continue
            most = MOST_MADE_UP if job.misfire == "all" else 1
            run = points[-most:]
            if job.misfire == "skip" and self.now - run[-1] > GRACE:
                run = []
            missed = len(points) - len(run)
            self.missed += missed
            for point in run:
                self.offer(id, point, missed)
                missed = 0
            self.forget_if_over(id)

    def offer(self, id: str, point: float, missed: int) -> str:
        job = self.jobs[id]
        if job.running and job.overlap == "queue" and len(job.queue) < MOST_QUEUED:
            job.queue.append((point, missed))
            return "queued"
        if job.running and job.overlap != "allow":
            self.skipped += 1
            return "skipped"
        self.begin(id, point, missed)
        return "started"

    def begin(self, id: str, point: float, missed: int) -> None:
        job = self.jobs[id]
        job.count += 1
        self.runs += 1
        self.log.append((id, self.now, point, missed, job.count))
        if job.overlap != "allow":
            job.running.add(self.runs)
            self.open.append((id, self.runs))

    def go_on(self, id: str) -> None:
        job = self.jobs[id]
        if job.queue and not job.running and not job.paused:
            self.begin(id, *job.queue.pop(0))

    def forget_if_over(self, id: str) -> None:
        if self.jobs[id].is_over:
            del self.jobs[id]

    def resume(self, id: str) -> None:
        job = self.jobs[id]
        if job.paused:
            job.paused = False
            if job.period is not None:
                job.due(self.now)
        self.go_on(id)


class Both:
    """Does everything twice: with the scheduler, and with the model."""

    def __init__(self, agent: st.Pid[Agent]) -> None:
        self.agent = agent
        self.model = Scheduler()
        self.done: set[int] = set()

    async def add(self, id: str, seconds: float, once: bool, overlap: Any, misfire: Any) -> None:
        trigger = After(seconds) if once else Every(seconds)
        job = Job(
            id=id,
            trigger=trigger,
            to=self.agent,
            overlap=overlap,
            what=None if overlap == "allow" else "tracked",
            misfire=misfire,
            grace=GRACE,
            timeout=None,
            max_queued=MOST_QUEUED,
            max_catch_up=MOST_MADE_UP,
        )
        await S.schedule("scheduler", job)
        old = self.model.jobs.pop(id, None)
        point = self.model.now + seconds
        new = Model(None if once else seconds, point, overlap, misfire)
        if old is not None and overlap != "allow":
            new.running = old.running
        self.model.jobs[id] = new

    async def ask(self, request: Any, id: str) -> Any:
        try:
            return await request("scheduler", id)
        except JobNotFoundError:
            assert id not in self.model.jobs
            return None

    async def run_now(self, id: str) -> None:
        got = await self.ask(S.run_now, id)
        if id in self.model.jobs:
            assert got == self.model.offer(id, self.model.now, 0)

    async def pause(self, id: str) -> None:
        if await self.ask(S.pause, id) is not None:
            self.model.jobs[id].paused = True

    async def resume(self, id: str) -> None:
        if await self.ask(S.resume, id) is not None:
            self.model.resume(id)

    async def cancel(self, id: str) -> None:
        assert await S.cancel("scheduler", id) is (self.model.jobs.pop(id, None) is not None)

    async def update(self, id: str, seconds: float) -> None:
        try:
            await S.update("scheduler", id, trigger=Every(seconds))
        except JobNotFoundError:
            assert id not in self.model.jobs
            return
        job = self.model.jobs[id]
        if job.period != seconds:
            job.period, job.point = seconds, self.model.now + seconds

    async def finish(self) -> None:
        """The oldest run that goes on is over."""
        if not self.model.open:
            return
        id, run = self.model.open.pop(0)
        fired = next(
            one
            for one in await Agent.seen(self.agent)
            if one.job == id and one.run not in self.done and one.message == "tracked"
        )
        self.done.add(fired.run)
        S.done("scheduler", fired)
        await S.stats("scheduler")
        if id in self.model.jobs and run in self.model.jobs[id].running:
            self.model.jobs[id].running.remove(run)
            self.model.go_on(id)
            self.model.forget_if_over(id)

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(seconds)
        self.model.pass_time(seconds)

    async def stall(self, seconds: float) -> None:
        asyncio.get_running_loop().clock.advance(seconds)  # type: ignore[attr-defined]
        await asyncio.sleep(0.25)
        self.model.now += seconds
        self.model.tick()
        self.model.pass_time(0.25)

    async def compare(self) -> None:
        model = self.model
        now = await S.stats("scheduler")
        jobs = model.jobs.values()
        assert (now.runs, now.missed, now.skipped) == (model.runs, model.missed, model.skipped)
        assert (now.jobs, now.paused) == (len(jobs), sum(job.paused for job in jobs))
        assert now.queued == sum(len(job.queue) for job in jobs)
        assert now.running == len(model.open)
        got: dict[str, list[Any]] = {}
        times = await Agent.times(self.agent)
        for at, fired in zip(times, await Agent.seen(self.agent), strict=True):
            assert isinstance(fired, JobFired)
            due = round(fired.due - Wall(lambda: 0.0).offset, 3)
            got.setdefault(fired.job, []).append((at, due, fired.missed, fired.count))
        expected: dict[str, list[Any]] = {}
        for id, at, point, missed, count in model.log:
            expected.setdefault(id, []).append((at, point, missed, count))
        assert got == expected
        coming = [(info.id, info.in_s) for info in await S.next_runs("scheduler", 100)]
        points = {
            id: job.point - model.now
            for id, job in model.jobs.items()
            if job.point is not None and not job.paused
        }
        assert dict(coming) == points
        assert [in_s for _, in_s in coming] == sorted(points.values())


IDS = some.sampled_from("ab")
PERIODS = some.sampled_from([0.5, 1.0, 2.0, 3.5, 8.0])
OPERATIONS = some.one_of(
    some.tuples(
        some.just("add"),
        IDS,
        PERIODS,
        some.sampled_from([False, False, True]),
        some.sampled_from(["skip", "queue", "allow"]),
        some.sampled_from(["skip", "once", "all"]),
    ),
    some.tuples(some.sampled_from(["run_now", "pause", "resume", "cancel"]), IDS),
    some.tuples(some.just("update"), IDS, PERIODS),
    some.just(("finish",)),
    some.tuples(some.just("sleep"), some.sampled_from([0.25, 1.0, 4.25, 10.0])),
    some.tuples(some.just("stall"), some.sampled_from([0.75, 3.0, 9.25])),
)


@settings(max_examples=200, deadline=None)
@given(operations=some.lists(OPERATIONS, min_size=12, max_size=40))
def test_a_scheduler_does_what_the_model_does(operations):
    async def main() -> None:
        async with st.Runtime() as rt:
            agent = await Agent.start()
            spec = st.child(S, wall=Wall(rt.now)).with_(name="scheduler")
            await spec.start_link()
            both = Both(agent)
            for name, *arguments in operations:
                await getattr(both, name)(*arguments)
                for _ in range(5):  # what is late already comes at once
                    await asyncio.sleep(0)
                both.model.tick()
                await both.compare()

    with asyncio.Runner(loop_factory=VirtualLoop) as runner:
        runner.run(main())
