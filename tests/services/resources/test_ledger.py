"""The rules of who may have what, against a model of forty lines."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st_

from suptree.services import Budget, PressureLevel, ResourceLimit, UnknownResourceError
from suptree.services.resources.ledger import Claim, Ledger

LIMITS = {
    "a": ResourceLimit(4),
    "b": ResourceLimit(3, costs={"memory": 2}),
    "c": ResourceLimit(5, costs={"memory": 1, "rows": 1}),
}
BUDGETS = {"memory": 7, "rows": 3}


class Model:
    """Everybody in one list; whoever is first and fits goes, unless held up by one before."""

    def __init__(self) -> None:
        self.out: dict[int, Claim] = {}
        self.line: list[Claim] = []

    def used(self, type: str) -> int:
        return sum(one.amount for one in self.out.values() if one.type == type)

    def drawn(self, budget: str) -> int:
        return sum(one.costs.get(budget, 0) for one in self.out.values())

    def short(self, claim: Claim) -> set[str]:
        return {b for b, cost in claim.costs.items() if self.drawn(b) + cost > BUDGETS[b]}

    def fits(self, claim: Claim) -> bool:
        room = self.used(claim.type) + claim.amount <= LIMITS[claim.type].limit
        return room and not self.short(claim)

    def serve(self) -> list[int]:
        served: list[int] = []
        types: set[str] = set()
        budgets: set[str] = set()
        for claim in list(self.line):
            if claim.type in types:
                continue
            if budgets & claim.costs.keys() or not self.fits(claim):
                types.add(claim.type)
                budgets |= self.short(claim)
            else:
                self.line.remove(claim)
                self.out[claim.id] = claim
                served.append(claim.id)
        return served


STEPS = st_.lists(
    st_.tuples(
        st_.sampled_from(["ask", "ask", "ask", "back", "withdraw"]),
        st_.sampled_from("abc"),
        st_.integers(1, 5),
    ),
    max_size=50,
)


@given(STEPS)
def test_whoever_comes_first_is_served_first_and_no_limit_is_ever_passed(steps):
    ledger = Ledger(LIMITS, {name: Budget(limit) for name, limit in BUDGETS.items()})
    model = Model()

    for number, (what, type, pick) in enumerate(steps):
        if what == "ask":
            claim = ledger.claim(number, type, pick, {})
            if ledger.too_large(claim) is not None:
                continue
            model.line.append(claim)
            expected = model.serve()
            if ledger.obstacle(claim) is None:
                ledger.take(claim)
                assert expected == [number]
            else:
                ledger.wait(claim)
                assert expected == []
        elif what == "back" and model.out:
            claim = list(model.out.values())[pick % len(model.out)]
            del model.out[claim.id]
            ledger.give_back(claim)
        elif what == "withdraw" and model.line:
            claim = model.line.pop(pick % len(model.line))
            assert ledger.withdraw(claim)
            assert not ledger.withdraw(claim)
        assert [one.id for one in ledger.serve()] == model.serve()

        types, budgets = ledger.types(), ledger.budgets()
        assert {n: t.in_use for n, t in types.items()} == {n: model.used(n) for n in LIMITS}
        assert {n: b.used for n, b in budgets.items()} == {n: model.drawn(n) for n in BUDGETS}
        assert all(one.in_use <= one.limit for one in types.values())
        assert all(one.used <= one.limit for one in budgets.values())
        assert ledger.waiting == len(model.line) == sum(one.waiting for one in types.values())


def test_a_small_one_that_came_later_does_not_overtake_a_large_one_of_its_type():
    ledger = Ledger({"a": ResourceLimit(4)}, {})
    first, large, small = (ledger.claim(i, "a", n, {}) for i, n in enumerate((3, 2, 1)))
    ledger.take(first)
    ledger.wait(large)

    assert ledger.obstacle(small).reason == "queue"
    ledger.wait(small)
    assert ledger.serve() == []
    ledger.give_back(first)
    assert ledger.serve() == [large, small]


def test_a_budget_that_one_waits_for_is_not_taken_by_another_type_that_came_later():
    limits = {
        "whale": ResourceLimit(1, costs={"memory": 8}),
        "fish": ResourceLimit(9, costs={"memory": 1}),
        "bird": ResourceLimit(9),
    }
    ledger = Ledger(limits, {"memory": Budget(10)})
    fish = ledger.claim(1, "fish", 3, {})
    whale = ledger.claim(2, "whale", 1, {})
    ledger.take(fish)
    ledger.wait(whale)

    late = ledger.obstacle(ledger.claim(3, "fish", 1, {}))
    assert (late.reason, late.what) == ("queue", "memory")
    assert ledger.obstacle(ledger.claim(4, "bird", 1, {})) is None


def test_names_that_callers_make_up_are_not_kept_when_nothing_is_held_of_them():
    ledger = Ledger({}, {}, ResourceLimit(1))
    for number in range(1000):
        claim = ledger.claim(number, f"made up {number}", 1, {})
        ledger.take(claim)
        ledger.give_back(claim)
        ledger.news()

    assert ledger.types() == {}


def test_a_type_whose_cost_is_of_no_declared_budget_is_refused_with_the_nearest():
    with pytest.raises(UnknownResourceError, match="got 'memroy', did you mean 'memory'"):
        Ledger({"a": ResourceLimit(1, costs={"memroy": 1})}, {"memory": Budget(1)})
    with pytest.raises(UnknownResourceError, match="budget must be a declared one"):
        Ledger({}, {}, ResourceLimit(1, costs={"memory": 1}))


def test_pressure_is_told_once_for_each_change():
    ledger = Ledger({}, {"memory": Budget(100)})
    told = []
    for reading in (50, 91, 92, 96, 91, 90, 86, 85, 10):
        ledger.read("memory", reading)
        told.append([str(n.level) for n in ledger.news() if hasattr(n, "level")])

    assert told == [[], ["moderate"], [], ["severe"], [], ["moderate"], [], ["normal"], []]
    assert ledger.pressure is PressureLevel.NORMAL
