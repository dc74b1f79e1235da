"""One raw value to one type: msgspec's rules, with `Secret` and paths beside them."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import PurePath
from typing import Any, Final, cast, get_args, get_origin

import msgspec

from suptree.services.parts.secret import REDACTED, Secret

__all__ = ["NotTheTypeError", "from_text", "plain", "to_type"]

_EXPECTED: Final = re.compile(r"Expected (?P<what>.+?)(?:, got `[^`]*`)?(?: - at `\$(?P<at>.*)`)?")


class NotTheTypeError(ValueError):
    """The value does not fit; `expected` says what would, as the end of "must be ...".

    It never holds the value: that one may be secret.
    """

    def __init__(self, expected: str) -> None:
        super().__init__(f"Expected {expected}")
        self.expected = expected


def to_type(raw: object, kind: Any, *, strict: bool = True) -> Any:
    """*raw* as *kind*; without *strict*, text may become a number, a truth value or None.

    Raises:
        NotTheTypeError: It does not fit.
    """
    try:
        value = msgspec.convert(raw, kind, strict=strict, dec_hook=_decoder(strict), str_keys=True)
    except msgspec.ValidationError as why:
        raise NotTheTypeError(_expectation(str(why), kind)) from None
    if value != value:
        raise NotTheTypeError("a number")
    return value


def from_text(text: str, kind: Any) -> Any:
    """The text of an environment variable as *kind*: the text itself, or else JSON.

    Raises:
        NotTheTypeError: It fits neither way.
    """
    try:
        return to_type(text, kind, strict=False)
    except NotTheTypeError:
        if not text.lstrip().startswith(("[", "{")):
            raise
    try:
        decoded = msgspec.json.decode(text)
    except msgspec.DecodeError:
        raise NotTheTypeError("JSON") from None
    return to_type(decoded, kind, strict=False)


def plain(value: object) -> Any:
    """*value* as what JSON can hold; what is secret is `***`."""
    return msgspec.to_builtins(value, enc_hook=_encode, str_keys=True)


def _encode(value: object) -> object:
    if isinstance(value, Secret):
        return REDACTED
    if isinstance(value, PurePath):
        return str(value)
    raise NotImplementedError(f"no JSON for {type(value).__name__}")


def _decoder(strict: bool) -> Callable[[type, Any], Any]:
    def decode(kind: type, raw: Any) -> Any:
        if get_origin(kind) is Secret or kind is Secret:
            bare = cast("Any", raw).reveal() if isinstance(raw, Secret) else raw
            inner = get_args(kind)[0] if get_args(kind) else Any
            return Secret(to_type(bare, inner, strict=strict))
        if issubclass(kind, PurePath) and isinstance(raw, str | PurePath):
            return kind(raw)
        raise NotTheTypeError(f"`{kind.__name__}`")

    return decode


def _expectation(message: str, kind: Any) -> str:
    """What msgspec expected, in its words; what it got is told by who knows whether it is secret."""
    match = _EXPECTED.fullmatch(message)
    if match is not None:
        at = match["at"]
        return match["what"] + (f" at {at}" if at else "")
    if message.startswith("Invalid enum value"):
        return _choices(kind)
    return f"valid ({_without_values(message)})"


def _choices(kind: Any) -> str:
    info = msgspec.inspect.type_info(kind)
    for one in (info, *getattr(info, "types", ())):
        if isinstance(one, msgspec.inspect.EnumType):
            return "one of " + ", ".join(repr(member.value) for member in one.cls)
        if isinstance(one, msgspec.inspect.LiteralType):
            return "one of " + ", ".join(map(repr, one.values))
    return "one of its values"


def _without_values(message: str) -> str:
    """Messages of msgspec name types and keys, not values, but for enums."""
    return re.sub(r"'[^']*'", "...", message)
