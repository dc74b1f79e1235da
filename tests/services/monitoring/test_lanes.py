"""Places, and two lanes in front of them."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as some

from suptree.services.monitoring.lanes import Lanes


def test_each_key_is_there_once():
    lanes: Lanes[int] = Lanes(2)
    for _ in range(3):
        lanes.put(1, slow=False)

    assert [lanes.take(), lanes.take()] == [1, None]
    lanes.put(1, slow=False)
    assert lanes.take() is None
    lanes.leave(1)
    lanes.put(1, slow=False)
    assert lanes.take() == 1


def test_one_place_alone_is_for_both_lanes():
    lanes: Lanes[int] = Lanes(1)
    lanes.put(1, slow=True)
    lanes.put(2, slow=False)

    assert lanes.take() == 2
    lanes.leave(2)
    assert lanes.take() == 1


@given(
    some.integers(1, 5),
    some.lists(
        some.one_of(
            some.tuples(some.just("put"), some.integers(0, 9), some.booleans()),
            some.tuples(some.just("leave"), some.integers(0, 9), some.just(False)),
            some.tuples(some.just("take"), some.just(0), some.just(False)),
        )
    ),
)
def test_the_lanes_are_two_queues_and_a_set_of_places(places, steps):
    lanes: Lanes[int] = Lanes(places)
    waiting: list[tuple[int, bool]] = []
    running: dict[int, bool] = {}
    for what, key, slow in steps:
        if what == "put":
            lanes.put(key, slow=slow)
            if key not in running and key not in dict(waiting):
                waiting.append((key, slow))
        elif what == "leave":
            lanes.leave(key)
            running.pop(key, None)
            waiting = [one for one in waiting if one[0] != key]
        else:
            quick = [one for one in waiting if not one[1]]
            slows = [one for one in waiting if one[1]]
            may_slow = sum(running.values()) < max(1, places // 2)
            next_one = (quick or (slows if may_slow else []) or [None])[0]
            if len(running) >= places:
                next_one = None
            assert lanes.take() == (None if next_one is None else next_one[0])
            if next_one is not None:
                waiting.remove(next_one)
                running[next_one[0]] = next_one[1]

        assert lanes.waiting == len(waiting)
        assert all((key in lanes) == (key in running or key in dict(waiting)) for key in range(10))
