"""Fakes at the seams: a sink that can fail and hang, and a check that is told what to say."""

from __future__ import annotations

import asyncio
from typing import Any

import suptree as st
from suptree.services import Health, HealthChange


class FakeSink:
    """Keeps what it is told; raises, hangs or swallows its cancellation when it is told to."""

    def __init__(self) -> None:
        self.changes: list[HealthChange] = []
        self.attempts = 0
        self.failing = False
        self.delay = 0.0
        self.deaf = False
        self.at_once = self.most_at_once = 0

    async def write(self, change: HealthChange) -> None:
        self.attempts += 1
        self.at_once += 1
        self.most_at_once = max(self.most_at_once, self.at_once)
        try:
            await self._wait()
            if self.failing:
                raise OSError("disk full")
            self.changes.append(change)
        finally:
            self.at_once -= 1

    async def _wait(self) -> None:
        deadline = asyncio.get_running_loop().time() + self.delay
        while (left := deadline - asyncio.get_running_loop().time()) > 0:
            try:
                await asyncio.sleep(left)
            except asyncio.CancelledError:
                if not self.deaf:
                    raise

    @property
    def healths(self) -> list[Health]:
        return [change.health for change in self.changes]


class FakeCheck:
    """Says `says`; raises it if it is an exception; hangs while `hangs`, deaf to cancels if `deaf`."""

    def __init__(self, says: Any = None) -> None:
        self.says = says
        self.calls = 0
        self.at_once = self.most_at_once = 0
        self.hangs = False
        self.deaf = False
        self.leave: asyncio.Event = asyncio.Event()
        self.seen: list[st.Pid[Any]] = []

    async def __call__(self, process: st.Pid[Any] | None = None) -> Any:
        self.calls += 1
        if process is not None:
            self.seen.append(process)
        self.at_once += 1
        self.most_at_once = max(self.most_at_once, self.at_once)
        try:
            while self.hangs and not self.leave.is_set():
                try:
                    await self.leave.wait()
                except asyncio.CancelledError:
                    if not self.deaf:
                        raise
            if isinstance(self.says, BaseException):
                raise self.says
            return self.says
        finally:
            self.at_once -= 1


class Agent(st.GenServer):
    """Something to watch; can be made to hang."""

    def __init__(self) -> None:
        self.gate = asyncio.Event()

    @st.cast
    async def hang(self, seconds: float) -> None:
        await asyncio.sleep(seconds)

    @st.cast
    def crash(self) -> None:
        raise RuntimeError("crashed")


def record(runtime: Any, *events: Any) -> list[tuple[str, dict[str, Any]]]:
    """Everything that is emitted of *events*: its last words and its facts."""
    seen: list[tuple[str, dict[str, Any]]] = []
    runtime.telemetry.strict = True
    runtime.telemetry.attach_many(
        "test",
        events,
        lambda event, numbers, facts: seen.append(
            (event.name.removeprefix("suptree."), {**numbers, **facts})
        ),
    )
    return seen
