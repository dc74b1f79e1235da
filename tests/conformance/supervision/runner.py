"""suptree's half of the trace comparison: runs a scenario, returns the trace that `erl/suptree_trace.erl` prints.

The driver is a plain process that traps exits and is the parent of the root supervisor, as on the BEAM; after each
operation it waits until nothing can move any more, and never sleeps.

>>> Suptree().run(Scenario(0, Tree("root"), ()))[:3]
['op 0', 'start root#1 in driver ok', 'result ok root#1']
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from typing import Any, Literal

import suptree as st
from tests.conformance.supervision.actors import Keeper, Recorder, child_spec, stop_request
from tests.conformance.supervision.scenario import (
    Ask,
    Burst,
    Die,
    Op,
    Scenario,
    StartChild,
    Stop,
    Tree,
)
from tests.conformance.supervision.words import REASONS, REFUSALS, reason_text

Result = str
Pending = Awaitable[Result]


@dataclass(frozen=True, slots=True)
class Suptree:
    """suptree as one side of the comparison.

    Attributes:
        direct_call: As `Runtime` takes it.
        asynchronous: Whether the workers' init and handlers are async.
        shuffled: Whether the run queue is shuffled, by the seed of the scenario.
        hang: Seconds after which a scenario is given up; it takes a few milliseconds.
    """

    direct_call: bool | Literal["random"] = True
    asynchronous: bool = False
    shuffled: bool = False
    hang: float = 20.0

    @property
    def mode(self) -> str:
        """The mode in words, for reports."""
        words = {True: "direct", False: "queued", "random": "random"}[self.direct_call]
        extra = [("async", self.asynchronous), ("shuffled", self.shuffled)]
        return " ".join([words, *(word for word, on in extra if on)])

    def run(self, scenario: Scenario) -> list[str]:
        """Run *scenario* in a runtime and an event loop of its own; return the lines of its trace."""
        with _silence():
            return asyncio.run(self._run(scenario))

    async def _run(self, scenario: Scenario) -> list[str]:
        lines: list[str] = []
        seed = scenario.seed if self.shuffled else None
        async with st.Runtime(direct_call=self.direct_call, seed=seed, stop_timeout=1.0) as rt:
            _, ref = st.spawn_monitor(_drive, scenario, self.asynchronous, lines, trap_exit=True)
            try:
                down = await st.receive(
                    lambda m: isinstance(m, st.Down) and m.ref is ref, timeout=self.hang
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


async def _drive(scenario: Scenario, asynchronous: bool, lines: list[str]) -> None:
    recorder = Recorder(st.current(), asynchronous)
    st.current().runtime.telemetry.attach("trace", "suptree.process.exited", recorder.exited)
    driver = _Driver(recorder, lines)
    await driver.segment("0", lambda: driver.start_root(scenario.root))
    for number, op in enumerate(scenario.ops, 1):
        await driver.segment(str(number), partial(driver.perform, op))
    await driver.segment("final", driver.final)
    await driver.segment("teardown", lambda: driver.perform(Stop("root", "parent", "shutdown")))


class _Driver:
    """Does the operations one by one and writes what happened after each."""

    def __init__(self, recorder: Recorder, lines: list[str]) -> None:
        self.recorder = recorder
        self.lines = lines

    async def segment(self, label: str, do: Callable[[], Awaitable[list[Result]]]) -> None:
        """Do one thing, wait for quiet, write the events and the results."""
        results = await do()
        await self.settle()
        self.lines.append(f"op {label}")
        self.lines += self.recorder.take()
        self.lines += [f"result {result}" for result in results]

    async def start_root(self, root: Tree) -> list[Result]:
        try:
            pid = await Keeper.start_link(self.recorder, st.current(), root)
        except st.SpecError as error:
            return [f"error {reason_text(error)}"]
        except st.StartError as error:
            return [f"error {reason_text(error.reason)}"]
        return [f"ok {self.recorder.name(pid)}"]

    async def final(self) -> list[Result]:
        return [
            f"which_children {id_} {await self._which(pid)}"
            for id_, pid in self.recorder.supervisors()
        ]

    # --- operations

    async def perform(self, op: Op) -> list[Result]:
        """Do one operation; return its results, a burst's in the order of its parts."""
        match op:
            case Stop():
                return [await self._stop(op)]
            case Burst():
                return await self._burst(op)
            case _:
                return [await (await self._begin(op))]

    async def _stop(self, op: Stop) -> Result:
        pid = self.recorder.current(op.sup)
        if pid is None:
            return "absent"
        reason = REASONS[op.reason]
        if op.how == "parent":
            st.exit(pid, reason)
            return f"gone {reason_text(await _ended(pid))}"
        try:
            await st.Supervisor.stop(pid, reason)
        except st.ServerExitError as error:
            return f"exit {reason_text(error.reason)}"
        return "ok"

    async def _burst(self, op: Burst) -> list[Result]:
        pid = self.recorder.current(op.sup)
        if pid is None:
            return ["absent"]
        await st.sys.suspend(pid)
        waiting = [await self._begin(part) for part in op.ops]
        await st.sys.resume(pid)
        return [await one for one in waiting]

    async def _begin(self, op: Die | Ask | StartChild) -> Pending:
        """The half that can be done while the supervisor is suspended: a death is awaited, a request sent."""
        if isinstance(op, Die):
            return _known(await self._die(op))
        pid = self.recorder.current(op.sup)
        if pid is None:
            return _known("absent")
        request = self._ask(pid, op) if isinstance(op, Ask) else self._start_child(pid, op)
        task = asyncio.get_running_loop().create_task(request)
        await asyncio.sleep(
            0
        )  # its first step posts the request: the order is that of the operations
        return task

    async def _die(self, op: Die) -> Result:
        pid = self.recorder.current(op.target)
        if pid is None:
            return "absent"
        supervisor = op.target[0] != "w"
        if op.how != "signal":
            st.GenServer.cast(pid, stop_request(op.how, op.reason))
            await _ended(pid)
        elif supervisor and op.reason == "kill":
            st.exit(pid, st.KILL)
            await _ended(pid)
        elif (
            supervisor
        ):  # the driver is the root's parent, whose signal ends it: a stranger is needed
            await _ended(st.spawn(st.exit, pid, REASONS[op.reason]))
            return "survived"
        else:
            st.exit(pid, REASONS[op.reason])
            try:  # the ping comes behind it: one sender, one receiver, one order
                await st.GenServer.call(pid, "ping", timeout=None)
            except (st.NoProcessError, st.ServerExitError):
                return "done"
            return "survived"
        return "done"

    async def _ask(self, pid: st.Pid[Any], op: Ask) -> Result:
        sup = st.Supervisor
        match op.request:
            case "which_children":
                return await self._answer(self._which(pid))
            case "count_children":
                return await self._answer(_count(pid))
            case "terminate_child":
                return await self._answer(_done(sup.terminate_child(pid, op.child)))
            case "delete_child":
                return await self._answer(_done(sup.delete_child(pid, op.child)))
            case "restart_child":
                return await self._restart_child(pid, op.child)

    async def _restart_child(self, pid: st.Pid[Any], child: str) -> Result:
        try:
            return await self._answer(self._started(st.Supervisor.restart_child(pid, child)))
        except st.SpecError as error:  # of a child of the child
            return f"error start_failed {reason_text(error)}"

    async def _start_child(self, pid: st.Pid[Any], op: StartChild) -> Result:
        attempts = self.recorder.attempts.get(op.spec.id, 0)
        try:
            spec = child_spec(self.recorder, pid, op.spec)
            return await self._answer(self._started(st.Supervisor.start_child(pid, spec)))
        except st.SpecError as error:
            tried = self.recorder.attempts.get(op.spec.id, 0) > attempts
            if isinstance(op.spec, Tree) and tried:  # its own spec was right, one below it is not
                return f"error start_failed {reason_text(error)}"
            return f"error {reason_text(error)}"

    # --- results

    async def _which(self, pid: st.Pid[Any]) -> Result:
        children = await st.Supervisor.which_children(pid)
        return " ".join(["children", *(f"{c.id}:{c.type}={self._place(c.pid)}" for c in children)])

    def _place(self, pid: object) -> str:
        if pid is None:
            return "undefined"
        return self.recorder.name(pid) if isinstance(pid, st.Pid) else "restarting"

    async def _started(self, start: Awaitable[st.Pid[Any]]) -> Result:
        return f"ok {self.recorder.name(await start)}"

    async def _answer(self, result: Awaitable[Result]) -> Result:
        try:
            return await result
        except st.NoProcessError:
            return "exit noproc"
        except st.ServerExitError as error:
            return f"exit {reason_text(error.reason)}"
        except st.StartIgnoredError:
            return "ok undefined"
        except st.AlreadyStartedError as error:
            return f"error already_started {self._place(error.pid)}"
        except st.StartError as error:
            return f"error start_failed {reason_text(error.reason)}"
        except st.ChildError as error:
            return f"error {REFUSALS.get(type(error), repr(error))}"

    # --- quiet

    async def settle(self) -> None:
        """Wait until everyone doomed is down, and two rounds of which_children are the same, without restarts.

        A round trip alone is not enough: a failed restart tries again behind it.
        """
        before: object = None
        while True:
            for pid in self.recorder.unsettled():
                await _ended(pid)
            now = [(pid, await self._view(pid)) for _, pid in self.recorder.supervisors()]
            moving = any("=restarting" in view for _, view in now)
            if now == before and not moving and not self.recorder.unsettled():
                return
            before = now

    async def _view(self, pid: st.Pid[Any]) -> str:
        return await self._answer(self._which(pid))


async def _ended(pid: st.Pid[Any]) -> object:
    ref = st.monitor(pid)
    down = await st.receive(lambda m: isinstance(m, st.Down) and m.ref is ref)
    return down.reason


async def _count(pid: st.Pid[Any]) -> Result:
    c = await st.Supervisor.count_children(pid)
    return (
        f"counts specs={c.specs} active={c.active} supervisors={c.supervisors} workers={c.workers}"
    )


async def _done(request: Awaitable[object]) -> Result:
    await request
    return "ok"


async def _known(result: Result) -> Result:
    return result


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
