"""Timers: owned, on a grid, never late for the dead (F21)."""

from __future__ import annotations

import asyncio
import contextlib
import math

import pytest

import suptree as st
from suptree.core.runqueue import RunQueue
from suptree.core.slot import PENDING
from suptree.core.timers import Timer, Timers
from suptree.testing import turn, wait_down, wait_until
from tests.depth import at_depth, at_depth_async

pytestmark = pytest.mark.suptree_loop("virtual")  # exact times


async def test_send_after_sends_when_the_time_has_come(runtime):
    start = runtime.now()
    st.send_after(2.5, "later")
    st.send_after(1.5, "sooner")

    assert await st.receive() == "sooner"
    assert runtime.now() - start == pytest.approx(1.5)
    assert await st.receive() == "later"


async def test_timers_due_at_the_same_time_fire_in_the_order_they_were_started(runtime):
    for number in range(100):
        st.send_after(1, number)

    assert [await st.receive() for _ in range(100)] == list(range(100))


async def test_a_timer_may_go_to_another_process_or_a_name(runtime):
    me = st.current()

    async def work() -> None:
        st.register("worker")
        st.send(me, await st.receive())
        st.send(me, await st.receive())

    pid = runtime.spawn(work)
    st.send_after(1, "to the pid", to=pid)
    st.send_after(2, "to the name", to="worker")
    st.send_after(3, "to nobody", to="nobody")

    assert await st.receive() == "to the pid"
    assert await st.receive() == "to the name"
    await asyncio.sleep(5)


async def test_cancel_gives_the_seconds_left_or_none(runtime):
    timer = st.send_after(10, "never")
    await asyncio.sleep(4)

    assert st.cancel_timer(timer) == pytest.approx(6.0)
    assert st.cancel_timer(timer) is None
    with pytest.raises(st.ReceiveTimeoutError):
        await st.receive(timeout=20)


async def test_cancel_after_firing_gives_none_and_the_message_is_not_delivered(runtime):
    timer = st.send_after(1, "fired")
    await asyncio.sleep(2)

    assert st.cancel_timer(timer) is None
    with pytest.raises(st.ReceiveTimeoutError):
        await st.receive(timeout=0)


async def test_interval_keeps_an_absolute_grid_and_skips_what_a_stall_missed(runtime):
    start = runtime.now()
    timer = st.send_interval(1.0, "tick")
    times = []
    for _ in range(3):
        await st.receive()
        times.append(runtime.now() - start)
        await asyncio.sleep(0.4)
    runtime.loop.clock.advance(3.2)  # a stall
    while len(times) < 6:
        await st.receive()
        times.append(runtime.now() - start)

    assert times[:3] == pytest.approx([1, 2, 3])
    assert times[3:] == pytest.approx([6.6, 7, 8], abs=0.01)
    assert st.cancel_timer(timer) is not None
    with pytest.raises(st.ReceiveTimeoutError):
        await st.receive(timeout=10)


async def test_timer_of_a_dead_owner_never_fires(runtime):  # F21
    me = st.current()

    async def work() -> None:
        st.send_after(1, "from the dead", to=me)
        st.send_interval(1, "tick")
        st.exit("gone")

    pid = runtime.spawn(work)
    await wait_down(pid)

    with pytest.raises(st.ReceiveTimeoutError):
        await st.receive(timeout=10)
    assert runtime.ticker.timers.live == 0


async def test_a_hundred_thousand_started_and_cancelled_leave_nothing(runtime):  # F21
    timers = runtime.ticker.timers
    longest = 0
    for _ in range(100_000):
        st.cancel_timer(st.send_after(1000, None))
        longest = max(longest, len(timers._heap))

    assert timers.live == 0
    assert longest < 200
    assert not st.current()._process.timers


async def test_a_firing_does_not_overtake_what_is_in_the_mailbox(runtime):
    me = st.current()
    st.send_after(0, "timer")
    st.send(me, "message")
    await turn(2)

    assert await st.receive() == "message"
    assert await st.receive() == "timer"


