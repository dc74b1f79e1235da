"""suptree's half of the machine programs: runs one, returns the trace that `erl/machine_trace.erl` prints.

The trace is a list that the machine itself writes to. Replies are looked for whenever it is about to write, so that
they stand before what the machine did next, as they reach the callers on the BEAM.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, Literal, cast

import suptree as st
from tests.conformance.family import Trace
from tests.conformance.machines.program import (
    Answer,
    Bad,
    Burst,
    Crash,
    Event,
    Halt,
    Hibernate,
    Insert,
    Keep,
    Leave,
    Look,
    Machine,
    Next,
    Op,
    Postpone,
    Program,
    Repeat,
    Replace,
    Reply,
    ReplyAll,
    Signal,
    Start,
    State,
    Stop,
    Tell,
    Timeout,
)
from tests.conformance.machines.words import REASONS, reason_text

HANG = 20.0
"""Seconds after which a program is given up; it takes a few milliseconds."""


@dataclass(frozen=True, slots=True)
class Suptree:
    """suptree as one side of the comparison.

    Attributes:
        asynchronous: Whether the state functions are async.
        shuffled: Whether the run queue is shuffled, by the seed of the program.
    """

    asynchronous: bool = False
    shuffled: bool = False

    def run(self, program: Program) -> Trace:
        """Run *program* in a runtime and an event loop of its own; return the lines of its trace."""
        with _silence():
            return asyncio.run(self._run(program))

    async def _run(self, program: Program) -> Trace:
        story = Story()
        direct: Literal[True, "random"] = "random" if self.shuffled else True
        seed = program.seed if self.shuffled else None
        async with st.Runtime(direct_call=direct, seed=seed, stop_timeout=1.0) as rt:
            driver = _Driver(story, self.asynchronous)
            _, ref = st.spawn_monitor(driver.play, program.ops, trap_exit=True)
            try:
                down = await st.receive(
                    lambda m: isinstance(m, st.Down) and m.ref is ref, timeout=HANG
                )
            except st.ReceiveTimeoutError:
                return [*story.lines, "hang"]
            if down.reason is not st.NORMAL:
                story.lines.append(f"driver failed: {down.reason!r}")
            story.lines += [f"left {pid!r}" for pid in rt.alive() if pid is not st.current()]
        return story.lines


MODES = {
    "plain": Suptree(),
    "async": Suptree(asynchronous=True),
    "shuffled": Suptree(shuffled=True),
}
"""The ways in which the comparison is run. No call of a machine is direct, so there is no mode for that."""


@dataclass
class Story:
    """The trace while it is written, and the calls that are not answered yet, by the id of their event."""

    lines: Trace = field(default_factory=Trace)
    calls: dict[int, st.Request[int]] = field(default_factory=dict[int, st.Request[int]])

    def note(self, text: str) -> None:
        self.look_for_replies()
        self.lines.append(text)

    def look_for_replies(self) -> None:
        for id, request in sorted(self.calls.items()):
            if request.done() and request.error is None:
                self.lines.append(f"reply {request.result()} to {id}")
                del self.calls[id]

    def failed(self) -> None:
        """The machine is dead: what is open has failed."""
        for id, request in sorted(self.calls.items()):
            self.lines.append(f"failed {id} {error_text(request.error)}")
        self.calls.clear()


# -- the driver -----------------------------------------------------------------------------------------


class _Driver:
    """Does the operations one by one and writes what they return."""

    def __init__(self, story: Story, asynchronous: bool) -> None:
        self.story = story
        self.asynchronous = asynchronous
        self.lives = 0
        self.pid: st.Pid[Any] | None = None
        self.linked = False
        self.ends: dict[object, object] = {}

    async def play(self, ops: tuple[Op, ...]) -> None:
        st.current().runtime.telemetry.attach("ends", "suptree.process.exited", self.exited)
        for label, op in enumerate(ops, 1):
            await self.segment(str(label), op)
        await self.segment("final", Look())
        await self.segment("teardown", Stop("shutdown"))

    async def segment(self, label: str, op: Op) -> None:
        self.story.lines.append(f"op {label}")
        results = [result async for result in self.perform(op)]
        await self.settle()
        self.story.lines += [f"result {result}" for result in results]

    async def perform(self, op: Op) -> Any:
        if isinstance(op, Start):
            yield "alive" if self.pid else await self.start(op.machine)
        elif self.pid is None:
            yield "absent"
        elif isinstance(op, Burst):
            await st.sys.suspend(self.pid)
            for part in op.ops:
                async for result in self.part(self.pid, part):
                    yield result
            if self.pid.is_alive():
                await st.sys.resume(self.pid)
        else:
            async for result in self.part(self.pid, op):
                yield result

    async def start(self, machine: Machine) -> str:
        self.lives += 1
        cls = CLASSES[machine.functions, machine.enter_calls, machine.traps]
        start: Any = cls.start_link if machine.linked else cls.start
        try:
            pid = await start(self.story, machine, self.asynchronous)
        except st.StartIgnoredError:
            return "ignore"
        except st.StartError as error:
            return f"error {reason_text(error.reason)}"
        self.pid, self.linked = pid, machine.linked
        return f"ok m#{self.lives}"

    async def part(self, pid: st.Pid[Any], op: Tell | Signal | Stop | Look | Replace) -> Any:
        match op:
            case Tell("call", event):
                self.story.calls[event.id] = st.send_request(pid, event)
            case Tell("cast", event):
                st.GenStateMachine.cast(pid, event)
            case Tell("info", event):
                st.send(pid, event)
            case Tell():
                raise ValueError(op)
            case Signal("driver", reason):
                st.exit(pid, REASONS[reason])
                await _round_trip(pid)
            case Signal("stranger", reason):
                await _ended(st.spawn(st.exit, pid, REASONS[reason]))
                await _round_trip(pid)
            case Stop(reason):
                yield await _stop(pid, REASONS[reason])
            case Look():
                yield await _look(pid)
            case Replace(state):
                yield await _replace(pid, state)

    async def settle(self) -> None:
        """One round trip, behind which nothing is left to do; if it died, say how."""
        story, pid = self.story, self.pid
        if pid is not None and not await _round_trip(pid):
            story.note(f"down m#{self.lives} {reason_text(self.ends[pid])}")
            if self.linked:
                signal = await st.receive(lambda m: isinstance(m, st.Exit) and m.pid is pid)
                story.note(f"exit m#{self.lives} {reason_text(signal.reason)}")
            story.failed()
            self.pid = None
        story.look_for_replies()

    def exited(
        self, event: object, measurements: Mapping[str, float], metadata: Mapping[str, object]
    ) -> None:
        """Handle `suptree.process.exited`; a monitor might come too late."""
        self.ends[metadata["pid"]] = metadata["reason"]


async def _round_trip(pid: st.Pid[Any]) -> bool:
    """Whether it still lives, once all that was sent to it is handled."""
    try:
        await st.sys.get_state(pid)
    except (st.NoProcessError, st.ServerExitError):
        return False
    return pid.is_alive()


async def _ended(pid: st.Pid[Any]) -> None:
    ref = st.monitor(pid)
    await st.receive(lambda m: isinstance(m, st.Down) and m.ref is ref)


async def _stop(pid: st.Pid[Any], reason: object) -> str:
    try:
        await st.GenStateMachine.stop(pid, reason)
    except (st.NoProcessError, st.ServerExitError) as error:
        return f"exit {error_text(error)}"
    return "ok"


async def _replace(pid: st.Pid[Any], state: str) -> str:
    try:
        await st.sys.replace_state(pid, lambda now: now._replace(state=state))
    except (st.NoProcessError, st.ServerExitError):
        return "gone"
    return "ok"


async def _look(pid: st.Pid[Any]) -> str:
    """What OTP shows in `sys:get_status`; ours is read from the body, between two turns."""
    if not await _round_trip(pid):
        return "gone"
    process = pid._process
    assert process is not None
    body = cast("Any", process.body)
    postponed = [f" {_content(occurrence.value).id}" for occurrence in body._postponed]
    running = [
        f" {key[-1]}:{timeout.content.id}" for key, timeout in body._timeouts._running.items()
    ]
    return f"look {body.state} postponed{''.join(postponed)} timeouts{''.join(sorted(running))}"


def error_text(error: BaseException | None) -> str:
    """Why a call or a stop failed: the reason of the machine."""
    match error:
        case st.NoProcessError():
            return "noproc"
        case st.ServerExitError():
            return reason_text(error.reason)
        case _:
            return repr(error)


@contextmanager
def _silence() -> Iterator[None]:
    """Crashes are what these runs are made of: nothing is logged, as on the BEAM's side."""
    log = logging.getLogger("suptree")
    before, log.disabled = log.disabled, True
    try:
        yield
    finally:
        log.disabled = before


