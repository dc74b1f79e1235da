"""One process of a program on suptree: obeys what the driver tells it, and notes what it receives beside that.

The twin of `erl/signals_process.erl`, line by line as far as the languages allow. What the driver says is a `Said`, so
that a process may leave everything else in its mailbox.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, Literal, assert_never

import suptree as st
from tests.conformance.signals.fairness import is_name
from tests.conformance.signals.program import (
    Action,
    Alive,
    Attend,
    Bare,
    Cancel,
    Demonitor,
    Exit,
    Link,
    Monitor,
    Quit,
    Register,
    Send,
    Soon,
    Spawn,
    Take,
    Timer,
    Trap,
    Unlink,
    Unregister,
    Whereis,
)
from tests.conformance.signals.words import (
    REASONS,
    ActionError,
    action_text,
    error_text,
    reason_text,
    word,
)

NAMES = ("n1", "n2")
HOUR = 3600.0

PlainAction = (
    Spawn | Link | Unlink | Monitor | Demonitor | Trap | Exit | Send | Register | Unregister
    | Whereis | Alive | Attend | Timer | Cancel
)  # fmt: skip
"""What is done without waiting and without looking into the mailbox."""


@dataclass(frozen=True, slots=True)
class Said:
    """The driver tells a process to do some actions, or one of three words."""

    what: tuple[Action, ...] | Literal["hold", "release", "eager"]


@dataclass(frozen=True, slots=True)
class Message:
    """What `Send` sends."""

    tag: str


class Stage:
    """What all processes of one program share: who is who, and the trace.

    Attributes:
        pids: Every process that was ever started, by its id.
        events: What happened since the last time that somebody looked.
        waiting: How many wait for a timer, though they seem to wait for messages.
        plain_scripts: A script that ends its process, and waits for nothing, runs as a plain function.
    """

    def __init__(self, *, plain_scripts: bool) -> None:
        self.pids: dict[str, st.Pid[Any]] = {}
        self.events: list[str] = []
        self.waiting = 0
        self.plain_scripts = plain_scripts

    def begin(self, spawn: Callable[..., Any], id_: str, script: tuple[Action, ...] = ()) -> Any:
        """Start a process by one of the three spawns; returns what that returned."""
        actor = Actor(self, id_)
        plain = self.plain_scripts and _is_plain(script)
        spawned = spawn(actor.perform if plain else actor.live, script)
        self.pids[id_] = spawned[0] if isinstance(spawned, tuple) else spawned
        return spawned

    def id_of(self, pid: object) -> str:
        """The id of a process; `nobody` for None."""
        if pid is None:
            return "nobody"
        return next((id_ for id_, known in self.pids.items() if known is pid), "stranger")


class _Returned(Exception):
    """The function of this process is to return."""


class Actor:
    """The interpreter."""

    def __init__(self, stage: Stage, id_: str) -> None:
        self.stage = stage
        self.id = id_
        self.eager = True
        self.refs: dict[str, Any] = {}

    async def live(self, script: tuple[Action, ...]) -> None:
        """The whole life of the process."""
        try:
            await self._obey(script)
            while True:
                await self._heed(await (st.receive() if self.eager else st.receive(Said)))
        except _Returned:
            return

    def perform(self, script: tuple[Action, ...]) -> None:
        """The whole life of one whose script ends it and waits for nothing."""
        try:
            for action in script:
                self._act(action)
        except _Returned:
            return

    async def _heed(self, message: object) -> None:
        match message:
            case Said("hold"):
                await st.receive(lambda m: m == Said("release"))
            case Said("release"):
                pass
            case Said("eager"):
                self.eager = True
            case Said(what):
                assert isinstance(what, tuple)
                await self._obey(what)
            case _:
                self._note(f"got {self._words(message)}")

    async def _obey(self, actions: tuple[Action, ...]) -> None:
        for action in actions:
            match action:
                case Take("all"):
                    self._note(action_text(action))
                    await self._take_all()
                case Take():
                    self._note(f"{action_text(action)} {await self._take(action)}")
                case Soon():
                    self._note(f"{action_text(action)} {await self._soon(action.tag)}")
                case _:
                    self._act(action)

    # --- actions

    def _act(self, action: Action) -> None:
        assert not isinstance(action, (Take, Soon))
        match action:
            case Bare(inner):
                self._note(action_text(action))
                self._carry_out(inner)
            case Exit(target, reason):
                self._note(f"exits {target} {reason}")
                self._carry_out(action)
            case Quit():
                self._note(action_text(action))
                self._end(action)
            case _:
                self._note(f"{action_text(action)} {self._result(action)}")

    def _result(self, action: PlainAction) -> str:
        try:
            return self._carry_out(action)
        except (st.NoProcessError, st.NameTakenError) as error:
            return error_text(error)

    def _carry_out(self, action: PlainAction) -> str:
        match action:
            case Spawn():
                return self._spawn(action)
            case Monitor(ref, target):
                return self._with(target, lambda pid: self._keep(ref, st.monitor(pid)))
            case Demonitor(ref, flush):
                return self._with_ref(ref, lambda r: word(st.demonitor(r, flush=flush)))
            case Link(target):
                return self._with(target, lambda pid: _true(st.link, pid))
            case Unlink(target):
                return self._with(target, lambda pid: _true(st.unlink, pid))
            case Exit(target, reason):
                return self._with(target, lambda pid: _true(st.exit, pid, REASONS[reason]))
            case Send(target, tag):
                return self._with(target, lambda to: _ok(st.send, to, Message(tag)))
            case Register(name, target):
                return self._with(target, lambda pid: _true(st.register, name, pid))
            case Alive(target):
                return self._with(target, lambda pid: word(st.is_alive(pid)))
            case Trap(on):
                return word(st.trap_exit(on))
            case Unregister(name):
                return _true(st.unregister, name)
            case Whereis(name):
                return self._place(st.whereis(name))
            case Attend(how):
                self.eager = how == "eager"
                return "ok"
            case Timer(timer):
                return self._keep(timer, st.send_after(HOUR, Message(timer)))
            case Cancel(timer):
                return self._with_ref(timer, lambda t: _was_left(st.cancel_timer(t)))
            case _:
                assert_never(action)

    def _spawn(self, action: Spawn) -> str:
        how = {"spawn": st.spawn, "spawn_link": st.spawn_link, "spawn_monitor": st.spawn_monitor}
        spawned = self.stage.begin(how[action.how], action.child, action.script)
        if action.how == "spawn_monitor":
            self._keep(action.ref, spawned[1])
        return "ok"

    def _end(self, action: Quit) -> None:
        match action.how:
            case "return":
                raise _Returned
            case "exit":
                st.exit(REASONS[action.reason])
            case "error":
                raise ActionError(REASONS[action.reason])

    async def _take_all(self) -> None:
        with suppress(st.ReceiveTimeoutError):
            while True:
                received = await st.receive((st.Exit, st.Down, Message), timeout=0)
                self._note(f"got {self._words(received)}")

    async def _take(self, action: Take) -> str:
        wanted = self._wanted(action)
        if wanted is None:
            return "absent"
        try:
            return self._words(await st.receive(wanted, timeout=0))
        except st.ReceiveTimeoutError:
            return "nothing"

    def _wanted(self, action: Take) -> Any:
        of = action.of
        match action.kind:
            case "exit":
                pid = self.stage.pids.get(of)
                return pid and (lambda m: isinstance(m, st.Exit) and m.pid is pid)
            case "down":
                ref = self.refs.get(of)
                return ref and (lambda m: isinstance(m, st.Down) and m.ref is ref)
            case "message" if of:
                return lambda m: m == Message(of)
            case _:
                return Message

    async def _soon(self, tag: str) -> str:
        timer = st.send_after(0, Message(tag))
        self.stage.waiting += 1
        try:
            await st.receive(lambda m: m == Message(tag))
        finally:
            self.stage.waiting -= 1
        return _was_left(st.cancel_timer(timer))

    # --- what it knows

    def _keep(self, slot: str, ref: object) -> str:
        self.refs[slot] = ref
        return "ok"

    def _with(self, target: str, do: Callable[[Any], str]) -> str:
        """Do something with what an id stands for; a process that was never started is absent."""
        if is_name(target):
            return do(target)
        pid = self.stage.pids.get(target)
        return "absent" if pid is None else do(pid)

    def _with_ref(self, slot: str, do: Callable[[Any], str]) -> str:
        ref = self.refs.get(slot)
        return "absent" if ref is None else do(ref)

    # --- words

    def _words(self, message: object) -> str:
        """A received message as words. Of a Down it is told whether its process is still there: it must not be (S14)."""
        match message:
            case st.Exit(pid, reason):
                return f"exit {self._place(pid)} {reason_text(reason)}"
            case st.Down(ref, process, reason):
                slot = next((s for s, known in self.refs.items() if known is ref), "undefined")
                still = [] if isinstance(process, str) else _still_there(process)
                return " ".join(["down", slot, self._place(process), reason_text(reason), *still])
            case Message(tag):
                return f"message {tag}"
            case _:
                return f"strange {message!r}"

    def _place(self, target: st.Pid[Any] | str | None) -> str:
        return target if isinstance(target, str) else self.stage.id_of(target)

    def _note(self, text: str) -> None:
        self.stage.events.append(f"{self.id} {text}")


def _is_plain(script: tuple[Action, ...]) -> bool:
    """Whether a plain function can do it: nothing is waited for, and at its end the process ends."""
    ends = bool(script) and isinstance(script[-1], Quit)
    return ends and not any(isinstance(action, (Take, Soon)) for action in script)


def _still_there(pid: st.Pid[Any]) -> list[str]:
    alive = ["alive"] if st.is_alive(pid) else []
    return alive + [name for name in NAMES if st.whereis(name) is pid]


def _true(do: Callable[..., object], *arguments: object) -> str:
    do(*arguments)
    return "true"


def _ok(do: Callable[..., object], *arguments: object) -> str:
    do(*arguments)
    return "ok"


def _was_left(seconds: float | None) -> str:
    return "gone" if seconds is None else "left"
