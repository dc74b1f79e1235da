"""Timers against a model: a sorted list with nothing lazy in it."""

from __future__ import annotations

import math

import pytest
from hypothesis import settings
from hypothesis import strategies as some
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from suptree.core import timers as module
from suptree.core.slot import PENDING
from suptree.core.timers import Timer, Timers


class Owner:
    """What `Timers` needs of a process."""

    def __init__(self) -> None:
        self.timers: set[Timer] | None = None


DELAYS = some.one_of(some.sampled_from([0.0, 1.0, 2.0]), some.floats(0, 20))


class TimersMachine(RuleBasedStateMachine):
    """Adds, cancels, drops owners and lets time pass; the model does the same with a dict."""

    @initialize()
    def begin(self) -> None:
        self.timers = Timers()
        self.now = 100.0
        self.seq = 0
        self.owners = [Owner() for _ in range(3)]
        self.model: dict[Timer, tuple[float, int]] = {}
        self.all: list[Timer] = []

    def _add(self, delay: float, owner: Owner | None, period: float | None) -> None:
        self.seq += 1
        timer = Timer(self.seq, self.now + delay)
        timer.owner = owner
        timer.period = period
        self.timers.add(timer)
        self.model[timer] = (timer.due, self.seq)
        self.all.append(timer)

    @rule(delay=DELAYS, owner=some.integers(0, 3))
    def add(self, delay: float, owner: int) -> None:
        self._add(delay, None if owner == 3 else self.owners[owner], None)

    @rule(
        period=some.one_of(some.floats(0.1, 5), some.floats(1e-15, 1e-3)), owner=some.integers(0, 2)
    )
    def add_periodic(self, period: float, owner: int) -> None:
        self._add(period, self.owners[owner], period)

    @precondition(lambda self: self.all)
    @rule(data=some.data())
    def cancel(self, data: some.DataObject) -> None:
        timer = data.draw(some.sampled_from(self.all))

        assert self.timers.cancel(timer) is (self.model.pop(timer, None) is not None)
        assert timer.cancelled

    @rule(owner=some.integers(0, 2))
    def drop_owner(self, owner: int) -> None:
        self.timers.drop_owner(self.owners[owner])
        for timer in [one for one in self.model if one.owner is self.owners[owner]]:
            del self.model[timer]

    @rule(seconds=DELAYS)
    def pass_time(self, seconds: float) -> None:
        self.now += seconds
        due = sorted((key, timer) for timer, key in self.model.items() if key[0] <= self.now)
        expected = [timer for _, timer in due]
        for key, timer in due:
            if timer.period is None:
                del self.model[timer]
            else:  # the next point of its grid that is in the future
                self.seq += 1
                next_due = key[0] + (int((self.now - key[0]) / timer.period) + 1) * timer.period
                if next_due <= self.now:  # shorter than what the clock can tell
                    next_due = max(next_due + timer.period, math.nextafter(self.now, math.inf))
                self.model[timer] = (next_due, self.seq)

        assert list(self.timers.expire(self.now)) == expected
        assert all(timer.due > self.now for timer in self.model)

    @invariant()
    def agrees(self) -> None:
        if not hasattr(self, "timers"):
            return
        assert self.timers.live == len(self.model)
        assert self.timers.next_due() == min((due for due, _ in self.model.values()), default=None)
        for owner in self.owners:
            mine = {timer for timer in self.model if timer.owner is owner}
            assert (owner.timers or set()) == mine


TestTimers = TimersMachine.TestCase
TestTimers.settings = settings(max_examples=60, stateful_step_count=30, deadline=None)


class Answer:
    """What `Timers` needs of a slot."""

    def __init__(self) -> None:
        self.state: object = PENDING

    def expire(self) -> None:
        if self.state is PENDING:
            self.state = "expired"


class DeadlinesMachine(RuleBasedStateMachine):
    """Starts deadlines of equal and of rare lengths, answers some, and lets time pass; the model is a dict."""

    @initialize()
    def begin(self) -> None:
        self.timers = Timers()
        self.now = 100.0
        self.model: dict[Answer, float] = {}

    @rule(length=some.one_of(some.sampled_from([0.0, 1.0, 2.0]), some.floats(0, 20)))
    def add(self, length: float) -> None:
        slot = Answer()
        self.model[slot] = self.now + length
        self.timers.add_deadline(self.now + length, length, slot)  # type: ignore[arg-type]

    @precondition(lambda self: self.model)
    @rule(data=some.data())
    def answer(self, data: some.DataObject) -> None:
        slot = data.draw(some.sampled_from(list(self.model)))
        slot.state = "answered"
        del self.model[slot]

    @rule(seconds=DELAYS)
    def pass_time(self, seconds: float) -> None:
        self.now += seconds
        due = [slot for slot, when in self.model.items() if when <= self.now]
        for slot in due:
            del self.model[slot]

        assert list(self.timers.expire(self.now)) == []
        assert all(slot.state == "expired" for slot in due)

    @invariant()
    def agrees(self) -> None:
        if not hasattr(self, "timers"):
            return
        assert all(slot.state is PENDING for slot in self.model)
        assert self.timers.deadlines() == len(self.model)
        assert self.timers.next_due() == min(self.model.values(), default=None)


@pytest.fixture(autouse=True)
def _few_lanes(monkeypatch):
    """So few that some deadlines of every run have no lane, and some are pruned."""
    monkeypatch.setattr(module, "LANES_AT_MOST", 2)
    monkeypatch.setattr(module, "CROWDED", 3)


TestDeadlines = DeadlinesMachine.TestCase
TestDeadlines.settings = settings(max_examples=60, stateful_step_count=30, deadline=None)