# -- the machine ------------------------------------------------------------------------------------------


class Scripted(st.GenStateMachine):
    """Does what its events say; its subclasses are the ways to be one."""

    def __init__(self, story: Story, machine: Machine, asynchronous: bool) -> None:
        self.story = story
        self.machine = machine
        self.asynchronous = asynchronous
        self.enters = {enter.state: enter.answers for enter in machine.enters}
        self.times: dict[object, int] = {}
        self.known: list[st.ReplyTo] = []
        self.open: list[st.ReplyTo] = []

    def init(self) -> Any:
        self.story.note("init")
        init = self.machine.init
        match init.answer:
            case "ok":
                return st.Next(init.state, *self.actions(init.actions, None))
            case "ignore":
                return st.Ignore()
            case "stop":
                return st.Stop("boom")
            case "crash":
                raise RuntimeError("oops")
            case "bad":
                return st.Keep()
            case "exit":
                return st.exit("boom")

    def terminate(self, reason: object) -> None:
        self.story.note(f"terminate {reason_text(reason)} in {self.state}")
        match self.machine.goodbye:
            case "ok":
                pass
            case "exit":
                st.exit("changed")
            case "crash":
                raise RuntimeError("oops")

    def seen(self, event: Any, state: str) -> Any:
        """Handle any event of any state, at once or after a suspension."""
        return self.seen_later(event, state) if self.asynchronous else self.handle(event, state)

    async def seen_later(self, event: Any, state: str) -> Any:
        await asyncio.sleep(0)
        return self.handle(event, state)

    def handle(self, event: Any, state: Any) -> Any:
        match event:
            case st.Enter(previous):
                self.story.note(f"enter {state} from {previous}")
                return self.answer(self.entered(state), None)
            case st.Info(st.Exit(reason=reason)):
                self.story.note(f"see exit {reason_text(reason)} in {state}")
                return st.Keep()
        sender = event.sender if isinstance(event, st.CallMessage) else None
        if sender is not None and not any(sender is other for other in self.known):
            self.known.append(sender)
            self.open.append(sender)
        told = _content(event)
        self.story.note(f"see {_kind(event)} {told.id} in {state}")
        return self.answer(self.turn(told.id, told.answers), sender)

    def entered(self, state: State) -> Answer:
        """As `turn`, but the last answer does not repeat the call: that would go on for ever."""
        answers = self.enters.get(state, ())
        answer = self.turn(("enter", state), answers)
        last = self.times.get(("enter", state), 0) >= len(answers)
        return Keep() if last and isinstance(answer, Repeat) else answer

    def turn(self, key: object, answers: tuple[Answer, ...]) -> Answer:
        """The answer of this time; the last one from then on."""
        if not answers:
            return Keep()
        times = self.times[key] = self.times.get(key, 0) + 1
        return answers[min(times, len(answers)) - 1]

    def answer(self, answer: Answer, sender: st.ReplyTo | None) -> Any:
        match answer:
            case Next(state, actions):
                return st.Next(state, *self.actions(actions, sender))
            case Keep(actions):
                return st.Keep(*self.actions(actions, sender))
            case Repeat(actions):
                return st.Repeat(*self.actions(actions, sender))
            case Halt(reason, ()):
                return st.Stop(REASONS[reason])
            case Halt(reason, replies):
                return st.StopAndReply(REASONS[reason], *self.actions(replies, sender))
            case Crash():
                raise RuntimeError("oops")
            case Leave(reason):
                return st.exit(REASONS[reason])
            case Bad():
                return "bad"

    def actions(self, actions: Iterable[Any], sender: st.ReplyTo | None) -> list[Any]:
        return [made for action in actions for made in self.action(action, sender)]

    def action(self, action: Any, sender: st.ReplyTo | None) -> Iterator[Any]:
        match action:
            case Postpone():
                yield st.Postpone()
            case Hibernate():
                yield st.Hibernate()
            case Insert(kind, event):
                yield st.NextEvent(_inserted(kind, event, sender))
            case Timeout(timeout, time, event):
                yield _timeout(timeout, _seconds(time), event)
            case Reply(value) if sender is not None:
                self.open = [other for other in self.open if other is not sender]
                yield st.Reply(value)
            case ReplyAll(value):
                for caller in self.open:
                    yield st.Answer(caller, value)
                self.open = []
            case _:
                pass


