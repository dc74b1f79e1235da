"""What the registry does for one agent does not grow with the others."""

from __future__ import annotations

import sys
from typing import Any

import pytest

import suptree as st
from suptree.services import AgentRegistry

from .agents import Agent, metadata

pytestmark = pytest.mark.suptree_loop("virtual")


class Lines:
    """Counts the lines of Python that run in new frames within the block; a loop's as often as they run."""

    def __init__(self) -> None:
        self.count = 0

    def __enter__(self) -> Lines:
        self._before = sys.gettrace()
        sys.settrace(self._trace)
        return self

    def __exit__(self, *_: object) -> None:
        sys.settrace(self._before)

    def _trace(self, _frame: object, what: str, _: object) -> Any:
        self.count += what == "line"
        return self._trace


async def cost_among(others: int) -> int:
    """What it takes to let one agent go that is registered among *others*, each of a process of its own."""
    agents = await AgentRegistry.start_link()
    for number in range(others):
        pid = await Agent.start()
        await AgentRegistry.register(agents, f"other {number}", metadata(), pid=pid)
    await AgentRegistry.register(agents, "one", metadata(), pid=await Agent.start())
    with Lines() as lines:
        await AgentRegistry.unregister(agents, "one")
    return lines.count


async def test_unregistering_costs_the_same_however_many_there_are(runtime: st.Runtime) -> None:
    few, many = await cost_among(10), await cost_among(1000)

    assert few > 20
    assert many < 1.5 * few, (few, many)
