"""F08 to F10: whatever user code raises ends one process and nothing else."""

from __future__ import annotations

import asyncio
import gc
import subprocess
import sys

import pytest

import suptree as st
from suptree.testing import turn, wait_down


class Echo(st.GenServer):
    """Answers at once."""

    @st.call
    def echo(self, value: object) -> object:
        return value


class Bad(BaseException):
    """Raises whenever anybody wants to look at it."""

    def __repr__(self) -> str:
        raise ValueError("repr")

    __str__ = __repr__

    def __reduce__(self) -> object:
        raise ValueError("reduce")


class Huge(Exception):
    def __str__(self) -> str:
        return "x" * 100_000_000


class Endless(Exception):
    def __repr__(self) -> str:
        return repr(self)

    __str__ = __repr__


def recurse() -> None:
    recurse()


def fail_with(kind: type[BaseException]) -> None:
    if kind is RecursionError:
        recurse()
    raise kind


RAISED = [
    SystemExit,
    KeyboardInterrupt,
    GeneratorExit,
    BaseException,
    RecursionError,
    MemoryError,
    StopIteration,
    StopAsyncIteration,
    asyncio.CancelledError,
    Bad,
    Huge,
    Endless,
]


class Thrower(st.GenServer):
    """Raises what it is told, in every kind of handler."""

    @st.call
    def in_call(self, kind: type[BaseException]) -> None:
        fail_with(kind)

    @st.call
    async def in_async_call(self, kind: type[BaseException]) -> None:
        await asyncio.sleep(0)
        fail_with(kind)

    @st.cast
    def in_cast(self, kind: type[BaseException]) -> None:
        fail_with(kind)

    def handle_info(self, message: type[BaseException]) -> None:
        fail_with(message)


@pytest.mark.parametrize("kind", RAISED)
@pytest.mark.parametrize("how", ["in_call", "in_async_call", "in_cast", "info", "plain"])
async def test_whatever_a_handler_raises_ends_that_process_and_nothing_else(
    runtime, how, kind
):  # F08, F09, F10
    bystander = await Echo.start()

    async def plain() -> None:
        await asyncio.sleep(0)
        fail_with(kind)

    pid = runtime.spawn(plain) if how == "plain" else await Thrower.start()
    down = runtime.down_slot(pid)
    if how == "info":
        st.send(pid, kind)
    elif how == "in_cast":
        Thrower.in_cast(pid, kind)
    elif how != "plain":
        with pytest.raises(st.ServerExitError):
            await getattr(Thrower, how)(pid, kind)
    reason = await down

    assert isinstance(reason, st.Crashed)
    assert len(reason.text) <= 2_000
    assert len(repr(reason)) <= 2_500
    assert isinstance(reason.traceback, str)
    assert await Echo.echo(bystander, "alive") == "alive"


async def test_a_crash_keeps_no_frame_of_the_handler_alive(runtime):
    class Marker:
        pass

    def count() -> int:
        gc.collect()
        return sum(type(one) is Marker for one in gc.get_objects())

    async def work() -> None:
        marker = Marker()
        raise ValueError(id(marker))

    reason = await wait_down(runtime.spawn(work))
    await turn(2)

    assert isinstance(reason, st.Crashed)
    assert count() == 0


async def test_keep_frames_keeps_the_traceback_for_development(runtime_options):
    async def work() -> None:
        raise ValueError

    async with st.Runtime(keep_frames=True, **runtime_options) as rt:
        reason = await rt.down_slot(rt.spawn(work))

    assert reason.exception.__traceback__ is not None


async def test_a_finished_handler_leaves_the_recursion_limit_alone(runtime):
    limit = sys.getrecursionlimit()
    pid = await Thrower.start()
    with pytest.raises(st.ServerExitError):
        await Thrower.in_call(pid, RecursionError)

    assert sys.getrecursionlimit() == limit
    assert pid._process is None


STARVED = """
import asyncio, resource, suptree as st

class Greedy(st.GenServer):
    @st.call
    def eat(self) -> int:
        return len(bytearray(4_000_000_000))

    @st.call
    def ping(self) -> str:
        return "pong"

async def main() -> None:
    async with st.Runtime() as rt:
        greedy, other = await Greedy.start(), await Greedy.start()
        try:
            await Greedy.eat(greedy)
        except st.ServerExitError as error:
            print(error.reason.type, rt.reporter.total, await Greedy.ping(other))

resource.setrlimit(resource.RLIMIT_AS, (2_000_000_000, 2_000_000_000))
asyncio.run(main())
"""


@pytest.mark.skipif(sys.platform != "linux", reason="RLIMIT_AS holds on Linux")
def test_a_handler_that_runs_out_of_memory_is_one_crash_and_the_others_serve():  # F09
    done = subprocess.run(
        [sys.executable, "-c", STARVED], capture_output=True, text=True, timeout=60, check=True
    )

    assert done.stdout.split() == ["MemoryError", "1", "pong"]
