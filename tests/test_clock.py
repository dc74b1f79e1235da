"""The clock is the loop's, read by the fastest function that tells the same time."""

from __future__ import annotations

import asyncio
import importlib.util
import math
import time

import pytest

from suptree.clock import (
    ManualClock,
    SystemClock,
    loop_clock,
    loop_wall_clock,
    monotonic,
    wall_clock,
)

HAS_UVLOOP = importlib.util.find_spec("uvloop") is not None


def test_stock_asyncio_loop_is_read_with_time_monotonic_itself() -> None:
    loop = asyncio.SelectorEventLoop()
    try:
        assert loop_clock(loop) is time.monotonic
    finally:
        loop.close()


@pytest.mark.skipif(not HAS_UVLOOP, reason="uvloop is not installed (extra 'speed')")
@pytest.mark.suptree_leaks(allow="fd")  # libuv opens a pipe of its own with the first loop
def test_uvloop_is_read_with_time_monotonic_because_its_own_time_stands_still() -> None:
    import uvloop

    loop = uvloop.new_event_loop()
    try:
        assert loop_clock(loop) is time.monotonic
        assert abs(loop.time() - time.monotonic()) < 60.0  # the same zero, else call_at would lie
    finally:
        loop.close()


def test_loop_with_a_time_of_its_own_keeps_it() -> None:
    class Odd(asyncio.SelectorEventLoop):
        def time(self) -> float:
            return 42.0

    loop = Odd()
    try:
        assert loop_clock(loop)() == 42.0
    finally:
        loop.close()


def test_loop_whose_time_was_replaced_on_the_instance_keeps_the_replacement() -> None:
    loop = asyncio.SelectorEventLoop()
    try:
        loop.time = lambda: 7.0  # type: ignore[method-assign]

        assert loop_clock(loop)() == 7.0
    finally:
        loop.close()


def test_system_clock_is_shifted_so_that_mixed_clocks_show() -> None:
    before, shifted, after = monotonic(), SystemClock(), monotonic()

    assert shifted.now() - before > 9_000
    assert SystemClock(offset=0.0).now() >= after


def test_the_wall_of_a_loop_is_the_real_one_unless_the_loop_tells_its_own() -> None:
    class Odd(asyncio.SelectorEventLoop):
        def wall_time(self) -> float:
            return 42.0

    stock, odd = asyncio.SelectorEventLoop(), Odd()
    try:
        assert loop_wall_clock(stock) is wall_clock
        assert loop_wall_clock(odd)() == 42.0
    finally:
        stock.close()
        odd.close()


def test_wall_clock_counts_from_1970() -> None:
    before = time.time()

    assert before - 1.0 <= wall_clock() <= time.time() + 1.0


def test_manual_clock_stands_still_until_advanced() -> None:
    clock = ManualClock(100.0)

    assert (clock.now(), clock.now()) == (100.0, 100.0)
    clock.advance(0.5)
    assert clock.now() == 100.5
    clock.advance(0.0)
    assert clock.now() == 100.5


def test_manual_clock_never_goes_back() -> None:
    clock = ManualClock(10.0)

    with pytest.raises(ValueError, match=r"seconds must be >= 0; got -1"):
        clock.advance(-1)
    clock.advance_to(5.0)
    assert clock.now() == 10.0


@pytest.mark.parametrize("bad", [math.nan, math.inf, -math.inf])
def test_manual_clock_refuses_times_that_are_no_numbers(bad: float) -> None:
    with pytest.raises(ValueError, match="must be a finite number"):
        ManualClock(bad)
    with pytest.raises(ValueError, match="must be a finite number"):
        ManualClock().advance(bad)
    with pytest.raises(ValueError, match="must be a finite number"):
        ManualClock().advance_to(bad)
