"""The scheduler as its users meet it: jobs come, go with their owners, and can be told apart."""

from __future__ import annotations

import asyncio
import math
from contextvars import ContextVar
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

import suptree as st
from suptree.services import (
    After,
    Cron,
    Every,
    JobFired,
    JobNotFoundError,
    JobTakenError,
    Run,
    ScheduleError,
    SchedulerFullError,
    SchedulerManager,
)
from suptree.testing import wait_down
from tests.services.scheduler.conftest import Agent, Wall, stall

# They count seconds, hours and days, exactly.
pytestmark = [pytest.mark.usefixtures("scheduler"), pytest.mark.suptree_loop("virtual")]
S = SchedulerManager


async def stats() -> Any:
    return await S.stats("scheduler")


# -- when jobs come ------------------------------------------------------------------------


async def test_a_message_comes_unchanged_every_period_to_its_owner(agent):
    await Agent.every(agent, 10.0, ("poll", 7))

    await asyncio.sleep(35.0)

    assert await Agent.times(agent) == [10.0, 20.0, 30.0]
    assert await Agent.seen(agent) == [("poll", 7)] * 3


async def test_the_first_time_may_be_sooner_than_the_period(agent):
    await Agent.every(agent, 10.0, "tick", first=0.0)

    await asyncio.sleep(25.0)

    assert await Agent.times(agent) == [0.0, 10.0, 20.0]


async def test_an_interval_does_not_drift_however_late_its_runs_are(agent):
    await Agent.every(agent, 0.1, "tick")

    for _ in range(100):
        await asyncio.sleep(0.73)
        stall(0.031)
    await asyncio.sleep(0.05)

    due = asyncio.get_running_loop().time() + (await S.job("scheduler", "job-1")).in_s
    assert due * 10 == pytest.approx(round(due * 10), abs=1e-9)
    assert len(await Agent.times(agent)) > 500


async def test_the_ten_thousandth_point_of_a_grid_is_exact(agent):
    await Agent.every(agent, 0.1, "tick")

    await asyncio.sleep(1000.05)

    times = await Agent.times(agent)
    assert (len(times), times[-1]) == (10_000, 1000.0)


async def test_a_one_shot_comes_once_and_is_forgotten(agent):
    id = await S.after("scheduler", 5.0, "once", to=agent)

    await asyncio.sleep(100.0)

    assert await Agent.times(agent) == [5.0]
    assert (await stats()).jobs == 0
    with pytest.raises(JobNotFoundError):
        await S.job("scheduler", id)


async def test_a_job_at_a_time_comes_when_the_wall_says_so(agent, wall: Wall):
    moment = datetime.fromtimestamp(wall(), UTC) + timedelta(seconds=90)
    await S.at("scheduler", moment, "now", to=agent)
    await S.at("scheduler", wall() + 95, "then", to=agent)

    await asyncio.sleep(200.0)

    assert await Agent.times(agent) == [90.0, 95.0]


async def test_a_cron_job_comes_at_the_minutes_it_names(agent, wall: Wall):
    wall.offset = datetime(2026, 5, 1, 11, 58, 30, tzinfo=UTC).timestamp()
    await S.cron("scheduler", "0,1 12 * * *", "noon", to=agent)
    await S.cron("scheduler", "15 0 12 * * *", "quarter", to=agent)

    await asyncio.sleep(86_400.0)

    assert await Agent.times(agent) == [90.0, 105.0, 150.0]
    assert await Agent.seen(agent) == ["noon", "quarter", "noon"]


async def test_on_a_virtual_loop_the_clock_on_the_wall_goes_with_the_loop(runtime, agent):
    await st.child(S).with_(name="plain").start_link()
    await S.cron("plain", "@hourly", "hour", to=agent)

    await asyncio.sleep(86_400.0)

    times = await Agent.times(agent)
    assert len(times) == 24
    assert times[-1] - times[0] == pytest.approx(23 * 3600.0, abs=1e-3)


async def test_a_cron_job_with_a_zone_comes_once_on_the_day_whose_hour_comes_twice(agent, wall):
    wall.offset = datetime(2026, 10, 25, 0, 0, tzinfo=UTC).timestamp() - 60
    await S.cron("scheduler", "30 2 * * *", "night", tz="Europe/Berlin", to=agent)

    await asyncio.sleep(86_400.0 * 1.5)

    assert await Agent.times(agent) == [60 + 1800.0, 60 + 1800.0 + 25 * 3600]


