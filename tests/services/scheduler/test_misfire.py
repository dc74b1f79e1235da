"""What was missed: after a stall of the loop, a sleep of the machine, a clock that was set."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from typing import Any

import pytest

from suptree.services import SchedulerManager
from tests.services.scheduler.conftest import Agent, Wall, stall

# They count seconds, hours and days, exactly.
pytestmark = [pytest.mark.usefixtures("scheduler"), pytest.mark.suptree_loop("virtual")]
S = SchedulerManager


async def stats() -> Any:
    return await S.stats("scheduler")


# -- the loop stalls: jobs on the runtime's clock -----------------------------------------------


@pytest.mark.parametrize(
    ("options", "times", "missed"),
    [
        ({"misfire": "skip"}, [10.0, 60.0], 4),
        ({"misfire": "skip", "grace": 5.0}, [10.0, 55.0, 60.0], 3),
        ({"misfire": "once"}, [10.0, 55.0, 60.0], 3),
        ({"misfire": "all"}, [10.0, 55.0, 55.0, 55.0, 55.0, 60.0], 0),
        ({"misfire": "all", "max_catch_up": 2}, [10.0, 55.0, 55.0, 60.0], 2),
    ],
)
async def test_after_a_stall_a_periodic_job_does_as_its_policy_says(agent, options, times, missed):
    await Agent.every(agent, 10.0, "tick", **options)
    await asyncio.sleep(15.0)

    stall(40.0)
    await asyncio.sleep(6.0)

    assert await Agent.times(agent) == times
    assert ((await stats()).missed, (await stats()).runs) == (missed, len(times))


async def test_each_point_made_up_for_says_when_it_was_due(agent, wall: Wall):
    await S.every("scheduler", 10.0, to=agent, misfire="all", max_catch_up=3)
    stall(45.0)
    await asyncio.sleep(1.0)

    fired = await Agent.seen(agent)

    assert [one.due - wall.offset for one in fired] == [20.0, 30.0, 40.0]
    assert [one.late_s for one in fired] == [25.0, 15.0, 5.0]
    assert [one.missed for one in fired] == [1, 0, 0]


@pytest.mark.parametrize(("misfire", "runs"), [("skip", 0), ("once", 1), ("all", 1)])
async def test_a_one_shot_that_was_missed(agent, misfire, runs):
    await S.after("scheduler", 10.0, "once", to=agent, misfire=misfire)

    stall(20.0)
    await asyncio.sleep(1.0)

    now = await stats()
    assert (now.runs, now.missed, now.jobs) == (runs, 1 - runs, 0)


async def test_a_little_late_is_not_missed(agent):
    await Agent.every(agent, 10.0, "tick", misfire="skip", grace=1.0)

    stall(11.0)
    await asyncio.sleep(1.0)

    assert ((await stats()).runs, (await stats()).missed) == (1, 0)


async def test_missed_runs_that_must_not_overlap_wait_or_are_left_out(agent):
    await Agent.every(agent, 10.0, "a", misfire="all", overlap="queue", max_queued=2)

    stall(55.0)
    await asyncio.sleep(1.0)

    now = await stats()
    assert (now.runs, now.queued, now.skipped, now.missed) == (1, 2, 2, 0)


# -- the machine sleeps: the wall goes on, the runtime's clock does not ----------------------------


async def minutely(agent: Any, wall: Wall, **options: Any) -> None:
    wall.offset = datetime(2026, 5, 1, 12, 0, 30, tzinfo=UTC).timestamp()
    await S.cron("scheduler", "* * * * *", "minute", to=agent, **options)
    await asyncio.sleep(40.0)
    assert await Agent.times(agent) == [30.0]


@pytest.mark.parametrize(
    ("options", "runs", "missed"),
    [
        ({"misfire": "skip", "grace": 10.0}, 1, 60),
        ({"misfire": "once"}, 2, 59),
        ({"misfire": "all"}, 61, 0),
        ({"misfire": "all", "max_catch_up": 7}, 8, 53),
    ],
)
async def test_after_a_sleep_of_an_hour_cron_does_as_its_policy_says(
    agent, wall, options, runs, missed
):
    await minutely(agent, wall, **options)

    wall.offset += 3600.0
    await asyncio.sleep(30.0)  # the clock is looked at again by then

    now = await stats()
    assert (now.runs, now.missed) == (runs, missed)


async def test_intervals_know_nothing_of_the_clock_on_the_wall(agent, wall: Wall):
    await Agent.every(agent, 10.0, "tick")
    await asyncio.sleep(15.0)

    wall.offset += 1e6
    await asyncio.sleep(10.0)
    wall.offset -= 2e6
    await asyncio.sleep(10.0)

    assert await Agent.times(agent) == [10.0, 20.0, 30.0]


async def test_a_clock_set_forward_is_seen_within_the_time_between_two_looks(agent, wall: Wall):
    await S.at("scheduler", wall() + 5000.0, "x", to=agent)
    await asyncio.sleep(1.0)

    wall.offset += 5000.0
    await asyncio.sleep(60.0)

    assert await Agent.times(agent) == [30.0]


async def test_a_clock_set_back_a_little_lets_nothing_come_twice(agent, wall: Wall):
    await minutely(agent, wall)

    wall.offset -= 600.0
    await asyncio.sleep(500.0)
    assert len(await Agent.times(agent)) == 1
    await asyncio.sleep(200.0)

    assert await Agent.times(agent) == [30.0, 690.0]  # 12:01, and 12:02 once that has come


async def test_a_clock_set_back_a_lot_is_believed(agent, wall: Wall):
    await minutely(agent, wall)

    wall.offset -= 366 * 86_400.0
    await asyncio.sleep(150.0)

    assert len(await Agent.times(agent)) == 3


async def test_a_year_asleep_costs_no_walk_through_all_its_seconds(agent, wall: Wall):
    await S.cron("scheduler", "* * * * * *", "x", to=agent, misfire="all", max_catch_up=5)
    await asyncio.sleep(1.5)
    before = len(await Agent.times(agent))

    wall.offset += 365 * 86_400.0
    await asyncio.sleep(1.0)

    assert len(await Agent.times(agent)) == before + 5
