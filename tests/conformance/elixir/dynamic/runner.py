"""suptree's half: runs a program on `DynamicSupervisor`; twin of `ex/dynamic.ex`."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from functools import partial
from typing import Any

import suptree as st
from tests.conformance.elixir.dynamic.program import (
    Ask,
    Burst,
    Die,
    Op,
    Program,
    StartChild,
    Stop,
    Sup,
    Terminate,
    Worker,
)
from tests.conformance.elixir.stage import Mode, Stage, ended, quiet
from tests.conformance.elixir.words import from_word, reason_text

Pending = Awaitable[str]
DynamicSupervisor = st.DynamicSupervisor


def run(mode: Mode, program: Program) -> list[str]:
    """The trace of *program*."""
    return mode.run(program.seed, lambda stage: _Driver(stage).drive(program))


class _Driver:
    """Does the operations one by one. It traps exits and is the parent of the root, as on the BEAM."""

    def __init__(self, stage: Stage) -> None:
        self.stage = stage

    async def drive(self, program: Program) -> None:
        await self.segment("0", lambda: self.start_root(program.root))
        for number, op in enumerate(program.ops, 1):
            await self.segment(str(number), partial(self.perform, op))
        await self.segment("final", self.final)
        await self.segment("teardown", lambda: self.perform(Stop("root", "parent", "shutdown")))

    async def segment(self, label: str, do: Callable[[], Awaitable[list[str]]]) -> None:
        await self.stage.segment(label, do, self.settle)

    async def start_root(self, root: Sup) -> list[str]:
        return [await self.started(Keeper.start_link(self.stage, st.current(), root))]

    async def final(self) -> list[str]:
        return [f"{name} {await self.view(pid)}" for name, pid in self.supervisors()]

    # -- operations

    async def perform(self, op: Op) -> list[str]:
        """Do one operation; return its results, a burst's in the order of its parts."""
        match op:
            case Stop():
                return [await self.stop(op)]
            case Burst():
                return await self.burst(op)
            case _:
                return [await (await self.begin(op))]

    async def stop(self, op: Stop) -> str:
        pid = self.stage.living(op.sup)
        if pid is None:
            return "absent"
        if op.how == "parent":
            st.exit(pid, from_word(op.reason))
            return f"gone {reason_text(await ended(pid))}"
        return await answer(done(DynamicSupervisor.stop(pid, from_word(op.reason))))

    async def burst(self, op: Burst) -> list[str]:
        pid = self.stage.living(op.sup)
        if pid is None:
            return ["absent"]
        await st.sys.suspend(pid)
        waiting = [await self.begin(part) for part in op.ops]
        if st.is_alive(pid):
            await st.sys.resume(pid)
        return [await one for one in waiting]

    async def begin(self, op: StartChild | Terminate | Ask | Die) -> Pending:
        """The half that can be done while the supervisor is suspended: a death is awaited, a request sent."""
        match op:
            case Die():
                return known(await self.die(op))
            case StartChild():
                return await self.request(op.sup, lambda pid: self.start_child(pid, op.spec))
            case Terminate():
                target = self.target(op.target)
                return await self.request(
                    op.sup, lambda pid: done(DynamicSupervisor.terminate_child(pid, target))
                )
            case Ask(request="which_children"):
                return await self.request(op.sup, self.which)
            case Ask():
                return await self.request(op.sup, counts)

    async def request(self, sup: str, ask: Callable[[st.Pid[Any]], Awaitable[str]]) -> Pending:
        """A task of its own asks, so that the driver is free meanwhile; it has asked when all is quiet."""
        pid = self.stage.living(sup)
        if pid is None:
            return known("absent")
        task = asyncio.get_running_loop().create_task(answer(ask(pid)))
        await quiet()
        return task

    async def die(self, op: Die) -> str:
        pid = self.stage.living(op.target)
        if pid is None:
            return "absent"
        supervisor = op.target[0] != "w"
        reason = from_word(op.reason)
        if op.how != "signal":
            st.GenServer.cast(pid, (op.how, reason))
            await ended(pid)
        elif supervisor and reason is st.KILL:
            st.exit(pid, st.KILL)
            await ended(pid)
        elif supervisor:  # the driver is the root's parent, whose signal ends it
            await ended(st.spawn(st.exit, pid, reason))
            return "survived"
        else:
            st.exit(pid, reason)
            try:  # the ping comes behind it: one sender, one receiver, one order
                await st.GenServer.call(pid, "ping", timeout=None)
            except (st.NoProcessError, st.ServerExitError):
                return "done"
            return "survived"
        return "done"

    async def start_child(self, pid: st.Pid[Any], spec: Worker | Sup) -> str:
        return await self.started(
            DynamicSupervisor.start_child(pid, child_spec(self.stage, pid, spec))
        )

    def target(self, id: str) -> st.Pid[Any]:
        """The process that came up last under that id; somebody who is nobody's child, if none did."""
        pid: st.Pid[Any] = self.stage.kept.get(("up", id), self.stage.driver)
        return pid

    # -- results

    async def started(self, start: Awaitable[st.Pid[Any]]) -> str:
        try:
            return f"ok {self.stage.name(await start)}"
        except st.StartIgnoredError:
            return "ignore"
        except st.MaxChildrenError:
            return "error max_children"
        except st.StartError as error:
            return f"error start_failed {reason_text(error.reason)}"

    async def which(self, pid: st.Pid[Any]) -> str:
        children = await DynamicSupervisor.which_children(pid)
        return " ".join(["children", *(f"{c.type}={self.place(c.pid)}" for c in children)])

    def place(self, pid: object) -> str:
        return self.stage.name(pid) if isinstance(pid, st.Pid) else "restarting"

    async def view(self, pid: st.Pid[Any]) -> str:
        return await answer(self.which(pid))

    # -- quiet

    async def settle(self) -> None:
        """Wait until all doomed are down, and two rounds of which_children are the same, without restarts."""
        before: object = None
        while True:
            for pid in self.stage.doomed():
                await ended(pid)
            now = [(pid, await self.view(pid)) for _, pid in self.supervisors()]
            moving = any("restarting" in view for _, view in now)
            if now == before and not moving and not self.stage.doomed():
                break
            before = now
        await quiet()

    def supervisors(self) -> list[tuple[str, st.Pid[Any]]]:
        named = [(self.stage.name(pid), pid) for pid in self.stage.alive()]
        return sorted((name, pid) for name, pid in named if name[0] in "rs")


