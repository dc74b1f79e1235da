"""Processes for the tests of the primitives."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import suptree as st


class Person(st.GenServer):
    """Does what it is asked to, in its own name, beside its mailbox; keeps what it hears."""

    def __init__(self) -> None:
        self.heard: list[object] = []
        self.got: dict[str, object] = {}

    @st.cast
    def do(self, what: str, function: Callable[..., Any], *args: Any, **kwargs: Any) -> None:
        self.start_task(self._do(what, function, args, kwargs))

    async def _do(self, what: str, function: Any, args: Any, kwargs: Any) -> None:
        try:
            self.got[what] = await function(*args, **kwargs)
        except st.SuptreeError as error:
            self.got[what] = error

    @st.call
    def result(self, what: str) -> object:
        return self.got.get(what)

    @st.call
    def news(self) -> list[object]:
        return self.heard

    def handle_info(self, message: object) -> None:
        self.heard.append(message)


async def people(number: int) -> list[st.Pid[Person]]:
    return [await Person.start() for _ in range(number)]


def hear(runtime: st.Runtime, prefix: str) -> list[tuple[str, dict[str, Any]]]:
    """Every event below *prefix* from now on, checked against its declaration."""
    seen: list[tuple[str, dict[str, Any]]] = []
    runtime.telemetry.strict = True
    runtime.telemetry.attach(
        "test",
        f"{prefix}.*",
        lambda event, numbers, facts: seen.append((event.name, {**numbers, **facts})),
    )
    return seen


async def settle() -> None:
    """Let everybody do what they can do now; time stands still."""
    for _ in range(10):
        await asyncio.sleep(0)
