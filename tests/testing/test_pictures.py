"""Pictures of values: equal as long as nothing has changed, and readable."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass

import pytest
from hypothesis import given
from hypothesis import strategies as some

from suptree.testing.pictures import picture_of

VALUES = some.recursive(
    some.none() | some.booleans() | some.integers() | some.floats() | some.text() | some.binary(),
    lambda inner: (
        some.lists(inner)
        | some.tuples(inner, inner)
        | some.dictionaries(some.text(), inner)
        | some.sets(some.integers())
    ),
    max_leaves=20,
)


@dataclass(slots=True)
class Slotted:
    """Has slots, one of which may be unset."""

    left: object
    right: object


@given(VALUES)
def test_a_value_that_has_not_changed_has_equal_pictures(value):
    assert picture_of(value) == picture_of(value)


@given(some.lists(VALUES), VALUES)
def test_one_more_item_is_a_change(values, more):
    before = picture_of(values)
    values.append(more)
    assert picture_of(values) != before


@given(some.dictionaries(some.text(min_size=1), some.lists(some.integers())))
def test_a_change_below_is_a_change(table):
    table[""] = [1]
    before = picture_of(table)
    table[""].append(2)
    assert picture_of(table) != before


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ([1, "a", (2.5, None)], "[1, 'a', (2.5, None)]"),
        ({"a": {1}}, "{'a': {1}}"),
        (deque([1]), "deque([1])"),
        (bytearray(b"ab"), "bytearray(b'ab')"),
        (Slotted(1, [2]), "Slotted(left=1, right=[2])"),
    ],
)
def test_a_picture_can_be_read(value, text):
    assert str(picture_of(value)) == text


def test_a_field_that_is_not_set_is_left_out():
    value = Slotted(1, 2)
    del value.right
    assert str(picture_of(value)) == "Slotted(left=1)"


@pytest.mark.parametrize(
    ("value", "can"), [(1, False), ((1, "a"), False), ((1, []), True), (set(), True), (str, False)]
)
def test_only_what_can_change_is_worth_a_picture(value, can):
    assert picture_of(value).can_change is can


def test_the_order_of_a_set_means_nothing():
    assert picture_of({1, 2, 3}) == picture_of({3, 2, 1})
    assert picture_of({1, 2}) != picture_of({1, 3})
