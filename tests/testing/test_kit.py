"""Helpers that wait for events: they end by the event, or in time with what was seen last."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator

import pytest

import suptree
import suptree.core as st
from suptree.core import KILL, KILLED, NOPROC, NORMAL, Runtime
from suptree.errors import BadArgumentError, NoProcessError
from suptree.testing import (
    VirtualDeadlockError,
    WaitTimeoutError,
    turn,
    wait_down,
    wait_mailbox_empty,
    wait_restarted,
    wait_until,
)


async def idle() -> None:
    await st.receive()


def now() -> float:
    return asyncio.get_running_loop().time()


async def test_wait_down_returns_the_exit_reason(runtime: Runtime) -> None:
    ends, dies = runtime.spawn(idle), runtime.spawn(idle)
    asyncio.get_running_loop().call_later(0.01, runtime.send, ends, "go")
    asyncio.get_running_loop().call_later(0.02, st.exit, dies, KILL)

    assert await wait_down(ends) is NORMAL
    assert await wait_down(dies) is KILLED
    assert await wait_down(dies) is NOPROC  # it is over: nobody knows why any more


async def test_wait_down_ends_in_time_and_tells_what_the_process_does(runtime: Runtime) -> None:
    pid = runtime.spawn(idle)

    with pytest.raises(
        WaitTimeoutError, match=r"wait_down\(<0.2>\): not within 0.5 s .* receiving"
    ):
        await wait_down(pid, timeout=0.5)


async def test_wait_until_returns_the_true_value_as_soon_as_it_is_there() -> None:
    box: list[str] = []
    asyncio.get_running_loop().call_later(0.02, box.append, "news")

    assert await wait_until(lambda: box and box[0]) == "news"


async def test_wait_until_ends_in_time_and_quotes_the_condition() -> None:
    begun, keep = now(), asyncio.get_running_loop().call_later(60, print)

    with pytest.raises(WaitTimeoutError, match=r"len\(\[\]\) == 1.*it is still False"):
        await wait_until(lambda: len([]) == 1, timeout=0.05)

    keep.cancel()
    assert now() - begun >= 0.048  # uvloop counts whole milliseconds


@pytest.mark.suptree_loop("virtual")
async def test_wait_until_nothing_can_happen_any_more_is_a_deadlock() -> None:
    with pytest.raises(VirtualDeadlockError, match="nothing is ready"):
        await wait_until(lambda: False)


async def test_wait_until_refuses_a_predicate_whose_answer_nobody_awaits() -> None:
    async def ready() -> bool:
        return False

    for predicate in (ready, lambda: ready()):
        with pytest.raises(BadArgumentError, match=r"got a coroutine of .*ready\. Wait with"):
            await wait_until(predicate)


async def test_wait_mailbox_empty_returns_when_everything_sent_was_handled(
    runtime: Runtime,
) -> None:
    handled: list[int] = []

    async def slow() -> None:
        while True:
            number = await st.receive(int)
            await asyncio.sleep(0.001)
            handled.append(number)

    pid = runtime.spawn(slow, name="slow")
    for number in range(20):
        runtime.send(pid, number)
    await wait_mailbox_empty("slow")
    await wait_until(lambda: len(handled) == 20)

    await wait_mailbox_empty(pid)
    assert handled == list(range(20))


async def test_wait_mailbox_empty_of_a_dead_process_is_refused(runtime: Runtime) -> None:
    pid = runtime.spawn(idle)
    runtime.send(pid, "go")
    await wait_down(pid)

    with pytest.raises(NoProcessError, match="wait_mailbox_empty"):
        await wait_mailbox_empty(pid)


async def test_wait_mailbox_empty_ends_in_time(runtime: Runtime) -> None:
    async def deaf() -> None:
        await st.receive(int)

    pid = runtime.spawn(deaf)
    runtime.send(pid, "not a number")

    with pytest.raises(WaitTimeoutError, match="receiving with 1 messages waiting"):
        keep = asyncio.get_running_loop().call_later(60, print)
        try:
            await wait_mailbox_empty(pid, timeout=0.05)
        finally:
            keep.cancel()


@pytest.mark.suptree_loop("virtual")
async def test_a_turn_after_one_in_which_nothing_could_happen_does_not_move_time() -> None:
    loop = asyncio.get_running_loop()

    async def work() -> None:
        loop.call_later(5, print)

    await turn()  # nobody has anything to do, ever: a deadlock, which a turn forgives
    working = asyncio.ensure_future(work())
    await turn()

    assert loop.time() == 0.0
    await working
    await asyncio.sleep(10)


async def test_turn_lets_others_run() -> None:
    seen: list[int] = []
    asyncio.get_running_loop().call_soon(seen.append, 1)

    await turn(2)
    assert seen == [1]


class Vase(suptree.GenServer):
    def __init__(self, works: Iterator[bool]) -> None:
        if not next(works):
            raise RuntimeError("broken for good")

    @suptree.cast
    def touch(self) -> None:
        raise RuntimeError("touched")


async def shelf(works: list[bool], **options: int) -> tuple[suptree.Pid[object], suptree.Pid[Vase]]:
    children = [suptree.child(Vase, iter(works)).with_(id="vase", name="vase")]
    supervisor = await suptree.Supervisor.start_link(children, **options)
    first = suptree.whereis("vase")
    assert first is not None
    return supervisor, first


async def test_wait_restarted_returns_the_new_pid(runtime: Runtime) -> None:
    supervisor, first = await shelf([True, True])

    Vase.touch("vase")
    second = await wait_restarted(supervisor, "vase", first)

    assert second != first
    assert suptree.whereis("vase") == second


async def test_wait_restarted_sees_through_failed_restarts(runtime: Runtime) -> None:
    supervisor, first = await shelf([True, False, False, True], max_restarts=10)

    Vase.touch("vase")
    second = await wait_restarted(supervisor, "vase", first)

    assert second.is_alive()


async def test_wait_restarted_ends_in_time_when_the_child_does_not_end(runtime: Runtime) -> None:
    supervisor, first = await shelf([True])

    with pytest.raises(WaitTimeoutError, match=r"'vase'.* not within 0.05 s .* it is <0.* vase>"):
        keep = asyncio.get_running_loop().call_later(60, print)
        try:
            await wait_restarted(supervisor, "vase", first, timeout=0.05)
        finally:
            keep.cancel()


async def test_wait_restarted_names_a_child_that_is_not_there(runtime: Runtime) -> None:
    supervisor, first = await shelf([True])

    with pytest.raises(WaitTimeoutError, match="the supervisor has no such child"):
        await wait_restarted(supervisor, "vaze", first, timeout=0.0)


@pytest.mark.suptree_loop("virtual")
async def test_wait_restarted_of_a_child_that_nobody_ends_is_a_deadlock(runtime: Runtime) -> None:
    supervisor, first = await shelf([True])

    with pytest.raises((VirtualDeadlockError, WaitTimeoutError)):
        await wait_restarted(supervisor, "vase", first)
