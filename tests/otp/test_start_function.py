"""A plain function as the start of a child."""

from __future__ import annotations

from typing import Any

import pytest

import suptree as st
from suptree.testing import wait_down
from tests.otp.probes import Book, Worker, crash, ids_up, kill, settled, start, states, worker


async def idle() -> None:
    await st.receive()


@pytest.mark.otp("S102")
async def test_a_function_may_start_a_linked_process_itself(runtime):
    def begin(label: str) -> st.Pid[Any]:
        return st.spawn_link(idle, label=label)

    sup = await start([st.start_function(begin, "x").with_(id="x")])
    [first] = await st.Supervisor.which_children(sup)

    st.exit(first.pid, "boom")
    await wait_down(first.pid)
    await settled(sup)
    [second] = await st.Supervisor.which_children(sup)

    assert second.pid not in (None, first.pid)
    await st.Supervisor.stop(sup)
    assert not st.is_alive(second.pid)


async def test_a_process_that_it_did_not_link_is_linked_and_a_dead_one_counts_as_an_end(runtime):
    sup = await start([st.start_function(lambda: st.spawn(idle)).with_(id="x")])
    [first] = await st.Supervisor.which_children(sup)
    st.exit(first.pid, "boom")
    await wait_down(first.pid)
    await settled(sup)
    [second] = await st.Supervisor.which_children(sup)
    assert second.pid != first.pid

    dead = runtime.spawn(lambda: None)
    await wait_down(dead)
    spec = st.start_function(lambda: dead).with_(id="dead", restart="temporary")
    await st.Supervisor.start_child(sup, spec)
    await settled(sup)

    assert await ids_up(sup) == ["x"]


async def test_a_function_that_returns_a_spec_makes_fresh_arguments_at_each_start(runtime):
    seen: list[list[object]] = []

    class Child(Worker):
        def __init__(self, basket: list[object]) -> None:
            seen.append(basket)
            super().__init__("x", Book([]))

    sup = await start([st.start_function(lambda: st.child(Child, [])).with_(id="x", name="x")])
    await crash("x", sup)

    assert len(seen) == 2
    assert seen[0] is not seen[1]


@pytest.mark.otp("S102")
async def test_what_a_function_raises_or_returns_instead_is_the_reason(runtime):
    sup = await start([])

    def fail() -> Any:
        raise LookupError("no such thing")

    cases = [
        (fail, lambda reason: reason.text == "no such thing"),
        (lambda: st.exit("by exit"), lambda reason: reason == "by exit"),
        (lambda: st.Stop("asked"), lambda reason: reason == "asked"),
        (lambda: 7, lambda reason: reason == st.BadReturn(7)),
    ]
    for function, expected in cases:
        with pytest.raises(st.StartError) as failure:
            await st.Supervisor.start_child(sup, st.start_function(function))
        assert expected(failure.value.reason)

    assert await states(sup) == {}


@pytest.mark.otp("S102")
async def test_a_function_may_ignore(runtime):
    sup = await start([st.start_function(lambda: st.Ignore()).with_(id="x")])

    assert await states(sup) == {"x": "down"}


async def test_a_start_that_fails_a_few_times_is_tried_again(runtime):
    attempts: list[int] = []

    def sometimes() -> st.ChildSpec[Any]:
        attempts.append(len(attempts))
        if len(attempts) in (2, 3):
            raise ValueError("not yet")
        return worker("x", [])

    sup = await start([st.start_function(sometimes).with_(id="x", name="x")], max_restarts=10)
    await kill("x")
    await settled(sup)
    await settled(sup)

    assert attempts == [0, 1, 2, 3]
    assert await states(sup) == {"x": "up"}


@pytest.mark.parametrize("function", [None, 7, idle])
def test_what_is_no_plain_function_is_refused(function):
    with pytest.raises(st.ChildSpecError, match="must be a plain function"):
        st.start_function(function)
