"""The census as a system: every file exactly once, whoever dies, and telemetry that adds up."""

from __future__ import annotations

import signal
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import suptree as st
from examples.code_census import names
from examples.code_census.chaos import Attack
from examples.code_census.collector import Collector
from examples.code_census.coordinator import Coordinator
from examples.code_census.discover import find_sources
from examples.code_census.job import Job, Patience
from examples.code_census.messages import Keep, NotDeliveredError, deliver
from examples.code_census.names import (
    AGENTS,
    CHAOS,
    COLLECTOR,
    COORDINATOR,
    DISPLAY,
    ROUTER,
    SCHEDULER,
    SURVEYS,
)
from examples.code_census.pace import Pace
from examples.code_census.progress import ProgressLine, Tally
from examples.code_census.running import Ending, crash_log, run
from examples.code_census.survey import Row, Status, analyse, plain_survey
from examples.code_census.tree import Census
from examples.code_census.under_fire import ENDLESS, CensusUnderFire
from examples.code_census.victims import ROLES, Quota
from examples.code_census.worker import Worker
from suptree.services import CoordinationManager, JobInfo, SchedulerManager
from suptree.testing import turn, wait_down, wait_until

FILES = {
    "good.py": "import os\n\n\ndef f(x):\n    return x or os\n",
    "pkg/__init__.py": "",
    "pkg/broken.py": "def f(:\n",
    "pkg/junk.py": "\x00\x01\x02",
    "pkg/deep/late.py": "class A:\n    pass\n",
}

MakeJob = Callable[..., Job]


@pytest.fixture
def make_job(tmp_path: Path) -> MakeJob:
    root = tmp_path / "source"
    for path, text in FILES.items():
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_text(text)

    def make(held_back: int = 0, **fields: Any) -> Job:
        sources = find_sources(root)
        defaults = {
            "sources": sources,
            "out": tmp_path / "rows.jsonl",
            "pace": Pace(sources.paths, seconds=0.0, held_back=held_back),
            "tally": Tally(total=len(sources.paths)),
            "workers": 2,
        }
        return Job(**(defaults | fields))

    return make


def rows_of(job: Job) -> list[str]:
    return sorted(job.out.read_text().splitlines())


def plain(job: Job) -> list[str]:
    return plain_survey(job.sources.root, job.sources.paths)


def hold_back() -> st.Pid[Any]:
    """Somebody of the name of the chaos: until its end, files that are held back wait."""

    async def wait() -> None:
        st.register(CHAOS)
        await st.receive()

    return st.spawn(wait)


def pid_of(name: str) -> st.Pid[Any]:
    pid = st.whereis(name)
    assert pid is not None
    return pid


# -- the whole tree --------------------------------------------------------------------------


async def test_every_file_has_its_row_and_the_tree_ends_by_itself(
    runtime: st.Runtime, make_job: MakeJob
) -> None:
    job = make_job()

    top = await runtime.start(Census(job), "temporary")

    assert await wait_down(top) is st.SHUTDOWN
    assert rows_of(job) == plain(job)
    assert (job.tally.done, job.tally.failed, job.tally.restarts) == (len(FILES), 2, 0)


async def test_in_peace_telemetry_tells_of_two_messages_for_each_file_and_one_order(
    runtime: st.Runtime, make_job: MakeJob
) -> None:
    census = Census(make_job())

    await wait_down(await runtime.start(census, "temporary"))
    await wait_until(lambda: bool(census.report.acknowledged))

    report = census.report
    to_workers = {to: n for to, n in report.acknowledged.items() if to.startswith("worker.")}
    assert sum(to_workers.values()) == len(FILES)
    assert report.acknowledged[COLLECTOR] == len(FILES)
    assert report.acknowledged[COORDINATOR] == 1
    assert sum(report.acknowledged.values()) == 2 * len(FILES) + 1
    troubles = (report.retried, report.buffered, report.rejected, report.expired)
    assert (*troubles, report.dead_lettered, report.breakers_opened) == (0, 0, 0, 0, 0, 0)
    assert (report.restarts, report.killed) == ({}, 0)
    assert report.started == report.ended > 30


