"""suptree's half: runs a program on `Registry`; twin of `ex/registry.ex`."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable
from functools import partial
from typing import Any

import suptree as st
from tests.conformance.elixir.registry.program import (
    Call,
    Cast,
    Count,
    CountMatch,
    CountSelect,
    DeleteMeta,
    Die,
    Dispatch,
    Keys,
    KillPartition,
    Lookup,
    Match,
    Meta,
    Op,
    Order,
    Program,
    PutMeta,
    Query,
    Question,
    Register,
    Select,
    Send,
    Start,
    Supervise,
    Together,
    Unregister,
    UnregisterMatch,
    Update,
    Values,
    Whereis,
)
from tests.conformance.elixir.stage import Mode, Stage, ended, quiet
from tests.conformance.elixir.words import from_word, reason_text

Registry = st.Registry


def run(mode: Mode, program: Program) -> list[str]:
    """The trace of *program*."""
    return mode.run(program.seed, lambda stage: _Driver(stage, program).drive())


class _Driver:
    """Does the operations one by one."""

    def __init__(self, stage: Stage, program: Program) -> None:
        self.stage = stage
        self.program = program

    async def drive(self) -> None:
        await self.segment("0", self.start)
        for number, op in enumerate(self.program.ops, 1):
            await self.segment(str(number), partial(self.perform, op))
        await self.segment("final", self.final)
        await self.segment("stop", self.stop)

    async def segment(self, label: str, do: Callable[[], Awaitable[list[str]]]) -> None:
        await self.stage.segment(label, do, quiet)

    async def start(self) -> list[str]:
        program = self.program
        listeners = ("listener",) if program.listens else ()
        if program.listens:
            st.register("listener", st.spawn(listen, self.stage))
        await Registry.start_link(
            name="reg", keys=program.keys, partitions=program.partitions, listeners=listeners
        )
        sup = await st.DynamicSupervisor.start_link(
            name="holders", max_restarts=3, max_seconds=3600.0
        )
        self.stage.watch("holders", sup)
        return []

    async def final(self) -> list[str]:
        alive = " ".join(["alive", *map(self.stage.name, self.stage.alive())])
        return [self.query(Select()), self.query(Count()), alive]

    async def stop(self) -> list[str]:
        if st.is_alive("holders"):
            await st.DynamicSupervisor.stop("holders")
        await st.Supervisor.stop("reg", st.SHUTDOWN)
        return ["ok"]

    # -- operations

    async def perform(self, op: Op) -> list[str]:
        """Do one operation; return its results, those of operations together in their order."""
        if isinstance(op, Together):
            return [line for part in op.ops for line in await self.perform(part)]
        return [await self.do(op)]

    async def do(self, op: Any) -> str:
        match op:
            case Start():
                holder = self.holder(op.id, op.traps)
                name = None if op.key == "" else via(op.key, op.value)
                return await self.started(holder.with_(name=name).start_unlinked())
            case Supervise():
                spec = self.holder(op.id, False).with_(name=via(op.key))
                return await self.started(st.DynamicSupervisor.start_child("holders", spec))
            case Order():
                return await self.order(op)
            case Die():
                return await self.die(op)
            case Call():
                return await refusable(self.call(op.key))
            case Cast():
                return await refusable(self.cast(op.key))
            case Send():
                return await refusable(self.send(op.key))
            case PutMeta():
                Registry.put_meta("reg", op.key, op.value)
                return "ok"
            case DeleteMeta():
                Registry.delete_meta("reg", op.key)
                return "ok"
            case Meta():
                value = Registry.meta("reg", op.key)
                return "error" if value is None else f"ok {value}"
            case KillPartition():
                return await self.kill_partition()
            case Query():
                return self.query(op.question)
            case _:
                raise AssertionError(f"no operation: {op}")

    def holder(self, id: str, traps: bool) -> st.ChildSpec[Any]:
        return st.child(Trapping if traps else Holder, self.stage, id)

    async def started(self, start: Awaitable[st.Pid[Any]]) -> str:
        try:
            return f"ok {self.stage.name(await start)}"
        except st.AlreadyStartedError as error:
            return f"already_started {self.stage.name(error.pid)}"
        except st.RegistryError:
            return "refused"
        except st.NoProcessError:
            return "exit noproc"
        except st.StartError as error:  # the supervisor guards its start functions
            match error.reason:
                case st.Crashed(exception=st.RegistryError()):
                    return "refused"
                case reason:
                    return f"failed {reason_text(reason)}"

    async def order(self, op: Order) -> str:
        pid = self.stage.living(op.who)
        if pid is None:
            return "absent"
        answer: str = await st.GenServer.call(pid, op.action, timeout=None)
        return answer

    async def die(self, op: Die) -> str:
        pid = self.stage.living(op.who)
        if pid is None:
            return "absent"
        if op.how == "stop":
            await st.GenServer.stop(pid, from_word(op.reason))
            return "ok"
        st.exit(pid, from_word(op.reason))
        try:  # the ping comes behind it: one sender, one receiver, one order
            await st.GenServer.call(pid, "ping", timeout=None)
        except (st.NoProcessError, st.ServerExitError):
            return "done"
        return "survived"

    async def call(self, key: str) -> str:
        return f"pong {await st.GenServer.call(via(key), 'ping', timeout=None)}"

    async def cast(self, key: str) -> str:
        st.GenServer.cast(via(key), "note")
        return "ok"

    async def send(self, key: str) -> str:
        try:
            st.send(via(key), "note")
        except st.NoProcessError:
            return "refused"
        return "ok"

    async def kill_partition(self) -> str:
        [partition] = await st.Supervisor.which_children("reg")
        assert isinstance(partition.pid, st.Pid)
        st.exit(partition.pid, st.KILL)
        return reason_text(await ended(partition.pid))

    # -- questions

    def query(self, question: Question) -> str:
        match question:
            case Lookup(key=key):
                return self.entries(Registry.lookup("reg", key))
            case Match(key=key, value=value):
                return self.entries(Registry.match("reg", key, lambda v: v == value))
            case CountMatch(key=key, value=value):
                return f"count {Registry.count_match('reg', key, lambda v: v == value)}"
            case Count():
                return f"count {Registry.count('reg')}"
            case Select():
                found = Registry.select("reg")
                name = self.stage.name
                return words("entries", (f"{k}:{name(pid)}={text(v)}" for k, pid, v in found))
            case CountSelect(value=value):
                return f"count {Registry.count_select('reg', lambda entry: entry.value == value)}"
            case Keys(who=who):
                pid = self.stage.newest(who)
                return "absent" if pid is None else words("entries", Registry.keys("reg", pid))
            case Values(key=key, who=who):
                pid = self.stage.newest(who)
                if pid is None:
                    return "absent"
                return words("entries", map(text, Registry.values("reg", key, pid)))
            case Whereis(key=key):
                return self.whereis(key)
            case Dispatch(key=key):
                return self.dispatch(key)

    def whereis(self, key: str) -> str:
        try:
            pid = Registry.whereis("reg", key)
        except st.RegistryError:
            return "refused"
        return "nobody" if pid is None else self.stage.name(pid)

    def dispatch(self, key: str) -> str:
        """Each call is told; an empty list would be, too."""
        calls: list[list[tuple[st.Pid[Any], Any]]] = []
        Registry.dispatch("reg", key, calls.append)
        if [] in calls:
            return "called with nothing"
        return self.entries([pair for call in calls for pair in call])

    def entries(self, found: Iterable[tuple[st.Pid[Any], Any]]) -> str:
        return words("entries", (f"{self.stage.name(pid)}={text(value)}" for pid, value in found))


def via(key: str, value: str = "none") -> st.Via:
    """A key of the registry as a name."""
    return st.via("reg", key, None if value == "none" else value)


def words(*parts: str | Iterable[str]) -> str:
    """Words with spaces between."""
    first, rest = parts
    return " ".join([str(first), *rest])


def text(value: object) -> str:
    """A value; nothing for none, as `nil` has no text there."""
    return "" if value is None else str(value)


async def refusable(ask: Awaitable[str]) -> str:
    """What *ask* says, or that it was refused."""
    try:
        return await ask
    except st.RegistryError:
        return "refused"
    except st.NoProcessError:
        return "exit noproc"


class Holder(st.GenServer):
    """A server that registers itself, and does so as it is ordered to."""

    def __init__(self, stage: Stage, id: str) -> None:
        self.stage = stage
        self.id = id
        self.name = ""

    def init(self) -> None:
        """Tell that it is there."""
        self.name = self.stage.born(self.id, self.pid, "")

    def handle_call(self, request: Any, sender: object) -> str:
        """A ping, or an order."""
        match request:
            case Register(key=key, value=value):
                return self.register(key, value)
            case Unregister(key=key):
                Registry.unregister("reg", key)
                return "ok"
            case UnregisterMatch(key=key, value=value):
                Registry.unregister_match("reg", key, lambda v: v == value)
                return "ok"
            case Update(key=key, value=value):
                return self.update(key, value)
            case _:
                return self.name

    def handle_cast(self, request: object) -> None:
        """Tell of it."""
        self.say("cast")

    def handle_info(self, message: object) -> None:
        """Tell of it."""
        if isinstance(message, st.Exit):
            who = self.stage.name(message.pid)
            who = "partition" if who.startswith("<") else who
            self.say(f"exit {who} {reason_text(message.reason)}")
        else:
            self.say("message")

    def register(self, key: str, value: str) -> str:
        """What register says."""
        try:
            Registry.register("reg", key, value)
        except st.AlreadyRegisteredError as error:
            return f"already_registered {self.stage.name(error.pid)}"
        return "ok"

    def update(self, key: str, value: str) -> str:
        """What update_value says; both its refusals are errors of one class here."""
        try:
            new, old = Registry.update_value("reg", key, lambda _: value)
        except st.RegistryError as error:
            return "refused" if "duplicate keys" in str(error) else "error"
        return f"ok {text(new)} {text(old)}"

    def say(self, what: str) -> None:
        """Write an event."""
        self.stage.note(f"say {self.name} {what}")


class Trapping(Holder):
    """A holder that traps exits."""

    trap_exit = True


async def listen(stage: Stage) -> None:
    """Write what listeners are told."""
    while True:
        match await st.receive():
            case st.KeyRegistered(key=key, pid=pid, value=value):
                value = "none" if value is None else value
                stage.note(f"heard listener register {key} {stage.name(pid)} {value}")
            case st.KeyUnregistered(key=key, pid=pid):
                stage.note(f"heard listener unregister {key} {stage.name(pid)}")
