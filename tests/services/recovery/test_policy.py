"""`ErrorPolicy`: the nearest rule says what an error is, and the category what is done about it."""

from __future__ import annotations

import pytest

import suptree as st
from suptree.services import ErrorCategory, ErrorPolicy, RecoveryStrategy


class Refused(ConnectionError):
    """A connection error with a rule of its own below."""


@pytest.mark.parametrize(
    ("error", "category", "strategy"),
    [
        (TimeoutError(), "transient", "retry"),
        (ConnectionResetError(), "transient", "retry"),
        (st.NoProcessError("x", "call"), "transient", "retry"),
        (KeyError("x"), "permanent", "propagate"),
        (PermissionError(), "permanent", "propagate"),
        (RuntimeError(), "permanent", "propagate"),
        (MemoryError(), "resource", "circuit_break"),
        (ValueError(), "validation", "propagate"),
        (TypeError(), "validation", "propagate"),
        (OSError(28, "full"), "system", "compensate"),
        (RecursionError(), "system", "compensate"),
        (ExceptionGroup("x", [TimeoutError(), ConnectionError()]), "transient", "retry"),
        (ExceptionGroup("x", [TimeoutError(), ValueError()]), "permanent", "propagate"),
    ],
    ids=repr,
)
def test_what_an_error_is_by_default_and_what_is_done_about_it(error, category, strategy):
    policy = ErrorPolicy()

    assert policy.classify(error) is ErrorCategory(category)
    assert policy.strategy_for(error) is RecoveryStrategy(strategy)


def test_the_nearest_class_decides_whatever_the_order_of_the_rules():
    policy = ErrorPolicy().extended({Refused: "permanent"}, {"permanent": "fallback"})

    assert policy.strategy_for(Refused()) is RecoveryStrategy.FALLBACK
    assert policy.classify(ConnectionError()) is ErrorCategory.TRANSIENT


def test_extending_makes_another_policy_and_changes_none():
    policy = ErrorPolicy(unknown="system")

    other = policy.extended({KeyError: "resource"})

    assert policy.classify(KeyError()) is ErrorCategory.SYSTEM
    assert other.classify(KeyError()) is ErrorCategory.RESOURCE
    assert other.classify(IndexError()) is ErrorCategory.SYSTEM


def test_a_table_is_copied_and_cannot_be_written():
    table: dict[type[Exception], str] = {KeyError: "resource"}
    policy = ErrorPolicy(table)
    table[KeyError] = "system"

    assert policy.classify(KeyError()) is ErrorCategory.RESOURCE
    with pytest.raises(TypeError):
        policy.categories[KeyError] = "system"  # type: ignore[index]


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"categories": {KeyError: "transiet"}}, "did you mean 'transient'"),
        ({"categories": {"KeyError": "transient"}}, "exception classes below Exception as keys"),
        ({"categories": {KeyboardInterrupt: "transient"}}, "exception classes below Exception"),
        ({"categories": 5}, "categories must be a mapping; got 5"),
        ({"strategies": {"transient": "retyr"}}, "did you mean 'retry'"),
        ({"strategies": {"transiet": "retry"}}, "did you mean 'transient'"),
        ({"strategies": []}, "strategies must be a mapping"),
        ({"unknown": "sytem"}, "did you mean 'system'"),
    ],
)
def test_a_policy_that_will_not_do_says_what_would(given, said):
    with pytest.raises(st.BadArgumentError, match=said):
        ErrorPolicy(**given)
