"""When each file may be surveyed; on the virtual loop, so the seconds cost nothing."""

from __future__ import annotations

import asyncio
import math

import pytest

import suptree as st
from examples.code_census.names import CHAOS, SCHEDULER
from examples.code_census.pace import Pace, turn
from suptree.services import SchedulerManager

pytestmark = pytest.mark.suptree_loop("virtual")  # exact times

PATHS = ["a.py", "b.py", "c.py", "d.py"]


@pytest.fixture
async def chaos(runtime: st.Runtime) -> st.Pid[object]:
    """A scheduler, and somebody of the name of the chaos."""
    await st.child(SchedulerManager).with_(name=SCHEDULER).start_link()

    async def make_chaos() -> None:
        st.register(CHAOS)
        await st.receive()

    return st.spawn(make_chaos)


async def waited(pace: Pace, path: str) -> float:
    """How long a survey waits for its turn."""
    loop = asyncio.get_running_loop()
    before = loop.time()
    await st.Task.async_(turn, pace, path)
    return loop.time() - before


def test_a_free_pace_never_waits() -> None:
    assert Pace.free().wait("any.py", 17.0) == 0.0


def test_files_come_due_evenly_and_the_last_ones_at_the_release() -> None:
    pace = Pace(PATHS, seconds=8.0, held_back=1)

    assert [pace.due(path) for path in PATHS] == [0.0, 2.0, 4.0, math.inf]


def test_everything_is_held_back_when_there_is_less_than_that() -> None:
    pace = Pace(PATHS, seconds=8.0, held_back=10)

    assert {pace.due(path) for path in PATHS} == {math.inf}


async def test_a_file_waits_for_its_time_and_a_late_one_does_not(chaos: st.Pid[object]) -> None:
    pace = Pace(PATHS, seconds=8.0, held_back=0)

    assert await waited(pace, "a.py") == 0.0
    assert round(await waited(pace, "c.py"), 6) == 4.0
    assert await waited(pace, "b.py") == 0.0


async def test_the_end_of_the_chaos_lets_everybody_go(chaos: st.Pid[object]) -> None:
    pace = Pace(PATHS, seconds=8.0, held_back=1)
    pace.wait("a.py", asyncio.get_running_loop().time())
    asyncio.get_running_loop().call_later(1.0, st.exit, chaos, st.KILL)

    assert round(await waited(pace, "d.py"), 6) == 1.0
    assert await waited(pace, "c.py") == 0.0


async def test_the_wait_is_a_job_that_goes_with_the_survey(chaos: st.Pid[object]) -> None:
    pace = Pace(PATHS, seconds=8.0, held_back=0)
    pace.wait("a.py", asyncio.get_running_loop().time())
    survey = st.spawn(turn, pace, "d.py")
    while not (jobs := await SchedulerManager.jobs(SCHEDULER)):
        await asyncio.sleep(0)

    st.exit(survey, st.KILL)
    await asyncio.sleep(0)

    assert [job.job.owner for job in jobs] == [survey]
    assert await SchedulerManager.jobs(SCHEDULER) == []
