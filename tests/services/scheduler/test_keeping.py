"""Schedules come back: after a restart of the scheduler, and, from a store that keeps data, of the program."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as some

import suptree as st
from suptree.services import (
    After,
    At,
    Cron,
    Every,
    Job,
    JobNotDurableError,
    JobNotFoundError,
    JobRecordError,
    MemoryStore,
    Run,
    SchedulerManager,
    StateOwner,
    Store,
)
from suptree.services.scheduler.agenda import Entry, Moment
from suptree.services.scheduler.record import from_plain, same_job, to_plain, why_not_plain
from suptree.testing import wait_down, wait_restarted, wait_until
from tests.services.scheduler.conftest import Agent, Wall

pytestmark = pytest.mark.suptree_loop("virtual")  # they count seconds, exactly

S = SchedulerManager


class Disk:
    """A store that writes everything down, as a file would, and takes its time; it deletes at once."""

    def __init__(self, seconds: float = 0.0) -> None:
        self.seconds = seconds
        self.files: dict[str, dict[str, bytes]] = {}
        self.puts = 0
        self.error: Exception | None = None

    async def load(self, space: str) -> Mapping[str, object]:
        files = self.files.get(space, {})
        return {key: msgspec.msgpack.decode(value) for key, value in files.items()}

    async def put(self, space: str, key: str, value: object) -> None:
        written = msgspec.msgpack.encode(value)
        if self.error is not None:
            raise self.error
        if self.seconds:
            await asyncio.sleep(self.seconds)
        self.puts += 1
        self.files.setdefault(space, {})[key] = written

    async def delete(self, space: str, key: str) -> None:
        self.files.get(space, {}).pop(key, None)


async def tree(store: Store | None, wall: Wall | None = None, **options: Any) -> st.Pid[Any]:
    """A state owner first, then the scheduler with its tasks."""
    spec = S.tree(store=store, wall=wall, max_restarts=100, **options)
    return await st.Supervisor.start_link(
        [st.child(StateOwner), spec], strategy="rest_for_one", max_restarts=100
    )


async def restart() -> None:
    """Kill the scheduler and wait for the new one."""
    old = st.whereis("scheduler")
    st.exit(old, st.KILL)
    await wait_restarted("scheduler.sup", "scheduler", old)


async def stats() -> Any:
    return await S.stats("scheduler")


# -- in memory ---------------------------------------------------------------------------------


async def test_after_a_restart_of_the_scheduler_every_schedule_is_there(runtime, agent, wall):
    wall.offset = datetime(2026, 5, 1, 12, 0, tzinfo=UTC).timestamp()
    ran: list[float] = []
    await tree(MemoryStore(), wall)
    await Agent.every(agent, 10.0, object())
    await S.every("scheduler", 10.0, Run(lambda: ran.append(runtime.now())), owner="label")
    await S.after("scheduler", 12.0, "once", to=agent)
    await S.at("scheduler", wall() + 14.0, "at", to=agent)
    await S.cron("scheduler", "* * * * *", "minute", to=agent)
    await asyncio.sleep(5.0)

    await restart()
    assert (await stats()).jobs == (await stats()).restored == 5
    await asyncio.sleep(56.0)

    assert await Agent.times(agent) == [10.0, 12.0, 14.0, 20.0, 30.0, 40.0, 50.0, 60.0, 60.0]
    assert ran == [10.0, 20.0, 30.0, 40.0, 50.0, 60.0]


async def test_a_restart_neither_doubles_nor_loses_a_run(runtime, agent):
    await tree(MemoryStore())
    await Agent.every(agent, 1.0, "tick")

    for _ in range(20):
        await asyncio.sleep(0.77)
        await restart()
    await asyncio.sleep(0.1)

    assert await Agent.times(agent) == [float(n) for n in range(1, 16)]


async def test_what_was_due_while_the_scheduler_was_down_was_missed(runtime, agent):
    await st.child(StateOwner).start_link()
    spec = st.child(S, store=MemoryStore()).with_(name="scheduler")
    for misfire in ("skip", "once", "all"):
        if st.whereis("scheduler") is None:
            await spec.start_link()
        await S.every("scheduler", 10.0, misfire, to=agent, misfire=misfire, id=misfire)
    await S.after("scheduler", 12.0, "late", to=agent)
    await asyncio.sleep(5.0)

    await S.stop("scheduler")
    await asyncio.sleep(30.5)
    await spec.start_link()
    await asyncio.sleep(1.0)

    assert sorted(await Agent.seen(agent)) == ["all", "all", "all", "late", "once"]
    assert (await stats()).missed == 3 + 2


async def test_a_job_whose_owner_died_while_the_scheduler_was_down_does_not_come_back(
    runtime, agent
):
    await st.child(StateOwner).start_link()
    spec = st.child(S, store=MemoryStore()).with_(name="scheduler")
    await spec.start_link()
    await Agent.every(agent, 10.0)
    await S.stop("scheduler")

    st.exit(agent, st.KILL)
    await wait_down(agent)
    await spec.start_link()

    assert (await stats()).jobs == 0
    assert await MemoryStore().load("scheduler") == {}


async def test_what_was_asked_of_a_job_holds_after_a_restart(runtime, agent):
    await tree(MemoryStore())
    for id in ("paused", "changed", "cancelled", "resumed"):
        await Agent.every(agent, 10.0, id, id=id)
    await S.pause("scheduler", "paused")
    await S.pause("scheduler", "resumed")
    await S.resume("scheduler", "resumed")
    await S.update("scheduler", "changed", trigger=Every(15.0))
    await S.cancel("scheduler", "cancelled")

    await restart()
    await asyncio.sleep(16.0)

    assert await Agent.seen(agent) == ["resumed", "changed"]
    assert (await S.job("scheduler", "paused")).paused is True
    assert (await stats()).paused == 1
    with pytest.raises(JobNotFoundError):
        await S.job("scheduler", "cancelled")


async def test_a_one_shot_that_came_does_not_come_back_and_counts_go_on(runtime, agent):
    await tree(MemoryStore())
    await S.after("scheduler", 1.0, "once", to=agent)
    id = await Agent.every(agent, 2.0, "tick")
    await asyncio.sleep(5.0)

    await restart()
    await asyncio.sleep(2.0)

    assert (await Agent.seen(agent)).count("once") == 1
    assert (await S.job("scheduler", id)).count == 3


async def test_a_made_up_id_is_not_given_twice_after_a_restart(runtime, agent):
    await tree(MemoryStore())
    first = await Agent.every(agent, 2.0)

    await restart()

    assert await Agent.every(agent, 2.0) != first
    assert (await stats()).jobs == 2


async def test_a_run_that_goes_on_over_a_restart_still_holds_up_the_next(runtime, agent):
    began: list[float] = []

    async def work() -> None:
        began.append(runtime.now())
        await asyncio.sleep(25.0)

    await tree(MemoryStore())
    await S.every("scheduler", 10.0, Run(work), owner=None, timeout=60.0)
    await S.every("scheduler", 10.0, "x", to=agent, owner=None, overlap="skip")
    await asyncio.sleep(12.0)

    await restart()
    assert (await stats()).running == 2
    await asyncio.sleep(20.0)
    assert await Agent.times(agent) == [10.0]
    await Agent.done(agent)
    await asyncio.sleep(10.0)

    assert began == [10.0, 40.0]
    assert await Agent.times(agent) == [10.0, 40.0]
    assert (await stats()).failures == 0


async def test_a_one_shot_whose_run_ended_while_the_scheduler_was_down_is_over(runtime):
    await st.child(StateOwner).start_link()
    await st.TaskSupervisor.start_link(name="tasks")
    spec = st.child(S, store=MemoryStore(), tasks="tasks").with_(name="scheduler")
    await spec.start_link()
    await S.after("scheduler", 1.0, Run(asyncio.sleep, (5.0,)), owner=None)
    await asyncio.sleep(2.0)
    await S.stop("scheduler")

    await asyncio.sleep(10.0)
    await spec.start_link()

    assert ((await stats()).jobs, (await stats()).running) == (0, 0)
    await asyncio.sleep(0.1)
    assert await MemoryStore().load("scheduler") == {}


async def test_without_a_store_jobs_end_with_the_scheduler(runtime, agent):
    await tree(None)
    id = await Agent.every(agent, 1.0)
    assert (await S.job("scheduler", id)).kept is False

    await restart()

    assert (await stats()).jobs == 0


# -- declared ----------------------------------------------------------------------------------------


async def test_declared_jobs_are_there_after_every_restart_without_a_store(runtime, agent, wall):
    at = At(wall() + 3.0)
    jobs = [
        Job(id="poll", trigger=Every(10.0), what="poll", to=agent),
        Job(id="nightly", trigger=Cron("@daily"), what=Run(print)),
        Job(id="once", trigger=at, what="once", to=agent),
    ]
    await tree(None, wall, jobs=jobs)
    assert (await stats()).jobs == 3
    await asyncio.sleep(7.0)

    await restart()
    await asyncio.sleep(11.0)

    assert await Agent.times(agent) == [3.0, 17.0]
    assert (await stats()).jobs == 2


async def test_a_declared_job_goes_on_as_it_was_kept_unless_the_declaration_changed(runtime, agent):
    await st.child(StateOwner).start_link()
    store = MemoryStore()

    async def start(period: float) -> None:
        jobs = [Job(id="poll", trigger=Every(period), what="poll", to="agent")]
        await st.child(S, jobs=jobs, store=store).with_(name="scheduler").start_link()

    await st.child(Agent).with_(name="agent").start_link()
    for period in (10.0, 10.0, 4.0):
        await start(period)
        await asyncio.sleep(7.0)
        await S.stop("scheduler")

    assert await Agent.times("agent") == [10.0, 18.0]


@pytest.mark.parametrize(
    "job",
    [
        Job(trigger=Every(1.0), to="x"),
        Job(id="a", trigger=Every(1.0), what=Run(print)),
        Job(id="a", trigger=Every(1.0), what=object(), to="x", durable=True),
    ],
)
async def test_a_declared_job_that_cannot_be_fails_the_start(runtime, job):
    with pytest.raises(st.StartError):
        await S.start_link(jobs=[job])


# -- as data -----------------------------------------------------------------------------------------


async def test_a_durable_job_survives_the_program(wall):
    disk = Disk()
    ran: list[float] = []
    noon = datetime(2026, 5, 1, 12, 0, tzinfo=UTC).timestamp()
    loop = asyncio.get_running_loop()
    wall = Wall(loop.time)
    wall.offset = noon

    async with st.Runtime():
        await tree(disk, wall)
        await S.every(
            "scheduler", 100.0, {"n": [1, b"x"]}, to="agent", owner="census", id="e", durable=True
        )
        await S.cron("scheduler", "*/2 * * * *", "cron", to="agent", owner=None, id="c")
        await S.at("scheduler", noon + 250.0, "at", to="agent", owner=None, id="a")
        await S.after("scheduler", 300.0, "after", to="agent", owner=None, id="f", misfire="skip")
        await S.every("scheduler", 50.0, Run("math:sqrt", (4,)), owner=None, id="r")
        await S.every("scheduler", 1.0, Run(lambda: ran.append(1)), owner=None, id="lambda")
        kept = {info.id: info.kept for info in await S.jobs("scheduler")}
        assert kept == {"e": True, "c": True, "a": True, "f": True, "r": True, "lambda": False}
        await asyncio.sleep(10.0)

    await asyncio.sleep(60.0)  # t = 70
    async with st.Runtime():
        agent = await st.child(Agent).with_(name="agent").start_link()
        await tree(disk, wall)
        assert ((await stats()).jobs, (await stats()).restored) == (5, 5)
        await asyncio.sleep(240.0)  # t = 310

        times = [round(at, 3) for at in await Agent.times(agent)]
        got = list(zip(times, await Agent.seen(agent), strict=True))
        assert sorted(got, key=str) == [
            (100.0, {"n": [1, b"x"]}),
            (120.0, "cron"),
            (200.0, {"n": [1, b"x"]}),
            (240.0, "cron"),
            (250.0, "at"),
            (300.0, "after"),
            (300.0, {"n": [1, b"x"]}),
        ]
        assert ((await stats()).failures, ran[10:]) == (0, [])
        assert await S.cancel_owner("scheduler", "census") == 1
    assert sorted(disk.files["scheduler"]) == ["c", "r"]


@pytest.mark.parametrize(
    ("job", "why"),
    [
        (Job(trigger=Every(1.0), to="x", what=object()), "the message is <object"),
        (Job(trigger=Every(1.0), to="x", what={"a": [{1, 2}]}), "the message is"),
        (Job(trigger=Every(1.0), what=Run(lambda: 1)), "cannot be imported"),
        (Job(trigger=Every(1.0), what=Run(print, (object(),))), "the arguments are"),
        (Job(trigger=Every(1.0), what=Run(print, (), {"a": object()})), "the arguments are"),
        (Job(trigger=Every(1.0), to=st.via("reg", "x")), "to is via"),
    ],
)
async def test_a_durable_job_that_is_no_data_is_refused_with_what_is_not(runtime, job, why):
    await st.TaskSupervisor.start_link(name="tasks")
    await st.child(S, tasks="tasks", store=Disk()).with_(name="scheduler").start_link()

    id = await S.schedule("scheduler", job)
    assert (await S.job("scheduler", id)).kept is False
    with pytest.raises(JobNotDurableError) as caught:
        await S.update("scheduler", id, durable=True)
    assert why in str(caught.value)


async def test_a_pid_is_no_data(runtime, agent):
    await st.child(S, store=Disk()).with_(name="scheduler").start_link()

    for options in ({"owner": agent, "to": "x"}, {"owner": None, "to": agent}):
        with pytest.raises(JobNotDurableError):
            await S.every("scheduler", 1.0, "x", durable=True, **options)


async def test_a_job_that_is_no_data_any_more_leaves_the_store(runtime):
    disk = Disk()
    await st.child(S, store=disk).with_(name="scheduler").start_link()
    id = await S.every("scheduler", 1.0, "x", to="y", owner=None)
    assert list(disk.files["scheduler"]) == [id]

    await S.update("scheduler", id, what=object())

    assert disk.files["scheduler"] == {}


@pytest.mark.parametrize(
    "record",
    [
        b"nonsense",
        {},
        {"version": 2, "kind": "every", "seconds": 1.0, "to": "x"},
        {"kind": "every", "to": "x"},
        {"kind": "every", "seconds": 1.0},
        {"kind": "every", "seconds": -1.0, "to": "x"},
        {"kind": "cron", "expression": "61 * * * *", "to": "x"},
        {"kind": "every", "seconds": 1.0, "to": "x", "colour": "red"},
        {"kind": "every", "seconds": 1.0, "to": "x", "options": {"misfire": "never"}},
        {"kind": "every", "seconds": 1.0, "to": "x", "options": {"colour": 1}},
    ],
)
async def test_a_record_that_is_no_job_fails_the_start_rather_than_being_forgotten(runtime, record):
    disk = Disk()
    await disk.put("scheduler", "odd", record)

    with pytest.raises(st.StartError) as caught:
        await S.start(store=disk)
    assert "JobRecordError" in str(caught.value)
    assert "'odd'" in str(caught.value)
    assert list(disk.files["scheduler"]) == ["odd"]


def test_a_record_error_names_the_record():
    with pytest.raises(JobRecordError) as caught:
        from_plain("odd", {"kind": "soon"}, Moment(0.0, 0.0))
    assert caught.value.key == "odd"


async def test_a_slow_store_holds_up_no_tick_and_an_old_write_never_lands_on_a_new_one(
    runtime, agent
):
    await st.child(Agent).with_(name="agent").start_link()
    disk = Disk(seconds=0.7)
    await st.child(S, store=disk).with_(name="scheduler").start_link()
    ids = [await S.every("scheduler", 0.5, n, to="agent", owner=None) for n in range(5)]
    begun = runtime.now()

    await asyncio.sleep(10.0)
    for id in ids:
        await S.cancel("scheduler", id)
    await asyncio.sleep(10.0)

    assert len(await Agent.times("agent")) > 5 * 2 * 9
    assert disk.files["scheduler"] == {}
    assert runtime.now() > begun


async def test_many_changes_of_one_job_are_written_as_the_last_one(runtime):
    await st.child(Agent).with_(name="agent").start_link()
    disk = Disk(seconds=1.0)
    await st.child(S, store=disk).with_(name="scheduler").start_link()
    await S.every("scheduler", 0.01, "x", to="agent", owner=None, id="a")
    puts = disk.puts

    await asyncio.sleep(10.0)

    assert disk.puts - puts <= 10
    assert msgspec.msgpack.decode(disk.files["scheduler"]["a"])["count"] > 800


async def test_a_store_that_fails_ends_the_scheduler_which_comes_back_as_the_store_has_it(
    runtime, caplog
):
    await st.child(Agent).with_(name="agent").start_link()
    disk = Disk()
    await tree(disk)
    await S.every("scheduler", 10.0, "x", to="agent", owner=None)
    first = st.whereis("scheduler")

    disk.error = OSError("disk full")
    with pytest.raises(st.ServerExitError):
        await S.every("scheduler", 10.0, "y", to="agent", owner=None)
    disk.error = None
    await wait_until(lambda: st.whereis("scheduler") not in (None, first))
    second = st.whereis("scheduler")
    disk.error = OSError("disk full")
    await wait_until(lambda: st.whereis("scheduler") != second, timeout=20.0)  # a tick is written
    disk.error = None
    await wait_until(lambda: st.whereis("scheduler") is not None)

    assert (await stats()).jobs == 1


async def test_the_tree_is_whole_again_after_the_death_of_each_of_its_processes(runtime):
    ran: list[float] = []
    await tree(MemoryStore())
    await S.every("scheduler", 10.0, Run(lambda: ran.append(runtime.now())), owner=None)

    for name in ("scheduler", "scheduler.tasks", "scheduler.sup"):
        old = st.whereis(name)
        st.exit(old, st.KILL)
        await wait_until(lambda name=name, old=old: st.whereis(name) not in (None, old))
        await wait_until(lambda: st.whereis("scheduler") is not None)
    await asyncio.sleep(35.0)

    assert ran == [10.0, 20.0, 30.0]


# -- records ------------------------------------------------------------------------------------------

PLAIN = some.recursive(
    some.none() | some.booleans() | some.integers(-(2**60), 2**60) | some.text() | some.binary(),
    lambda inner: some.lists(inner) | some.dictionaries(some.text(), inner),
    max_leaves=5,
)
TRIGGERS = some.one_of(
    some.floats(0.001, 1e6).map(Every),
    some.tuples(some.floats(0.001, 1e6), some.floats(0, 1e6)).map(lambda two: Every(*two)),
    some.floats(0, 1e6).map(After),
    some.floats(0, 2e9).map(At),
    some.sampled_from([Cron("@daily", "Asia/Tokyo"), Cron("*/5 1,2 * * MON")]),
)


@given(
    trigger=TRIGGERS,
    what=PLAIN | some.just(Run("math:sqrt", (4,), {"a": 1})),
    owner=some.none() | some.text(),
    overlap=some.sampled_from(["skip", "queue", "allow"]),
    misfire=some.sampled_from(["skip", "once", "all"]),
    timeout=some.none() | some.floats(0, 100),
    count=some.integers(0, 10**6),
    paused=some.booleans(),
    later=some.floats(0, 1e6),
)
def test_a_job_comes_back_from_its_record_as_it_was(
    trigger, what, owner, overlap, misfire, timeout, count, paused, later
):
    to = None if isinstance(what, Run) else "agent"
    job = Job(
        id="a",
        trigger=trigger,
        what=what,
        to=to,
        owner=owner,
        overlap=overlap,
        misfire=misfire,
        timeout=timeout,
    )
    written = Moment(now=1000.0, wall=1.8e9)
    entry = Entry.new(job, written)
    entry.count, entry.paused = count, paused
    record = msgspec.msgpack.decode(msgspec.msgpack.encode(to_plain(entry, written)))

    found = from_plain("a", record, Moment(now=5.0, wall=1.8e9 + later))

    assert why_not_plain(job) is None
    assert same_job(found.job, job)
    assert (found.count, found.paused) == (count, paused)
    in_s = found.point - (1.8e9 + later if trigger.wall else 5.0)
    assert in_s == pytest.approx(
        entry.point - (1.8e9 if trigger.wall else 1000.0) - later, abs=1e-5
    )


def test_what_refers_to_itself_is_no_data():
    loop: list[Any] = []
    loop.append(loop)

    assert why_not_plain(Job(trigger=Every(1.0), to="x", what=loop)) is not None


def test_jobs_that_are_no_data_are_the_same_only_if_they_are_one():
    class Loud:
        def __eq__(self, other: object) -> bool:
            raise AssertionError("nobody compares it")

        __hash__ = None

    one, other = (Job(trigger=Every(1.0), to="x", what=Loud()) for _ in range(2))

    assert same_job(one, one)
    assert not same_job(one, other)
