"""Checked by mypy and pyright, never run: each marked line must be refused."""

from __future__ import annotations

import suptree as st
from suptree.services import ResourceManager


class Counter(st.GenServer):
    """One call, one cast."""

    def __init__(self, start: int) -> None:
        self.count = start

    @st.call
    def increment(self, by: int = 1) -> int:
        return self.count + by

    @st.call(raises=ValueError("one"))  # refused
    def instance(self) -> None: ...

    @st.call(raises=(ValueError, BaseException))  # refused
    def broad(self) -> None: ...

    @st.cast
    def reset(self, to: int) -> None:
        self.count = to


class Other(st.GenServer):
    """Another server."""


async def client(pid: st.Pid[Counter], other: st.Pid[Other]) -> None:
    """What must not pass."""
    await Counter.increment(pid, "one")  # refused
    await Counter.increment(pid, times=2)  # refused
    await Counter.increment()  # refused
    text: str = await Counter.increment(pid)  # refused
    Counter.reset(pid)  # refused
    Counter.reset(pid, "zero")  # refused
    await Counter.start_link("five")  # refused
    await Counter.start_link()  # refused
    st.child(Counter, "five")  # refused
    st.child(Counter, 5).with_(restart="permanant")  # refused
    st.child(Counter, 5).with_(nmae="counter")  # refused
    await Counter.increment(other)  # refused
    Counter.reset(other, 0)  # refused
    await ResourceManager.acquire(other, "upload")  # refused
    st.Keep("what")  # refused
    st.NextEvent("what")  # refused
    print(text)
