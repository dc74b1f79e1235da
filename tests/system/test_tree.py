"""One declaration gives the tree, its start order, and the plan that people read."""

from __future__ import annotations

from typing import Any

import pytest

import suptree as st
from suptree.services import DependencyCycleError, MissingDependencyError
from suptree.system import Branch, Service, Tree
from suptree.testing import wait_restarted


class Part(st.GenServer):
    """Says its name."""

    def __init__(self, name: str) -> None:
        self.name = name

    @st.call
    def ask(self) -> str:
        return self.name


def part(name: str, *needs: str) -> Service:
    return Service(name, st.child(Part, name), needs=needs)


def significant(name: str) -> Service:
    spec = st.child(Part, name).with_(restart="transient", significant=True)
    return Service(name, spec)


def test_services_start_after_what_they_need_whatever_the_listed_order():
    tree = Tree(Branch("root", part("c", "b"), part("b", "a"), part("a")))

    assert tree.start_order() == ["a", "b", "c"]


def test_what_needs_nothing_keeps_its_place():
    tree = Tree(Branch("root", part("x"), part("a", "z"), part("y"), part("z")))

    assert tree.start_order() == ["x", "z", "a", "y"]


def test_a_need_in_another_branch_moves_the_whole_branch():
    tree = Tree(
        Branch(
            "root",
            Branch("agents", part("one"), part("two", "scheduler")),
            Branch("managers", part("scheduler")),
        )
    )

    assert tree.start_order() == ["scheduler", "one", "two"]


def test_a_branch_is_up_when_everything_under_it_is():
    tree = Tree(Branch("root", part("late", "early"), Branch("early", part("a"), part("b"))))

    assert tree.start_order() == ["a", "b", "late"]


def test_names_are_registered_by_their_path():
    tree = Tree(Branch("root", Branch("inner", part("a"))))

    assert tree.path_of("a") == "root.inner.a"
    assert tree.path_of("inner") == "root.inner"


def test_the_plan_shows_order_strategy_intensity_and_needs():
    tree = Tree(
        Branch(
            "root",
            Branch("inner", part("b", "a"), strategy="one_for_all", max_restarts=7),
            Service("a", st.child(Part, "a").with_(restart="transient", shutdown="brutal_kill")),
            strategy="rest_for_one",
            max_seconds=2.5,
        )
    )

    assert tree.plan().splitlines() == [
        "root  rest_for_one, 3 restarts in 2.5 s",
        "├─ 1  root.a        Part, transient, shutdown brutal_kill",
        "└─ root.inner  one_for_all, 7 restarts in 5 s",
        "   └─ 2  root.inner.b  Part, permanent, shutdown 5 s, needs a",
    ]


def test_what_a_branch_needs_each_service_in_it_needs_and_a_branch_stands_for_its_services():
    tree = Tree(
        Branch(
            "root",
            Branch("late", part("x", "y"), part("y"), needs=["early"]),
            Branch("early", part("a"), part("b")),
        )
    )

    assert tree.needs() == {"x": ("a", "b", "y"), "y": ("a", "b"), "a": (), "b": ()}


# -- refused -----------------------------------------------------------------------------------


def test_a_circle_is_refused_with_its_path():
    with pytest.raises(DependencyCycleError, match="a -> b -> c -> a"):
        Tree(Branch("root", part("a", "b"), part("b", "c"), part("c", "a")))


def test_branches_that_need_one_another_through_their_services_are_refused_with_the_path():
    with pytest.raises(DependencyCycleError, match="left -> right -> left"):
        Tree(
            Branch(
                "root",
                Branch("left", part("a", "b"), part("d")),
                Branch("right", part("b"), part("c", "d")),
            )
        )


def test_a_service_that_needs_the_branch_it_is_in_is_refused():
    with pytest.raises(DependencyCycleError):
        Tree(Branch("root", Branch("inner", part("a", "inner"))))


