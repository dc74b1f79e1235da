"""Middleware and match functions run in the turn of the publisher, and never hurt the bus."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import Any

import pytest

import suptree as st
from suptree.services.signals import (
    Halt,
    Middleware,
    Signal,
    SignalBus,
    SignalFault,
    SignalOptionsError,
    SignalOutcome,
    SignalReceipt,
)
from tests.services.signals.helpers import Recorder, all_received, numbered, received, signal

pytestmark = pytest.mark.suptree_loop("virtual")  # seconds and minutes pass


async def bus_of(*middleware: Middleware, **options: Any) -> st.Pid[SignalBus]:
    pid = await SignalBus.start_link(middleware=middleware, **options)
    st.register("bus", pid)
    await SignalBus.subscribe(pid, "**", id="all")
    return pid


def adding(word: str) -> Any:
    return lambda signal: replace(signal, data=[*(signal.data or []), word])


async def test_before_runs_in_the_order_of_declaration_and_after_in_reverse(runtime):
    order: list[object] = []

    async def slowly(signal: Signal) -> Signal:
        await asyncio.sleep(0.05)
        return adding("second")(signal)

    bus = await bus_of(
        Middleware("1", before=adding("first"), after=lambda s, r: order.append("1")),
        Middleware("2", before=slowly, after=lambda s, r: order.append((s.data, r.counts))),
        Middleware("3", before=lambda signal: None),
    )

    published = await SignalBus.publish(bus, signal())

    assert (await received()).signal.data == ["first", "second"]
    assert published.signals[0].data == ["first", "second"]
    assert published.faults == ()
    assert order == [(["first", "second"], {SignalOutcome.SENT: 1}), "1"]


async def test_what_middleware_changes_decides_where_the_signal_goes(runtime):
    bus = await bus_of(Middleware("m", before=lambda s: replace(s, type="b")))
    await SignalBus.subscribe(bus, "a", id="a")
    await SignalBus.subscribe(bus, "b", id="b", match=lambda s: s.type == "b")

    published = await SignalBus.publish(bus, signal("a"))

    assert [id for id, _ in published.receipts[0].outcomes] == ["b", "all"]


async def test_middleware_and_match_functions_run_in_the_process_of_the_publisher(runtime):
    where: list[object] = []

    def note(*_: object) -> None:
        where.append(st.current())

    bus = await bus_of(Middleware("m", before=note, after=note))
    await SignalBus.subscribe(bus, "**", match=note)

    await SignalBus.publish(bus, signal())

    assert where == [st.current()] * 3


async def test_a_halted_signal_goes_nowhere_and_the_publisher_is_told_why(runtime):
    seen: list[SignalReceipt] = []

    def no_secrets(signal: Signal) -> Halt | None:
        return Halt("it is secret") if signal.data == 1 else None

    bus = await bus_of(
        Middleware("guard", before=no_secrets, after=lambda s, receipt: seen.append(receipt)),
        Middleware("late", before=adding("late")),
    )
    published = await SignalBus.publish(bus, [signal(data=1), signal(data=None)])

    assert [receipt.halted for receipt in published.receipts] == ["it is secret", None]
    assert [receipt.seq for receipt in published.receipts] == [0, 1]
    assert [one.signal.data for one in await all_received()] == [["late"]]
    assert len(seen) == 1
    stats = await SignalBus.stats(bus)
    assert (stats.published, stats.halted) == (1, 1)


def raising(*_: object) -> None:
    raise ValueError("no")


async def overrunning(*_: object) -> None:
    await asyncio.sleep(10.0)


async def raising_timeout(*_: object) -> None:
    raise TimeoutError("of its own")


def blocking(*_: object) -> None:
    loop: Any = asyncio.get_running_loop()
    loop.clock.advance(0.2)


@pytest.mark.parametrize(
    ("function", "problem"),
    [
        (raising, "raised ValueError: no"),
        (overrunning, "overran its 0.1 s"),
        (raising_timeout, "raised TimeoutError: of its own"),
        (blocking, "overran its 0.1 s"),
        (lambda *_: 5, "returned a int, not a Signal, a Halt or None"),
    ],
)
@pytest.mark.parametrize("required", [True, False])
async def test_middleware_that_fails_is_skipped_and_reported_or_halts_if_it_is_required(
    runtime, function, problem, required
):
    recorder = Recorder(runtime)
    bus = await bus_of(
        Middleware("bad", before=function, required=required),
        Middleware("good", before=adding("ok")),
    )
    before = asyncio.get_running_loop().time()

    published = await SignalBus.publish(bus, signal())

    assert asyncio.get_running_loop().time() - before < 0.3
    assert published.faults == (SignalFault("middleware", "bad", problem),)
    assert [e["problem"] for e in recorder.of("fault.reported")] == [problem]
    assert (await SignalBus.stats(bus)).middleware_faults == 1
    if required:
        assert published.receipts[0].halted == f"middleware 'bad' is required and {problem}"
        assert await all_received() == []
    else:
        assert [one.signal.data for one in await all_received()] == [["ok"]]


@pytest.mark.parametrize("function", [raising, overrunning, raising_timeout])
async def test_middleware_that_fails_afterwards_is_reported_and_nothing_else_changes(
    runtime, function
):
    bus = await bus_of(Middleware("bad", after=function))

    published = await SignalBus.publish(bus, numbered(2))

    assert [fault.name for fault in published.faults] == ["bad", "bad"]
    assert [one.signal.data for one in await all_received()] == [0, 1]
    assert (await SignalBus.stats(bus)).middleware_faults == 2
    assert bus.is_alive()


async def test_a_publisher_that_is_cancelled_in_middleware_is_cancelled(runtime):
    bus = await bus_of(Middleware("slow", before=overrunning, budget=100.0))

    with pytest.raises(TimeoutError):
        async with asyncio.timeout(1.0):
            await SignalBus.publish(bus, signal())

    assert (await SignalBus.stats(bus)).published == 0


async def test_a_match_function_chooses_among_the_signals_of_the_path(runtime):
    bus = await bus_of()
    await SignalBus.subscribe(bus, "shop.**", id="large", match=lambda s: s.data > 1)

    published = await SignalBus.publish(bus, numbered(4))

    assert published.by_subscription == {
        "all": {SignalOutcome.SENT: 4},
        "large": {SignalOutcome.SENT: 2},
    }


async def test_a_match_function_that_raises_wants_nothing_is_reported_and_hurts_nobody(runtime):
    recorder = Recorder(runtime)
    bus = await bus_of()
    await SignalBus.subscribe(bus, "**", id="bad", match=raising)

    published = await SignalBus.publish(bus, signal())

    assert published.faults == (SignalFault("match", "bad", "raised ValueError: no"),)
    assert published.counts == {SignalOutcome.SENT: 1}
    assert (await SignalBus.stats(bus)).match_faults == 1
    assert [e["where"] for e in recorder.of("fault.reported")] == ["match"]


async def test_when_the_last_match_function_goes_publishing_is_one_call_again(runtime):
    bus = await bus_of()
    await SignalBus.subscribe(bus, "**", id="m", match=lambda s: True)
    before = bus._process.messages_in
    await SignalBus.publish(bus, signal())
    twice = bus._process.messages_in - before
    await SignalBus.unsubscribe(bus, "m")
    before = bus._process.messages_in

    await SignalBus.publish(bus, signal())

    assert (twice, bus._process.messages_in - before) == (2, 1)


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        ({"name": ""}, "name must be a string, not empty"),
        ({"name": "m"}, "before or after must be given"),
        ({"name": "m", "before": 3}, "before must be a function"),
        ({"name": "m", "after": raising, "budget": -1.0}, "budget must be a finite number"),
    ],
)
def test_middleware_that_is_wrong_is_refused(arguments: Any, says: str):
    with pytest.raises(SignalOptionsError, match=says):
        Middleware(**arguments)


async def test_two_middleware_of_one_name_are_refused(runtime):
    with pytest.raises(st.StartError, match="names of middleware must be unique; got 'm'"):
        await SignalBus.start(middleware=[Middleware("m", before=raising)] * 2)
