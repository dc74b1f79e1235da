"""Checked by mypy and pyright, never run: what a user of GenServer writes, and its types."""

from __future__ import annotations

from typing import Any, assert_type

import suptree as st


class Counter(st.GenServer, restart="transient", shutdown=2.0):
    """Every shape of handler."""

    def __init__(self, start: int = 0, *, label: str = "") -> None:
        self.count = start
        self.label = label

    def init(self) -> st.Continue:
        return st.Continue("warm up")

    @st.call
    def increment(self, by: int = 1) -> int:
        self.count += by
        return self.count

    @st.call
    async def fetch(self, url: str, *, retries: int = 3) -> bytes:
        return url.encode() * retries

    @st.call(timeout=30.0)
    async def slow(self) -> str:
        return "slow"

    @st.call(timeout=30.0, raises=(LookupError, OSError))
    async def guarded(self, key: str) -> bytes:
        return key.encode()

    @st.call(raises=LookupError)
    def found(self, key: str) -> st.Reply[str]:
        return st.Reply(key)

    @st.call(timeout=None)
    def endless(self) -> list[str]:
        return [self.label]

    @st.call
    def maybe(self, now: bool) -> int | st.NoReply:
        return 1 if now else st.NoReply()

    @st.call
    def timed(self) -> st.Reply[int]:
        return st.Reply(self.count, st.Timeout(5.0))

    @st.call
    async def leave(self) -> str | st.Stop:
        return st.Stop(st.NORMAL, "bye")

    @st.call
    def optional(self, key: str) -> int | None:
        return len(key) or None

    @st.call
    def mixed(self) -> dict[str, int] | st.Reply[dict[str, int]] | st.Stop:
        return {"count": self.count}

    @st.cast
    def reset(self, to: int = 0) -> None:
        self.count = to

    @st.cast
    async def reload(self) -> st.NoReply:
        return st.NoReply(st.Continue(None))

    def terminate(self, reason: object) -> None:
        self.count = 0


class Loud(Counter):
    """A subclass."""


async def client(pid: st.Pid[Counter], loud: st.Pid[Loud]) -> None:
    """What callers see."""
    assert_type(await Counter.increment(pid), int)
    assert_type(await Counter.increment(pid, by=2), int)
    assert_type(await Counter.increment("name", 2), int)
    assert_type(await Counter.fetch(pid, "url", retries=1), bytes)
    assert_type(await Counter.slow(pid), str)
    assert_type(await Counter.guarded(pid, "key"), bytes)
    assert_type(await Counter.found.within(1.0)(pid, "key"), str)
    assert_type(await Counter.endless(pid), list[str])
    assert_type(await Counter.increment.within(0.2)(pid, 1), int)
    assert_type(await Counter.maybe(pid, True), int)
    assert_type(await Counter.timed(pid), int)
    assert_type(await Counter.leave(pid), str)
    assert_type(await Counter.optional(pid, "x"), int | None)
    assert_type(await Counter.mixed(pid), dict[str, int])
    assert_type(await Counter.increment(loud), int)
    assert_type(await Loud.increment(loud), int)
    Counter.reset(pid)
    Counter.reset(pid, to=1)
    Counter.reload("name")
    assert_type(await st.GenServer.call(pid, "anything"), Any)
    st.GenServer.cast(pid, "anything")


async def starting() -> None:
    """What starts return."""
    assert_type(await Counter.start_link(5), st.Pid[Counter])
    assert_type(await Counter.start_link(5, label="x"), st.Pid[Counter])
    assert_type(await Counter.start(), st.Pid[Counter])
    assert_type(await Loud.start_link(1), st.Pid[Loud])
    assert_type(st.child(Counter, 5, label="x"), st.ChildSpec[Counter])
    assert_type(st.child(Counter, 5).with_(name="counter"), st.ChildSpec[Counter])
    assert_type(await st.child(Counter, 5).start_link(), st.Pid[Counter])
    different = [st.child(Counter, 5), st.child(Loud, 1)]
    await st.Supervisor.start_link(different)
    one: st.ChildSpec[Counter] = st.child(Loud, 1)
    await one.start_link()
    await Counter.stop("counter", st.SHUTDOWN, timeout=1.0)


async def looking(pid: st.Pid[Counter]) -> None:
    """System requests."""
    assert_type(await st.sys.get_status(pid), st.Status)
    assert_type(await st.sys.get_statistics(pid), st.sys.Statistics | None)
    assert_type(await st.sys.get_log(pid), list[st.sys.DebugEvent])
    await st.sys.install(pid, print)
    await st.sys.replace_state(pid, lambda state: {**state, "count": 0})


async def value_of_a_block() -> int:
    """A block that returns needs no return behind it: a runtime hides no error."""
    async with st.Runtime() as runtime, runtime.guest("asking"):
        counter = await Counter.start_link(5)
        return await Counter.increment(counter)
