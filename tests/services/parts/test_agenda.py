"""What is due when."""

from __future__ import annotations

import random

from hypothesis import given
from hypothesis import strategies as st_

from suptree.services.parts.agenda import Agenda

KEYS = st_.integers(0, 5)
STEPS = st_.lists(
    st_.one_of(
        st_.tuples(st_.just("set"), KEYS, st_.integers(0, 20)),
        st_.tuples(st_.just("discard"), KEYS, st_.just(0)),
        st_.tuples(st_.just("pop"), st_.just(0), st_.integers(0, 20)),
    ),
    max_size=60,
)


@given(STEPS)
def test_an_agenda_gives_each_key_once_at_the_time_it_was_last_set_to(steps):
    due: Agenda[int] = Agenda()
    model: dict[int, int] = {}

    for what, key, time in steps:
        match what:
            case "set":
                due.set(key, float(time))
                model[key] = time
            case "discard":
                due.discard(key)
                model.pop(key, None)
            case _:
                ready = due.pop(float(time))
                assert sorted(ready) == sorted(k for k, t in model.items() if t <= time)
                assert [model[k] for k in ready] == sorted(model[k] for k in ready)
                model = {k: t for k, t in model.items() if t > time}
        assert len(due) == len(model)
        assert due.earliest() == (min(model.values()) if model else None)
        assert all((key in due) == (key in model) for key in range(6))


def test_keys_due_at_the_same_time_come_in_the_order_in_which_they_were_set():
    due: Agenda[str] = Agenda()
    for key in "cab":
        due.set(key, 1.0)

    assert due.pop(0.999) == []
    assert due.pop(1.0) == ["c", "a", "b"]


def test_a_key_moved_ten_thousand_times_takes_the_memory_of_one():
    due: Agenda[str] = Agenda()
    chance = random.Random(1)

    for _ in range(10_000):
        due.set("lease", chance.random())

    assert len(due._heap) < 200
    assert len(due) == 1
