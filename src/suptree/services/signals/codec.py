"""Signals as bytes: the JSON format of CloudEvents (structured mode), and MessagePack.

MessagePack has no format in CloudEvents; here it is the same map, with binary data and
timestamps as they are.  In JSON these are strings, so an extension that was bytes or a
datetime comes back as a string; the attribute `time` and binary data do not.

>>> placed = Signal("order.placed", source="/shop", id="1", time=None, data={"order": 17})
>>> to_json(placed)
b'{"specversion":"1.0","id":"1","source":"/shop","type":"order.placed","data":{"order":17}}'
>>> from_json(to_json(placed)) == placed == from_msgpack(to_msgpack(placed))
True
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Any, Final

import msgspec

from suptree.near import meant, near
from suptree.services.signals.attributes import CORE_ATTRIBUTES
from suptree.services.signals.errors import SignalFormatError
from suptree.services.signals.signal import Signal

__all__ = ["JSON_TYPE", "from_json", "from_msgpack", "to_json", "to_msgpack"]

JSON_TYPE: Final = "application/cloudevents+json"
"""The media type of what `to_json` writes."""

_OPTIONAL: Final = ("subject", "time", "datacontenttype", "dataschema")
_REQUIRED: Final = ("specversion", "id", "source", "type")


def to_json(signal: Signal) -> bytes:
    """Write *signal* in the JSON format; bytes become `data_base64`.

    Raises:
        SignalFormatError: The data is nothing that JSON can say.
    """
    fields = _fields(signal)
    data = signal.data
    if isinstance(data, (bytes, bytearray)) or data.__class__ is memoryview:
        fields["data_base64"] = data
    elif data is not None:
        fields["data"] = data
    return _encoded("JSON", msgspec.json.encode, fields)


def from_json(raw: bytes | str) -> Signal:
    """Read a signal in the JSON format.

    Raises:
        SignalFormatError: It is no JSON object with what a signal needs.
        InvalidSignalError: An attribute breaks a rule of CloudEvents.
    """
    return _signal("JSON", _decoded("JSON", msgspec.json.decode, raw))


def to_msgpack(signal: Signal) -> bytes:
    """Write *signal* as one MessagePack map.

    Raises:
        SignalFormatError: The data is nothing that MessagePack can say.
    """
    fields = _fields(signal)
    if signal.data is not None:
        fields["data"] = signal.data
    return _encoded("MessagePack", msgspec.msgpack.encode, fields)


def from_msgpack(raw: bytes) -> Signal:
    """Read a signal from MessagePack.

    Raises:
        SignalFormatError: It is no map with what a signal needs.
        InvalidSignalError: An attribute breaks a rule of CloudEvents.
    """
    return _signal("MessagePack", _decoded("MessagePack", msgspec.msgpack.decode, raw))


def _fields(signal: Signal) -> dict[str, object]:
    fields: dict[str, object] = {
        "specversion": signal.specversion,
        "id": signal.id,
        "source": signal.source,
        "type": signal.type,
    }
    for name in _OPTIONAL:
        value = getattr(signal, name)
        if value is not None:
            fields[name] = value
    fields.update(signal.extensions)
    return fields


def _encoded(format: str, encode: Callable[[Any], bytes], fields: dict[str, object]) -> bytes:
    try:
        return encode(fields)
    except (TypeError, ValueError, OverflowError, RecursionError) as error:
        raise SignalFormatError(
            format, f"the data cannot be written: {error}. Use plain data."
        ) from error


def _decoded(format: str, decode: Callable[..., Any], raw: bytes | str) -> dict[str, Any]:
    try:
        found: dict[str, Any] = decode(raw, type=dict[str, Any])
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise SignalFormatError(format, f"it cannot be read: {error}.") from error
    return found


def _signal(format: str, fields: dict[str, Any]) -> Signal:
    fields = {name: value for name, value in fields.items() if value is not None}
    for name in _REQUIRED:
        if name not in fields:
            written = near(name, (other for other in fields if other not in CORE_ATTRIBUTES))
            hint = "." if written is None else f"; got {written!r}{meant(name)}"
            raise SignalFormatError(format, f"the attribute {name!r} is missing{hint}")
    version = fields.pop("specversion")
    if version != Signal.specversion:
        raise SignalFormatError(format, f"specversion must be '1.0'; got {version!r}.")
    if "data" in fields and "data_base64" in fields:
        raise SignalFormatError(format, "it has both data and data_base64. Send one of them.")
    if "data_base64" in fields:
        fields["data"] = _converted(format, "data_base64", fields.pop("data_base64"), bytes)
    if isinstance(fields.get("time"), str):
        fields["time"] = _converted(format, "time", fields["time"], datetime)
    known: dict[str, Any] = {"time": None}
    for name in CORE_ATTRIBUTES & fields.keys():
        known[name] = fields.pop(name)
    return Signal(**known, extensions=fields)


def _converted(format: str, name: str, value: object, kind: Any) -> Any:
    try:
        return msgspec.convert(value, kind)
    except msgspec.ValidationError as error:
        raise SignalFormatError(format, f"{name} cannot be read: {error}.") from error
