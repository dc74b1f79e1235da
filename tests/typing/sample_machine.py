"""Checked by mypy and pyright, never run: what a user of GenStateMachine writes, and its types."""

from __future__ import annotations

from typing import Any, assert_type

import suptree as st


class Door(st.GenStateMachine, state_enter=True):
    """States as methods."""

    def __init__(self, code: str) -> None:
        self.code = code

    def init(self) -> st.Next:
        return st.Next(self.locked)

    def locked(self, event: st.Event | st.Enter) -> st.Transition:
        match event:
            case st.Enter(previous):
                return st.Keep(st.GenericTimeout("blink", 1.0, previous))
            case st.CallMessage(_, code) if code == self.code:
                return st.Next(self.open, st.Reply(True), st.StateTimeout(5.0))
            case st.CallMessage():
                return st.Reply(False)
            case st.Expired("blink"):
                return st.Keep(st.GenericTimeout.cancel("blink"), st.NextEvent(st.Internal(1)))
            case _:
                return None

    async def open(self, event: st.Event | st.Enter) -> st.Transition:
        if isinstance(event, st.StateExpired):
            return st.Next(self.locked)
        return st.Keep(st.Postpone())

    @st.call
    def where(self) -> str:
        return str(self.state)

    @st.call
    def force(self, how: int) -> bool | st.Next | st.Keep:
        return st.Next(self.open, st.Reply(True)) if how > 1 else False


async def client(door: st.Pid[Door]) -> None:
    """What callers see."""
    assert_type(await Door.start_link("1234"), st.Pid[Door])
    assert_type(await Door.call(door, "1234"), Any)
    assert_type(await Door.where(door), str)
    assert_type(await Door.force(door, 2), bool)
    Door.cast(door, "x")
