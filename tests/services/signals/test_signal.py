"""Signals keep the rules of CloudEvents 1.0.2."""

from __future__ import annotations

import dataclasses
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as some

from suptree.services.signals import InvalidSignalError, Signal
from suptree.services.signals.ids import uuid7


def signal(**attributes: Any) -> Signal:
    return Signal(**{"type": "shop.order.placed", "source": "/shop", **attributes})


def test_a_signal_has_an_id_and_a_time_of_its_own():
    first, second = signal(), signal()

    assert first.id != second.id
    assert first.time is not None
    assert first.time.utcoffset() is not None
    assert first.specversion == "1.0"


@given(some.floats(0, 2**38 / 1000, allow_nan=False), some.floats(0.001, 10.0, allow_nan=False))
def test_ids_sort_by_the_time_at_which_they_were_made(now: float, later: float):
    assert uuid7(now) < uuid7(now + later)


def test_an_id_is_a_uuid_of_version_7_that_tells_its_millisecond():
    import uuid

    made = uuid.UUID(uuid7(1_700_000_000.123))

    assert made.version == 7
    assert made.variant == uuid.RFC_4122
    assert made.int >> 80 == 1_700_000_000_123


def test_ids_made_at_one_moment_differ():
    assert len({uuid7(1_700_000_000.0) for _ in range(1000)}) == 1000


@pytest.mark.parametrize(
    ("attribute", "value"),
    [
        ("type", "x"),
        ("type", "com.example/thing v1"),
        ("source", "/shop"),
        ("source", "shop/orders?x=1#top"),
        ("source", "https://ada@shop.example:8080/orders?a=b#c"),
        ("source", "urn:uuid:6e8bc430-9c3a-11d9-9669-0800200c9a66"),
        ("source", "mailto:cncf-wg-serverless@lists.cncf.io"),
        ("source", "http://[::1]/x"),
        ("source", "#top"),
        ("source", "%C3%A9"),
        ("subject", "mynewfile.jpg"),
        ("subject", None),
        ("id", "A234-1234-1234"),
        ("time", None),
        ("time", datetime(2026, 1, 1, tzinfo=UTC)),
        ("datacontenttype", "application/json"),
        ("datacontenttype", 'text/xml; charset="utf-8"; q=1'),
        ("dataschema", "https://shop.example/schemas/order.json"),
        ("extensions", {"traceparent": "00-4bf9", "retry1": 3, "live": True, "raw": b"\x00"}),
        ("extensions", {"at": datetime(2026, 1, 1, tzinfo=UTC), "low": -(2**31)}),
        ("extensions", {"empty": ""}),
    ],
)
def test_what_cloudevents_allows_is_a_signal(attribute: str, value: object):
    assert getattr(signal(**{attribute: value}), attribute) == value


@pytest.mark.parametrize(
    ("attribute", "value", "says"),
    [
        ("type", "", "type must be at least one character"),
        ("type", None, "type must be a string"),
        ("type", "a\x00b", "type must be free of control characters"),
        ("type", "a\ud800", "surrogates"),
        ("type", "a\ufdd0", "noncharacters"),
        ("type", "a\U0001ffff", "noncharacters"),
        ("source", "", "source must be at least one character"),
        ("source", "my shop", "source must be a URI-reference"),
        ("source", "1abc:x", "source must be a URI-reference"),
        ("source", "/a#b#c", "source must be a URI-reference"),
        ("source", "/a%zz", "source must be a URI-reference"),
        ("source", "/é", "source must be a URI-reference"),
        ("subject", "", "subject must be at least one character"),
        ("id", "", "id must be at least one character"),
        ("id", 17, "id must be a string"),
        ("time", datetime(2026, 1, 1), "time must be a datetime with a time zone"),
        ("time", "2026-01-01T00:00:00Z", "time must be a datetime"),
        ("datacontenttype", "json", "datacontenttype must be a media type"),
        ("datacontenttype", "a/b; c", "datacontenttype must be a media type"),
        ("dataschema", "/order.json", "dataschema must be a URI with a scheme"),
        ("extensions", [("a", 1)], "extensions must be a mapping"),
        ("extensions", {"": 1}, "lower-case letters a to z and digits"),
        ("extensions", {"Trace-Parent": "x"}, "did you mean 'traceparent'"),
        ("extensions", {"data": 1}, "one that CloudEvents does not use itself"),
        ("extensions", {"specversion": "1.0"}, "one that CloudEvents does not use itself"),
        ("extensions", {1: 1}, "name must be a string"),
        ("extensions", {"big": 2**31}, "extension big must be an integer of 32 bits"),
        ("extensions", {"half": 0.5}, "extension half must be a bool"),
        ("extensions", {"none": None}, "extension none must be a bool"),
        ("extensions", {"many": []}, "extension many must be a bool"),
        ("extensions", {"bell": "\x07"}, "extension bell must be free of control characters"),
        ("extensions", {"at": datetime(2026, 1, 1)}, "time zone"),
    ],
)
def test_what_cloudevents_forbids_is_refused_in_words(attribute: str, value: object, says: str):
    with pytest.raises(InvalidSignalError) as refused:
        signal(**{attribute: value})

    assert says in str(refused.value)


def test_a_signal_does_not_change_even_if_what_it_was_made_of_does():
    extensions = {"tenant": "a"}
    made = signal(extensions=extensions)
    extensions["tenant"] = "b"

    assert made.extensions == {"tenant": "a"}
    with pytest.raises(TypeError):
        made.extensions["tenant"] = "c"  # type: ignore[index]
    with pytest.raises(dataclasses.FrozenInstanceError):
        made.type = "x"  # type: ignore[misc]


def test_a_signal_with_any_data_has_a_hash_that_goes_with_its_equality():
    one = signal(data={"not": ["hashable"]})
    same = dataclasses.replace(one)

    assert one == same
    assert len({one, same, signal()}) == 2


def test_a_changed_copy_is_checked_again():
    with pytest.raises(InvalidSignalError):
        dataclasses.replace(signal(), source="no uri")
