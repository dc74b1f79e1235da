"""The rules, against a model: whatever is asked in whatever order, flags stand as they must."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import settings
from hypothesis import strategies as some
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from suptree.services.flags import (
    START,
    Flag,
    FlagListFullError,
    FlagOwnedError,
    FlagSetting,
    FlagStateError,
    FlagValueError,
    Migration,
    Stage,
    StageOrderError,
    UnknownFlagError,
)
from suptree.services.flags.declared import Declared
from suptree.services.flags.rules import Flags
from suptree.services.flags.standing import HISTORY_LEN, MigrationProgress, Override, Standing

STAGES = ["shadow", "half", "all"]
ROUTING = Migration(
    "routing",
    [
        Stage("shadow", {"lanes": 1}),
        Stage("half", {"lanes": 50, "old_path": False}),
        Stage("all", {"lanes": True}),
    ],
)
DECLARED = Declared.of(
    [
        Flag("lanes", default=False),
        Flag("old_path", default=True),
        Flag("x", default=False),
        Flag("y", default=10),
    ],
    [ROUTING],
    {"y": FlagSetting(20, allow=("vip",))},
)
RULES = Flags(DECLARED, max_ids=3)
EMPTY = Standing()
STAGED = {
    "": (0.0, 100.0),
    "shadow": (1.0, 100.0),
    "half": (50.0, 0.0),
    "all": (100.0, 0.0),
}


def advanced(*stages: str, standing: Standing = EMPTY) -> Standing:
    for stage in stages:
        standing = RULES.advance(standing, "routing", stage, "me", 1.0)
    return standing


def back(standing: Standing, to: str, kind: Any = "rollback") -> Standing:
    return RULES.roll_back(standing, "routing", kind, to, "bad", "me", 2.0)


def at(standing: Standing) -> tuple[float, float]:
    return RULES.state(standing, "lanes").percentage, RULES.state(standing, "old_path").percentage


# -- who says so -----------------------------------------------------------------------------


def test_what_is_set_goes_over_what_is_configured_and_that_over_the_default():
    assert RULES.state(EMPTY, "x").source == "default"
    assert (RULES.state(EMPTY, "y").percentage, RULES.state(EMPTY, "y").source) == (
        20.0,
        "configured",
    )

    standing = RULES.set(EMPTY, "y", 30, 7.0)

    state = RULES.state(standing, "y")
    assert (state.percentage, state.source, state.since) == (30.0, "set", 7.0)
    assert state.allow == {"vip"}
    assert RULES.state(RULES.reset(standing, "y"), "y") == RULES.state(EMPTY, "y")


def test_denied_ids_are_off_and_allowed_ones_on_whatever_the_percentage():
    standing = RULES.list_ids(RULES.set(EMPTY, "x", True, 0), "x", ["bad"], "deny")
    standing = RULES.list_ids(standing, "y", ["good"], "allow")

    assert not RULES.state(standing, "x").is_on("bad")
    assert RULES.state(standing, "x").is_on("other")
    assert not RULES.state(standing, "x").is_on()  # not for everybody
    assert RULES.state(RULES.set(standing, "y", 0, 0), "y").is_on("good")


def test_an_id_is_on_one_list_at_a_time():
    standing = RULES.list_ids(EMPTY, "x", ["a"], "allow")
    standing = RULES.list_ids(standing, "x", ["a"], "deny")

    assert (RULES.state(standing, "x").allow, RULES.state(standing, "x").deny) == (set(), {"a"})
    assert RULES.state(RULES.list_ids(standing, "x", ["a"], None), "x").deny == set()


def test_lists_are_bounded_and_a_full_one_can_still_be_made_shorter():
    standing = RULES.list_ids(EMPTY, "x", ["a", "b", "c"], "allow")

    with pytest.raises(FlagListFullError, match="at most 3 ids"):
        RULES.list_ids(standing, "x", ["d"], "deny")
    with pytest.raises(FlagListFullError):
        RULES.load(EMPTY, {"x": FlagSetting(True, allow=("a", "b", "c", "d"))}, 0)
    assert RULES.state(RULES.list_ids(standing, "x", ["a"], None), "x").allow == {"b", "c"}


@pytest.mark.parametrize("ids", [[""], [1], "agent", 5, (x for x in ("a",))])
def test_what_is_no_id_is_refused(ids):
    with pytest.raises(FlagValueError):
        RULES.list_ids(EMPTY, "x", ids, "allow")


def test_an_unknown_name_is_refused_with_the_near_one():
    with pytest.raises(
        UnknownFlagError, match="flag must be a declared one; got 'lane', did you mean 'lanes'"
    ):
        RULES.set(EMPTY, "lane", True, 0)
    with pytest.raises(UnknownFlagError, match=r"migration must be .* did you mean 'routing'"):
        RULES.advance(EMPTY, "routng", "shadow", "", 0)
    with pytest.raises(UnknownFlagError, match=r"stage must be .* did you mean 'shadow'"):
        RULES.advance(EMPTY, "routing", "shadw", "", 0)


# -- stages --------------------------------------------------------------------------------------


@pytest.mark.parametrize("reached", [0, 1, 2, 3])
@pytest.mark.parametrize("asked", STAGES)
def test_stages_are_enabled_strictly_in_order(reached, asked):
    standing = advanced(*STAGES[:reached])
    if STAGES[reached : reached + 1] == [asked]:
        assert RULES.progress(advanced(asked, standing=standing), "routing").stage == asked
    else:
        with pytest.raises(StageOrderError) as caught:
            advanced(asked, standing=standing)
        assert caught.value.next == (STAGES[reached] if reached < 3 else None)


@pytest.mark.parametrize("reached", [0, 1, 2, 3])
@pytest.mark.parametrize("to", ["", *STAGES])
def test_a_rollback_goes_to_an_earlier_stage_and_nowhere_else(reached, to):
    standing = advanced(*STAGES[:reached])
    if ["", *STAGES].index(to) < reached:
        assert at(back(standing, to)) == STAGED[to]
    else:
        with pytest.raises(StageOrderError):
            back(standing, to)


def test_each_stage_sets_its_flags_and_keeps_those_of_the_stages_before():
    standing = EMPTY
    for stage in STAGES:
        standing = advanced(stage, standing=standing)
        assert at(standing) == STAGED[stage]
        assert RULES.state(standing, "lanes").source == "migration"


def test_a_flag_of_a_migration_is_not_set_by_hand():
    with pytest.raises(FlagOwnedError, match="migration 'routing', which owns it"):
        RULES.set(EMPTY, "lanes", True, 0)
    assert RULES.state(RULES.list_ids(EMPTY, "lanes", ["tester"], "allow"), "lanes").is_on("tester")


@pytest.mark.parametrize(
    ("kind", "keeps"), [("rollback", True), ("automatic", False), ("emergency", False)]
)
def test_ids_that_were_allowed_leave_a_path_that_is_given_up_but_not_one_left_by_hand(kind, keeps):
    standing = RULES.list_ids(advanced("shadow"), "lanes", ["tester"], "allow")

    assert RULES.state(back(standing, START, kind), "lanes").is_on("tester") is keeps


def test_an_emergency_is_possible_at_the_start_too():
    standing = RULES.list_ids(EMPTY, "lanes", ["tester"], "allow")
    assert list(RULES.to_undo(standing)) == ["routing"]
    assert list(RULES.to_undo(EMPTY)) == []

    assert not RULES.state(back(standing, START, "emergency"), "lanes").is_on("tester")


def test_the_history_remembers_the_last_twenty_moves_and_why():
    standing = EMPTY
    for _ in range(15):
        standing = back(advanced("shadow", standing=standing), START)

    history = RULES.progress(standing, "routing").history
    assert len(history) == HISTORY_LEN == 20
    assert (history[-1].kind, history[-1].old, history[-1].reason, history[-1].by) == (
        *("rollback", "shadow"),
        *("bad", "me"),
    )


# -- stores --------------------------------------------------------------------------------------


def test_a_standing_survives_becoming_plain_data():
    standing = RULES.list_ids(
        RULES.set(advanced("shadow"), "x", 12.5, 3.0), "y", ["b", "a"], "deny"
    )
    plain = standing.to_plain()

    assert Standing.from_plain(plain) == standing
    assert plain["flags"]["y"]["deny"] == ["a", "b"]


@pytest.mark.parametrize(
    "plain", [None, {"flags": 5}, {"flags": {"x": {"percentage": "a"}}}, {"odd": 1}]
)
def test_a_store_that_cannot_be_read_is_refused_and_no_default_taken(plain):
    with pytest.raises(FlagStateError, match="must be what was put there"):
        Standing.from_plain(plain)


def test_a_stored_stage_or_percentage_that_cannot_be_is_refused():
    with pytest.raises(FlagStateError, match="stands at stage 'gone'"):
        RULES.check(Standing(migrations={"routing": MigrationProgress("gone")}))
    with pytest.raises(FlagStateError, match="must be from 0 to 100"):
        RULES.check(Standing(flags={"x": Override(percentage=120.0)}))


def test_what_nobody_declares_any_more_is_kept_and_named():
    standing = Standing(
        flags={"old": Override(percentage=5.0)}, migrations={"done": MigrationProgress("s")}
    )
    RULES.check(standing)

    standing = RULES.reset_all(RULES.set(standing, "x", True, 0))

    assert RULES.undeclared(standing) == ("old", "done")


# -- against a model -------------------------------------------------------------------------------


class AgainstModel(RuleBasedStateMachine):
    """A dict of percentages and lists, and a number of stages, say the same."""

    def __init__(self) -> None:
        super().__init__()
        self.standing = EMPTY
        self.percentages = {"x": 0.0, "y": 20.0}
        self.lists = {name: (set(), set()) for name in ("x", "y", "lanes")}
        self.lists["y"][0].add("vip")
        self.stage = 0

    FREE = some.sampled_from(["x", "y"])
    IDS = some.lists(some.sampled_from(["vip", "a", "b", "c"]), max_size=3)

    @rule(flag=FREE, percentage=some.integers(0, 100))
    def set(self, flag: str, percentage: int) -> None:
        self.standing = RULES.set(self.standing, flag, percentage, 1.0)
        self.percentages[flag] = float(percentage)

    @rule(
        flag=some.sampled_from(["x", "y", "lanes"]),
        ids=IDS,
        to=some.sampled_from(["allow", "deny", None]),
    )
    def list_ids(self, flag: str, ids: list[str], to: Any) -> None:
        allow, deny = (found - set(ids) for found in self.lists[flag])
        if to is not None:
            {"allow": allow, "deny": deny}[to].update(ids)
        try:
            self.standing = RULES.list_ids(self.standing, flag, ids, to)
        except FlagListFullError:
            assert len(allow) + len(deny) > 3
        else:
            self.lists[flag] = (allow, deny)

    @rule(flag=FREE)
    def reset(self, flag: str) -> None:
        self.standing = RULES.reset(self.standing, flag)
        self.percentages[flag] = {"x": 0.0, "y": 20.0}[flag]
        self.lists[flag] = ({"vip"} if flag == "y" else set(), set())

    @rule(stage=some.sampled_from(STAGES))
    def advance(self, stage: str) -> None:
        try:
            self.standing = advanced(stage, standing=self.standing)
        except StageOrderError:
            assert STAGES.index(stage) != self.stage
        else:
            self.stage += 1

    @rule(to=some.integers(0, 3), kind=some.sampled_from(["rollback", "automatic"]))
    def roll_back(self, to: int, kind: str) -> None:
        try:
            self.standing = back(self.standing, ["", *STAGES][to], kind)
        except StageOrderError:
            assert to >= self.stage
        else:
            if kind == "automatic":
                self.lists["lanes"] = (set(), self.lists["lanes"][1])
            self.stage = to

    @rule()
    def through_the_store(self) -> None:
        self.standing = Standing.from_plain(self.standing.to_plain())

    @invariant()
    def stands_as_the_model_says(self) -> None:
        view = RULES.view(self.standing)
        assert {name: view[name].percentage for name in ("x", "y")} == self.percentages
        assert at(self.standing) == STAGED[["", *STAGES][self.stage]]
        assert {name: (view[name].allow, view[name].deny) for name in self.lists} == self.lists


TestAgainstModel = AgainstModel.TestCase
TestAgainstModel.settings = settings(max_examples=60, stateful_step_count=25, deadline=None)