async def test_rows_that_are_there_already_are_not_made_again(
    runtime: st.Runtime, make_job: MakeJob
) -> None:
    job = make_job()
    kept = Row(path="good.py", status=Status.OK, message="made by an earlier run")
    job.out.write_text(kept.to_line() + "\n")

    await wait_down(await runtime.start(Census(job), "temporary"))

    assert len(rows_of(job)) == len(FILES)
    assert kept.to_line() in rows_of(job)


async def test_a_tree_started_when_all_is_done_ends_at_once(
    runtime: st.Runtime, make_job: MakeJob
) -> None:
    job = make_job()
    job.out.write_text("".join(f"{line}\n" for line in plain(job)))

    assert await wait_down(await runtime.start(Census(job), "temporary")) is st.SHUTDOWN
    assert rows_of(job) == plain(job)


@pytest.mark.parametrize("seed", range(3))
async def test_whoever_is_killed_every_file_is_there_once_as_without_chaos(
    runtime: st.Runtime, make_job: MakeJob, seed: int
) -> None:
    job = make_job(held_back=len(FILES), patience=ENDLESS)
    attack = Attack(rate=50.0, quota=Quota(total=60, each=3), seed=seed)
    census = CensusUnderFire(job, attack)

    await wait_down(await runtime.start(census, "temporary"), timeout=60.0)
    await wait_until(lambda: bool(census.report.started))

    assert rows_of(job) == plain(job)
    assert attack.landed.total() == 60
    assert all(attack.landed[role] >= 3 for role in ROLES)
    assert census.outcome(identical=True).is_good()


async def test_what_chaos_did_is_what_telemetry_tells(
    runtime: st.Runtime, make_job: MakeJob
) -> None:
    job = make_job(held_back=len(FILES), patience=ENDLESS)
    attack = Attack(rate=20.0, quota=Quota(total=30, each=1), seed=3)
    census = CensusUnderFire(job, attack)

    await wait_down(await runtime.start(census, "temporary"), timeout=60.0)
    await wait_until(lambda: bool(census.report.started))

    report = census.report
    assert report.killed >= attack.landed.total()  # these, and who was linked to one
    assert sum(report.restarts.values()) == job.tally.restarts
    assert report.restarts["state"] >= attack.landed["state"] > 0
    assert report.restarts["collector"] >= attack.landed["collector"] > 0
    assert report.ticks >= attack.landed.total()  # a tick for each kill
    assert report.acknowledged[COLLECTOR] >= len(FILES) - attack.landed["coordination"]
    assert report.started == report.ended  # nobody is left


async def test_a_tree_that_cannot_write_gives_up(
    runtime: st.Runtime, make_job: MakeJob, tmp_path: Path
) -> None:
    job = make_job(out=tmp_path / "gone" / "rows.jsonl")

    with pytest.raises(st.ApplicationError, match="No such file or directory"):
        await runtime.start(Census(job))


def test_names_are_those_of_the_tree(make_job: MakeJob) -> None:
    census = Census(make_job())

    for name, service in (
        (names.SCHEDULER, "scheduler"),
        (names.ROUTER, "coordination"),
        (names.SURVEYS, "surveys"),
        (names.AGENTS, "agents"),
        (names.COORDINATOR, "coordinator"),
        (names.COLLECTOR, "collector"),
        (names.DISPLAY, "display"),
    ):
        assert census.path_of(service) == name


# -- who dies in the tree ----------------------------------------------------------------------


async def test_the_file_of_a_dead_worker_is_surveyed_all_the_same(
    runtime: st.Runtime, make_job: MakeJob
) -> None:
    chaos, job = hold_back(), make_job(held_back=len(FILES))
    census = Census(job)
    top = await runtime.start(census, "temporary")
    await wait_until(lambda: len(named(runtime, "survey")) == 2)

    st.exit(pid_of(names.worker(1)), st.KILL)
    await wait_until(lambda: len(named(runtime, "survey")) == 2)
    st.exit(chaos, st.KILL)
    await wait_down(top)
    await wait_until(lambda: bool(census.report.started))

    assert rows_of(job) == plain(job)
    assert census.report.restarts == {names.worker(1): 1}


