"""What is leaked on purpose shows in the series that is to tell it, though the test keeps none of it alive."""

from __future__ import annotations

import asyncio
import os

import pytest

import suptree as st
from tests.soak.holdings import sample
from tests.soak.system import KEPT, LEAKS


@pytest.mark.suptree_leaks(allow=("process", "monitor", "timer", "task"))
@pytest.mark.parametrize(
    ("kind", "series"),
    [
        ("descriptor", "descriptors"),
        ("memory", "blocks of memory"),
        ("monitor", "monitors"),
        ("process", "processes"),
        ("task", "tasks"),
        ("timer", "timers"),
    ],
)
async def test_each_leak_on_purpose_shows_in_its_series(runtime, kind, series):
    tasks, before = asyncio.all_tasks(), sample(runtime, {})

    leaked = [
        one if isinstance(one, (int, st.Pid)) else None for one in (LEAKS[kind]() for _ in range(5))
    ]
    await asyncio.sleep(0)  # a task that has not begun is held by the loop
    after = sample(runtime, {})

    assert after[series] >= before[series] + 5
    KEPT.clear()
    for one in leaked:
        if isinstance(one, st.Pid):
            st.exit(one, st.KILL)
        elif one is not None:
            os.close(one)
    for task in asyncio.all_tasks() - tasks:
        task.cancel()
