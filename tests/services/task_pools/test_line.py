"""`FairLine`: callers take turns, each in its own order; nothing is lost, nothing comes twice."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as some

from suptree.services.task_pools.line import FairLine

STEPS = some.lists(
    some.one_of(
        some.tuples(some.just("add"), some.integers(0, 3), some.integers(0, 30)),
        some.tuples(some.just("discard"), some.integers(0, 3), some.integers(0, 30)),
        some.tuples(some.just("next"), some.just(0), some.just(0)),
    )
)


@given(STEPS)
def test_the_line_is_as_a_round_of_queues(steps):
    line: FairLine[int, tuple[int, int]] = FairLine()
    model: list[tuple[int, list[tuple[int, int]]]] = []  # the round: a caller and its queue

    for step, caller, number in steps:
        item = (caller, number)
        queues = dict(model)
        if step == "add":
            if item in queues.get(caller, []):
                continue
            line.add(caller, item)
            if caller in queues:
                queues[caller].append(item)
            else:
                model.append((caller, [item]))
        elif step == "discard":
            line.discard(caller, item)
            if item in queues.get(caller, []):
                queues[caller].remove(item)
            model = [one for one in model if one[1]]
        else:
            expected = None
            if model:
                first, queue = model.pop(0)
                expected = queue.pop(0)
                if queue:
                    model.append((first, queue))
            assert line.next() == expected
        assert len(line) == sum(len(queue) for _, queue in model)
        assert all(line.count(one) == len(queue) for one, queue in model)
        assert sorted(line) == sorted(item for _, queue in model for item in queue)