async def test_a_timer_message_may_be_anything(runtime):
    for message in (None, [], TimeoutError, st.TIMEOUT):
        st.send_after(0, message)
        assert await st.receive() is message


@pytest.mark.parametrize(
    "delay",
    [
        -1,
        float("nan"),
        float("inf"),
        pytest.param(10**400, id="beyond every float"),
        "1",
        None,
        True,
    ],
)
async def test_a_delay_that_is_no_number_of_seconds_is_refused(runtime, delay):
    with pytest.raises(ValueError, match="delay must be a finite number of seconds, 0 or more"):
        st.send_after(delay, None)


@pytest.mark.parametrize("period", [0, 1e-13, 0.9e-6])
async def test_a_period_that_is_too_short_is_refused_and_the_least_is_told(runtime, period):
    with pytest.raises(ValueError, match=r"period must be .* more than 0, 1e-06 at least"):
        st.send_interval(period, None)
    assert runtime.ticker.timers.live == 0


class Answered:
    """A slot that was filled."""

    state = object()


class Open:
    """A slot that nobody has filled."""

    def __init__(self) -> None:
        self.state: object = PENDING

    def expire(self) -> None:
        self.state = "expired"


@pytest.mark.parametrize("step", [0.0, 1e-4], ids=["equal lengths", "lengths that never repeat"])
def test_answered_deadlines_are_not_kept_behind_one_that_waits(step):
    timers = Timers()
    timers.add_deadline(5.0, 5.0, Open())
    for number in range(50_000):
        timers.add_deadline(6.0, 5.0 + step * number, Answered())

    held = len(timers._rare) + sum(len(lane) for lane in timers._lanes.values())
    assert held < 10_000
    assert timers.deadlines() == 1
    assert timers.next_due() == 5.0


@pytest.mark.parametrize("step", [0.0, 1e-4], ids=["equal lengths", "lengths that never repeat"])
def test_a_deadline_costs_the_same_however_many_there_are(step, monkeypatch):
    """Counted are the slots that are looked at, of deadlines of which none is answered."""
    looks = 0

    class Watched(Open):
        @property
        def state(self) -> object:
            nonlocal looks
            looks += 1
            return PENDING

        @state.setter
        def state(self, value: object) -> None:
            pass

    timers = Timers()
    for number in range(50_000):
        timers.add_deadline(5.0 + step * number, 5.0 + step * number, Watched())

    assert looks < 4 * 50_000


def test_deadlines_expire_in_time_whatever_their_lengths():
    timers = Timers()
    slots = [Open() for _ in range(1000)]
    for number in reversed(range(1000)):
        timers.add_deadline(number, number, slots[number])

    assert timers.next_due() == 0
    assert list(timers.expire(499.0)) == []
    assert [slot.state for slot in slots] == ["expired"] * 500 + [PENDING] * 500
    assert timers.next_due() == 500


def test_a_deadline_that_is_no_number_is_refused_and_hides_no_other():
    timers = Timers()
    slots = [Open() for _ in range(1000)]
    for number, slot in enumerate(slots):
        timers.add_deadline(1.0 + number, 1.0 + number, slot)
        with pytest.raises(ValueError, match="must be a number of seconds"):
            timers.add_deadline(math.nan, math.nan, Open())

    assert timers.next_due() == 1.0
    assert list(timers.expire(2000.0)) == []
    assert all(slot.state == "expired" for slot in slots)


def test_the_next_point_of_any_grid_lies_after_now():
    timers = Timers()
    timer = Timer(1, 1e5, period=1e-13)  # less than a clock at 1e5 can tell
    timers.add(timer)

    assert list(timers.expire(1e5)) == [timer]
    assert timers.next_due() > 1e5


