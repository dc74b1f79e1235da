"""Signals as JSON and as MessagePack, both ways."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta, timezone

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as some

from suptree.services.signals import (
    InvalidSignalError,
    Signal,
    SignalFormatError,
    from_json,
    from_msgpack,
    to_json,
    to_msgpack,
)

TEXT = some.text(
    some.characters(min_codepoint=0x20, max_codepoint=0x2FFF, exclude_categories=["Cc", "Cs"]),
    min_size=1,
    max_size=8,
)
PLAIN = some.recursive(
    some.none() | some.booleans() | some.integers(-(2**63), 2**63) | some.text(max_size=8),
    lambda inner: some.lists(inner, max_size=3) | some.dictionaries(TEXT, inner, max_size=3),
    max_leaves=6,
)
MOMENTS = some.datetimes(
    min_value=datetime(1971, 1, 1),
    max_value=datetime(2200, 1, 1),
    timezones=some.sampled_from([UTC, timezone(timedelta(hours=5, minutes=30))]),
)
NAMES = some.text("abcxyz019", min_size=1, max_size=20).filter(lambda name: name != "data")


def signals(extension: some.SearchStrategy[object]) -> some.SearchStrategy[Signal]:
    return some.builds(
        Signal,
        TEXT,
        source=some.sampled_from(["/shop", "https://shop.example", "urn:x:1"]),
        data=PLAIN | some.binary(max_size=8),
        subject=some.none() | TEXT,
        id=TEXT,
        time=some.none() | MOMENTS,
        datacontenttype=some.sampled_from([None, "application/json", "text/xml"]),
        dataschema=some.sampled_from([None, "https://shop.example/s.json"]),
        extensions=some.dictionaries(NAMES, extension, max_size=3),
    )


SIMPLE = some.booleans() | some.integers(-(2**31), 2**31 - 1) | TEXT


@given(signals(SIMPLE))
def test_a_signal_comes_back_from_json_as_it_was(signal: Signal):
    assert from_json(to_json(signal)) == signal


@given(signals(SIMPLE | some.binary(max_size=8) | MOMENTS))
def test_a_signal_comes_back_from_messagepack_as_it_was(signal: Signal):
    assert from_msgpack(to_msgpack(signal)) == signal


def test_the_json_is_the_one_of_cloudevents():
    signal = Signal(
        "com.example.someevent",
        source="/mycontext",
        id="A234-1234-1234",
        time=datetime(2018, 4, 5, 17, 31, tzinfo=UTC),
        datacontenttype="application/octet-stream",
        data=b"\x00\x01",
        extensions={"comexampleextension1": "value", "comexampleothervalue": 5, "raw": b"\xff"},
    )

    assert json.loads(to_json(signal)) == {
        "specversion": "1.0",
        "type": "com.example.someevent",
        "source": "/mycontext",
        "id": "A234-1234-1234",
        "time": "2018-04-05T17:31:00Z",
        "datacontenttype": "application/octet-stream",
        "data_base64": "AAE=",
        "comexampleextension1": "value",
        "comexampleothervalue": 5,
        "raw": "/w==",
    }


@pytest.mark.parametrize("data", [b"abc", bytearray(b"abc"), memoryview(b"abc")])
def test_binary_data_of_any_kind_comes_back_as_bytes(data: object):
    signal = Signal("t", source="s", data=data)

    assert from_json(to_json(signal)).data == from_msgpack(to_msgpack(signal)).data == b"abc"


def test_an_event_of_another_program_is_read_as_it_is():
    signal = from_json(
        '{"specversion": "1.0", "type": "t", "source": "s", "id": "1", "subject": null,'
        ' "data": "<much wow=\\"xml\\"/>", "datacontenttype": "text/xml", "tenant": "ada"}'
    )

    assert signal.time is None
    assert signal.subject is None
    assert signal.data == '<much wow="xml"/>'
    assert signal.extensions == {"tenant": "ada"}


GOOD = {"specversion": "1.0", "type": "t", "source": "s", "id": "1"}


@pytest.mark.parametrize("write", [msgspec.json.encode, msgspec.msgpack.encode])
@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"specversion": "0.3"}, "specversion must be '1.0'; got '0.3'"),
        ({"specversion": None}, "'specversion' is missing"),
        ({"id": None, "Id": "1"}, "'id' is missing; got 'Id', did you mean 'id'?"),
        ({"source": None}, "'source' is missing"),
        ({"type": None, "typ": "t"}, "got 'typ', did you mean 'type'?"),
        ({"time": "yesterday"}, "time cannot be read"),
        ({"data": 1, "data_base64": "AA=="}, "both data and data_base64"),
        ({"data_base64": "!!"}, "data_base64 cannot be read"),
    ],
)
def test_what_is_no_signal_is_refused_in_words(
    write: Callable[[object], bytes], changes: dict[str, object], says: str
):
    raw = write(GOOD | changes)
    read = from_json if write is msgspec.json.encode else from_msgpack

    with pytest.raises(SignalFormatError) as refused:
        read(raw)

    assert says in str(refused.value)


@pytest.mark.parametrize(
    "changes",
    [
        {"type": ""},
        {"source": "no uri"},
        {"time": 5},
        {"time": "2026-01-01T00:00:00"},
        {"Tenant": "upper case"},
        {"list": [1]},
        {"half": 0.5},
    ],
)
def test_attributes_that_cloudevents_forbids_are_refused_when_they_are_read(
    changes: dict[str, object],
):
    with pytest.raises(InvalidSignalError):
        from_json(json.dumps(GOOD | changes))


@pytest.mark.parametrize("raw", [b"", b"[]", b"{", b"1", b"\xff\xfe", "[" * 100_000])
def test_bytes_that_are_nothing_are_refused_not_crashed_on(raw: bytes | str):
    with pytest.raises(SignalFormatError, match="JSON: it cannot be read"):
        from_json(raw)
    if isinstance(raw, bytes):
        with pytest.raises(SignalFormatError, match="MessagePack: it cannot be read"):
            from_msgpack(raw)


@pytest.mark.parametrize("write", [to_json, to_msgpack])
def test_data_that_no_format_takes_is_refused_in_words(write: Callable[[Signal], bytes]):
    with pytest.raises(SignalFormatError, match="the data cannot be written"):
        write(Signal("t", source="s", data=object()))
    circle: list[object] = []
    circle.append(circle)
    with pytest.raises(SignalFormatError, match="the data cannot be written"):
        write(Signal("t", source="s", data=circle))
