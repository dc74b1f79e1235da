"""Many moments, one timer."""

from __future__ import annotations

import math

from hypothesis import given
from hypothesis import strategies as some

from suptree.services.parts.deadlines import NEVER, Deadlines


class Item:
    """Something with a moment."""

    def __init__(self, name: int) -> None:
        self.name = name
        self.due = NEVER


STEPS = some.lists(
    some.tuples(
        some.sampled_from(["set", "clear", "take"]), some.integers(0, 5), some.integers(0, 20)
    )
)


@given(STEPS)
def test_it_is_a_map_from_things_to_moments_that_gives_out_the_earliest(steps):
    items = [Item(n) for n in range(6)]
    deadlines: Deadlines[Item] = Deadlines()
    model: dict[int, int] = {}
    for step, name, moment in steps:
        match step:
            case "set":
                deadlines.set(items[name], moment)
                model[name] = moment
            case "clear":
                deadlines.clear(items[name])
                model.pop(name, None)
            case _:
                taken = deadlines.take_due(moment)
                due = [one for one in model if model[one] <= moment]
                if taken is None:
                    assert not due
                else:
                    assert model[taken.name] == min(model[one] for one in due)
                    del model[taken.name]
        assert len(deadlines) == len(model)
        assert deadlines.next_due() == min(model.values(), default=NEVER)


def test_the_earliest_comes_first_and_equal_ones_in_order():
    deadlines: Deadlines[Item] = Deadlines()
    items = [Item(n) for n in range(4)]
    for item, due in zip(items, (3.0, 1.0, 2.0, 1.0), strict=True):
        deadlines.set(item, due)

    taken = [deadlines.take_due(5.0) for _ in range(5)]

    assert [None if one is None else one.name for one in taken] == [1, 3, 2, 0, None]


def test_what_is_set_anew_is_due_at_the_new_moment_alone():
    deadlines: Deadlines[Item] = Deadlines()
    item = Item(0)
    deadlines.set(item, 1.0)
    deadlines.set(item, 9.0)

    assert deadlines.take_due(5.0) is None
    assert deadlines.take_due(9.0) is item
    assert deadlines.take_due(9.0) is None


def test_never_is_no_moment():
    deadlines: Deadlines[Item] = Deadlines()
    item = Item(0)
    deadlines.set(item, 1.0)
    deadlines.set(item, NEVER)

    assert len(deadlines) == 0
    assert deadlines.take_due(math.inf) is None


def test_what_is_settled_early_does_not_pile_up():
    deadlines: Deadlines[Item] = Deadlines()
    for n in range(10_000):
        item = Item(n)
        deadlines.set(item, 1e6 + n)
        deadlines.clear(item)

    assert len(deadlines._heap) < 200
