"""Deadlines against a dict."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as some

from suptree.services.primitives.deadlines import Deadlines

KEYS = some.sampled_from("abcdef")
STEPS = some.lists(
    some.one_of(
        some.tuples(some.just("set"), KEYS, some.floats(0, 10)),
        some.tuples(some.just("discard"), KEYS, some.just(0.0)),
        some.tuples(some.just("pop"), some.just(""), some.floats(0, 10)),
    ),
    max_size=60,
)


@given(STEPS)
def test_the_earliest_and_what_is_due_are_those_of_a_dict(steps):
    deadlines, model = Deadlines(), dict[str, float]()
    for step, key, value in steps:
        if step == "set":
            deadlines.set(key, value)
            model[key] = value
        elif step == "discard":
            deadlines.discard(key)
            model.pop(key, None)
        else:
            due = sorted((at, each) for each, at in model.items() if at <= value)
            assert deadlines.pop_due(value) == [each for _, each in due]
            for _, each in due:
                del model[each]
        assert deadlines.earliest() == min(model.values(), default=None)
        assert len(deadlines) == len(model)


def test_a_key_that_is_moved_for_ever_costs_no_memory():
    deadlines = Deadlines()
    for number in range(10_000):
        deadlines.set("a", float(number))

    assert len(deadlines._heap) < 200
    assert deadlines.pop_due(1e9) == ["a"]
