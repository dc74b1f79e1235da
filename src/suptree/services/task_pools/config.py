"""`TaskPoolConfig`: how much may run in a pool, for how long, and who may wait.  And the default pools."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final, Literal

from suptree.services.parts.checks import check_count, check_flag, check_number, check_word

__all__ = ["DEFAULT_POOLS", "Overflow", "TaskPoolConfig"]

Overflow = Literal["reject", "wait"]


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskPoolConfig:
    """The bounds of one pool, over all who use it.

    Attributes:
        max_concurrency: So many tasks run at once.
        timeout: Seconds that a task may run; then it is cancelled, and killed if it will not end.
            None: any time.
        max_waiting: So many may wait for a place.
        overflow: Whose waiting that bounds.  "reject": of all callers together, and one more is
            refused at once.  "wait": of each caller by itself, so a caller waits whoever else does,
            and is refused only when it has so many in the line itself.
        wait_timeout: Seconds that one may wait for a place; None: as long as it takes.
        threads: Whether plain functions run in a thread each, not in the event loop.

    Raises:
        ValueError: A field is out of bounds.
    """

    max_concurrency: int = 10
    timeout: float | None = 30.0
    max_waiting: int = 1000
    overflow: Overflow = "reject"
    wait_timeout: float | None = 30.0
    threads: bool = False

    def __post_init__(self) -> None:
        who = "TaskPoolConfig"
        check_count(who, "max_concurrency", self.max_concurrency)
        check_number(who, "timeout", self.timeout, above=0, optional=True)
        check_count(who, "max_waiting", self.max_waiting, least=0)
        check_number(who, "wait_timeout", self.wait_timeout, above=0, optional=True)
        check_word(who, "overflow", self.overflow, ("reject", "wait"))
        check_flag(who, "threads", self.threads)


DEFAULT_POOLS: Final[Mapping[str, TaskPoolConfig]] = MappingProxyType(
    {
        "general": TaskPoolConfig(max_concurrency=10, timeout=30.0),
        "distributed_computation": TaskPoolConfig(
            max_concurrency=os.cpu_count() or 1, timeout=60.0
        ),
        "agent_operations": TaskPoolConfig(max_concurrency=20, timeout=30.0),
        "coordination": TaskPoolConfig(max_concurrency=15, timeout=15.0),
        "monitoring": TaskPoolConfig(max_concurrency=5, timeout=10.0),
    }
)
"""The pools that are always there; one declared under the same name takes its place."""