def test_a_need_that_nobody_has_declared_is_refused_with_a_near_name():
    with pytest.raises(MissingDependencyError, match="ledger"):
        Tree(Branch("root", part("till", "leger"), part("ledger")))


def test_a_name_stands_once_in_the_whole_tree():
    with pytest.raises(st.SpecError, match=r"'a' stands at root\.a and at root\.inner\.a"):
        Tree(Branch("root", part("a"), Branch("inner", part("a"))))


@pytest.mark.parametrize("name", ["", "two words", "a.b", 7])
def test_a_name_is_one_word(name: Any):
    with pytest.raises(st.SpecError, match="a name must be a word"):
        Branch(name)


def test_needs_are_a_list_and_not_one_name():
    with pytest.raises(st.SpecError, match=r"must be a list; got 'ledger'. Write \['ledger'\]"):
        Service("till", st.child(Part, "till"), needs="ledger")


def test_a_service_is_given_a_child_spec():
    with pytest.raises(st.SpecError, match=r"spec must be a child spec.*st\.child\(Class"):
        Service("a", Part)


def test_a_branch_is_given_services_and_branches():
    with pytest.raises(st.SpecError, match="must be a Service or a Branch"):
        Branch("root", st.child(Part, "a"))


def test_a_wrong_option_of_a_branch_is_refused_when_the_tree_is_made():
    with pytest.raises(st.SupervisorOptionsError):
        Tree(Branch("root", strategy="one_for_most"))  # type: ignore[arg-type]


def test_a_significant_service_is_refused_where_its_end_would_mean_nothing():
    with pytest.raises(st.ChildSpecError, match="significant"):
        Tree(Branch("root", significant("a")))


def test_the_plan_shows_whose_end_ends_a_branch():
    tree = Tree(Branch("root", significant("a"), auto_shutdown="any_significant"))

    assert tree.plan().splitlines() == [
        "root  one_for_one, 3 restarts in 5 s, auto_shutdown any_significant",
        "└─ 1  root.a  Part, transient, significant, shutdown 5 s",
    ]


# -- running --------------------------------------------------------------------------------------


async def test_the_tree_runs_as_it_is_declared(runtime):
    tree = Tree(Branch("root", Branch("inner", part("b", "a")), part("a")))

    await tree.spec().start_link()

    assert await Part.ask("root.a") == "a"
    assert await Part.ask("root.inner.b") == "b"
    assert st.whereis("root.inner") is not None


async def test_the_end_of_a_significant_service_ends_its_branch(runtime):
    tree = Tree(Branch("root", significant("a"), part("b"), auto_shutdown="any_significant"))
    top = await tree.spec().start_link()
    st.unlink(top)
    st.monitor(top)

    await st.GenServer.stop("root.a")

    assert (await st.receive(st.Down)).reason is st.SHUTDOWN


async def test_what_starts_after_a_service_restarts_with_it_under_rest_for_one(runtime):
    tree = Tree(Branch("root", part("b", "a"), part("a"), part("c"), strategy="rest_for_one"))
    await tree.spec().start_link()
    before = {name: st.whereis(f"root.{name}") for name in "abc"}
    assert tree.start_order() == ["a", "b", "c"]

    st.exit(before["b"], st.KILL)
    await wait_restarted("root", "c", before["c"])

    after = {name: st.whereis(f"root.{name}") for name in "abc"}
    assert after["a"] == before["a"]
    assert after["b"] != before["b"]
    assert after["c"] != before["c"]


async def test_an_application_takes_its_children_from_a_tree(runtime):
    tree = Tree(Branch("shop", part("till", "ledger"), part("ledger"), strategy="rest_for_one"))

    class Shop(st.Application):
        strategy = "rest_for_one"

        def children(self) -> list[st.ChildSpec]:
            return tree.children()

    await runtime.start(Shop())

    assert await Part.ask("shop.till") == "till"
