"""Runs: in tasks, with their ends known; overlap, timeouts, and what stands in the way."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

import suptree as st
from suptree.services import JobFired, Run, SchedulerManager
from suptree.testing import wait_down, wait_until
from tests.services.scheduler.conftest import Agent

# They count seconds, hours and days, exactly.
pytestmark = [pytest.mark.usefixtures("scheduler"), pytest.mark.suptree_loop("virtual")]
S = SchedulerManager


class Work:
    """Something to run: it takes a while, and notes when it began and where."""

    def __init__(self, seconds: float = 0.0, error: Exception | None = None) -> None:
        self.seconds = seconds
        self.error = error
        self.began: list[float] = []
        self.pids: list[st.Pid[Any]] = []
        self.now = 0
        self.most = 0

    async def __call__(self) -> None:
        self.began.append(asyncio.get_running_loop().time())
        self.pids.append(st.current())
        self.now += 1
        self.most = max(self.most, self.now)
        try:
            await asyncio.sleep(self.seconds)
            if self.error is not None:
                raise self.error
        finally:
            self.now -= 1


async def stats() -> Any:
    return await S.stats("scheduler")


async def every(period: float, what: object, **options: Any) -> str:
    return await S.every("scheduler", period, what, owner=None, **options)


# -- in tasks ------------------------------------------------------------------------------


async def test_a_run_has_a_task_of_its_own_under_the_supervisor(runtime, scheduler):
    work = Work(5.0)
    await every(10.0, Run(work), id="sweep")

    await asyncio.sleep(12.0)

    assert await st.TaskSupervisor.children("tasks") == work.pids
    assert runtime.info(work.pids[0]).label == "job sweep"
    assert (await stats()).running == 1
    await asyncio.sleep(4.0)
    assert ((await stats()).running, (await stats()).runs, (await stats()).failures) == (0, 1, 0)


async def test_a_job_tells_how_many_of_its_runs_failed_and_how_the_last_one_ended(scheduler):
    work = Work(1.0, error=ValueError("no"))
    id = await every(10.0, Run(work))
    assert ((await S.job("scheduler", id)).failures, (await S.job("scheduler", id)).last) == (
        0,
        None,
    )

    await asyncio.sleep(22.0)
    info = await S.job("scheduler", id)
    assert (info.count, info.failures, info.last) == (2, 2, "failed")
    work.error = None
    await asyncio.sleep(10.0)

    info = await S.job("scheduler", id)
    assert (info.count, info.failures, info.last) == (3, 2, "done")


async def test_a_message_that_reaches_nobody_is_a_failure_of_its_job(scheduler):
    id = await every(10.0, "tick", to="nobody")

    await asyncio.sleep(12.0)

    info = await S.job("scheduler", id)
    assert (info.count, info.failures, info.last) == (0, 1, "failed")


async def test_no_code_of_users_runs_in_the_turn_of_the_scheduler(scheduler):
    seen: list[st.Pid[Any]] = []
    await every(1.0, Run(lambda: seen.append(st.current())))
    await every(1.0, Run(Work(1e6)))

    await asyncio.sleep(3.5)

    assert len(seen) == 3
    assert scheduler not in seen
    assert (await S.stats.within(0.1)("scheduler")).running == 1


async def test_a_function_is_given_its_arguments():
    seen: list[Any] = []

    def note(*args: Any, **kwargs: Any) -> None:
        seen.append((args, kwargs))

    await S.after("scheduler", 1.0, Run(note, (1, 2), {"c": 3}), owner=None)
    await asyncio.sleep(2.0)

    assert seen == [((1, 2), {"c": 3})]


async def test_a_function_is_found_by_its_import_path():
    await S.after("scheduler", 1.0, Run("asyncio:sleep", (3.0,)), owner=None)
    await asyncio.sleep(2.0)
    assert (await stats()).running == 1

    await asyncio.sleep(5.0)

    assert ((await stats()).jobs, (await stats()).failures) == (0, 0)


@pytest.mark.parametrize("what", [Run(Work(1.0, OSError("disk"))), Run("asyncio:no_such")])
async def test_a_run_that_raises_is_a_failure_and_the_job_goes_on(what, caplog):
    await every(10.0, what)

    await asyncio.sleep(35.0)

    now = await stats()
    assert (now.runs, now.failures, now.running, now.jobs) == (3, 3, 0, 1)


async def test_a_task_that_is_killed_is_lost():
    work = Work(1e6)
    await every(10.0, Run(work))
    await asyncio.sleep(15.0)

    st.exit(work.pids[0], st.KILL)
    await wait_down(work.pids[0])
    await asyncio.sleep(6.0)

    assert len(work.began) == 2
    assert (await stats()).failures == 1


async def test_a_task_that_takes_too_long_is_killed_and_the_next_one_comes():
    work = Work(1e6)
    await every(10.0, Run(work), timeout=4.0)

    await asyncio.sleep(35.0)

    now = await stats()
    assert work.began == [10.0, 20.0, 30.0]
    assert (now.timed_out, now.failures, now.running) == (3, 3, 0)
    assert await st.TaskSupervisor.children("tasks") == []


async def test_without_a_timeout_a_run_may_last():
    work = Work(90_000.0)
    await S.after("scheduler", 1.0, Run(work), owner=None, timeout=None)

    await asyncio.sleep(80_000.0)
    assert (await stats()).running == 1
    await asyncio.sleep(20_000.0)

    assert ((await stats()).jobs, (await stats()).timed_out) == (0, 0)


async def test_a_run_goes_on_when_its_job_is_cancelled_and_still_has_its_timeout():
    work = Work(1e6)
    id = await every(10.0, Run(work), timeout=20.0)
    await asyncio.sleep(12.0)

    await S.cancel("scheduler", id)
    assert (await stats()).running == 1
    await asyncio.sleep(20.0)

    assert ((await stats()).running, (await stats()).timed_out) == (0, 1)


async def test_a_full_task_supervisor_is_a_failure_and_nothing_waits_for_ever():
    for _ in range(7):
        await S.after("scheduler", 1.0, Run(Work(10.0)), owner=None)

    await asyncio.sleep(2.0)

    now = await stats()
    assert (now.running, now.failures, now.jobs) == (5, 2, 5)


async def test_a_task_supervisor_that_is_gone_is_a_failure_and_one_that_is_back_is_used():
    await st.TaskSupervisor.stop("tasks")
    work = Work()
    await every(10.0, Run(work))
    await asyncio.sleep(15.0)
    assert ((await stats()).failures, (await stats()).running) == (1, 0)

    await st.TaskSupervisor.start_link(name="tasks")
    await asyncio.sleep(10.0)

    assert len(work.began) == 1


async def test_a_task_supervisor_that_hangs_holds_up_neither_the_scheduler_nor_its_messages(agent):
    await st.sys.suspend("tasks")
    work = Work()
    await every(10.0, Run(work))
    await every(1.0, "tick", to=agent)

    await asyncio.sleep(18.5)

    assert len(await Agent.times(agent)) == 18
    assert (await stats()).failures == 1
    await st.sys.resume("tasks")
    await asyncio.sleep(1.0)
    assert work.began == []  # it was given up: it does not run behind the scheduler's back
    await asyncio.sleep(2.0)
    assert len(work.began) == 1


async def test_a_run_whose_time_is_over_before_it_has_a_task_does_not_begin():
    await st.sys.suspend("tasks")
    work = Work(100.0)
    await S.after("scheduler", 1.0, Run(work), owner=None, timeout=0.5)
    await asyncio.sleep(3.0)
    assert ((await stats()).timed_out, (await stats()).jobs) == (1, 0)

    await st.sys.resume("tasks")
    await asyncio.sleep(1.0)

    assert work.began == []
    assert await st.TaskSupervisor.children("tasks") == []


async def test_all_that_waits_for_a_task_supervisor_that_hangs_is_given_up_together():
    await st.sys.suspend("tasks")
    for _ in range(5):
        await S.after("scheduler", 1.0, Run(Work()), owner=None)

    await asyncio.sleep(7.0)

    assert ((await stats()).failures, (await stats()).jobs) == (5, 0)
    await st.sys.resume("tasks")


# -- overlap ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("overlap", "began", "most"),
    [
        (None, [10.0, 40.0, 70.0], 1),
        ("skip", [10.0, 40.0, 70.0], 1),
        ("queue", [10.0, 35.0, 60.0], 1),
        ("allow", [10.0, 20.0, 30.0, 40.0, 50.0, 60.0, 70.0], 3),
    ],
)
async def test_a_run_due_while_the_last_goes_on(overlap, began, most):
    work = Work(25.0)
    await every(10.0, Run(work), overlap=overlap)

    await asyncio.sleep(74.0)

    assert work.began == began
    assert work.most == most


async def test_no_more_runs_wait_than_may_and_no_more_go_on():
    queued, allowed = Work(1e6), Work(1e6)
    await every(1.0, Run(queued), overlap="queue", max_queued=3)
    await every(1.0, Run(allowed), overlap="allow", max_running=2)

    await asyncio.sleep(10.5)

    now = await stats()
    assert (now.queued, now.running, now.skipped) == (3, 3, 6 + 8)


async def test_run_now_keeps_to_the_overlap_of_the_job():
    work = Work(25.0)
    for overlap, then in (("skip", "skipped"), ("queue", "queued"), ("allow", "started")):
        await every(1e6, Run(work), overlap=overlap, id=overlap)
        assert await S.run_now("scheduler", overlap) == "started"
        assert await S.run_now("scheduler", overlap) == then


async def test_a_queue_waits_while_the_job_is_paused():
    work = Work(5.0)
    id = await every(1000.0, Run(work), overlap="queue", first=0.0)
    await asyncio.sleep(1.0)
    await S.run_now("scheduler", id)
    await S.pause("scheduler", id)
    await asyncio.sleep(20.0)
    assert len(work.began) == 1

    await S.resume("scheduler", id)
    await asyncio.sleep(1.0)

    assert work.began == [0.0, 21.0]


async def test_a_one_shot_is_there_until_its_run_is_over():
    await S.after("scheduler", 1.0, Run(Work(10.0)), owner=None)
    await asyncio.sleep(2.0)
    assert (await stats()).jobs == 1

    await asyncio.sleep(10.0)

    assert (await stats()).jobs == 0


async def test_a_job_registered_again_does_not_overlap_the_run_of_the_old_one():
    work = Work(15.0)
    await every(10.0, Run(work), id="a")
    await asyncio.sleep(12.0)

    await every(5.0, Run(work), id="a")
    await asyncio.sleep(16.0)

    assert work.began == [10.0, 27.0]
    assert work.most == 1


# -- messages whose end is said -------------------------------------------------------------------


async def test_a_message_that_must_not_overlap_waits_for_done(agent):
    await every(10.0, "sweep", to=agent, overlap="skip")
    await asyncio.sleep(35.0)
    assert await Agent.times(agent) == [10.0]
    assert (await stats()).skipped == 2

    await Agent.done(agent)
    await asyncio.sleep(10.0)

    fired = (await Agent.seen(agent))[-1]
    assert isinstance(fired, JobFired)
    assert (fired.message, fired.count) == ("sweep", 2)
    assert await Agent.times(agent) == [10.0, 40.0]


async def test_a_queued_message_comes_at_done_and_says_how_late_it_is(agent):
    await every(10.0, "sweep", to=agent, overlap="queue")
    await asyncio.sleep(25.0)

    await Agent.done(agent)
    await asyncio.sleep(0.1)

    one, two = await Agent.seen(agent)
    assert (two.late_s, two.due - one.due) == (5.0, 10.0)
    assert ((await stats()).running, (await stats()).queued) == (1, 0)


async def test_done_twice_is_done_once(agent):
    await every(10.0, "sweep", to=agent, overlap="queue")
    await asyncio.sleep(35.0)
    first = (await Agent.seen(agent))[0]

    for _ in range(3):
        S.done("scheduler", first)
    await asyncio.sleep(1.0)

    assert len(await Agent.seen(agent)) == 2


async def test_a_message_may_be_done_without_success(agent):
    await every(10.0, "sweep", to=agent, overlap="skip")
    await asyncio.sleep(15.0)

    await Agent.done(agent, failed=True)
    await asyncio.sleep(1.0)

    assert ((await stats()).failures, (await stats()).running) == (1, 0)


async def test_a_message_that_is_never_done_is_over_in_time(agent):
    await every(10.0, "sweep", to=agent, overlap="skip", timeout=15.0)

    await asyncio.sleep(55.0)

    assert await Agent.times(agent) == [10.0, 30.0, 50.0]
    assert (await stats()).timed_out == 2
    assert agent.is_alive()


async def test_a_run_whose_process_died_is_lost_and_its_successor_gets_the_next(runtime):
    spec = st.child(Agent).with_(name="worker")
    await st.Supervisor.start_link([spec], strategy="one_for_one")
    await every(10.0, "sweep", to="worker", overlap="skip")
    await asyncio.sleep(15.0)
    first = st.whereis("worker")

    st.exit(first, st.KILL)
    await wait_until(lambda: st.whereis("worker") not in (None, first))
    await asyncio.sleep(10.0)

    assert len(await Agent.seen("worker")) == 1
    assert ((await stats()).failures, (await stats()).running) == (1, 1)


async def test_a_full_mailbox_is_a_failure_and_hurts_nobody(runtime, scheduler):
    async def deaf() -> None:
        await asyncio.sleep(1e6)

    pid = runtime.spawn(deaf, bound=st.MailboxBound(2, "reject"))
    await every(1.0, "tick", to=pid)

    await asyncio.sleep(5.5)

    assert ((await stats()).runs, (await stats()).failures) == (2, 3)
    assert scheduler.is_alive()
