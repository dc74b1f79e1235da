"""Sampler: what passes, which strategy decides, and counts that are true."""

from __future__ import annotations

import asyncio
import random
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as hs

from suptree.clock import ManualClock
from suptree.services.observing import (
    Adaptive,
    Always,
    Never,
    Randomly,
    RateLimited,
    Reservoir,
    Sampler,
    SampleStats,
    SamplingStrategy,
)
from suptree.telemetry import Event, TelemetryBus

HIT = Event("app.cache.hit", measurements={"n_count": "its number"}, doc="Found.")
MISS = Event("app.cache.missed", measurements={"n_count": "its number"}, doc="Not found.")


class Heard(list[tuple[str, float]]):
    """A handler that keeps what it heard."""

    def __call__(self, event: Event, numbers: Any, facts: Any) -> None:
        self.append((event.name, numbers["n_count"]))


def sampling(
    default: SamplingStrategy, **more: Any
) -> tuple[TelemetryBus, Heard, Sampler, ManualClock]:
    bus, heard, clock = TelemetryBus(strict=True), Heard(), ManualClock()
    sampler = Sampler(heard, default=default, clock=clock.now, seed=1, **more)
    bus.attach("sampled", "app.*", sampler)
    return bus, heard, sampler, clock


def emit(bus: TelemetryBus, event: Event, *numbers: int) -> None:
    for number in numbers:
        bus.emit(event, {"n_count": number}, {})


def test_what_is_kept_reaches_the_handler_unchanged_and_in_order():
    bus, heard, sampler, _ = sampling(RateLimited(2))
    emit(bus, HIT, 1, 2, 3)

    assert heard == [("app.cache.hit", 1), ("app.cache.hit", 2)]
    assert sampler.stats() == {"app.cache.hit": SampleStats(3, 2, 1)}


def test_each_name_is_sampled_by_itself():
    bus, heard, _, _ = sampling(RateLimited(1))
    emit(bus, HIT, 1, 2)
    emit(bus, MISS, 3)

    assert heard == [("app.cache.hit", 1), ("app.cache.missed", 3)]


def test_the_most_precise_choice_wins():
    bus, heard, _, _ = sampling(
        Always(), events={"app.*": Never(), "app.cache.*": RateLimited(1), MISS: Always()}
    )
    emit(bus, HIT, 1, 2)
    emit(bus, MISS, 3, 4)
    emit(bus, Event("app.other", measurements={"n_count": "n"}), 5)

    assert heard == [("app.cache.hit", 1), ("app.cache.missed", 3), ("app.cache.missed", 4)]


def test_a_choice_made_later_counts_from_then_on():
    bus, heard, sampler, _ = sampling(Never())
    emit(bus, HIT, 1)
    sampler.configure(HIT, Always())
    emit(bus, HIT, 2)
    sampler.configure("app.*", Never())  # less precise: changes nothing for this one
    emit(bus, HIT, 3)

    assert [number for _, number in heard] == [2, 3]
    assert sampler.stats()["app.cache.hit"] == SampleStats(3, 2, 1)


def test_a_reservoir_passes_on_a_sample_of_each_stretch_when_it_is_over():
    bus, heard, sampler, clock = sampling(Reservoir(3, every_s=1.0))
    emit(bus, HIT, *range(100))
    assert heard == []
    assert sampler.stats()["app.cache.hit"] == SampleStats(100, 0, 97, 3)

    clock.advance(1.0)
    emit(bus, HIT, 100)
    assert len(heard) == 3
    assert all(number < 100 for _, number in heard)

    sampler.flush()
    assert heard[-1] == ("app.cache.hit", 100)
    assert sampler.stats()["app.cache.hit"] == SampleStats(101, 4, 97, 0)


def test_a_reservoir_that_is_replaced_loses_nothing():
    bus, heard, sampler, _ = sampling(Reservoir(3))
    emit(bus, HIT, 1, 2)
    sampler.configure(HIT, Never())

    assert [number for _, number in heard] == [1, 2]


class Raises:
    """A strategy of a user, with a mistake."""

    def start(self, dice: random.Random) -> Raises:
        return self

    def keep(self, now: float) -> bool:
        raise ZeroDivisionError("a mistake")


def test_if_the_strategy_raises_the_event_goes_through(caplog):
    bus, heard, sampler, _ = sampling(Raises())
    emit(bus, HIT, 1, 2)

    assert [number for _, number in heard] == [1, 2]
    assert sampler.stats()["app.cache.hit"] == SampleStats(2, 2, 0, 0, 2)
    assert len(caplog.records) == 1  # told once, not once per event
    assert [one.id for one in bus.attachments()] == ["sampled"]


def test_stats_begin_anew_on_request_and_the_sampling_goes_on():
    bus, heard, sampler, _ = sampling(RateLimited(1))
    emit(bus, HIT, 1, 2)
    sampler.reset_stats()
    assert sampler.stats()["app.cache.hit"] == SampleStats()
    assert sampler.stats()["app.cache.hit"].kept_part == 1.0

    emit(bus, HIT, 3)
    assert sampler.stats()["app.cache.hit"] == SampleStats(1, 0, 1)
    assert sampler.stats()["app.cache.hit"].kept_part == 0.0
    assert len(heard) == 1


STRATEGIES = hs.sampled_from(
    [Always(), Never(), Randomly(0.5), RateLimited(2), Adaptive(3), Reservoir(2, 0.5)]
)
STEPS = hs.lists(
    hs.one_of(
        hs.tuples(hs.just("emit"), hs.sampled_from([HIT, MISS])),
        hs.tuples(hs.just("configure"), STRATEGIES),
        hs.tuples(hs.just("advance"), hs.floats(0, 2)),
        hs.tuples(hs.just("flush"), hs.none()),
    ),
    max_size=60,
)


@given(default=STRATEGIES, steps=STEPS)
def test_at_every_moment_seen_is_kept_and_dropped_and_held_and_kept_is_what_was_heard(
    default, steps
):
    bus, heard, sampler, clock = sampling(default)
    seen = 0
    for step, what in steps:
        if step == "emit":
            seen += 1
            emit(bus, what, seen)
        elif step == "configure":
            sampler.configure(HIT, what)
        elif step == "advance":
            clock.advance(what)
        else:
            sampler.flush()

        stats = sampler.stats().values()
        assert sum(one.seen for one in stats) == seen
        assert sum(one.kept for one in stats) == len(heard)
        for one in stats:
            assert one.seen == one.kept + one.dropped + one.held
    assert len(set(heard)) == len(heard)


@pytest.mark.parametrize("error", [ValueError(), None])
def test_a_handler_that_fails_behind_a_sampler_is_detached_with_it(error, caplog):
    def broken(*_: object) -> None:
        if error is not None:
            raise error

    bus = TelemetryBus()
    bus.attach("sampled", HIT, Sampler(broken))
    emit(bus, HIT, 1)

    assert len(bus.attachments()) == (0 if error is not None else 1)


@pytest.mark.suptree_loop("virtual")
async def test_without_a_clock_the_time_is_that_of_the_loop(runtime):
    heard: list[str] = []
    sampler = Sampler(lambda event, *_: heard.append(event.name), default=RateLimited(1))
    runtime.telemetry.attach("sampled", HIT, sampler)

    for _ in range(3):
        runtime.telemetry.emit(HIT, {"n_count": 1}, {})
        runtime.telemetry.emit(HIT, {"n_count": 1}, {})
        await asyncio.sleep(1.0)

    assert len(heard) == 3
