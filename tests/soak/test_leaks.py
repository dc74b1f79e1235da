"""What is leaked on purpose shows in the series that is to tell it."""

from __future__ import annotations

import asyncio
import os

import pytest

import suptree as st
from tests.soak.holdings import sample
from tests.soak.system import LEAKS


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
    before = sample(runtime, {})

    leaked = [LEAKS[kind]() for _ in range(5)]
    after = sample(runtime, {})

    assert after[series] >= before[series] + 5
    for one in leaked:
        if isinstance(one, int):
            os.close(one)
        elif isinstance(one, asyncio.Task):
            one.cancel()
        elif isinstance(one, st.Pid):
            st.exit(one, st.KILL)
