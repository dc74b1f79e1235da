"""`Signal`: something that happened, as a CloudEvents 1.0.2 event.

A value: it does not change, and is checked when it is made.  Its `type` is the dotted
path on which a bus routes it; its data is not looked at and not copied.

>>> placed = Signal("shop.order.placed", source="/shop", data={"order": 17})
>>> placed.type, placed.data, placed.specversion
('shop.order.placed', {'order': 17}, '1.0')
>>> Signal("shop.order.placed", source="not a uri")
Traceback (most recent call last):
    ...
suptree.services.signals.errors.InvalidSignalError: Signal: source must be a URI-reference, such as '/orders' or 'https://shop.example/orders'; got 'not a uri'.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from types import MappingProxyType
from typing import ClassVar, Final

from suptree.clock import wall_clock
from suptree.services.signals.attributes import (
    Attribute,
    check_extensions,
    check_media_type,
    check_string,
    check_time,
    check_uri,
    check_uri_reference,
)
from suptree.services.signals.ids import uuid7

__all__ = ["Signal"]

_NONE: Final[Mapping[str, Attribute]] = MappingProxyType({})


def _new_id() -> str:
    return uuid7(wall_clock())


def _now() -> datetime:
    return datetime.fromtimestamp(wall_clock(), UTC)


def _no_extensions() -> Mapping[str, Attribute]:
    return _NONE


@dataclass(frozen=True, slots=True)
class Signal:
    """One event.

    Attributes:
        type: What happened, as words joined by dots: `shop.order.placed`.
        source: Where, a URI-reference.  With the id it names the event.
        data: What is to be known about it; any value, None for nothing.
        subject: What it is about, within the source.
        id: Default: a UUID version 7, so that ids sort by time.
        time: When it happened; default: now.  None if nobody said.
        datacontenttype: The media type of the data; None means JSON.
        dataschema: The URI of the schema that the data follows.
        extensions: Further attributes: lower-case names, plain values.

    Raises:
        InvalidSignalError: An attribute breaks a rule of CloudEvents.
    """

    specversion: ClassVar[str] = "1.0"

    type: str
    source: str = field(kw_only=True)
    data: object = field(default=None, kw_only=True)
    subject: str | None = field(default=None, kw_only=True)
    id: str = field(default_factory=_new_id, kw_only=True)
    time: datetime | None = field(default_factory=_now, kw_only=True)
    datacontenttype: str | None = field(default=None, kw_only=True)
    dataschema: str | None = field(default=None, kw_only=True)
    extensions: Mapping[str, Attribute] = field(default_factory=_no_extensions, kw_only=True)

    def __post_init__(self) -> None:
        check_string("type", self.type)
        check_uri_reference("source", self.source)
        check_string("id", self.id)
        if self.subject is not None:
            check_string("subject", self.subject)
        if self.time is not None:
            check_time("time", self.time)
        if self.datacontenttype is not None:
            check_media_type("datacontenttype", self.datacontenttype)
        if self.dataschema is not None:
            check_uri("dataschema", self.dataschema)
        if self.extensions is not _NONE:
            object.__setattr__(self, "extensions", check_extensions(self.extensions))

    def __hash__(self) -> int:
        """By what names the event, since its data may have no hash."""
        return hash((self.source, self.id))
