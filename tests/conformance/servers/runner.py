"""suptree's half of the comparison: runs a program, returns the trace that `erl/servers.erl` prints.

The driver is a plain process that traps exits and is the parent of the servers that are linked to it. What waits is
done by a client, a process of its own, so the driver never waits for a server but in a start. After each operation it
waits until nothing can move any more, and never sleeps.

>>> Suptree().run(Program(1, (Start(Server("a")),)))
['op 1', 'a#1 init 0 n=0', 'driver start a a#1', 'op final', ...]
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import Any, Literal, assert_never

import suptree as st
from tests.conformance.family import Trace
from tests.conformance.servers import actor
from tests.conformance.servers import program as p
from tests.conformance.servers.program import Program
from tests.conformance.servers.words import REASONS, failure_text, reason_text
from tests.conformance.servers.world import World

HANG = 5.0
"""Seconds after which a program is given up; it takes a few milliseconds."""

SERVERS = "abcd"


class QuietLoop(asyncio.SelectorEventLoop):
    """A loop that can say whether anything is left to do before a timer of the future."""

    _ready: Any
    _scheduled: Any

    def is_quiet(self) -> bool:
        """Whether no callback is ready, other than the one that asks, and no timer is due."""
        due = bool(self._scheduled) and self._scheduled[0].when() <= self.time()
        return not self._ready and not due


@dataclass(frozen=True, slots=True)
class Suptree:
    """suptree as one side of the comparison.

    Attributes:
        direct_call: As `Runtime` takes it.
        asynchronous: Whether all handlers are async and suspend once.
        shuffled: Whether the run queue is shuffled, by the seed of the program.
    """

    direct_call: bool | Literal["random"] = True
    asynchronous: bool = False
    shuffled: bool = False

    def run(self, program: Program) -> Trace:
        """Run *program* in a runtime and an event loop of its own; return the lines of its trace."""
        with _silence(), asyncio.Runner(loop_factory=QuietLoop) as runner:
            return runner.run(self._run(program))

    async def _run(self, program: Program) -> Trace:
        lines: Trace = []
        seed = program.seed if self.shuffled else None
        async with st.Runtime(direct_call=self.direct_call, seed=seed, stop_timeout=1.0) as rt:
            _, ref = st.spawn_monitor(_drive, program, self.asynchronous, lines, trap_exit=True)
            try:
                down = await st.receive(
                    lambda m: isinstance(m, st.Down) and m.ref is ref, timeout=HANG
                )
            except st.ReceiveTimeoutError:
                return [*lines, "hang"]
            if down.reason is not st.NORMAL:
                lines.append(f"driver failed: {_whole(down.reason)}")
            lines += [f"left {pid!r}" for pid in rt.alive() if pid is not st.current()]
        return lines


MODES = {
    "direct": Suptree(direct_call=True),
    "queued": Suptree(direct_call=False),
    "async": Suptree(asynchronous=True),
    "shuffled": Suptree(direct_call="random", shuffled=True),
}
"""The ways in which the comparison is run."""


async def _drive(program: Program, asynchronous: bool, lines: Trace) -> None:
    driver = _Driver(World(st.current(), asynchronous=asynchronous), lines)
    for number, op in enumerate(program.ops, 1):
        await driver.segment(str(number), driver.perform(op, number))
    await driver.segment("final", driver.final())
    await driver.segment("teardown", driver.teardown())


class _Driver:
    """Does the operations one by one and writes what happened after each."""

    def __init__(self, world: World, lines: Trace) -> None:
        self.world = world
        self.lines = lines
        self.requests = st.RequestSet[tuple[int, str]]()

    async def segment(self, label: str, do: Awaitable[None]) -> None:
        """Do one thing, wait for quiet, write what each process saw."""
        await do
        await self._settle()
        await self._drain()
        self.lines.append(f"op {label}")
        self.lines += self.world.take()

    # -- operations ---------------------------------------------------------------------------------

    async def perform(self, op: p.Op, number: int) -> None:
        """Do one operation."""
        match op:
            case p.Start(server):
                await self._start(server)
            case p.Ask(to, by, script):
                self._client(number, to, by, lambda target: self._ask(target, script))
            case p.AskBriefly(to, script):
                await self._ask_briefly(to, script)
            case p.Request(to, by, script):
                self._request(number, to, by, script)
            case p.Collect():
                await self._collect()
            case p.Post(how, to, by, script):
                target = self.world.target(to, by)
                if target is None:
                    self._note("post absent")
                elif not actor.post(how, target, script):
                    self._note("post noname")
            case p.Exit(to, reason, sender):
                self._exit(to, REASONS[reason], stranger=sender == "stranger")
            case p.Tie(to, on):
                self._with_pid(to, st.link if on else st.unlink)
            case p.Stop(to, reason, how):
                self._client(number, to, "pid", lambda pid: _stop(how, pid, REASONS[reason]))
            case p.System(to, what):
                self._client(number, to, "pid", lambda pid: _system(what, pid))
            case _:
                assert_never(op)

    async def _start(self, server: p.Server) -> None:
        name = server.name
        pid = self.world.pid(name)
        refused = server.registered and st.whereis(name) is pid
        if pid is not None and st.is_alive(pid) and not refused:
            self._note(f"start {name} lives")
            return
        try:
            started = self.world.name(await actor.start(self.world, server))
        except st.AlreadyStartedError as error:
            started = f"already {self.world.name(error.pid)}"
        except st.StartIgnoredError:
            started = "ignore"
        except st.StartError as error:
            started = f"error {reason_text(error.reason)}"
        self._note(f"start {name} {started}")

    async def _ask(self, target: Any, script: p.Script) -> str:
        return actor.reply_text(self.world, await actor.ask(target, script))

    async def _ask_briefly(self, to: str, script: p.Script) -> None:
        pid = self.world.pid(to)
        if pid is None or not st.is_alive(pid) or not (await st.sys.get_status(pid)).suspended:
            self._note("brief not suspended")
            return
        try:
            self._note(f"brief {await actor.ask(pid, script, timeout=0.001)}")
        except st.SuptreeError as error:
            self._note(f"brief exit {failure_text(error)}")

    def _request(self, number: int, to: str, by: str, script: p.Script) -> None:
        target = self.world.target(to, by)
        if target is None:
            self._note(f"request {number} absent")
        else:
            self.requests.add(actor.request(target, script), (number, to))

    async def _collect(self) -> None:
        while (answer := await self.requests.wait_any(0)) is not None:
            (number, to), request = answer
            try:
                reply = request.result()
            except st.SuptreeError as error:
                self._note(f"response {to} {number} exit {failure_text(error)}")
            else:
                text = actor.reply_text(self.world, reply)
                self._note(f"response {reply.by[0]} {number} {text}")

    def _exit(self, to: str, reason: object, *, stranger: bool) -> None:
        def exit(pid: st.Pid[Any]) -> object:
            return st.spawn(st.exit, pid, reason) if stranger else st.exit(pid, reason)

        self._with_pid(to, exit)

    def _client(self, number: int, to: str, by: str, do: Callable[[Any], Awaitable[str]]) -> None:
        """Have a process of its own do what waits, and write what came of it."""
        who, target = f"client {number}", self.world.target(to, by)

        async def client() -> None:
            try:
                text = await do(target)
            except st.SuptreeError as error:
                text = f"exit {failure_text(error)}"
            self.world.note(who, text)

        if target is None:
            self.world.note(who, "absent")
        else:
            st.spawn(client)

    def _with_pid(self, to: str, do: Callable[[st.Pid[Any]], object]) -> None:
        pid = self.world.pid(to)
        if pid is None:
            self._note("absent")
        else:
            do(pid)

    def _note(self, text: str) -> None:
        self.world.note("driver", text)

    # -- the end ----------------------------------------------------------------------------------------

    async def final(self) -> None:
        """Write who lives, and the state of each."""
        for pid in filter(None, map(self.world.pid, SERVERS)):
            if st.is_alive(pid):
                self._note(f"{self.world.name(pid)} {_state(await st.sys.get_state(pid))}")

    async def teardown(self) -> None:
        """Kill everybody; nobody is left waiting."""
        for pid in filter(None, map(self.world.pid, SERVERS)):
            st.exit(pid, st.KILL)
            await self._settle()
        await self._collect()
        left = len(st.current().runtime.alive()) - 2  # the runtime's own guest, and the driver
        if left:
            self._note(f"left {left}")

    # -- quiet --------------------------------------------------------------------------------------------

    async def _settle(self) -> None:
        loop = asyncio.get_running_loop()
        assert isinstance(loop, QuietLoop)
        await asyncio.sleep(0)
        while not loop.is_quiet():
            await asyncio.sleep(0)

    async def _drain(self) -> None:
        """Write what reached the driver itself: the ends that it watches, and exits of those it is linked to."""
        while True:
            try:
                message = await st.receive((st.Down, st.Exit), timeout=0)
            except st.ReceiveTimeoutError:
                return
            match message:
                case st.Down(_, who, reason):
                    self.world.note("ended", f"{self.world.name(who)} {reason_text(reason)}")
                case st.Exit(who, reason):
                    self._note(f"exit {self.world.name(who)} {reason_text(reason)}")


async def _stop(how: str, pid: st.Pid[Any], reason: object) -> str:
    if how == "stop":
        await st.GenServer.stop(pid, reason)
        return "ok"
    with suppress(st.ServerExitError):  # OTP's answers before the end: see erl/servers.erl
        await st.sys.terminate(pid, reason)
    return "told"


async def _system(what: str, pid: st.Pid[Any]) -> str:
    match what:
        case "suspend":
            await st.sys.suspend(pid, timeout=None)
        case "resume":
            await st.sys.resume(pid, timeout=None)
        case "get_state":
            return _state(await st.sys.get_state(pid, timeout=None))
        case "replace":
            return _state(await st.sys.replace_state(pid, _add_hundred, timeout=None))
        case "replace_raise":
            try:
                await st.sys.replace_state(pid, lambda state: 1 / 0, timeout=None)
            except ZeroDivisionError:
                return "error callback_failed"
        case "code" | "code_raise":
            return await _change_code(pid, "extra" if what == "code" else "raise")
        case _:
            raise ValueError(what)
    return "ok"


async def _change_code(pid: st.Pid[Any], extra: str) -> str:
    try:
        await st.sys.change_code(pid, old_version="old", extra=extra, timeout=None)
    except st.NotSuspendedError:
        return "error not_suspended"
    except st.CodeChangeError:
        return "error failed"
    return "ok"


def _add_hundred(state: dict[str, Any]) -> dict[str, Any]:
    return {**state, "n": state["n"] + 100}


def _state(state: dict[str, Any]) -> str:
    return f"n={state['n']} kept={len(state['kept'])}"


def _whole(reason: object) -> str:
    return reason.traceback if isinstance(reason, st.Crashed) else repr(reason)


@contextmanager
def _silence() -> Iterator[None]:
    """Crashes are what these runs are made of: nothing is logged, as on the BEAM's side."""
    log = logging.getLogger("suptree")
    before, log.disabled = log.disabled, True
    try:
        yield
    finally:
        log.disabled = before