async def test_a_dead_collector_disturbs_nobody_and_gets_the_rows_that_came_meanwhile(
    runtime: st.Runtime, make_job: MakeJob
) -> None:
    chaos, job = hold_back(), make_job(held_back=len(FILES))
    census = Census(job)
    top = await runtime.start(census, "temporary")
    await wait_until(lambda: len(named(runtime, "survey")) == 2)

    st.exit(pid_of(COLLECTOR), st.KILL)
    st.exit(chaos, st.KILL)
    await wait_down(top)
    await wait_until(lambda: bool(census.report.started))

    assert rows_of(job) == plain(job)
    assert census.report.restarts == {"collector": 1}


async def test_a_dead_coordinator_is_given_the_order_anew_and_hires_nobody_twice(
    runtime: st.Runtime, make_job: MakeJob
) -> None:
    chaos, job = hold_back(), make_job(held_back=len(FILES), workers=3)
    top = await runtime.start(Census(job), "temporary")
    await wait_until(lambda: len(named(runtime, "survey")) == 3)
    workers = [pid_of(name) for name in job.crew()]
    first = pid_of(COORDINATOR)

    st.exit(first, st.KILL)
    await wait_until(lambda: st.whereis(COORDINATOR) not in (first, None))

    assert [pid_of(name) for name in job.crew()] == workers
    assert (await st.DynamicSupervisor.count_children(AGENTS)).specs == 3
    st.exit(chaos, st.KILL)
    await wait_down(top)
    assert rows_of(job) == plain(job)


async def test_the_tick_of_the_display_goes_with_it(
    runtime: st.Runtime, make_job: MakeJob, capsys: pytest.CaptureFixture[str]
) -> None:
    hold_back()
    line = ProgressLine(sys.stderr)
    await runtime.start(Census(make_job(held_back=len(FILES), line=line)), "temporary")
    first = pid_of(DISPLAY)
    (before,) = await ticks_of(first)

    st.exit(first, st.KILL)
    await wait_until(lambda: st.whereis(DISPLAY) not in (first, None))
    while not (ticks := await ticks_of(pid_of(DISPLAY))):
        await turn()

    (after,) = ticks
    assert await ticks_of(first) == []
    assert str(before.job.trigger) == str(after.job.trigger) == "every 0.1 s"


async def ticks_of(owner: st.Pid[Any]) -> list[JobInfo]:
    return await SchedulerManager.jobs(SCHEDULER, owner)


# -- one process ---------------------------------------------------------------------------------


class Desk(st.GenServer):
    """Takes orders, and does nothing about them."""

    def handle_call(self, request: object, sender: st.ReplyTo) -> None:
        return None


async def start_collector(job: Job) -> None:
    """The collector with a router; the test plays the workers."""
    await st.Supervisor.start_link(
        [
            st.child(CoordinationManager).with_(name=ROUTER),
            st.child(Desk).with_(name=COORDINATOR),
            st.child(Collector, job).with_(name=COLLECTOR, restart="transient"),
        ],
        strategy="one_for_one",
    )


async def test_a_second_row_for_a_file_changes_nothing(
    runtime: st.Runtime, make_job: MakeJob
) -> None:
    job = make_job()
    await start_collector(job)
    row = analyse(job.sources.root, "good.py")

    await deliver(COLLECTOR, Keep(row))
    await deliver(COLLECTOR, Keep(Row(path="good.py", status=Status.UNREADABLE)))

    assert rows_of(job) == [row.to_line()]
    assert (job.tally.done, job.tally.failed) == (1, 0)


