"""Criteria: built by operators, evaluated alike for indexed and other attributes."""

from __future__ import annotations

from typing import Any

import pytest

from suptree.services import CriteriaError, where
from suptree.services.agent_registry import AgentEntry, All, AnyOf, Op
from suptree.services.agent_registry.matching import compiled
from suptree.services.agent_registry.values import MISSING, freeze, merged, value_at
from tests.services.agent_registry import naive

METADATA = {
    "capability": ["chat", "code"],
    "health_status": "healthy",
    "node": "n1",
    "note": None,
    "resources": {"memory_available": 100, "cpu_available": 0.5, "disks": {"fast": 2}},
    "a.b": 7,
}


def entry(**metadata: Any) -> AgentEntry:
    return AgentEntry("ada", None, freeze({**METADATA, **metadata}), 5.0, 1)  # type: ignore[arg-type]


def matches(entry: AgentEntry, criteria: Any) -> bool:
    found = compiled(criteria)(entry)
    assert found is naive.matches(entry, criteria)
    return found


@pytest.mark.parametrize(
    ("criteria", "holds"),
    [
        (where("node") == "n1", True),
        (where("node") == "n2", False),
        (where("node") != "n2", True),
        (where("node") != "n1", False),
        (where("resources.memory_available") > 99, True),
        (where("resources.memory_available") > 100, False),
        (where("resources.memory_available") >= 100, True),
        (where("resources.memory_available") >= 101, False),
        (where("resources.memory_available") < 101, True),
        (where("resources.memory_available") < 100, False),
        (where("resources.memory_available") <= 100, True),
        (where("resources.memory_available") <= 99, False),
        (where("node").in_(["n1", "n2"]), True),
        (where("node").in_({"n2"}), False),
        (where("node").not_in(["n2"]), True),
        (where("node").not_in(["n1"]), False),
        (where("capability") == "code", True),
        (where("capability") == "sing", False),
        (where("capability") != "sing", True),
        (where("capability") != "code", False),
        (where("capability") == ["chat", "code"], True),
        (where("capability") == ["code", "chat"], False),
        (where("capability").in_(["sing", "chat"]), True),
        (where("capability").not_in(["sing"]), True),
        (where("capability").not_in(["chat"]), False),
        (where("capability").has("chat", "code"), True),
        (where("capability").has("chat", "sing"), False),
        (where("resources.disks.fast") == 2, True),
        (where("resources.disks.slow") == 2, False),
        (where("resources.disks") == {"fast": 2}, True),
        (where("resources.cpu_available").between(0.5, 1), True),
        (where("resources.cpu_available").between(0.6, 1), False),
        (where("a.b") == 7, False),
        (where("a", "b") == 7, False),
        (where("id") == "ada", True),
        (where("registered_at") >= 5, True),
        (where("note").exists(), True),
        (where("gone").exists(), False),
        (where("note") == None, True),  # noqa: E711  (builds a criterion)
        ((where("node") == "n1") & (where("note") == 1), False),
        ((where("node") == "n1") | (where("note") == 1), True),
        (~(where("node") == "n1"), False),
        (~(where("node") == "n2") & where("capability").has("chat"), True),
        (All(), True),
        (AnyOf(), False),
    ],
    ids=str,
)
def test_each_operator_says_who_is_meant(criteria: Any, holds: bool) -> None:
    assert matches(entry(), criteria) is holds


@pytest.mark.parametrize("op", ["eq", "gt", "gte", "lt", "lte", "in", "exists"])
def test_what_is_missing_matches_nothing_but_what_is_negated(op: str) -> None:
    value = [None, 0, ""] if op == "in" else 0

    assert not matches(entry(), where("no.such.path").compare(op, value))
    assert matches(entry(), ~where("no.such.path").compare(op, value))


@pytest.mark.parametrize(
    ("op", "opposite"), [(Op.EQ, Op.NEQ), (Op.IN, Op.NOT_IN)], ids=["neq", "not_in"]
)
@pytest.mark.parametrize("path", ["node", "capability", "gone", "resources"])
def test_neq_and_not_in_are_exactly_what_eq_and_in_are_not(op, opposite, path) -> None:
    for value in ("n1", "chat", "x"):
        wanted = [value] if op is Op.IN else value
        left = matches(entry(), where(path).compare(op, wanted))
        assert left is not matches(entry(), where(path).compare(opposite, wanted))


def test_values_without_an_order_are_neither_above_nor_below_one_another() -> None:
    assert not matches(entry(), where("node") > 1)
    assert not matches(entry(), where("node") <= 1)
    assert not matches(entry(), where("capability") >= "a")


def test_a_key_with_a_dot_is_reached_key_by_key() -> None:
    assert matches(entry(resources={"a.b": 1}), where("resources", "a.b") == 1)


def test_a_criterion_reads_as_it_was_written() -> None:
    wanted = (where("node") == "n1") & ((where("x") > 2) | ~where("y").exists())

    assert str(wanted) == "node == 'n1' and (x > 2 or not y exists)"
    assert str(All()) == "everything"


def test_a_criterion_used_as_a_truth_value_is_refused_with_the_way_out() -> None:
    with pytest.raises(CriteriaError, match="Join criteria with &"):
        (where("a") == 1) and (where("b") == 2)
    with pytest.raises(CriteriaError, match="neither true nor false"):
        1 < where("a") < 3  # noqa: B015


@pytest.mark.parametrize(
    ("make", "text"),
    [
        (lambda: where(""), "path must be keys"),
        (lambda: where("a..b"), "path must be keys"),
        (lambda: where("a").in_("abc"), "values must be a list"),
        (lambda: where("a").not_in(3), "values must be a list"),
        (lambda: where("a").compare("gtee", 1), "did you mean 'gte'"),
        (lambda: (where("a") == 1) & True, "made by where"),
        (lambda: (where("a") == 1) | where("b"), "made by where"),
    ],
)
def test_what_means_nothing_is_refused(make: Any, text: str) -> None:
    with pytest.raises(CriteriaError, match=text):
        make()


# -- values ------------------------------------------------------------------------------


def test_frozen_metadata_cannot_be_changed_at_any_depth() -> None:
    source = {"a": {"b": [1, {"c": 2}]}, "s": {1}}

    frozen = freeze(source)
    source["a"]["b"].append(3)

    assert frozen["a"]["b"] == (1, {"c": 2})
    with pytest.raises(TypeError):
        frozen["a"]["x"] = 1
    with pytest.raises(TypeError):
        frozen["a"]["b"][1]["c"] = 1


def test_what_contains_itself_is_refused() -> None:
    endless: dict[str, Any] = {}
    endless["me"] = endless

    with pytest.raises(ValueError, match="nested deeper"):
        freeze(endless)


def test_merging_goes_into_mappings_and_replaces_all_else() -> None:
    old = freeze({"a": {"b": 1, "c": [1]}, "d": 1})

    new = merged(old, freeze({"a": {"c": [2]}, "d": {"e": 1}}))

    assert new == {"a": {"b": 1, "c": (2,)}, "d": {"e": 1}}
    assert old == {"a": {"b": 1, "c": (1,)}, "d": 1}
    assert value_at(new, ("d", "x", "y")) is MISSING
