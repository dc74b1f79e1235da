"""One timer for many deadlines: it rings at the first of them, and once."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

import suptree as st
from suptree.services.parts.alarm import Alarm
from suptree.services.parts.deadlines import NEVER

pytestmark = pytest.mark.suptree_loop("virtual")  # it counts seconds


class Sleeper(st.GenServer):
    """Arms its alarm for every one of *dues* at once, and notes when it rings."""

    def __init__(self, *dues: float | None) -> None:
        self.alarm = Alarm(self)
        self.born = self.now()
        self.rings: list[float] = []
        for due in dues:
            self._arm(due)

    def now(self) -> float:
        return self._process.runtime.now()

    def handle_info(self, message: Any) -> None:
        if self.alarm.rang(message):
            self.rings.append(self.now() - self.born)

    def _arm(self, due: float | None) -> None:
        self.alarm.arm(None if due is None else self.born + due, self.now())

    @st.cast
    def again(self, due: float) -> None:
        self._arm(due)

    @st.call
    def rung(self) -> list[float]:
        return self.rings


@pytest.mark.parametrize(
    ("dues", "rings"),
    [
        ([3.0, 2.0, 5.0], [2.0]),
        ([2.0, 2.0], [2.0]),
        ([None, 4.0, NEVER], [4.0]),
        ([None, NEVER], []),
        ([-1.0], [0.0]),
    ],
)
async def test_it_rings_once_at_the_earliest_time(runtime, dues, rings):
    sleeper = await Sleeper.start_link(*dues)
    await asyncio.sleep(10.0)

    assert await Sleeper.rung(sleeper) == rings


async def test_when_it_has_rung_it_may_be_armed_for_a_later_time(runtime):
    sleeper = await Sleeper.start_link(2.0)
    await asyncio.sleep(3.0)
    Sleeper.again(sleeper, 7.0)
    await asyncio.sleep(10.0)

    assert await Sleeper.rung(sleeper) == [2.0, 7.0]


async def test_what_looks_like_its_message_is_not_its_ring(runtime):
    one, other = await Sleeper.start_link(2.0), await Sleeper.start_link()
    ring = one._process.server.alarm._ring
    st.send(other, ring)
    await asyncio.sleep(3.0)

    assert await Sleeper.rung(other) == []
    assert await Sleeper.rung(one) == [2.0]