async def test_a_job_without_a_message_sends_who_comes_and_when_it_was_due(agent, wall: Wall):
    await S.every("scheduler", 10.0, to=agent, id="heartbeat")

    await asyncio.sleep(25.0)

    one, two = await Agent.seen(agent)
    assert isinstance(one, JobFired)
    assert (one.job, one.count, two.count, one.missed, one.message) == ("heartbeat", 1, 2, 0, None)
    assert (one.due, two.due) == (wall.offset + 10.0, wall.offset + 20.0)
    assert one.run != two.run


async def test_jitter_spreads_the_runs_and_not_the_grid(agent):
    await Agent.every(agent, 10.0, "tick", jitter=4.0)

    await asyncio.sleep(1004.0)

    times = await Agent.times(agent)
    offsets = [at - 10.0 * (n + 1) for n, at in enumerate(times)]
    assert len(times) == 100
    assert all(0 <= offset <= 4.0 for offset in offsets)
    assert max(offsets) - min(offsets) > 3.0
    assert (await stats()).missed == 0


async def test_jitter_as_long_as_the_period_misses_nothing(agent):
    await Agent.every(agent, 10.0, "tick", jitter=10.0, grace=0.0, misfire="skip")

    await asyncio.sleep(1010.0)

    assert len(await Agent.times(agent)) in (100, 101)
    assert (await stats()).missed == 0


async def test_a_thousand_jobs_of_one_moment_all_come_then(runtime, agent):
    for number in range(1200):
        await S.after("scheduler", 5.0, number, to=agent)

    await asyncio.sleep(6.0)

    assert await Agent.seen(agent) == list(range(1200))
    assert set(await Agent.times(agent)) == {5.0}


async def test_a_name_is_looked_up_when_the_job_comes(runtime):
    await S.every("scheduler", 10.0, "tick", to="late", owner=None)
    await asyncio.sleep(15.0)
    agent = await st.child(Agent).with_(name="late").start_link()
    await asyncio.sleep(10.0)

    assert await Agent.seen(agent) == ["tick"]
    assert ((await stats()).failures, (await stats()).runs) == (1, 1)


async def test_a_key_of_a_registry_is_a_target(runtime):
    await st.Registry.start_link(name="reg")
    agent = await st.child(Agent).with_(name=st.via("reg", "a")).start_link()
    await S.after("scheduler", 1.0, "hello", to=st.via("reg", "a"))

    await asyncio.sleep(2.0)

    assert await Agent.seen(agent) == ["hello"]


# -- force_execution, registering again, statistics: what the original got wrong ------------------


async def test_run_now_never_starts_a_second_chain(agent):
    id = await Agent.every(agent, 10.0, "tick")
    await asyncio.sleep(3.0)

    for _ in range(3):
        assert await S.run_now("scheduler", id) == "started"
    await asyncio.sleep(38.0)

    assert await Agent.times(agent) == [3.0, 3.0, 3.0, 10.0, 20.0, 30.0, 40.0]


async def test_run_now_leaves_a_one_shot_where_it_is(agent):
    id = await S.after("scheduler", 10.0, "once", to=agent)
    await S.run_now("scheduler", id)

    await asyncio.sleep(20.0)

    assert await Agent.times(agent) == [0.0, 10.0]


async def test_registering_again_does_not_inflate_the_count_and_ends_the_old_chain(agent):
    for period in (1.0, 2.0, 10.0):
        await Agent.every(agent, period, period, id="poll")

    await asyncio.sleep(25.0)

    assert await Agent.seen(agent) == [10.0, 10.0]
    assert (await stats()).jobs == 1
    assert (await stats()).owners == 1


async def test_statistics_are_true_both_ways(runtime, agent):
    ids = [await Agent.every(agent, 10.0, "tick") for _ in range(3)]
    await S.pause("scheduler", ids[0])
    task = await S.every("scheduler", 10.0, Run(asyncio.sleep, (4.0,)), owner="night")
    await S.every("scheduler", 6.0, "x", to=agent, overlap="queue", owner="night")
    before = await stats()
    assert (before.jobs, before.paused, before.owners) == (5, 1, 2)
    assert (before.running, before.queued, before.runs) == (0, 0, 0)

    await asyncio.sleep(13.0)
    busy = await stats()
    assert (busy.running, busy.queued, busy.runs) == (2, 1, 4)

    await S.cancel("scheduler", task)
    await S.cancel_owner("scheduler", "night")
    await S.resume("scheduler", ids[0])
    st.exit(agent, st.KILL)
    await wait_down(agent)
    await asyncio.sleep(20.0)
    after = await stats()
    assert (after.jobs, after.paused, after.owners, after.running, after.queued) == (0, 0, 0, 0, 0)