async def test_a_killed_collector_comes_back_knowing_its_rows(
    runtime: st.Runtime, make_job: MakeJob
) -> None:
    job = make_job()
    await start_collector(job)
    rows = [analyse(job.sources.root, path) for path in job.sources.paths]
    await deliver(COLLECTOR, Keep(rows[0]))

    st.exit(pid_of(COLLECTOR), st.KILL)
    for row in rows:  # the first one again
        await deliver(COLLECTOR, Keep(row))

    assert rows_of(job) == plain(job)
    await wait_until(lambda: st.whereis(COLLECTOR) is None)  # it has ended: nothing is missing


async def test_a_message_that_nobody_takes_is_an_error_that_says_why(
    runtime: st.Runtime, make_job: MakeJob
) -> None:
    await st.child(CoordinationManager).with_(name=ROUTER).start_link()

    with pytest.raises(NotDeliveredError, match=r"system\.collector.*no_process"):
        await deliver(COLLECTOR, Keep(Row(path="good.py", status=Status.OK)))


async def test_files_that_nobody_can_take_are_offered_again(
    runtime: st.Runtime, make_job: MakeJob
) -> None:
    job = make_job(workers=1)
    await st.Supervisor.start_link(
        [
            st.child(SchedulerManager).with_(name=SCHEDULER),
            st.child(CoordinationManager).with_(name=ROUTER),
            st.TaskSupervisor.child(name=SURVEYS),
            st.DynamicSupervisor.child(name=AGENTS),
            st.child(Coordinator, job).with_(name=COORDINATOR),
        ],
    )
    await st.DynamicSupervisor.terminate_child(AGENTS, pid_of(names.worker(1)))
    collector = await st.child(Collector, job).with_(name=COLLECTOR).start_link()
    while not await SchedulerManager.jobs(SCHEDULER):
        await turn()

    worker = st.child(Worker, job).with_(name=names.worker(1))
    await st.DynamicSupervisor.start_child(AGENTS, worker)
    await wait_down(collector)

    assert rows_of(job) == plain(job)


def named(runtime: st.Runtime, label: str) -> list[st.TreeNode]:
    found, todo = [], runtime.tree()
    while todo:
        node = todo.pop()
        todo += node.children
        found += [node] if node.label == label else []
    return found


# -- as a program -----------------------------------------------------------------------------------


class StoppedCensus(CensusUnderFire):
    """Gets a signal as soon as it is up; its chaos is too slow to end first."""

    def __init__(self, job: Job, number: signal.Signals) -> None:
        super().__init__(job, Attack(rate=0.01, quota=Quota(), seed=1))
        self._number = number

    async def start(self) -> Any:
        top = await super().start()
        st.spawn(signal.raise_signal, self._number)
        return top


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_stops_in_order_and_keeps_the_rows_so_far(
    make_job: MakeJob, number: signal.Signals
) -> None:
    job = make_job(held_back=len(FILES))
    census = StoppedCensus(job, number)

    assert run(census) is Ending.STOPPED
    assert rows_of(job) == []
    assert not crash_log(job.out).exists()
    assert census.report.ended >= census.report.started - 1  # the one who stopped it may go on


def test_a_tree_that_gives_up_is_a_failure_and_its_crashes_are_told(make_job: MakeJob) -> None:
    job = make_job(patience=Patience(max_restarts=0))
    job.out.write_text("not a row\nnor this\n")

    assert run(Census(job)) is Ending.FAILED
    assert "not a census row" in crash_log(job.out).read_text()


def test_a_file_that_worker_after_worker_dies_over_ends_the_run_and_is_named(
    make_job: MakeJob,
) -> None:
    job = make_job()
    job.thread.shutdown()  # so that no survey succeeds

    assert run(Census(job)) is Ending.FAILED
    assert "workers die over 'good.py'" in crash_log(job.out).read_text()


def test_a_run_without_crashes_leaves_no_crash_log(make_job: MakeJob) -> None:
    job = make_job()
    crash_log(job.out).write_text("from an earlier run")

    assert run(Census(job)) is Ending.COMPLETE
    assert not crash_log(job.out).exists()
