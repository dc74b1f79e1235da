"""Receivers of every temper, and a router to reach them by."""

from __future__ import annotations

import asyncio
from typing import Any

import suptree as st
from suptree.services import CoordinationManager, DeadLetterQueue, LanePolicy


class Agent(st.GenServer):
    """Notes what it gets, and answers as the message says.

    A message is a value, which it echoes, or a tuple: ('crash', x), ('refuse', x),
    ('sleep', seconds, x), ('hold', x), which is answered by `let_go`.
    """

    def __init__(self, name: str = "") -> None:
        self.name = name
        self.held: list[tuple[st.ReplyTo, Any]] = []

    async def handle_call(self, request: Any, sender: st.ReplyTo) -> Any:
        if self.name:
            log = st.Table.lookup("log")
            log[self.name] = [*log.get(self.name, []), request]
        match request:
            case ("crash", _):
                raise RuntimeError("poison")
            case ("refuse", value):
                sender.fail(ValueError(value))
                return st.NoReply()
            case ("sleep", seconds, value):
                await asyncio.sleep(seconds)
                return value
            case ("hold", value):
                self.held.append((sender, value))
                return st.NoReply()
        return request

    @st.cast
    def let_go(self) -> None:
        for sender, value in self.held:
            st.reply(sender, value)
        self.held.clear()


async def router(name: str = "router", **options: Any) -> st.Pid[CoordinationManager]:
    """A router of lanes that retry at once and do not jitter, unless told otherwise."""
    spec = st.child(CoordinationManager, **options).with_(name=name)
    return await spec.start_link()


async def letters(**options: Any) -> st.Pid[DeadLetterQueue]:
    return await st.child(DeadLetterQueue, **options).with_(name="letters").start_link()


async def agent(name: str) -> st.Pid[Agent]:
    """An agent under a supervisor of its own, which starts it again; `got` tells what it got."""
    if "log" not in st.current().runtime.tables:
        st.Table("log", access="public")
    spec = st.child(Agent, name).with_(name=name)
    await st.Supervisor.start_link([spec], max_restarts=100)
    pid = st.whereis(name)
    assert pid is not None
    return pid


def got(name: str) -> list[Any]:
    """Everything that the agent of that name was handed, under whatever pid."""
    messages: list[Any] = st.Table.lookup("log").get(name, [])
    return messages


def lane(**options: Any) -> LanePolicy:
    return LanePolicy(**options)
