"""The supervised census: every file exactly once, whoever dies."""

from __future__ import annotations

import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import suptree as st
from examples.code_census.chaos import INTENSITY, CensusUnderFire
from examples.code_census.collector import Collector
from examples.code_census.coordinator import Coordinator
from examples.code_census.discover import find_sources
from examples.code_census.job import COLLECTOR, COORDINATOR, REGISTRY, Intensity, Job
from examples.code_census.pace import Pace
from examples.code_census.progress import Tally
from examples.code_census.running import Ending, crash_log, run
from examples.code_census.survey import Row, Status, analyse, plain_survey
from examples.code_census.tree import Census, hire
from examples.code_census.victims import ROLES, Quota
from suptree.testing import wait_down, wait_until

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


# -- the whole tree --------------------------------------------------------------------------


async def test_every_file_has_its_row_and_the_tree_ends_by_itself(
    runtime: st.Runtime, make_job: MakeJob
) -> None:
    job = make_job()

    top = await runtime.start(Census(job), "temporary")

    assert await wait_down(top) is st.SHUTDOWN
    assert rows_of(job) == plain(job)
    assert (job.tally.done, job.tally.failed, job.tally.restarts) == (len(FILES), 2, 0)


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
    quota = Quota(total=60, each=3)
    job = make_job(held_back=len(FILES), intensity=INTENSITY)
    census = CensusUnderFire(job, rate=50.0, quota=quota, seed=seed)

    await wait_down(await runtime.start(census, "temporary"), timeout=60.0)

    assert rows_of(job) == plain(job)
    assert census.landed.total() == 60
    assert all(census.landed[role] >= 3 for role in ROLES)
    assert census.outcome(identical=True).is_good()


async def test_a_tree_that_cannot_write_gives_up(
    runtime: st.Runtime, make_job: MakeJob, tmp_path: Path
) -> None:
    job = make_job(out=tmp_path / "gone" / "rows.jsonl")

    with pytest.raises(st.ApplicationError, match="No such file or directory"):
        await runtime.start(Census(job))


# -- one process ---------------------------------------------------------------------------------


async def start_desk(job: Job) -> None:
    """The registry, the collector and the coordinator; the test plays the workers."""
    await st.Supervisor.start_link(
        [
            st.Registry.child(name=REGISTRY),
            st.child(Collector, job).with_(name=COLLECTOR, restart="transient"),
            st.child(Coordinator, job).with_(name=COORDINATOR),
        ],
        strategy="rest_for_one",
    )


async def next_file(answers: list[str]) -> None:
    answers.append(await Coordinator.next_file(COORDINATOR, st.current()))
    await st.receive()  # keeps its file until the test ends


async def test_the_file_of_a_dead_worker_goes_to_the_one_that_waits(
    runtime: st.Runtime, make_job: MakeJob
) -> None:
    await start_desk(make_job())
    answers: list[str] = []
    holders = [st.spawn(next_file, answers) for _ in FILES]
    await wait_until(lambda: len(answers) == len(FILES))
    waiting = st.spawn(next_file, answers)

    st.exit(holders[2], st.KILL)
    await wait_until(lambda: len(answers) > len(FILES))

    assert sorted(answers[:-1]) == sorted(FILES)
    assert answers[-1] == answers[2]
    assert waiting.is_alive()


async def test_a_worker_that_dies_waiting_is_not_given_a_file(
    runtime: st.Runtime, make_job: MakeJob
) -> None:
    await start_desk(make_job())
    answers: list[str] = []
    holders = [st.spawn(next_file, answers) for _ in FILES]
    await wait_until(lambda: len(answers) == len(FILES))
    waiting = st.spawn(next_file, answers)
    last = st.spawn(next_file, answers)
    await wait_until(lambda: runtime.info(last).state == "waiting")

    st.exit(waiting, st.KILL)
    st.exit(holders[0], st.KILL)
    await wait_until(lambda: len(answers) > len(FILES))

    assert len(answers) == len(FILES) + 1
    assert last.is_alive()


async def test_a_second_row_for_a_file_changes_nothing(
    runtime: st.Runtime, make_job: MakeJob
) -> None:
    job = make_job()
    await start_desk(job)
    row = analyse(job.sources.root, "good.py")

    await Collector.record(COLLECTOR, row)
    await Collector.record(COLLECTOR, Row(path="good.py", status=Status.UNREADABLE))

    assert rows_of(job) == [row.to_line()]
    assert "good.py" not in await Collector.missing(COLLECTOR)


async def test_a_killed_collector_comes_back_knowing_its_rows(
    runtime: st.Runtime, make_job: MakeJob
) -> None:
    job = make_job()
    await start_desk(job)
    await Collector.record(COLLECTOR, analyse(job.sources.root, "good.py"))
    first = COLLECTOR.whereis(runtime)
    assert first is not None

    st.exit(first, st.KILL)
    await wait_until(lambda: COLLECTOR.whereis(runtime) not in (first, None))

    assert await Collector.missing(COLLECTOR) == set(FILES) - {"good.py"}
    assert job.tally.done == 1


async def test_hiring_again_fills_the_free_places_only(
    runtime: st.Runtime, make_job: MakeJob
) -> None:
    job = make_job(held_back=len(FILES), workers=3)
    await runtime.start(Census(job))
    await wait_until(lambda: len(named(runtime, "Worker")) == 3)

    await hire(job)

    assert len(named(runtime, "Worker")) == 3


def named(runtime: st.Runtime, label: str) -> list[st.TreeNode]:
    found, todo = [], runtime.tree()
    while todo:
        node = todo.pop()
        todo += node.children
        found += [node] if node.label == label else []
    return found


# -- as a program -----------------------------------------------------------------------------------


class StoppedCensus(Census):
    """Presses Ctrl-C as soon as it is up."""

    name = "Census"

    async def start(self) -> Any:
        top = await super().start()
        st.spawn(signal.raise_signal, signal.SIGINT)
        return top


def test_ctrl_c_stops_in_order_and_keeps_the_rows_so_far(make_job: MakeJob) -> None:
    job = make_job(held_back=len(FILES))

    assert run(StoppedCensus(job)) is Ending.STOPPED
    assert rows_of(job) == []


def test_a_tree_that_gives_up_is_a_failure_and_its_crashes_are_told(make_job: MakeJob) -> None:
    job = make_job(intensity=Intensity(max_restarts=0))
    job.out.write_text("not a row\nnor this\n")

    assert run(Census(job)) is Ending.FAILED
    assert "not a census row" in crash_log(job.out).read_text()


def test_a_run_without_crashes_leaves_no_crash_log(make_job: MakeJob) -> None:
    job = make_job()
    crash_log(job.out).write_text("from an earlier run")

    assert run(Census(job)) is Ending.COMPLETE
    assert not crash_log(job.out).exists()
