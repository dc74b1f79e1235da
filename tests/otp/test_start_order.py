"""The start order from what children depend on."""

from __future__ import annotations

import pytest

import suptree as st
from suptree.otp.start_order import arrange
from tests.otp.probes import worker


def specs(**depends_on: str) -> list[st.ChildSpec[object]]:
    return [worker(id, []).with_(depends_on=tuple(needs)) for id, needs in depends_on.items()]


def order(start_order: str, **depends_on: str) -> str:
    return "".join(spec.id for spec in arrange("shop", specs(**depends_on), start_order))


@pytest.mark.parametrize(
    ("depends_on", "expected"),
    [
        ({}, ""),
        ({"a": "", "b": "", "c": ""}, "abc"),
        ({"a": "c", "b": "", "c": ""}, "bca"),
        ({"a": "b", "b": "c", "c": ""}, "cba"),
        ({"a": "", "b": "a", "c": "a", "d": "bc"}, "abcd"),
        ({"d": "bc", "c": "a", "b": "a", "a": ""}, "acbd"),
        ({"x": "", "a": "b", "y": "", "b": ""}, "xyba"),
        ({"a": "bb", "b": ""}, "ba"),
    ],
)
def test_what_a_child_depends_on_starts_before_it_and_the_rest_as_listed(depends_on, expected):
    assert order("dependencies", **depends_on) == expected


@pytest.mark.parametrize(
    ("depends_on", "path"),
    [
        ({"a": "a"}, "'a' -> 'a'"),
        ({"a": "b", "b": "a"}, "'a' -> 'b' -> 'a'"),
        ({"x": "a", "a": "b", "b": "c", "c": "a"}, "'a' -> 'b' -> 'c' -> 'a'"),
    ],
)
def test_a_circle_is_refused_with_its_path(depends_on, path):
    with pytest.raises(st.ChildSpecError) as refusal:
        order("dependencies", **depends_on)

    assert path in str(refusal.value)


@pytest.mark.parametrize("start_order", ["listed", "dependencies"])
def test_an_unknown_dependency_is_refused_with_the_nearest_known_one(start_order):
    children = [worker("ledger", []), worker("till", [], depends_on=("leger",))]

    with pytest.raises(st.ChildSpecError, match="did you mean 'ledger'"):
        arrange("shop", children, start_order)


def test_as_listed_a_dependency_must_come_first():
    assert order("listed", a="", b="a") == "ab"
    with pytest.raises(st.ChildSpecError, match="'a' depends on 'b'"):
        order("listed", a="b", b="")


async def test_a_supervisor_starts_its_children_by_their_dependencies(runtime):
    log: list[str] = []
    children = [worker("a", log, depends_on=("b",)), worker("b", log)]

    await st.Supervisor.start_link(children, start_order="dependencies")

    assert log == ["+b", "+a"]


async def test_a_circle_starts_nothing(runtime):
    log: list[str] = []
    children = [worker("a", log, depends_on=("b",)), worker("b", log, depends_on=("a",))]

    with pytest.raises(st.ChildSpecError):
        await st.Supervisor.start_link(children, start_order="dependencies")

    assert log == []


async def test_a_child_added_later_may_depend_on_the_ones_that_are_there(runtime):
    log: list[str] = []
    sup = await st.Supervisor.start_link([worker("a", log)])

    await st.Supervisor.start_child(sup, worker("b", log, depends_on=("a",)))
    with pytest.raises(st.ChildSpecError, match="'z'"):
        await st.Supervisor.start_child(sup, worker("c", log, depends_on=("z",)))

    assert log == ["+a", "+b"]
