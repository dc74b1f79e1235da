"""A world of connections that a test can look at and break: the fake at the seam of a pool."""

from __future__ import annotations

import asyncio
from typing import Any

from suptree.services import ConnectionPoolSpec


class Connection:
    """One connection of the world."""

    def __init__(self, number: int) -> None:
        self.number = number
        self.closes = 0
        self.checks = 0
        self.broken: Any = None

    def __repr__(self) -> str:
        return f"<connection {self.number}>"


class World:
    """Counts what is open, now and at most; what it does next is said by its attributes.

    Attributes:
        connecting: Seconds that a connect takes.
        refusing: What a connect raises, or None.
        closing: Seconds that a close takes.
        close_error: What a close raises, or None.
    """

    def __init__(self) -> None:
        self.made: list[Connection] = []
        self.open: set[Connection] = set()
        self.under_way = 0
        self.most = 0
        self.attempts = 0
        self.connecting = 0.0
        self.refusing: BaseException | None = None
        self.closing = 0.0
        self.close_error: Exception | None = None

    async def connect(self) -> Connection:
        self.attempts += 1
        self.under_way += 1
        self._look()
        try:
            await asyncio.sleep(self.connecting)
            if self.refusing is not None:
                raise self.refusing
            connection = Connection(len(self.made))
            self.made.append(connection)
            self.open.add(connection)
            return connection
        finally:
            self.under_way -= 1

    async def close(self, connection: Connection) -> None:
        connection.closes += 1
        try:
            await asyncio.sleep(self.closing)
            if self.close_error is not None:
                raise self.close_error
        finally:
            self.open.discard(connection)

    async def check(self, connection: Connection) -> Any:
        connection.checks += 1
        if isinstance(connection.broken, BaseException):
            raise connection.broken
        if connection.broken == "hangs":
            await asyncio.sleep(1e6)
        return connection.broken is None

    def _look(self) -> None:
        self.most = max(self.most, len(self.open) + self.under_way)

    def spec(self, **options: Any) -> ConnectionPoolSpec[Connection]:
        defaults: dict[str, Any] = {
            "name": "pool",
            "check": self.check,
            "min_size": 0,
            "max_size": 2,
            "age_jitter": 0.0,
        }
        return ConnectionPoolSpec(connect=self.connect, close=self.close, **{**defaults, **options})