def test_timers_expire_in_order_whatever_the_order_of_start():
    timers = Timers()
    for number, due in enumerate([5.0, 1.0, 3.0, 1.0]):
        timers.add(Timer(number, due))

    assert [timer._id for timer in timers.expire(3.0)] == [1, 3, 2]
    assert timers.next_due() == 5.0


async def test_a_timer_whose_work_cancels_many_others_upsets_no_grid(runtime):
    """A process with many timers is buried by a timer: the grid of others goes on."""
    start = runtime.now()
    many = [runtime.ticker.call_after(60, lambda: None) for _ in range(500)]
    ticks: list[float] = []

    def cancel_many() -> None:
        for timer in many:
            runtime.ticker.cancel(timer)

    runtime.ticker.call_after(1, cancel_many)
    st.send_interval(1, "tick")
    for _ in range(4):
        assert await st.receive() == "tick"
        ticks.append(runtime.now() - start)

    assert ticks == pytest.approx([1, 2, 3, 4])


class Busy(st.GenServer):
    """Never without a message, and never without a timer that is due, for a hundred ticks."""

    def __init__(self, ticks: list[object]) -> None:
        self.ticks = ticks
        self.send_after(0, "tick")

    @st.cast
    def again(self) -> None:
        if len(self.ticks) < 100:
            Busy.again(self.pid)

    def handle_info(self, message: object) -> None:
        self.ticks.append(message)
        self.send_after(0, message)


async def test_law9_a_timer_in_a_busy_loop_adds_no_turn_of_the_run_queue(runtime, monkeypatch):
    ticks: list[object] = []
    drains: list[RunQueue] = []
    drain = RunQueue.drain
    monkeypatch.setattr(RunQueue, "drain", lambda queue: (drains.append(queue), drain(queue)))
    busy = await Busy.start_link(ticks)
    Busy.again(busy)

    in_one_turn = set[int]()
    while len(ticks) < 100:
        before = len(drains)
        await asyncio.sleep(0)
        in_one_turn.add(len(drains) - before)

    assert max(in_one_turn) == 1


# -- at the end of the stack --------------------------------------------------------------


async def test_a_timer_without_room_on_the_stack_is_not_started_and_the_clock_goes_on(runtime):
    for left in range(40):
        started: list[st.Timer] = []
        live = runtime.ticker.timers.live
        st.send_after(2, "late")  # the loop is armed for this one, and has to be armed again
        at_depth(left, lambda started=started: started.append(st.send_after(1, "soon")))

        assert runtime.ticker.timers.live == live + 1 + len(started)
        expected = ["soon"] * len(started) + ["late"]
        assert [await st.receive(timeout=5) for _ in expected] == expected


async def test_a_runaway_recursion_that_sets_timers_does_not_stop_the_clock(runtime):
    def walk(number: int) -> None:
        st.send_after(1 - number / 1e4, number)  # each is due before all others
        walk(number + 1)

    with pytest.raises(RecursionError):
        walk(0)
    started = runtime.ticker.timers.live

    assert started > 0
    assert [await st.receive(timeout=5) for _ in range(started)] == list(reversed(range(started)))


async def test_a_receive_without_room_on_the_stack_does_not_stop_the_clock(runtime):
    async def receive() -> None:
        with contextlib.suppress(st.ReceiveTimeoutError):
            await st.receive(timeout=1)

    for left in range(40):
        await at_depth_async(left, receive)
        with pytest.raises(st.ReceiveTimeoutError):
            await st.receive(timeout=1)


async def test_two_timers_that_differ_by_a_rounding_both_fire_though_time_stands_still(runtime):
    """The loop calls back a hair before the second one is due, and `wait_until` does not move time."""
    got = []

    async def collect():
        st.send_after(0.3, "first")
        st.send_after(0.1 + 0.2, "second")  # 0.30000000000000004
        while True:
            got.append(await st.receive())

    st.spawn(collect)

    await wait_until(lambda: len(got) == 2)
    assert got == ["first", "second"]