async def test_lag_is_how_late_runs_are(agent):
    await Agent.every(agent, 10.0, "tick")
    await asyncio.sleep(995.0)
    assert (await stats()).lag_p99_s == 0.0

    stall(7.0)
    await asyncio.sleep(1.0)

    assert (await stats()).lag_max_s == pytest.approx(2.0)
    assert (await stats()).lag_p50_s == 0.0


# -- owners -----------------------------------------------------------------------------------


async def test_the_jobs_of_a_process_go_when_it_goes(runtime, agent):
    other = await Agent.start_link()
    await Agent.every(agent, 1.0, "mine", to=other)
    await Agent.every(other, 1.0, "other")

    st.exit(agent, st.KILL)
    await wait_down(agent)
    await asyncio.sleep(2.5)

    assert await Agent.seen(other) == ["other", "other"]
    assert ((await stats()).jobs, (await stats()).owners) == (1, 1)


async def test_a_job_goes_with_the_process_that_it_is_for(agent):
    await S.every("scheduler", 1.0, "tick", to=agent, owner=None)

    st.exit(agent, st.KILL)
    await wait_down(agent)

    assert (await stats()).jobs == 0


async def test_a_dead_owner_or_target_is_refused(agent):
    st.exit(agent, st.KILL)
    await wait_down(agent)

    for options in ({"owner": agent, "to": "x"}, {"to": agent}):
        with pytest.raises(st.NoProcessError):
            await S.every("scheduler", 1.0, "tick", **options)
    assert (await stats()).jobs == 0


async def test_cancel_owner_takes_all_jobs_of_a_process_or_a_label_and_no_others(agent):
    for _ in range(3):
        await Agent.every(agent, 1.0, "tick")
        await S.every("scheduler", 1.0, "tick", to=agent, owner="census")
    await S.every("scheduler", 1.0, "tick", to=agent, owner=None)

    assert await S.cancel_owner("scheduler", "census") == 3
    assert await S.cancel_owner("scheduler", "census") == 0
    assert await S.cancel_owner("scheduler", agent) == 3
    assert len(await S.jobs("scheduler")) == 1


async def test_the_owner_of_a_job_is_who_asks(agent):
    await Agent.every(agent, 1.0)
    await S.every("scheduler", 1.0)

    assert [info.job.owner for info in await S.jobs("scheduler")] == [agent, st.current()]
    assert [info.job.to for info in await S.jobs("scheduler", agent)] == [agent]


async def test_an_id_of_somebody_elses_job_is_refused(agent):
    await Agent.every(agent, 1.0, id="poll")

    with pytest.raises(JobTakenError) as caught:
        await S.every("scheduler", 1.0, id="poll")
    assert (caught.value.id, caught.value.owner) == ("poll", agent)
    assert "poll" in str(caught.value)


async def test_an_owner_in_another_runtime_is_refused(runtime, runtime_options):
    async with st.Runtime(**runtime_options) as other:
        stranger = other.spawn(asyncio.sleep, 100.0)
        with pytest.raises(st.CrossRuntimeError):
            await S.every(runtime.whereis("scheduler"), 1.0, "tick", owner=stranger)


async def test_a_dead_owner_leaves_no_monitor_and_a_cancelled_job_neither(
    runtime, scheduler, agent
):
    id = await Agent.every(agent, 1.0)
    assert len(runtime.info(scheduler).monitors) == 1

    await S.cancel("scheduler", id)

    assert len(runtime.info(scheduler).monitors) == 0


# -- pause, update, cancel -------------------------------------------------------------------------


async def test_a_paused_job_does_not_come_and_comes_again_on_its_grid(agent):
    id = await Agent.every(agent, 10.0)
    await asyncio.sleep(15.0)

    assert await S.pause("scheduler", id) is True
    assert await S.pause("scheduler", id) is False
    assert (await S.job("scheduler", id)).next_run is None
    await asyncio.sleep(28.0)
    assert await S.resume("scheduler", id) is True
    assert await S.resume("scheduler", id) is False
    await asyncio.sleep(20.0)

    assert await Agent.times(agent) == [10.0, 50.0, 60.0]
    assert (await stats()).missed == 0


async def test_run_now_runs_a_paused_job(agent):
    id = await Agent.every(agent, 10.0)
    await S.pause("scheduler", id)

    assert await S.run_now("scheduler", id) == "started"
    await asyncio.sleep(30.0)

    assert await Agent.times(agent) == [0.0]


