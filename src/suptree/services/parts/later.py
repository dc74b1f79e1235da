"""`LATER`: what a handler returns whose reply comes later, where a type checker wants to see the reply."""

from __future__ import annotations

from typing import Any, Final, cast

from suptree.otp import NoReply, Reply

__all__ = ["LATER"]

LATER: Final[Reply[Any]] = cast("Reply[Any]", NoReply())
"""`NoReply()`, typed as the reply that it stands for: a union of both would be joined to `object`."""
