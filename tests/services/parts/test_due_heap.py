"""The heap against a sorted list with nothing lazy in it."""

from __future__ import annotations

from hypothesis import strategies as some
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from suptree.services.parts.due_heap import DueHeap

KEYS = some.integers(0, 30)
TIMES = some.integers(0, 20).map(float)


class HeapMachine(RuleBasedStateMachine):
    """Puts, discards and pops; the model does the same with a dict."""

    def __init__(self) -> None:
        super().__init__()
        self.heap: DueHeap[int] = DueHeap()
        self.model: dict[int, tuple[float, int]] = {}
        self.seq = 0

    def in_order(self) -> list[tuple[int, float]]:
        return [(key, due) for key, (due, _) in sorted(self.model.items(), key=lambda one: one[1])]

    @rule(key=KEYS, due=TIMES, times=some.integers(1, 120))
    def put(self, key: int, due: float, times: int) -> None:
        for _ in range(times):
            self.seq += 1
            self.heap.put(key, due)
        self.model[key] = (due, self.seq)

    @rule(key=KEYS)
    def discard(self, key: int) -> None:
        self.heap.discard(key)
        self.model.pop(key, None)

    @rule(now=TIMES)
    def pop(self, now: float) -> None:
        due = [key for key, when in self.in_order() if when <= now]
        expected = due[0] if due else None

        assert self.heap.pop(now) == expected
        self.model.pop(expected, None)  # type: ignore[arg-type]

    @rule(count=some.integers(0, 40))
    def first(self, count: int) -> None:
        assert self.heap.first(count) == self.in_order()[:count]

    @invariant()
    def agrees(self) -> None:
        order = self.in_order()
        assert self.heap.earliest() == (order[0][1] if order else None)
        assert len(self.heap) == len(order)
        assert all(key in self.heap for key in self.model)
        assert len(self.heap._heap) <= 2 * len(order) + 65


TestHeap = HeapMachine.TestCase