@pytest.mark.parametrize(("misfire", "times"), [("once", [20.0]), ("skip", [])])
async def test_a_one_shot_whose_time_passed_in_a_pause_is_late_when_resumed(agent, misfire, times):
    id = await S.after("scheduler", 10.0, "once", to=agent, misfire=misfire)
    await S.pause("scheduler", id)
    await asyncio.sleep(20.0)

    await S.resume("scheduler", id)
    await asyncio.sleep(1.0)

    assert await Agent.times(agent) == times
    assert (await stats()).jobs == 0


async def test_another_interval_begins_when_it_is_given(agent):
    id = await Agent.every(agent, 10.0)
    await asyncio.sleep(14.0)

    info = await S.update("scheduler", id, trigger=Every(3.0))
    await asyncio.sleep(7.0)

    assert info.in_s == 3.0
    assert await Agent.times(agent) == [10.0, 17.0, 20.0]


async def test_other_values_change_nothing_of_when_it_comes(agent):
    id = await Agent.every(agent, 10.0, "old")
    await asyncio.sleep(4.0)

    await S.update("scheduler", id, what="new", misfire="skip")
    await asyncio.sleep(7.0)

    assert await Agent.times(agent) == [10.0]
    assert await Agent.seen(agent) == ["new"]


async def test_another_clock_may_be_followed_after_an_update(agent, wall: Wall):
    wall.offset = 1_800_000_000.0
    id = await Agent.every(agent, 7.0)
    await S.update("scheduler", id, trigger=Cron("* * * * *"))
    await asyncio.sleep(100.0)
    assert await Agent.times(agent) == [60.0]

    await S.update("scheduler", id, trigger=After(5.0))
    await asyncio.sleep(100.0)

    assert await Agent.times(agent) == [60.0, 105.0]
    assert (await stats()).jobs == 0


async def test_a_wrong_update_changes_nothing(agent):
    id = await Agent.every(agent, 10.0)

    with pytest.raises(ScheduleError):
        await S.update("scheduler", id, misfire="twice")
    with pytest.raises(st.BadArgumentError, match="must be a value of a job; got 'colour'"):
        await S.update("scheduler", id, colour="red")
    with pytest.raises(st.NoProcessError):
        await S.update("scheduler", id, to=await dead())

    assert (await S.job("scheduler", id)).job.misfire == "once"


async def dead() -> st.Pid[Any]:
    pid = await Agent.start()
    st.exit(pid, st.KILL)
    await wait_down(pid)
    return pid


async def test_an_update_of_the_target_watches_the_new_one_alone(runtime, scheduler, agent):
    other = await Agent.start()
    id = await S.every("scheduler", 10.0, "x", to=agent, owner=None)

    await S.update("scheduler", id, to=other)
    st.exit(agent, st.KILL)
    await wait_down(agent)
    assert (await stats()).jobs == 1
    st.exit(other, st.KILL)
    await wait_down(other)

    assert (await stats()).jobs == 0


async def test_a_cancelled_job_comes_no_more(agent):
    id = await Agent.every(agent, 10.0)
    await asyncio.sleep(15.0)

    assert await S.cancel("scheduler", id) is True
    assert await S.cancel("scheduler", id) is False
    await asyncio.sleep(50.0)

    assert await Agent.times(agent) == [10.0]


@pytest.mark.parametrize("request_of", [S.job, S.run_now, S.pause, S.resume, S.update])
async def test_a_job_that_is_not_there_is_said_with_the_nearest_one(agent, scheduler, request_of):
    await Agent.every(agent, 1.0, id="heartbeat")

    with pytest.raises(JobNotFoundError) as caught:
        await request_of("scheduler", "hartbeat")
    assert caught.value.id == "hartbeat"
    assert caught.value.near == "heartbeat"
    assert "did you mean 'heartbeat'?" in str(caught.value)
    assert scheduler.is_alive()


# -- listing ---------------------------------------------------------------------------------------


async def test_next_runs_are_those_that_come_next_whatever_clock_they_follow(agent, wall: Wall):
    await S.at("scheduler", wall() + 25.0, "b", to=agent, id="b")
    await Agent.every(agent, 30.0, id="c")
    await Agent.every(agent, 20.0, id="a")
    await Agent.every(agent, 10.0, id="paused")
    await S.pause("scheduler", "paused")

    infos = await S.next_runs("scheduler", 2)

    assert [(info.id, info.in_s) for info in infos] == [("a", 20.0), ("b", 25.0)]
    assert infos[1].next_run == datetime.fromtimestamp(wall() + 25.0, UTC)
    assert len(await S.next_runs("scheduler")) == 3


