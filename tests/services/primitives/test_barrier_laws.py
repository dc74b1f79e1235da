"""Barriers, the server itself, against a model: random arrivals, leavings, deaths and time."""

from __future__ import annotations

import asyncio
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as some

import suptree as st
from suptree.services import AlreadyArrivedError, Arrival, BarrierBrokenError, Barriers
from suptree.testing import VirtualLoop
from tests.services.primitives.people import settle

SIZE, TIMEOUT = 3, 10.0
WHO = some.integers(0, 4)
STEPS = some.lists(
    some.one_of(
        some.tuples(some.just("arrive"), WHO),
        some.tuples(some.just("arrive"), WHO),
        some.tuples(some.just("leave"), WHO),
        some.tuples(some.just("die"), WHO),
        some.tuples(some.just("wait"), some.sampled_from([1.0, 4.0, 9.0])),
    ),
    max_size=30,
)


class Anybody(st.GenServer):
    """Lives until it is killed."""


class Model:
    """Who waits, until when; what each arrival has come to."""

    def __init__(self) -> None:
        self.waiting: dict[int, tuple[int, float]] = {}  # who -> (number of the arrival, due)
        self.outcomes: dict[int, Any] = {}
        self.generation = 0

    def arrive(self, who: int, number: int, now: float) -> None:
        if who in self.waiting:
            self.outcomes[number] = AlreadyArrivedError
            return
        if not self.waiting:
            self.generation += 1
        self.waiting[who] = number, now + TIMEOUT
        if len(self.waiting) == SIZE:
            for place, (each, _) in enumerate(self.waiting.values()):
                self.outcomes[each] = Arrival(self.generation, place, SIZE)
            self.waiting.clear()

    def leave(self, who: int) -> int | None:
        left = self.waiting.pop(who, None)
        if left is None:
            return None
        self.outcomes[left[0]] = asyncio.CancelledError
        return left[0]

    def break_all(self) -> None:
        for number, _ in self.waiting.values():
            self.outcomes[number] = BarrierBrokenError
        self.waiting.clear()

    def pass_time(self, now: float) -> None:
        if any(due <= now for _, due in self.waiting.values()):
            self.break_all()


@settings(max_examples=150, deadline=None)
@given(STEPS)
def test_every_arrival_ends_as_the_model_says(steps):
    async def main() -> None:
        async with st.Runtime() as runtime:
            barriers = await Barriers.start_link()
            pids = [await Anybody.start() for _ in range(5)]
            model, tasks = Model(), dict[int, asyncio.Task[Any]]()
            for number, (step, value) in enumerate(steps):
                if step == "arrive":
                    arrival = Barriers.arrive(
                        barriers, "gate", SIZE, timeout=TIMEOUT, party=pids[value]
                    )
                    tasks[number] = asyncio.ensure_future(arrival)
                    await settle()
                    model.arrive(value, number, runtime.now())
                elif step == "leave":
                    left = model.leave(value)
                    if left is not None:
                        tasks[left].cancel()
                elif step == "die":
                    st.exit(pids[value], st.KILL)
                    pids[value] = await Anybody.start()
                    if value in model.waiting:
                        model.break_all()
                else:
                    await asyncio.sleep(value)
                    model.pass_time(runtime.now())
                await settle()
                waiting = await Barriers.waiting(barriers, "gate")
                assert waiting == tuple(pids[who] for who in model.waiting)
            await asyncio.sleep(TIMEOUT)
            model.pass_time(runtime.now())
            for number, task in tasks.items():
                (outcome,) = await asyncio.gather(task, return_exceptions=True)
                expected = model.outcomes[number]
                assert outcome == expected or type(outcome) is expected
            state = await st.sys.get_state(barriers)
            assert (len(state["owners"]), len(state["deadlines"])) == (0, 0)

    with asyncio.Runner(loop_factory=VirtualLoop) as runner:
        runner.run(main())
