"""Who needs whom: refusals with the path, and every order that follows."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as some

from suptree.errors import SuptreeError
from suptree.services import (
    Dependencies,
    DependencyCycleError,
    DependencyError,
    MissingDependencyError,
    UnknownServiceError,
    start_order,
)

SHOP = {"api": ["cache", "db"], "cache": ["db"], "clock": [], "db": []}


@pytest.mark.parametrize(
    ("services", "path"),
    [
        ({"a": ["b"], "b": ["c"], "c": ["a"]}, "a -> b -> c -> a"),
        ({"a": ["a"]}, "a -> a"),
        ({"x": ["b"], "a": ["b"], "b": ["c"], "c": ["b"]}, "b -> c -> b"),
        ({"a": ["x", "b"], "x": [], "b": ["x", "a"]}, "a -> b -> a"),
    ],
)
def test_a_circle_is_refused_with_its_path(services, path):
    with pytest.raises(DependencyCycleError) as caught:
        Dependencies(services)
    assert path in str(caught.value)
    assert " -> ".join(caught.value.path) == path


def test_a_missing_dependency_is_refused_with_the_path_and_a_near_name():
    with pytest.raises(MissingDependencyError) as caught:
        start_order({"api": ["catche"], "cache": []})
    assert (caught.value.service, caught.value.missing) == ("api", "catche")
    assert "api -> catche, did you mean 'cache'?" in str(caught.value)


@pytest.mark.parametrize(
    ("services", "words"),
    [
        ({"api": "db", "db": []}, "must be a list of names; got 'db'"),
        ({"api": 3}, "must be a list of names; got 3"),
        ({"": []}, "must be a non-empty string"),
        ({3: []}, "must be a non-empty string; got 3"),
    ],
)
def test_what_is_no_declaration_is_refused(services, words):
    with pytest.raises(DependencyError, match=words):
        start_order(services)


def test_each_service_starts_after_what_it_needs_and_else_as_declared():
    assert start_order(SHOP) == ["db", "cache", "api", "clock"]
    assert start_order({"b": [], "a": []}) == ["b", "a"]
    assert start_order({}) == []


def test_services_stop_in_the_reverse_of_their_start_order():
    needs = Dependencies(SHOP)

    assert needs.stop_order() == needs.start_order()[::-1]


def test_a_group_needs_only_the_groups_before_it():
    assert Dependencies(SHOP).groups() == [["db", "clock"], ["cache"], ["api"]]
    assert Dependencies({}).groups() == []


def test_needs_and_their_reverse_directly_and_through_others():
    needs = Dependencies({"web": ["api"], **SHOP})

    assert needs.needs("api") == ("cache", "db")
    assert needs.all_needs("web") == ["db", "cache", "api"]
    assert needs.needed_by("db") == ("cache", "api")
    assert needs.all_needed_by("cache") == ["api", "web"]
    assert needs.all_needed_by("clock") == []


def test_an_undeclared_service_is_refused_with_a_near_name():
    with pytest.raises(UnknownServiceError, match=r"got 'dbb', did you mean 'db'\?"):
        Dependencies(SHOP).needs("dbb")


def test_a_declaration_is_a_value():
    declared = {"api": ["db"], "db": []}
    needs = Dependencies(declared)
    declared["db"].append("api")

    assert needs == Dependencies({"api": ["db", "db"], "db": []})
    assert hash(needs) == hash(Dependencies({"db": (), "api": ("db",)}))
    assert needs != Dependencies({"api": [], "db": []})
    assert needs != 3
    assert "api" in needs
    assert 3 not in needs
    assert list(needs) == ["db", "api"]
    assert len(needs) == 2
    assert "api" in repr(needs)


def test_a_chain_may_be_as_long_as_it_likes():
    chain = {f"s{n}": [f"s{n + 1}"] for n in range(20_000)} | {"s20000": []}

    assert start_order(chain)[0] == "s20000"


def test_every_refusal_is_a_suptree_error():
    with pytest.raises(SuptreeError):
        start_order({"a": ["a"]})


@some.composite
def graphs(draw):
    names = [f"s{n}" for n in range(draw(some.integers(0, 7)))]
    each = some.lists(some.sampled_from(names), max_size=3) if names else some.just([])
    return {name: draw(each) for name in names}


@given(graphs())
def test_an_order_exists_exactly_when_there_is_no_circle(services):
    left, removed = dict(services), True
    while removed:  # the model: take away what needs nothing that is left
        removed = [name for name, needs in left.items() if not set(needs) & set(left)]
        left = {name: needs for name, needs in left.items() if name not in removed}

    if left:
        with pytest.raises(DependencyCycleError) as caught:
            start_order(services)
        path = caught.value.path
        assert path[0] == path[-1]
        assert all(b in services[a] for a, b in pairwise(path))
        return
    order = start_order(services)
    assert sorted(order) == sorted(services)
    place = {name: number for number, name in enumerate(order)}
    assert all(place[need] < place[name] for name, needs in services.items() for need in needs)
    graph = Dependencies(services)
    group = {name: number for number, names in enumerate(graph.groups()) for name in names}
    assert all(group[need] < group[name] for name, needs in services.items() for need in needs)
    for name in services:
        assert graph.all_needed_by(name) == [n for n in order if name in graph.all_needs(n)]
