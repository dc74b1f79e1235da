"""A message that is acknowledged at once costs its sender no waiting."""

from __future__ import annotations

from typing import Any

import pytest

from suptree.services import Acknowledged, CoordinationManager

from .helpers import agent, router

pytestmark = pytest.mark.suptree_loop("virtual")  # where time that passes was waited for


async def test_what_is_acknowledged_at_once_takes_no_time(runtime: Any) -> None:
    await router()
    for name in ("ada", "ben", "cyd"):
        await agent(name)
    before = runtime.now()

    for number in range(100):
        outcome = await CoordinationManager.coordinate("router", "ada", number)
        assert isinstance(outcome, Acknowledged)
    await CoordinationManager.broadcast("router", ["ada", "ben", "cyd"], "all")
    await CoordinationManager.distribute("router", ["ben", "cyd"], "one")

    assert runtime.now() == before
