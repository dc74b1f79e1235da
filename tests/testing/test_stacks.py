"""Where suspended code waits, and who called: one readable line each."""

from __future__ import annotations

import asyncio
import contextlib
import inspect
from collections.abc import AsyncGenerator, Coroutine
from typing import Any

from suptree.testing import turn
from suptree.testing.stacks import call_site, describe_task, frames, where


async def inner() -> None:
    await asyncio.Event().wait()  # here


async def middle() -> None:
    await inner()


async def numbers() -> AsyncGenerator[int, None]:
    await inner()
    yield 1


@contextlib.asynccontextmanager
async def waiting(code: Coroutine[Any, Any, None]) -> AsyncGenerator[asyncio.Task[None], None]:
    """A task that has run up to its first wait.  It is ended here: a waiting task that nobody
    holds may be collected at any moment.
    """
    task = asyncio.create_task(code, name="mine")
    await turn()
    try:
        yield task
    finally:
        task.cancel()
        await asyncio.wait([task])


async def test_frames_lead_down_to_where_a_task_waits() -> None:
    async with waiting(middle()) as task:
        names = [frame.f_code.co_name for frame in frames(task.get_coro())]
        assert names[:2] == ["middle", "inner"]
        line = inspect.getsourcelines(inner)[1] + 1
        assert where(task.get_coro()).endswith(f":{line} in inner, waiting in Event.wait")
        assert describe_task(task).startswith("task 'mine' (middle) at ")


async def test_frames_go_through_async_generators() -> None:
    async def consume() -> None:
        async for _ in numbers():
            pass

    async with waiting(consume()) as task:
        assert "in inner, waiting in Event.wait" in where(task.get_coro())


def test_where_of_something_that_is_not_suspended_is_unknown() -> None:
    assert where(object()) == "an unknown place"


def test_call_site_skips_code_that_is_not_the_callers() -> None:
    here = call_site(inspect.currentframe())
    caller = call_site(inspect.currentframe(), skip=(__file__,))

    assert here is not None
    assert here.function == "test_call_site_skips_code_that_is_not_the_callers"
    assert caller is not None
    assert caller.file != __file__
