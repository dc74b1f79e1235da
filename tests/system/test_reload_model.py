"""Any mix of edits, reloads, kills and stuck services: in the end settings and services agree."""

from __future__ import annotations

import asyncio
import tempfile
from pathlib import Path
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as some

import suptree as st
from suptree.services import ConfigServer, load_configuration
from suptree.system import SystemSettings
from suptree.system.live import LIVE
from suptree.testing import VirtualLoop
from tests.system.test_reload import Running

RIGHT = some.builds(
    lambda keys, buffer, limit: (
        f"[limits]\nmax_keys = {keys}\n[coordination]\nbuffer = {buffer}\n"
        f"[dead_letters]\nmax_letters = {limit}\n[flags]\nnew_path = {keys}\n"
    ),
    some.integers(1, 9),
    some.integers(0, 9),
    some.integers(1, 9),
)
WRONG = some.sampled_from(["[limits]\nmax_kesy = 1\n", "[agents]\nmax_children = 3\n", "[["])
CHANGED = ["limits", "coordination", "dead_letters"]
ACTION = some.one_of(
    some.tuples(some.just("reload"), RIGHT),
    some.tuples(some.just("reload"), some.one_of(RIGHT, WRONG)),
    some.tuples(some.just("kill"), some.sampled_from(CHANGED)),
    some.tuples(some.just("kill"), some.sampled_from(["configuration", "reconfigurer", *LIVE])),
    some.tuples(some.just("stick"), some.sampled_from([*CHANGED, "reconfigurer"])),
    some.tuples(some.just("wait"), some.sampled_from(["a turn", "a little", "a second"])),
)


async def act(running: Running, what: str, how: str) -> asyncio.Task[Any] | None:
    match what:
        case "reload":
            running.write(how)
            return asyncio.create_task(running.system.reload())
        case "kill":
            running.kill(how)
        case "stick":
            if st.whereis(running.path(how)) is not None:
                return asyncio.create_task(stick(running.path(how)))
        case "wait":
            await asyncio.sleep({"a turn": 0.0, "a little": 0.001, "a second": 1.0}[how])
    return None


async def stick(name: str) -> None:
    """Busy for longer than a call waits."""
    await st.sys.suspend(name)
    await asyncio.sleep(6.0)
    await st.sys.resume(name)


async def walk(folder: Path, actions: list[tuple[str, str]], last: str) -> None:
    async with st.Runtime() as runtime:
        running = Running(runtime, folder / "app.toml")
        await runtime.start(running.system)
        await running.settled()
        begun = [await act(running, what, how) for what, how in actions]
        under_way = [one for one in begun if one is not None]
        await asyncio.gather(*under_way, return_exceptions=True)

        await running.settled()
        assert await running.disagreeing() == {}
        running.write(last)
        await running.system.reload()

        assert await running.disagreeing() == {}
        said = load_configuration(SystemSettings, file=running.file, environ={}).value
        assert ConfigServer.current(SystemSettings).value == said


@settings(deadline=None, max_examples=50)
@given(some.lists(ACTION, min_size=4, max_size=12), RIGHT)
def test_whatever_happens_settings_and_services_agree_in_the_end(actions, last):
    with (
        tempfile.TemporaryDirectory() as folder,
        asyncio.Runner(loop_factory=VirtualLoop) as runner,
    ):
        runner.run(walk(Path(folder), actions, last))
