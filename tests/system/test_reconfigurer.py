"""`Reconfigurer`: who is told, who need not be, and what becomes of those who say no."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest

import suptree as st
from suptree.services import ConfigServer, load_configuration
from suptree.system import Reconfigurer, SystemSettings
from suptree.system.live import Live
from suptree.testing import wait_until

pytestmark = pytest.mark.suptree_loop("virtual")


class Till(st.GenServer):
    """Takes settings, or refuses them."""

    def __init__(self, *, limit: int = 0) -> None:
        self.limits = [limit]

    @st.call
    def _reconfigure(self, limit: int) -> None:
        self.limits.append(limit)

    @staticmethod
    async def reconfigure(server: Any, *, limit: int) -> None:
        if limit == 13:
            raise ValueError("Till.reconfigure: limit must be a lucky number; got 13.")
        if limit == 500:
            raise st.CallTimeoutError(server, "reconfigure", 1.0)
        await Till._reconfigure(server, limit)


TILL = Live(Till, lambda settings: {"limit": settings.dead_letters.max_letters})


class Shop:
    """A reconfigurer, the file that it goes by, and what it emits."""

    def __init__(self, file: Path) -> None:
        self.file = file
        self.events: list[tuple[str, dict[str, Any]]] = []

    async def start(self, runtime: st.Runtime) -> None:
        runtime.telemetry.attach("test", "suptree.system.settings.*", self._hear)
        self.write(1)
        configuration = load_configuration(SystemSettings, file=self.file, environ={})
        self.server = await ConfigServer.start_link(configuration)
        await ConfigServer.reload(self.server)  # its own first reading must not meet an edit
        self.reconfigurer = await Reconfigurer.start_link(
            self.server, {"till": TILL}, {"till": "till"}
        )
        await Reconfigurer.settled(self.reconfigurer)

    def _hear(self, event: Any, numbers: Any, facts: Any) -> None:
        self.events.append((event.name.rpartition(".")[2], dict(facts) | dict(numbers)))

    def write(self, limit: int) -> None:
        self.file.write_text(f"[dead_letters]\nmax_letters = {limit}\n")

    async def reload(self, limit: int) -> None:
        self.write(limit)
        await ConfigServer.reload(self.server)
        await Reconfigurer.settled(self.reconfigurer)


@pytest.fixture
async def shop(runtime: st.Runtime, tmp_path: Path) -> Shop:
    shop = Shop(tmp_path / "shop.toml")
    await st.child(Till).with_(name="till").start_link()
    await shop.start(runtime)
    return shop


async def limits() -> list[int]:
    found: list[int] = (await st.sys.get_state("till"))["limits"]
    return found


async def test_a_service_is_told_once_at_the_start_and_once_for_each_change(shop):
    for limit in (2, 2, 3):
        await shop.reload(limit)

    assert await limits() == [0, 1, 2, 3]
    assert [name for name, _ in shop.events] == ["passed_on"] * 3
    assert shop.events[-1][1]["attempts_count"] == 1


async def test_a_service_that_says_no_is_told_of_in_an_event_and_ends_nothing(shop):
    shop.events.clear()

    await shop.reload(13)
    await shop.reload(14)

    assert await limits() == [0, 1, 14]
    name, facts = shop.events[0]
    assert (name, facts["service"]) == ("refused", "till")
    assert "lucky" in facts["error"]
    stats = await Reconfigurer.stats(shop.reconfigurer)
    assert (stats.passed_on, stats.refused, stats.delayed, stats.down) == (2, 1, 0, 0)
    assert shop.reconfigurer.is_alive()


async def test_a_service_that_is_down_is_not_waited_for(shop):
    await st.GenServer.stop("till")

    await shop.reload(2)

    assert (await Reconfigurer.stats(shop.reconfigurer)).down == 1


async def test_a_service_that_does_not_answer_is_tried_again_ever_more_rarely(runtime, shop):
    shop.events.clear()
    shop.write(500)
    await ConfigServer.reload(shop.server)
    settled = asyncio.create_task(Reconfigurer.settled.within(None)(shop.reconfigurer))
    await wait_until(lambda: len(shop.events) == 8, timeout=60.0)
    waits = [facts["retry_after_s"] for _, facts in shop.events]

    assert waits == [0.1, 0.2, 0.4, 0.8, 1.6, 3.2, 5.0, 5.0]
    assert not settled.done()
    shop.write(2)
    await ConfigServer.reload(shop.server)
    await settled
    assert await limits() == [0, 1, 2]


async def test_who_gave_up_waiting_for_it_is_forgotten(shop):
    shop.write(500)
    await ConfigServer.reload(shop.server)
    for _ in range(3):
        with pytest.raises(st.CallTimeoutError):
            await Reconfigurer.settled.within(0.1)(shop.reconfigurer)

    waiting = (await st.sys.get_state(shop.reconfigurer))["_waiting"]

    assert len(waiting) <= 1


async def test_when_the_server_of_settings_ends_nobody_is_told_what_nobody_knows(runtime, shop):
    shop.write(500)
    await ConfigServer.reload(shop.server)
    await st.GenServer.stop(shop.server)

    await Reconfigurer.settled(shop.reconfigurer)

    assert (await Reconfigurer.stats(shop.reconfigurer)).down == 1
