"""Checks of numbers: whatever will not do is refused with what would."""

from __future__ import annotations

from typing import Any

import pytest

from suptree.services.parts.checks import check_number


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