async def test_a_job_says_how_it_stands(agent):
    id = await Agent.every(agent, 10.0, "x", overlap="queue")
    await asyncio.sleep(35.0)

    info = await S.job("scheduler", id)

    assert (info.count, info.running, info.queued, info.paused) == (1, 1, 2, False)
    assert info.kept is False
    assert len(await S.jobs("scheduler", limit=0)) == 0


async def test_a_time_that_no_calendar_has_is_no_time(agent):
    id = await S.after("scheduler", 1e13, "never", to=agent)

    assert (await S.job("scheduler", id)).next_run is None


# -- refusals ----------------------------------------------------------------------------------------


async def test_what_is_no_job_is_refused_and_the_scheduler_goes_on(agent):
    with pytest.raises(st.BadArgumentError, match=r"a Job; got 'sweep'\. Write Job\(trigger="):
        await S.schedule("scheduler", "sweep")

    assert (await stats()).jobs == 0


async def test_a_time_that_is_over_is_refused(agent, wall: Wall):
    with pytest.raises(ScheduleError, match="moment must be in the future"):
        await S.at("scheduler", wall() - 5.0, "x", to=agent)
    await S.at("scheduler", wall() - 0.5, "just now", to=agent)
    await asyncio.sleep(0.0)
    await asyncio.sleep(1.0)

    assert await Agent.seen(agent) == ["just now"]


async def test_a_scheduler_has_so_many_jobs_and_no_more(runtime, agent):
    await st.child(S, max_jobs=2).with_(name="small").start_link()
    for id in ("a", "b", "b"):
        await S.every("small", 1.0, "x", to=agent, id=id)

    with pytest.raises(SchedulerFullError) as caught:
        await S.every("small", 1.0, "x", to=agent, id="c")
    assert caught.value.limit == 2
    assert "2 jobs" in str(caught.value)


async def test_a_run_needs_a_task_supervisor(runtime):
    await st.child(S).with_(name="bare").start_link()

    with pytest.raises(ScheduleError, match="no task supervisor"):
        await S.every("bare", 1.0, Run(print))


@pytest.mark.parametrize("options", [{"clock_check": 0.0}, {"clock_check": math.nan}])
async def test_wrong_options_of_a_scheduler_are_refused_at_its_start(runtime, options):
    with pytest.raises(st.StartError):
        await S.start(**options)


# -- context -----------------------------------------------------------------------------------------


async def test_a_job_comes_without_the_context_of_whoever_armed_the_timer(runtime):
    trace: ContextVar[str] = ContextVar("trace", default="none")
    seen: list[str] = []

    class Traced(st.GenServer):
        def handle_info(self, message: object) -> None:
            seen.append(trace.get())

    runtime.propagator = st.ContextPropagator(trace)
    traced = await Traced.start()
    trace.set("somebody")
    id = await S.every("scheduler", 1.0, "x", to=traced, owner=None)
    await S.every("scheduler", 1.0, Run(lambda: seen.append(trace.get())), owner=None)
    await asyncio.sleep(2.5)
    assert seen == ["none"] * 4

    await S.run_now("scheduler", id)  # that is somebody's doing
    await asyncio.sleep(0.1)

    assert seen[4:] == ["somebody"]


# -- the end ---------------------------------------------------------------------------------------


async def test_all_timers_are_cancelled_when_the_scheduler_stops(runtime, scheduler, agent):
    for number in range(50):
        await Agent.every(agent, 1.0 + number)
    assert runtime.ticker.timers.live == 1

    await S.stop(scheduler)

    assert runtime.ticker.timers.live == 0
    await asyncio.sleep(100.0)
    assert await Agent.seen(agent) == []


async def test_thousands_of_jobs_take_one_timer(runtime, agent):
    for number in range(2000):
        await S.every("scheduler", 1.0 + number, "x", to=agent)
        await S.cron("scheduler", "0 0 1 1 *", "x", to=agent)

    assert runtime.ticker.timers.live == 1


async def test_a_stray_message_does_not_hurt(scheduler, caplog):
    st.send(scheduler, "what?")
    S.done("scheduler", JobFired("x", 99, 1, 0.0, 0.0, 0))

    assert (await stats()).jobs == 0
    assert "what?" in caplog.text


async def test_an_option_that_there_is_none_of_is_refused_with_the_near_one(runtime):
    scheduler = await SchedulerManager.start_link()

    with pytest.raises(st.BadArgumentError, match=r"got 'ovrelap', did you mean 'overlap'\?"):
        await SchedulerManager.every(scheduler, 10.0, "tick", ovrelap="skip")  # type: ignore[call-arg]
    assert await SchedulerManager.jobs(scheduler) == []