async def counts(pid: st.Pid[Any]) -> str:
    """What count_children says."""
    c = await DynamicSupervisor.count_children(pid)
    return (
        f"counts specs={c.specs} active={c.active} supervisors={c.supervisors} workers={c.workers}"
    )


async def answer(request: Awaitable[str]) -> str:
    """What a request said, its refusals in words."""
    try:
        return await request
    except st.NoProcessError:
        return "exit noproc"
    except st.ServerExitError as error:
        return f"exit {reason_text(error.reason)}"
    except st.ChildNotFoundError:
        return "error not_found"


async def done(request: Awaitable[object]) -> str:
    """A request that answers nothing."""
    await request
    return "ok"


async def known(result: str) -> str:
    """A result that is there already."""
    return result


# -- the processes ---------------------------------------------------------------------------


class Keeper(DynamicSupervisor):
    """The supervisor of a `Sup`."""

    def __init__(self, *given: Any) -> None:
        *extra, stage, parent, sup = given
        limit = None if sup.max_children == "infinity" else sup.max_children
        super().__init__(
            max_children=limit,
            max_restarts=sup.max_restarts,
            max_seconds=3600.0,
            extra_arguments=sup.extra,
        )
        self.born = (stage, parent, sup, extra)

    def init(self) -> None:
        """Tell that it came up."""
        stage, parent, sup, extra = self.born
        stage.born(sup.id, parent, " ".join([f" in {stage.name(parent)} ok", *extra]))
        stage.kept["up", sup.id] = st.current()


class Quiet(st.GenServer):
    """The scripted child, which does not trap exits."""

    def __init__(self, *given: Any) -> None:
        *self.extra, self.stage, self.parent, self.spec = given
        self.asked = False
        self.name = ""

    def init(self) -> Any:
        """What its script says."""
        stage, spec = self.stage, self.spec
        attempt = stage.births(spec.id)
        outcome = spec.starts[attempt] if attempt < len(spec.starts) else "ok"
        line = " ".join([f" in {stage.name(self.parent)} {outcome}", *self.extra])
        self.name = stage.born(spec.id, self.parent, line)
        match outcome:
            case "error":
                return st.Stop("no_start")
            case "ignore":
                return st.Ignore()
            case "crash":
                raise RuntimeError("init_boom")
            case _:
                stage.kept["up", spec.id] = self.pid
                return None

    def handle_call(self, request: object, sender: object) -> str:
        """A ping."""
        return "pong"

    def handle_cast(self, request: tuple[str, Any]) -> st.Stop:
        """End."""
        how, reason = request
        if how == "raise":
            raise RuntimeError(reason)
        self.asked = True
        return st.Stop(reason)

    def handle_info(self, message: object) -> None:
        """An exit signal that was trapped."""
        if isinstance(message, st.Exit):
            self.stage.note(f"info {self.name} exit {reason_text(message.reason)}")

    def terminate(self, reason: object) -> Any:
        """The goodbye of its script."""
        self.stage.note(f"terminate {self.name} {reason_text(reason)}")
        if self.spec.goodbye == "exit":
            st.exit("changed")
        if self.spec.goodbye == "stubborn" and not self.asked and reason is st.SHUTDOWN:
            return asyncio.Event().wait()
        return None


class Trapping(Quiet):
    """The scripted child that traps exits."""

    trap_exit = True


def child_spec(stage: Stage, parent: st.Pid[Any], spec: Worker | Sup) -> st.ChildSpec[Any]:
    """The child specification of *spec* under supervisor *parent*."""
    if isinstance(spec, Sup):
        made: st.ChildSpec[Any] = st.child(Keeper, stage, parent, spec)
    else:
        made = st.child(Trapping if spec.traps else Quiet, stage, parent, spec)
        made = made.with_(type=spec.type)
    shutdown = spec.shutdown / 1000 if isinstance(spec.shutdown, int) else spec.shutdown
    return made.with_(id=spec.id, restart=spec.restart, shutdown=shutdown)
