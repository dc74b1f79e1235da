"""Checks of what callers give: whatever will not do is refused with what would."""

from __future__ import annotations

import enum
from typing import Any

import pytest

import suptree as st
from suptree.errors import BadArgumentError, SuptreeError
from suptree.services.parts.checks import (
    check_callable,
    check_classes,
    check_flag,
    check_hashable,
    check_kind,
    check_name,
    check_number,
    check_process,
    check_server,
    check_text,
    check_word,
)


@pytest.mark.parametrize(
    "value",
    [
        float("nan"),
        float("inf"),
        -float("inf"),
        pytest.param(10**400, id="beyond every float"),
        pytest.param(-(10**400), id="below every float"),
        True,
        "1",
        None,
    ],
)
def test_what_is_no_finite_number_is_refused(value: Any) -> None:
    with pytest.raises(ValueError, match="must be a finite number"):
        check_number("who", "field", value)


@pytest.mark.parametrize("value", [0, -1, 1e308, 5e-324, 10**18])
def test_a_finite_number_is_let_through(value: Any) -> None:
    check_number("who", "field", value)


class Loud(str):
    """A text that cannot be compared."""

    __slots__ = ()

    def __eq__(self, other: object) -> bool:
        raise RuntimeError("compared")

    __hash__ = str.__hash__


class Kind(enum.StrEnum):
    """A text of an enumeration."""

    NEAR = "near"


class Restless:
    """Its repr raises."""

    def __repr__(self) -> str:
        raise RuntimeError("shown")


async def test_what_is_right_passes(runtime: st.Runtime) -> None:
    check_name("who", "field", "a")
    check_name("who", "field", "\ud800")
    check_name("who", "field", Kind.NEAR)
    check_text("who", "field", "")
    check_text("who", "field", None, optional=True)
    check_flag("who", "field", False)
    check_process("who", "field", st.current())
    check_process("who", "field", None, optional=True)
    for server in (st.current(), "name", st.via("registry", "key")):
        check_server("who", "field", server)
    check_hashable("who", "field", ("a", 1))
    check_kind("who", "field", 1, int, "an int")
    assert check_callable("who", "field", len) is len


@pytest.mark.parametrize(
    ("check", "value", "wanted"),
    [
        (check_name, "", "a text that is not empty"),
        (check_name, b"a", "a text that is not empty"),
        (check_name, Loud("a"), "a text that is not empty"),
        (check_text, None, "a text"),
        (check_text, [], "a text"),
        (lambda *given: check_word(*given, ("fast", "slow")), "fats", "'fast' or 'slow'"),
        (lambda *given: check_word(*given, ("fast", "slow")), [], "'fast' or 'slow'"),
        (check_flag, 1, "True or False"),
        (check_process, "name", "a pid"),
        (check_process, None, "a pid"),
        (check_server, "", "a pid, a name or via(registry, key)"),
        (check_server, object(), "a pid, a name or via(registry, key)"),
        (check_server, st.Registry, "a pid, a name or via(registry, key)"),
        (check_hashable, [], "hashable, and equal to itself"),
        (check_hashable, float("nan"), "hashable, and equal to itself"),
        (check_hashable, Loud("a"), "hashable, and equal to itself"),
        (check_callable, Restless(), "a function"),
        (check_classes, (int,), "a tuple of exception classes below Exception"),
    ],
)
def test_what_is_wrong_is_refused_with_what_would_be_right(check, value, wanted) -> None:
    with pytest.raises(BadArgumentError) as caught:
        check("Who", "field", value)

    assert str(caught.value).startswith(f"Who: field must be {wanted}; got ")
    assert isinstance(caught.value, ValueError)
    assert isinstance(caught.value, SuptreeError)
    assert (caught.value.who, caught.value.field) == ("Who", "field")


@pytest.mark.filterwarnings("error")
def test_what_an_async_function_gave_is_no_function_and_the_advice_says_why():
    async def pay() -> None: ...

    with pytest.raises(BadArgumentError, match="Give the function itself, without calling it"):
        check_callable("Service.run", "function", pay())
