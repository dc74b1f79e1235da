"""suptree's half: runs a program on `Task` and `TaskSupervisor`; twin of `ex/tasks.ex`."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from typing import Any

import suptree as st
from tests.conformance.elixir.stage import Mode, Stage, ended, quiet
from tests.conformance.elixir.tasks.program import (
    Action,
    Await,
    AwaitMany,
    Body,
    Children,
    Finish,
    Halt,
    Ignore,
    Mail,
    Obey,
    Op,
    Order,
    Program,
    Shutdown,
    Signal,
    Start,
    Stop,
    Stream,
    Take,
    Terminate,
    Timeout,
    Trap,
    Yield,
    YieldMany,
)
from tests.conformance.elixir.words import from_word, reason_text

Told = st.TaskValue[Any] | st.TaskExit | None


def run(mode: Mode, program: Program) -> list[str]:
    """The trace of *program*."""
    return mode.run(program.seed, lambda stage: _Driver(stage).drive(program))


@dataclass(frozen=True, slots=True)
class Ordered:
    """An order as a message."""

    action: Action
    done: st.Pid[Any] | None = None


class Done:
    """An order was carried out."""


class _Driver:
    """Does the operations one by one."""

    def __init__(self, stage: Stage) -> None:
        self.stage = stage

    async def drive(self, program: Program) -> None:
        await self.segment("0", lambda: self.start(program))
        for number, op in enumerate(program.ops, 1):
            await self.segment(str(number), partial(self.perform, op))
        await self.segment("final", self.final)

    async def segment(self, label: str, do: Callable[[], Awaitable[list[str]]]) -> None:
        await self.stage.segment(label, do, self.settle)

    async def settle(self) -> None:
        """Wait for quiet, and for a supervisor that waits for a child to stop."""
        await quiet()
        sup = self.stage.living("sup")
        if sup is not None:
            with suppress(st.ServerExitError):
                await st.DynamicSupervisor.count_children(sup)
        await quiet()

    async def start(self, program: Program) -> list[str]:
        limit = None if program.max_children == "infinity" else program.max_children
        sup = await st.TaskSupervisor.start_link(
            max_restarts=program.max_restarts, max_seconds=3600.0, max_children=limit
        )
        self.stage.watch("sup", sup)
        st.spawn(Actor.live, self.stage, "owner", Obey(program.traps))
        return []

    async def final(self) -> list[str]:
        return [" ".join(["alive", *map(self.stage.name, self.stage.alive())])]

    # -- operations

    async def perform(self, op: Op) -> list[str]:
        """Do one operation; return its results."""
        match op:
            case Order():
                return await self.order(op)
            case Signal():
                pid = self.stage.living(op.who)
                if pid is None:
                    return ["absent"]
                st.exit(pid, from_word(op.reason))
                return []
            case Terminate():
                pid = self.stage.newest(op.who)
                return ["absent"] if pid is None else await self.with_sup(self.terminate, pid)
            case Children():
                return await self.with_sup(self.children)
            case Stop():
                return await self.with_sup(self.stop, op.reason)

    async def order(self, op: Order) -> list[str]:
        pid = self.stage.living(op.who)
        if pid is None:
            return ["absent"]
        if not self.stage.kept.get(("idle", pid), False):
            return ["busy"]
        if not takes_time(op.action):
            st.send(pid, Ordered(op.action))
        else:
            ref = st.monitor(pid)
            st.send(pid, Ordered(op.action, st.current()))
            await st.receive((Done, st.Down))
            st.demonitor(ref, flush=True)
        return []

    async def with_sup(self, ask: Callable[..., Awaitable[str]], *args: Any) -> list[str]:
        sup = self.stage.living("sup")
        return ["absent"] if sup is None else [await ask(sup, *args)]

    async def terminate(self, sup: st.Pid[Any], pid: st.Pid[Any]) -> str:
        try:
            await st.TaskSupervisor.terminate_child(sup, pid)
        except st.ChildNotFoundError:
            return "error not_found"
        return "ok"

    async def children(self, sup: st.Pid[Any]) -> str:
        pids = await st.TaskSupervisor.children(sup)
        return " ".join(["children", *map(self.stage.name, pids)])

    async def stop(self, sup: st.Pid[Any], word: str) -> str:
        if word == "kill":
            st.exit(sup, st.KILL)
            return reason_text(await ended(sup))
        await st.TaskSupervisor.stop(sup, from_word(word))
        return "ok"


def takes_time(action: Action) -> bool:
    """Whether it ends by a timer: the driver waits, for time is all that is missing."""
    match action:
        case Shutdown(how=int()) | Stream(timeout=int()):
            return True
        case AwaitMany(timeout=int()) | YieldMany(timeout=int()):
            return True
        case _:
            return False


class Actor:
    """A process that does what it is ordered to: the owner, and every task that hangs until it is told."""

    def __init__(self, stage: Stage, name: str) -> None:
        self.stage = stage
        self.name = name

    @staticmethod
    async def live(stage: Stage, id: str, body: Body) -> str:
        """Be the next process of *id*, with what *body* says; what it returns is the value of the task."""
        me = st.current()
        callers = ",".join(map(stage.name, me.runtime.info(me).callers))
        name = stage.born(id, me, f" callers={callers}")
        if isinstance(body, Finish):
            return finish(body)
        st.trap_exit(body.traps)
        return await Actor(stage, name).obey()

    async def obey(self) -> str:
        while True:
            order = await self.next_order()
            if isinstance(order.action, Finish):
                return finish(order.action)
            await self.carry_out(order)

    async def next_order(self) -> Ordered:
        """The driver sees whether we wait for it, or for somebody else."""
        self.stage.kept["idle", st.current()] = True
        order = await st.receive(Ordered)
        self.stage.kept["idle", st.current()] = False
        return order

    async def carry_out(self, order: Ordered) -> None:
        try:
            await self.act(order.action)
        finally:  # an error of a stream inside another may be caught by that
            if order.done is not None and st.is_alive(st.current()):
                st.send(order.done, Done())

    async def act(self, action: Action) -> None:
        match action:
            case Start():
                self.say(f"start {action.task} {await guarded(lambda: self.start(action))}")
            case Await(task=id):
                await self.with_tasks((id,), f"await {id}", lambda: self.await_(action))
            case AwaitMany(tasks=ids):
                doing = f"await_many {','.join(ids)}"
                await self.with_tasks(ids, doing, lambda: self.await_many(action))
            case Yield(task=id):
                await self.with_tasks((id,), f"yield {id}", lambda: self.yield_(action))
            case YieldMany(tasks=ids):
                doing = f"yield_many {','.join(ids)}"
                await self.with_tasks(ids, doing, lambda: self.yield_many(action))
            case Shutdown(task=id):
                await self.with_tasks((id,), f"shutdown {id}", lambda: self.shutdown(action))
            case Ignore(task=id):
                await self.with_tasks((id,), f"ignore {id}", lambda: self.ignore(id))
            case Stream():
                await self.stream(action)
            case Take() | Halt():
                self.say("no stream")
            case Trap():
                st.trap_exit(action.flag)
                self.say(f"trap {str(action.flag).lower()}")
            case Mail():
                await self.mail()
            case Finish():
                raise AssertionError("an end is not carried out like this")

    # -- starting

    async def start(self, action: Start) -> str:
        function, args = Actor.live, (self.stage, action.task, action.body)
        sup = self.stage.kept["sup"] = self.stage.newest("sup")
        assert sup is not None
        match action.how:
            case "async":
                self.keep(action.task, st.Task.async_(function, *args))
            case "sup_async":
                self.keep(action.task, await st.TaskSupervisor.async_(sup, function, *args))
            case "nolink":
                self.keep(action.task, await st.TaskSupervisor.async_nolink(sup, function, *args))
            case "start":
                st.Task.start(function, *args)
            case "start_link":
                st.Task.start_link(function, *args)
            case "child":
                await st.TaskSupervisor.start_child(
                    sup,
                    function,
                    *args,
                    restart=action.restart,
                    shutdown=seconds(action.shutdown),
                )
        return "ok"

    def keep(self, id: str, task: st.Task[str]) -> None:
        self.stage.kept["task", id] = task

    # -- waiting

    async def await_(self, action: Await) -> str:
        self.taken(action.task)
        task = self.task(action.task)
        return await call(
            action.caught, lambda: ok(st.Task.await_(task, seconds_or_none(action.timeout)))
        )

    async def await_many(self, action: AwaitMany) -> str:
        for id in action.tasks:
            self.taken(id)
        tasks = [self.task(id) for id in action.tasks]

        async def wait() -> str:
            values = await st.Task.await_many(tasks, seconds_or_none(action.timeout))
            return f"ok {','.join(values)}"

        return await call(action.caught, wait)

    async def yield_(self, action: Yield) -> str:
        task = self.task(action.task)
        return self.told(action.task, await st.Task.yield_(task, seconds_or_none(action.timeout)))

    async def yield_many(self, action: YieldMany) -> str:
        tasks = [self.task(id) for id in action.tasks]
        results = await st.Task.yield_many(tasks, seconds_or_none(action.timeout))
        return ",".join(
            self.told(id, told) for id, (_, told) in zip(action.tasks, results, strict=True)
        )

    async def shutdown(self, action: Shutdown) -> str:
        self.taken(action.task)
        how = action.how
        limit = how if how == "brutal_kill" else seconds_or_none(how)
        return self.told(action.task, await st.Task.shutdown(self.task(action.task), limit))

    async def ignore(self, id: str) -> str:
        self.taken(id)
        return self.told(id, st.Task.ignore(self.task(id)))

    async def with_tasks(
        self, ids: tuple[str, ...], doing: str, ask: Callable[[], Awaitable[str]]
    ) -> None:
        if any(("task", id) not in self.stage.kept for id in ids):
            text = "unknown"
        elif any(("taken", id) in self.stage.kept for id in ids):
            text = "taken"
        elif all(self.task(id).owner is st.current() for id in ids):
            text = await ask()
        else:
            text = await self.refused([self.task(id) for id in ids])
        self.say(f"{doing} {text}")

    async def refused(self, tasks: list[st.Task[str]]) -> str:
        """What only the owner may do is refused to others, who have not taken it then."""
        try:
            if len(tasks) == 1:
                await st.Task.await_(tasks[0], 0)
            else:
                await st.Task.await_many(tasks, 0)
        except st.TaskOwnerError:
            return "not owner"
        return "accepted"

    def task(self, id: str) -> st.Task[str]:
        task: st.Task[str] = self.stage.kept["task", id]
        return task

    def taken(self, id: str) -> None:
        self.stage.kept["taken", id] = True

    def told(self, id: str, told: Told) -> str:
        if told is not None:
            self.taken(id)
        return told_text(told)

    # -- streams

    async def stream(self, action: Stream) -> None:
        text = await call(action.caught, lambda: self.consume(action))
        self.say(f"stream {action.id} {text}")

    async def consume(self, action: Stream) -> str:
        me = st.current()
        try:
            async with self.open(action) as results:
                async for result in results:
                    self.say(f"got {action.id} {told_text(result)}")
                    if action.manual and not await self.goes_on():
                        return "halted"
        except st.NoProcessError:
            # There the exit is that of a process linked to the consumer, which must trap exits to survive it; here
            # it is an exception, as all exits of callers are (semantics).
            if not me.runtime.info(me).trap_exit:
                st.exit(st.NOPROC)
            raise
        return "over"

    def open(self, action: Stream) -> st.TaskStream[str]:
        stage = self.stage
        sup = stage.newest("sup")
        assert sup is not None

        async def function(k: int) -> str:
            return await Actor.live(stage, f"{action.id}.{k}", action.items[k])

        options: dict[str, Any] = {
            "max_concurrency": action.max,
            "ordered": action.ordered,
            "timeout": seconds_or_none(action.timeout),
            "on_timeout": action.on_timeout,
            "zip_input_on_exit": action.zip,
        }
        numbers = range(len(action.items))
        if action.how == "async":
            return st.Task.stream(function, numbers, **options)
        return st.TaskSupervisor.stream(
            sup, function, numbers, link=action.how == "sup_async", **options
        )

    async def goes_on(self) -> bool:
        """Obey until told to take the next result, or not to."""
        while True:
            order = await self.next_order()
            match order.action:
                case Take():
                    return True
                case Halt() | Finish(how="return"):
                    return False
                case Finish():
                    finish(order.action)
                case _:
                    await self.carry_out(order)

    # -- the mailbox

    async def mail(self) -> None:
        with suppress(st.ReceiveTimeoutError):
            while True:
                signal = await st.receive(st.Exit, timeout=0)
                self.say(f"mail exit {self.stage.name(signal.pid)} {reason_text(signal.reason)}")
        self.say("mail over")

    def say(self, text: str) -> None:
        self.stage.note(f"say {self.name} {text}")


def finish(how: Finish) -> str:
    """End in that way."""
    match how.how:
        case "return":
            return how.word
        case "raise" | "throw":
            raise RuntimeError(how.word)
        case "exit":
            raise st.ProcessExit(from_word(how.word))


async def call(caught: bool, ask: Callable[[], Awaitable[str]]) -> str:
    """What *ask* says, and if *caught*, how it failed."""
    return await (guarded(ask) if caught else ask())


async def guarded(ask: Callable[[], Awaitable[str]]) -> str:
    """What *ask* says, or how it failed."""
    try:
        return await ask()
    except st.MaxChildrenError:
        return "error max_children"
    except st.NoProcessError:
        return "exit noproc"
    except st.TaskExitError as error:
        return f"exit await({reason_text(error.reason)})"
    except st.TaskTimeoutError:
        return "exit await(timeout)"


async def ok(value: Awaitable[str]) -> str:
    """A value."""
    return f"ok {await value}"


def told_text(told: Told) -> str:
    """What has become of a task."""
    match told:
        case None:
            return "nothing"
        case st.TaskValue(value=value):
            return f"ok {value}"
        case st.TaskExit(reason=reason, input=item):
            return f"exit {reason_text(reason)}" + ("" if item is None else f" of {item}")


def seconds(shutdown: int | Any) -> Any:
    """Milliseconds as suptree takes them; words as they are."""
    return shutdown / 1000 if isinstance(shutdown, int) else shutdown


def seconds_or_none(timeout: Timeout) -> float | None:
    """Milliseconds or 'infinity' as suptree takes them."""
    return timeout / 1000 if isinstance(timeout, int) else None
