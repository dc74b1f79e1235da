"""Every event of the scheduler is emitted, as declared, when it says."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from typing import Any

import pytest

import suptree as st
from suptree.services import Run, SchedulerManager
from suptree.services.scheduler import events
from suptree.testing import wait_down
from tests.services.scheduler.conftest import Wall, stall

# They count seconds, hours and days, exactly.
pytestmark = [pytest.mark.usefixtures("scheduler"), pytest.mark.suptree_loop("virtual")]
S = SchedulerManager

Seen = list[tuple[str, dict[str, float], dict[str, Any]]]


@pytest.fixture
def seen(runtime: st.Runtime) -> Iterator[Seen]:
    """What was emitted: the last words of names, measurements, metadata."""
    found: Seen = []
    runtime.telemetry.strict = True
    for prefix in ("suptree.job.*", "suptree.scheduler.*"):
        runtime.telemetry.attach(
            prefix, prefix, lambda e, n, f: found.append((e.name, dict(n), dict(f)))
        )
    yield found
    names = {getattr(events, name).name for name in events.__all__}
    assert {name for name, _, _ in found} <= names


def named(seen: Seen, event: str) -> list[tuple[dict[str, float], dict[str, Any]]]:
    return [(numbers, facts) for name, numbers, facts in seen if name == f"suptree.{event}"]


async def test_jobs_come_and_go_with_a_reason(seen, agent):
    await S.every("scheduler", 10.0, "x", to=agent, owner="o", id="a")
    await S.every("scheduler", 10.0, "x", to=agent, owner="o", id="a")
    await S.cancel("scheduler", "a")
    await S.after("scheduler", 1.0, "x", to=agent, owner=None, id="b")
    await asyncio.sleep(2.0)
    await S.every("scheduler", 10.0, "x", to=agent, owner=None, id="c")
    st.exit(agent, st.KILL)
    await wait_down(agent)
    await S.stats("scheduler")

    assert [facts["job"] for _, facts in named(seen, "job.added")] == ["a", "a", "b", "c"]
    assert named(seen, "job.added")[0] == ({"jobs_count": 1}, {"job": "a", "owner": "o"})
    removed = [(facts["job"], facts["why"]) for _, facts in named(seen, "job.removed")]
    assert removed == [
        ("a", "replaced"),
        ("a", "cancelled"),
        ("b", "over"),
        ("c", "owner_died"),
    ]
    assert [numbers["jobs_count"] for numbers, _ in named(seen, "job.removed")] == [0, 0, 0, 0]


async def test_a_job_that_comes_says_how_late_it_is_and_what_it_missed(seen, agent):
    await S.every("scheduler", 10.0, "x", to=agent, id="a")
    await asyncio.sleep(15.0)
    stall(21.0)
    await asyncio.sleep(1.0)

    first, second = named(seen, "job.fired")
    assert first[0] == {"lag_s": 0.0, "missed_count": 0}
    assert second[0] == {"lag_s": 6.0, "missed_count": 1}
    assert second[1]["job"] == "a"
    assert named(seen, "job.missed") == [
        ({"missed_count": 1, "lag_s": 6.0}, {"job": "a", "misfire": "once"})
    ]


async def test_a_run_says_how_it_ended_and_how_long_it_took(seen, agent):
    def fails() -> None:
        raise OSError("disk")

    await S.every("scheduler", 1e6, Run(asyncio.sleep, (3.0,)), first=1.0, id="done")
    await S.every("scheduler", 1e6, Run(fails), first=2.0, id="failed")
    await S.every("scheduler", 1e6, Run(asyncio.sleep, (9.0,)), first=3.0, timeout=2.0, id="late")
    await S.every("scheduler", 1e6, "x", to=agent, owner=None, first=1.0, overlap="skip", id="lost")
    await asyncio.sleep(6.0)
    st.exit(agent, st.KILL)
    await asyncio.sleep(1.0)

    ended = {
        facts["job"]: (facts["outcome"], numbers["duration_s"])
        for numbers, facts in named(seen, "job.finished")
    }
    assert ended == {
        "done": ("done", 3.0),
        "failed": ("failed", 0.0),
        "late": ("timed_out", 2.0),
        "lost": ("lost", 5.0),
    }


async def test_what_stands_in_the_way_is_said(seen):
    await S.every("scheduler", 10.0, "x", to="nobody", owner=None, id="a")
    await S.every("scheduler", 10.0, Run(asyncio.sleep, (1e6,)), owner=None, id="b")
    await asyncio.sleep(15.0)
    await st.TaskSupervisor.stop("tasks")
    await asyncio.sleep(10.0)

    failed = [(facts["job"], facts["why"]) for _, facts in named(seen, "job.failed")]
    assert failed[0] == ("a", "nobody lives at 'nobody'")
    assert failed[2][0] == "b"
    assert "NoProcessError" in failed[2][1]


async def test_a_run_that_is_left_out_is_said(seen):
    await S.every("scheduler", 10.0, Run(asyncio.sleep, (15.0,)), owner=None, id="a")

    await asyncio.sleep(21.0)

    assert named(seen, "job.skipped") == [({"running_count": 1, "queue_len": 0}, {"job": "a"})]


async def test_a_clock_that_was_set_is_said(seen, scheduler, agent, wall: Wall):
    await S.cron("scheduler", "0 0 1 1 *", "x", to=agent)
    await asyncio.sleep(60.0)
    assert named(seen, "scheduler.clock_set") == []

    wall.offset -= 100.0
    await asyncio.sleep(60.0)

    [(numbers, facts)] = named(seen, "scheduler.clock_set")
    assert numbers["shift_s"] == pytest.approx(-100.0)
    assert facts == {"scheduler": scheduler}
