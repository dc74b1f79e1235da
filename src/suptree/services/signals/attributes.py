"""The rules of CloudEvents 1.0.2 for attributes, each a function that refuses what breaks it.

https://github.com/cloudevents/spec/blob/v1.0.2/cloudevents/spec.md, sections 3.1 and 3.2.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import datetime
from types import MappingProxyType
from typing import Final, TypeAlias, cast

from suptree.services.parts.checks import is_text
from suptree.services.signals.errors import InvalidSignalError

__all__ = [
    "CORE_ATTRIBUTES",
    "Attribute",
    "check_extensions",
    "check_media_type",
    "check_string",
    "check_time",
    "check_uri",
    "check_uri_reference",
]

Attribute: TypeAlias = bool | int | str | bytes | datetime
"""What an extension attribute may be: Boolean, Integer (32 bits), String, Binary, Timestamp."""

CORE_ATTRIBUTES: Final = frozenset(
    (
        *("specversion", "id", "source", "type", "subject", "time"),
        *("datacontenttype", "dataschema", "data", "data_base64"),
    )
)
"""Names that no extension can have."""

_NONCHARACTERS: Final = "".join(
    chr(plane * 0x10000 + last) for plane in range(1, 17) for last in (0xFFFE, 0xFFFF)
)
_FORBIDDEN: Final = re.compile(
    "[\x00-\x1f\x7f-\x9f\ud800-\udfff\ufdd0-\ufdef\ufffe\uffff" + _NONCHARACTERS + "]"
)
_NAME: Final = re.compile(r"[a-z0-9]+")
_INTEGERS: Final = range(-(2**31), 2**31)

# RFC 3986, appendix A.
_PCHAR: Final = r"(?:[A-Za-z0-9\-._~!$&'()*+,;=:@]|%[0-9A-Fa-f]{2})"
_NO_COLON: Final = r"(?:[A-Za-z0-9\-._~!$&'()*+,;=@]|%[0-9A-Fa-f]{2})"
_HOST: Final = r"(?:\[[0-9A-Za-z:.]+\]|(?:[A-Za-z0-9\-._~!$&'()*+,;=]|%[0-9A-Fa-f]{2})*)"
_USER: Final = r"(?:(?:[A-Za-z0-9\-._~!$&'()*+,;=:]|%[0-9A-Fa-f]{2})*@)?"
_ROOTED: Final = rf"//{_USER}{_HOST}(?::[0-9]*)?(?:/{_PCHAR}*)*|/(?:{_PCHAR}+(?:/{_PCHAR}*)*)?"
_TAIL: Final = rf"(?:\?(?:{_PCHAR}|[/?])*)?(?:#(?:{_PCHAR}|[/?])*)?"
_URI: Final = re.compile(
    rf"[A-Za-z][A-Za-z0-9+.\-]*:(?:{_ROOTED}|{_PCHAR}+(?:/{_PCHAR}*)*|){_TAIL}"
)
_RELATIVE: Final = re.compile(rf"(?:{_ROOTED}|{_NO_COLON}+(?:/{_PCHAR}*)*|){_TAIL}")
# RFC 2046, with RFC 2045's tokens.
_TOKEN: Final = r"[!#$%&'*+\-.0-9A-Z^_`a-z{|}~]+"
_MEDIA_TYPE: Final = re.compile(
    rf"{_TOKEN}/{_TOKEN}(?:[ \t]*;[ \t]*{_TOKEN}=(?:{_TOKEN}|\"(?:[^\"\\\r\n]|\\.)*\"))*"
)


def check_string(name: str, value: object) -> None:
    """Refuse what is no String of at least one character."""
    if not isinstance(value, str) or (value.__class__ is not str and not is_text(value)):
        raise InvalidSignalError(name, "a string", value)
    if not value:
        raise InvalidSignalError(name, "at least one character", value)
    if _FORBIDDEN.search(value):
        raise InvalidSignalError(
            name, "free of control characters, surrogates and noncharacters", value
        )


def check_uri_reference(name: str, value: object) -> None:
    """Refuse what is no URI-reference (RFC 3986), such as "/orders" or "https://shop.example"."""
    check_string(name, value)
    assert isinstance(value, str)
    if not (_RELATIVE.fullmatch(value) or _URI.fullmatch(value)):
        raise InvalidSignalError(
            name, "a URI-reference, such as '/orders' or 'https://shop.example/orders'", value
        )


def check_uri(name: str, value: object) -> None:
    """Refuse what is no URI with a scheme (RFC 3986)."""
    check_string(name, value)
    assert isinstance(value, str)
    if not _URI.fullmatch(value):
        raise InvalidSignalError(
            name, "a URI with a scheme, such as 'https://shop.example/order.json'", value
        )


def check_media_type(name: str, value: object) -> None:
    """Refuse what is no media type (RFC 2046)."""
    check_string(name, value)
    assert isinstance(value, str)
    if not _MEDIA_TYPE.fullmatch(value):
        raise InvalidSignalError(name, "a media type, such as 'application/json'", value)


def check_time(name: str, value: object) -> None:
    """Refuse what is no moment: a datetime that knows its zone."""
    if not isinstance(value, datetime) or value.utcoffset() is None:
        raise InvalidSignalError(
            name, "a datetime with a time zone, such as datetime.now(UTC)", value
        )


def check_extensions(given: object) -> Mapping[str, Attribute]:
    """Refuse names and values that no extension attribute has; returns a copy that cannot change."""
    if not isinstance(given, Mapping):
        raise InvalidSignalError("extensions", "a mapping of names to values", given)
    checked: dict[str, Attribute] = {}
    for name, value in cast("Mapping[object, object]", given).items():
        if not isinstance(name, str):
            raise InvalidSignalError("an extension's name", "a string", name)
        if not _NAME.fullmatch(name):
            near = re.sub(r"[^a-z0-9]", "", name.lower())
            raise InvalidSignalError(
                "an extension's name", "lower-case letters a to z and digits", name, near
            )
        if name in CORE_ATTRIBUTES:
            raise InvalidSignalError(
                "an extension's name", "one that CloudEvents does not use itself", name
            )
        checked[name] = _checked_value(name, value)
    return MappingProxyType(checked)


def _checked_value(name: str, value: object) -> Attribute:
    label = f"extension {name}"
    match value:
        case bool() | bytes():
            return value
        case int():
            if value not in _INTEGERS:
                raise InvalidSignalError(label, "an integer of 32 bits, or a string", value)
            return value
        case str():
            if _FORBIDDEN.search(value):
                raise InvalidSignalError(
                    label, "free of control characters, surrogates and noncharacters", value
                )
            return value
        case datetime():
            check_time(label, value)
            return value
        case _:
            raise InvalidSignalError(
                label,
                "a bool, an int of 32 bits, a string, bytes or a datetime with a time zone",
                value,
            )
