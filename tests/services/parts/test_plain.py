"""Configurations to plain data and back."""

from __future__ import annotations

import json

import pytest

from suptree.services.parts.backoff import RetryPolicy, RetryShape
from suptree.services.parts.breaker import BreakerConfig
from suptree.services.parts.plain import from_plain, to_plain


@pytest.mark.parametrize(
    "config",
    [
        BreakerConfig(),
        BreakerConfig(counts=(OSError, json.JSONDecodeError), window_calls=10),
        RetryPolicy.decorrelated(give_up_on=(PermissionError,)),
    ],
)
def test_a_configuration_comes_back_as_it_was_through_json_too(config):
    plain = to_plain(config)

    assert from_plain(type(config), plain) == config
    assert from_plain(type(config), json.loads(json.dumps(plain))) == config


def test_a_shape_is_stored_as_its_word():
    assert type(to_plain(RetryPolicy.fixed())["shape"]) is str
    assert RetryShape.FIXED == "fixed"


@pytest.mark.parametrize(
    ("data", "says"),
    [
        (None, "must be a mapping"),
        ({"probes": 0}, "probes must be"),
        ({"prbes": 1}, "unknown fields .'prbes'."),
        ({"counts": ["builtins:Nothing"]}, "there is no class 'builtins:Nothing' any more"),
        ({"counts": ["no.such.module:X"]}, "there is no class"),
        ({"counts": ["math:pi"]}, "must name a class"),
        ({"counts": [""]}, "there is no class ''"),
    ],
)
def test_data_that_is_no_such_configuration_is_refused(data, says):
    with pytest.raises(ValueError, match=says):
        from_plain(BreakerConfig, data)
