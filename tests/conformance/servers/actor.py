"""The scripted server on suptree: does what each message says and writes down what it sees; the twin of
`erl/server_actor.erl`.

Handlers are plain where the script waits for nobody, and async where it calls; in an asynchronous world all are.
Messages with an odd id go through the typed client, the others through `handle_call` and `handle_cast`.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable
from typing import Any, NamedTuple

import suptree as st
from tests.conformance.servers import program as p
from tests.conformance.servers.words import REASONS, Planned, failure_text, reason_text
from tests.conformance.servers.world import World

__all__ = ["Actor", "AsyncActor", "ask", "post", "request", "start"]


class Answered(NamedTuple):
    """A reply: to message *id*, by whom, and whether that one stops after it."""

    id: int
    by: str
    stopped: bool = False


class Forwarded(NamedTuple):
    """A call that somebody else was asked, to be answered."""

    id: int
    sender: st.ReplyTo


class Actor(st.GenServer):
    """See the module text.

    Attributes:
        n: Messages handled to their end.
        kept: Calls to answer later, oldest first.
        watched: Monitors and whom they watch, oldest first.
        idle: What the newest idle timeout runs.
    """

    def __init__(self, world: World, server: p.Server) -> None:
        self.world = world
        self.server = server
        self.n = 0
        self.kept: list[Forwarded] = []
        self.watched: dict[st.Ref, str] = {}
        self.idle = p.Script(0)

    # -- callbacks --------------------------------------------------------------------------------

    def init(self) -> Any:
        st.trap_exit(self.server.traps)
        self.me = self.world.arrive(self.server.name, self.pid)
        return self.handle("init", self.server.init)

    @st.call
    def ask(self, script: p.Script) -> Any:
        return self.handle("call", script)

    @st.cast
    def tell(self, script: p.Script) -> Any:
        return self.handle("cast", script)

    def handle_call(self, request: Any, sender: st.ReplyTo) -> Any:
        return self.handle("call", request)

    def handle_cast(self, request: Any) -> Any:
        match request:
            case Forwarded(id, sender):
                self.note(f"forwarded {id} n={self.n}")
                self.reply(sender, Answered(id, self.me))
                self.n += 1
                return None
            case _:
                return self.handle("cast", request)

    def handle_continue(self, argument: Any) -> Any:
        return self.handle("continue", argument)

    def handle_info(self, message: Any) -> Any:
        match message:
            case st.TIMEOUT:
                return self.handle("timeout", self.idle)
            case st.Down(ref, process, reason):
                who = self.watched.pop(ref, "stale")
                self.note(f"down {who} {self.world.name(process)} {reason_text(reason)}")
                if who != "stale":
                    self._look(who)
                return self._returned("info", 0, self.server.on_down)
            case st.Exit(pid, reason):
                self.note(f"exit {self.world.name(pid)} {reason_text(reason)}")
                return self._returned("info", 0, self.server.on_exit)
            case p.Script():
                return self.handle("info", message)
            case _:
                self.note(f"stray {message!r}")
                return None

    def terminate(self, reason: object) -> Any:
        self.say_goodbye(reason)

    def say_goodbye(self, reason: object) -> None:
        """What `terminate` does: write it down, and fail if it is to."""
        named = st.whereis(self.server.name) == self.pid
        self.note(f"terminate {reason_text(reason)} n={self.n} named={str(named).lower()}")
        self.world.goodbyes.add(self.me)
        match self.server.goodbye:
            case "raise":
                raise Planned("bye")
            case "leave":
                st.exit("bye")
            case "answer":
                while self.kept:
                    self._answer(0)
            case "ok":
                pass

    def code_change(self, old_version: object, extra: object) -> None:
        if extra == "raise":
            raise Planned("boom")
        self.note(f"code {old_version} {extra}")
        self.n += 1000

    # -- one message --------------------------------------------------------------------------------

    def handle(self, kind: str, script: p.Script) -> Any:
        """Do what *script* says; a coroutine does it if it has to wait."""
        if self.world.asynchronous or any(isinstance(act, p.Call) for act in script.acts):
            return self._handle_waiting(kind, script)
        self._began(kind, script)
        for act in script.acts:
            self._act(act, script.id)
        return self._returned(kind, script.id, script.returns)

    async def _handle_waiting(self, kind: str, script: p.Script) -> Any:
        if self.world.asynchronous:
            await asyncio.sleep(0)
        self._began(kind, script)
        for act in script.acts:
            if isinstance(act, p.Call):
                await self._call(act)
            else:
                self._act(act, script.id)
        return self._returned(kind, script.id, script.returns)

    def _began(self, kind: str, script: p.Script) -> None:
        self.note(f"{kind} {script.id} n={self.n}")

    def _returned(self, kind: str, id: int, returns: p.Returned) -> Any:
        match returns:
            case p.Raise(reason):
                raise Planned(reason_text(REASONS[reason]))
            case p.Leave(reason):
                st.exit(REASONS[reason])
            case p.Bad():
                return st.Timeout(0) if kind == "call" else "wrong"
            case p.Ignore():
                return st.Ignore()
            case _:
                pass
        self.n += 1
        match returns:
            case p.Quit(reason, reply=True) if kind == "call":
                return st.Stop(REASONS[reason], reply=Answered(id, self.me, stopped=True))
            case p.Quit(reason):
                return st.Stop(REASONS[reason])
            case p.Default():
                return super().handle_info(returns) if kind == "info" else None
            case p.Go(then) if kind == "call":
                return self._replied(Answered(id, self.me), self._then(then))
            case p.Keep(then) if kind == "call":
                self.kept.append(Forwarded(id, self.sender))
                return st.NoReply(self._then(then))
            case p.Given(then) if kind == "call":
                return st.NoReply(self._then(then))
            case p.Go(then) | p.Keep(then) | p.Given(then):
                return self._then(then)

    def _replied(
        self, reply: Answered, then: st.Continue | st.Timeout | st.Hibernate | None
    ) -> Any:
        return reply if then is None else st.Reply(reply, then)

    def _then(self, then: p.Then) -> st.Continue | st.Timeout | st.Hibernate | None:
        match then:
            case p.Rest():
                return None
            case p.Hibernate():
                return st.Hibernate()
            case p.Continue(script):
                return st.Continue(script)
            case p.Idle(time, script):
                self.idle = script
                return st.Timeout(time / 1000)

    # -- acts -----------------------------------------------------------------------------------------

    async def _call(self, act: p.Call) -> None:
        target = self.world.target(act.to, act.by)
        if target is None:
            self.note(f"call {act.to} absent")
            return
        try:
            reply = await ask(target, act.script)
        except st.SuptreeError as error:
            if not act.caught:
                raise
            self.note(f"called {act.to} exit {failure_text(error)}")
        else:
            self.note(f"called {act.to} {reply_text(self.world, reply)}")

    def _act(self, act: p.Act, id: int) -> None:
        match act:
            case p.Call():
                raise AssertionError("a call waits")
            case p.Cast(to, by, script):
                target = self.world.target(to, by)
                if target is None:
                    self.note(f"cast {to} absent")
                else:
                    post("cast", target, script)
            case p.Send(to, by, script):
                target = self.world.target(to, by)
                if target is None:
                    self.note(f"send {to} absent")
                elif not post("send", target, script):
                    self.note(f"send {to} noname")
            case p.Forward(to):
                self._forward(to, Forwarded(id, self.sender))
            case p.Answer(newest):
                self._answer(-1 if newest else 0)
            case p.Watch(to, by, living) if living and not self._lives(to, by):
                self.note(f"watch {to} dead")
            case p.Link(to, living) if living and not self._lives(to, "pid"):
                self.note(f"link {to} dead")
            case p.Watch(to, by):
                target = self.world.target(to, by)
                if target is None:
                    self.note(f"watch {to} absent")
                else:
                    self.watched[st.monitor(target)] = to
            case p.Unwatch(to, flush):
                self._unwatch(to, flush)
            case p.Trap(on):
                self.note(f"trap was {str(st.trap_exit(on)).lower()}")
            case p.Look(to):
                self._look(to)
            case p.Inspect(to):
                pid = self.world.pid(to)
                if pid is not None and st.is_alive(pid):
                    pid.runtime.system(pid, lambda body: body.get_state(), "get_state")
            case p.Register(on):
                self._register(on)
            case p.Link(to) | p.Unlink(to) | p.Signal(to):
                pid = self.world.pid(to)
                verb = type(act).__name__.lower()
                self.note(f"{verb} {to} {'absent' if pid is None else self._touch(act, pid)}")

    def _touch(self, act: p.Link | p.Unlink | p.Signal, pid: st.Pid[Any]) -> str:
        match act:
            case p.Link():
                try:
                    st.link(pid)
                except st.NoProcessError:
                    return "noproc"
                return "ok"
            case p.Unlink():
                st.unlink(pid)
                return "ok"
            case p.Signal(_, reason):
                st.exit(pid, REASONS[reason])
                return "sent"

    def _lives(self, to: str, by: str) -> bool:
        target = self.world.target(to, by)
        return target is not None and st.is_alive(target)

    def _forward(self, to: str, forwarded: Forwarded) -> None:
        pid = self.world.pid(to)
        if pid is not None and st.is_alive(pid):
            st.GenServer.cast(pid, forwarded)
        else:
            self.note(f"forward {to} dead")
            self.reply(forwarded.sender, Answered(forwarded.id, self.me))

    def _answer(self, which: int) -> None:
        if not self.kept:
            self.note("answer nobody")
            return
        kept = self.kept.pop(which)
        self.note(f"answer {kept.id}")
        self.reply(kept.sender, Answered(kept.id, self.me))

    def _unwatch(self, to: str, flush: bool) -> None:
        ref = next((ref for ref, who in self.watched.items() if who == to), None)
        if ref is None:
            self.note(f"unwatch {to} none")
            return
        del self.watched[ref]
        self.note(f"unwatch {to} {str(st.demonitor(ref, flush=flush)).lower()}")

    def _look(self, to: str) -> None:
        alive = self._lives(to, "pid")
        name = self.world.name(st.whereis(to))
        self.note(f"look {to} alive={str(alive).lower()} name={name}")

    def _register(self, on: bool) -> None:
        name, done = self.server.name, "ok"
        try:
            if on:
                st.register(name)
            else:
                st.unregister(name)
        except (st.NameTakenError, st.NoProcessError):
            done = "refused"
        self.note(f"register {str(on).lower()} {done}")

    def note(self, text: str) -> None:
        """Write down what this server sees."""
        self.world.note(self.me, text)


class AsyncActor(Actor):
    """The same with handlers that are async by declaration."""

    @st.call
    async def ask(self, script: p.Script) -> Any:
        return await self._handle_waiting("call", script)

    @st.cast
    async def tell(self, script: p.Script) -> Any:
        return await self._handle_waiting("cast", script)

    async def terminate(self, reason: object) -> None:
        await asyncio.sleep(0)
        self.say_goodbye(reason)


# -- the client half: typed for messages with an odd id --------------------------------------------------


def start(world: World, server: p.Server) -> Awaitable[st.Pid[Any]]:
    """Start *server* as it says."""
    cls = AsyncActor if world.asynchronous else Actor
    spec = st.child(cls, world, server).with_(name=server.name if server.registered else None)
    return spec.start_link() if server.link else spec.start_unlinked()


async def ask(
    target: st.Pid[Any] | str, script: p.Script, timeout: float | None = None
) -> Answered:
    """Call, and wait for ever unless a time is given."""
    if script.id % 2:
        reply: Answered = await Actor.ask.within(timeout)(target, script)
    else:
        reply = await st.GenServer.call(target, script, timeout)
    return reply


def request(target: st.Pid[Any] | str, script: p.Script) -> st.Request[Any]:
    """Send a request to wait for later."""
    if script.id % 2:
        return Actor.ask.send_request(target, script)
    return st.send_request(target, script)


def post(how: str, target: st.Pid[Any] | str, script: p.Script) -> bool:
    """Cast or send; False if nobody has the name that is sent to."""
    if how == "send":
        try:
            st.send(target, script)
        except st.NoProcessError:
            return False
    elif script.id % 2:
        Actor.tell(target, script)
    else:
        st.GenServer.cast(target, script)
    return True


def reply_text(world: World, reply: Answered) -> str:
    """A reply in the words of the trace; of a last one it is told whether `terminate` has run."""
    if not reply.stopped:
        return f"ok {reply.id} {reply.by}"
    goodbye = str(reply.by in world.goodbyes).lower()
    return f"stopped {reply.id} {reply.by} goodbye={goodbye}"
