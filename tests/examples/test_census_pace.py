"""When each file may be surveyed; on the virtual loop, so the seconds cost nothing."""

from __future__ import annotations

import asyncio
import math

import pytest

from examples.code_census.pace import Pace

pytestmark = pytest.mark.suptree_loop("virtual")  # exact times

PATHS = ["a.py", "b.py", "c.py", "d.py"]


async def waited(pace: Pace, path: str) -> float:
    loop = asyncio.get_running_loop()
    before = loop.time()
    await pace.turn(path)
    return loop.time() - before


async def test_a_free_pace_never_waits() -> None:
    assert await waited(Pace.free(), "any.py") == 0.0


def test_files_come_due_evenly_and_the_last_ones_at_the_release() -> None:
    pace = Pace(PATHS, seconds=8.0, held_back=1)

    assert [pace.due(path) for path in PATHS] == [0.0, 2.0, 4.0, math.inf]


def test_everything_is_held_back_when_there_is_less_than_that() -> None:
    pace = Pace(PATHS, seconds=8.0, held_back=10)

    assert {pace.due(path) for path in PATHS} == {math.inf}


async def test_a_file_waits_for_its_time_and_a_late_one_does_not() -> None:
    pace = Pace(PATHS, seconds=8.0, held_back=0)

    assert await waited(pace, "a.py") == 0.0
    assert round(await waited(pace, "c.py"), 6) == 4.0
    assert await waited(pace, "b.py") == 0.0


async def test_a_release_lets_everybody_go() -> None:
    pace = Pace(PATHS, seconds=8.0, held_back=1)
    asyncio.get_running_loop().call_later(3.0, pace.release)

    assert round(await waited(pace, "d.py"), 6) == 3.0
    assert await waited(pace, "c.py") == 0.0