class _OneForAll(Scripted):
    def handle_event(self, event: Any, state: str) -> Any:
        return self.seen(event, state)


class _ByState(Scripted):
    def a(self, event: Any) -> Any:
        return self.seen(event, "a")

    def b(self, event: Any) -> Any:
        return self.seen(event, "b")

    def c(self, event: Any) -> Any:
        return self.seen(event, "c")


def _classes() -> dict[tuple[bool, bool, bool], type[Scripted]]:
    """The class for each of: by state or not, with enter calls or not, trapping or not."""
    made: dict[tuple[bool, bool, bool], type[Scripted]] = {}
    for functions in (False, True):
        for enter_calls in (False, True):
            for traps in (False, True):
                base = _ByState if functions else _OneForAll
                made[functions, enter_calls, traps] = type(
                    base.__name__, (base,), {"state_enter": enter_calls, "trap_exit": traps}
                )
    return made


CLASSES = _classes()


def _kind(event: Any) -> str:
    match event:
        case st.CallMessage():
            return "call"
        case st.CastMessage():
            return "cast"
        case st.Info():
            return "info"
        case st.Internal():
            return "internal"
        case st.StateExpired():
            return "state_timeout"
        case st.EventExpired():
            return "event_timeout"
        case st.Expired(name):
            return str(name)
        case _:
            raise TypeError(event)


def _content(event: Any) -> Event:
    match event:
        case st.CallMessage(_, told) | st.CastMessage(told) | st.Info(told):
            return cast("Event", told)
        case _:
            return cast("Event", event.content)


def _inserted(kind: str, event: Event, sender: st.ReplyTo | None) -> Any:
    match kind:
        case "call" if sender is not None:
            return st.CallMessage(sender, event)
        case "cast":
            return st.CastMessage(event)
        case "info":
            return st.Info(event)
        case _:
            return st.Internal(event)


def _timeout(timeout: str, seconds: Any, event: Event) -> Any:
    match timeout:
        case "state":
            return st.StateTimeout(seconds, event)
        case "event":
            return st.EventTimeout(seconds, event)
        case name:
            return st.GenericTimeout(name, seconds, event)


def _seconds(time: int | str) -> Any:
    match time:
        case "infinity":
            return None
        case int():
            return time / 1000
        case word:
            return word
