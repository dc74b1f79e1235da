"""`CommandOptions`: the bounds of a manager of commands."""

from __future__ import annotations

from dataclasses import dataclass

from suptree.services.parts.checks import check_count, check_number

__all__ = ["CommandOptions", "HeldOptions"]


@dataclass(frozen=True, slots=True, kw_only=True)
class CommandOptions:
    """See `SystemCommandManager`, whose options these are.

    Raises:
        BadArgumentError: A field is out of bounds.
    """

    max_concurrency: int = 5
    max_queued: int = 100
    timeout: float = 10.0
    cache_ttl: float = 30.0
    cache_entries: int = 256
    cache_bytes: int = 16 * 1024 * 1024

    def __post_init__(self) -> None:
        who = "SystemCommandManager"
        check_count(who, "max_concurrency", self.max_concurrency)
        check_count(who, "max_queued", self.max_queued, least=0)
        check_number(who, "timeout", self.timeout, above=0)
        check_number(who, "cache_ttl", self.cache_ttl, least=0)
        check_count(who, "cache_entries", self.cache_entries, least=0)
        check_count(who, "cache_bytes", self.cache_bytes, least=0)


class HeldOptions:
    """The options that hold now: those that a server starts with when it is started again.

    It belongs to the supervisor of the server, which makes it; the server alone changes it.
    """

    __slots__ = ("now",)

    def __init__(self, options: CommandOptions) -> None:
        self.now = options

    def __repr__(self) -> str:
        return f"<held: {self.now}>"
