"""TaskSupervisor: tasks that are supervised, wherever they were asked for.

A dynamic supervisor of tasks, temporary by default: they are stopped with their tree,
and one that crashes is not run again unless `start_child` said so.

    st.TaskSupervisor.child(name="shop.tasks", max_children=100)

    await TaskSupervisor.start_child("shop.tasks", send_mail, order)     nobody waits
    task = await TaskSupervisor.async_("shop.tasks", fetch, url)         its crash is ours
    task = await TaskSupervisor.async_nolink("shop.tasks", fetch, url)   its crash is a result
    TaskSupervisor.stream("shop.tasks", fetch, urls, max_concurrency=8)  a task for each item

After Elixir's Task.Supervisor (1.14).
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterable, Callable, Coroutine, Iterable
from typing import Any, ParamSpec, TypeVar, Unpack, overload

from suptree.core import (
    CALL,
    SHUTDOWN,
    Pid,
    Process,
    ReplyTo,
    Runtime,
    Slot,
    current_process,
    find_runtime,
    pack_for_task,
    require_process,
)
from suptree.otp.child_spec import ChildSpec, Restart, Shutdown
from suptree.otp.children import StartChild, ask
from suptree.otp.directives import ServerRef, nobody, resolve
from suptree.otp.dynamic import DynamicSupervisor
from suptree.otp.stream import Spawn, StreamKeywords, StreamOptions, TaskStream, make_stream
from suptree.otp.task import Task
from suptree.otp.task_process import Outcome, TaskStart

__all__ = ["TaskSupervisor", "spawner"]

P = ParamSpec("P")
R = TypeVar("R")
T = TypeVar("T")


class TaskSupervisor:
    """The client of task supervisors; `supervisor` is everywhere the name or the pid of one."""

    # -- starting one ---------------------------------------------------------------------

    @staticmethod
    def child(
        *,
        name: str | None = None,
        max_children: int | None = None,
        max_restarts: int = 3,
        max_seconds: float = 5.0,
    ) -> ChildSpec[Any]:
        """The child spec of a task supervisor.

        Args:
            name: Its registered name.
            max_children: How many tasks may run at once; None: any number.
            max_restarts: Restarts allowed in *max_seconds*, of tasks that are restarted at all.
            max_seconds: See *max_restarts*.

        Raises:
            SupervisorOptionsError: A wrong value.
        """
        spec = DynamicSupervisor.child(
            name=name,
            max_children=max_children,
            max_restarts=max_restarts,
            max_seconds=max_seconds,
        )
        return spec.with_(modules=(TaskSupervisor,))

    @staticmethod
    async def start_link(
        *,
        name: str | None = None,
        max_children: int | None = None,
        max_restarts: int = 3,
        max_seconds: float = 5.0,
    ) -> Pid[Any]:
        """Start a task supervisor linked to the current process; see `child`."""
        spec = TaskSupervisor.child(
            name=name,
            max_children=max_children,
            max_restarts=max_restarts,
            max_seconds=max_seconds,
        )
        return await spec.start_link()

    @staticmethod
    async def stop(
        supervisor: ServerRef[Any], reason: object = SHUTDOWN, timeout: float | None = None
    ) -> None:
        """Have it shut its tasks down and end with *reason* (S203)."""
        await DynamicSupervisor.stop(supervisor, reason, timeout)

    @staticmethod
    async def children(supervisor: ServerRef[Any]) -> list[Pid[Any]]:
        """The pids of the tasks that run."""
        infos = await DynamicSupervisor.which_children(supervisor)
        return [info.pid for info in infos if isinstance(info.pid, Pid)]

    @staticmethod
    async def terminate_child(supervisor: ServerRef[Any], pid: Pid[Any]) -> None:
        """Shut one task down.  ChildNotFoundError if it is none of its tasks."""
        await DynamicSupervisor.terminate_child(supervisor, pid)

    # -- one task -----------------------------------------------------------------------------

    @staticmethod
    async def start_child(
        supervisor: ServerRef[Any],
        function: Callable[..., object],
        /,
        *args: Any,
        restart: Restart = "temporary",
        shutdown: Shutdown = 5.0,
        **kwargs: Any,
    ) -> Pid[Any]:
        """Run ``function(*args, **kwargs)``; nobody waits for it, and it survives its caller (S196).

        Args:
            restart: 'temporary' runs it once; 'transient' again if it crashes, 'permanent'
                again and again; the same function with the same arguments.
            shutdown: Seconds that it has when it is told to stop, 'brutal_kill' or 'infinity'.

        Raises:
            MaxChildrenError: The supervisor has as many tasks as it may.
            NoProcessError: There is no such supervisor.
        """
        asked = current_process()
        runtime = asked.runtime if asked is not None else find_runtime("TaskSupervisor.start_child")
        start = TaskStart(function, args, kwargs, asked=asked, carried=pack_for_task(runtime))
        spec = _spec(start, shutdown, restart)
        pid: Pid[Any] = await ask(supervisor, StartChild(spec), "TaskSupervisor.start_child")
        return pid

    @overload
    @staticmethod
    async def async_(
        supervisor: ServerRef[Any],
        function: Callable[P, Coroutine[Any, Any, R]],
        /,
        *args: P.args,
        **kwargs: P.kwargs,
    ) -> Task[R]: ...
    @overload
    @staticmethod
    async def async_(
        supervisor: ServerRef[Any],
        function: Callable[P, R],
        /,
        *args: P.args,
        **kwargs: P.kwargs,
    ) -> Task[R]: ...
    @staticmethod
    async def async_(
        supervisor: ServerRef[Any], function: Callable[..., Any], /, *args: Any, **kwargs: Any
    ) -> Task[Any]:
        """A task that is supervised, and linked to this process: one's crash is the other's (S197).

        Raises:
            MaxChildrenError, NoProcessError: As `start_child` (S198).
            NotInProcessError: The code runs outside every process.
        """
        owner = require_process("TaskSupervisor.async_")
        return await _ask_for_task(supervisor, owner, True, function, args, kwargs)

    @overload
    @staticmethod
    async def async_nolink(
        supervisor: ServerRef[Any],
        function: Callable[P, Coroutine[Any, Any, R]],
        /,
        *args: P.args,
        **kwargs: P.kwargs,
    ) -> Task[R]: ...
    @overload
    @staticmethod
    async def async_nolink(
        supervisor: ServerRef[Any],
        function: Callable[P, R],
        /,
        *args: P.args,
        **kwargs: P.kwargs,
    ) -> Task[R]: ...
    @staticmethod
    async def async_nolink(
        supervisor: ServerRef[Any], function: Callable[..., Any], /, *args: Any, **kwargs: Any
    ) -> Task[Any]:
        """A task that is supervised and not linked: its crash is what `await` raises, and no more (S197).

        It outlives this process.  Code outside every process may ask for one too.

        Raises:
            MaxChildrenError, NoProcessError: As `start_child` (S198).
        """
        return await _ask_for_task(supervisor, current_process(), False, function, args, kwargs)

    # -- many tasks -----------------------------------------------------------------------------

    @overload
    @staticmethod
    def stream(
        supervisor: ServerRef[Any],
        function: Callable[[T], Coroutine[Any, Any, R]],
        inputs: Iterable[T] | AsyncIterable[T],
        /,
        **options: Unpack[StreamKeywords],
    ) -> TaskStream[R]: ...
    @overload
    @staticmethod
    def stream(
        supervisor: ServerRef[Any],
        function: Callable[[T], R],
        inputs: Iterable[T] | AsyncIterable[T],
        /,
        **options: Unpack[StreamKeywords],
    ) -> TaskStream[R]: ...
    @staticmethod
    def stream(
        supervisor: ServerRef[Any],
        function: Callable[[Any], Any],
        inputs: Iterable[Any] | AsyncIterable[Any],
        /,
        **options: Unpack[StreamKeywords],
    ) -> TaskStream[Any]:
        """One task for each of *inputs*; iterate over the results (S200).

        Each result is TaskValue(value) or TaskExit(reason).  Nothing starts before the
        first is asked for, and never more than results are taken.

        Args:
            function: Called with one item; async or plain.
            inputs: Pulled as places get free; endless ones are fine.  What it raises goes
                to the consumer, and ends the stream.
            max_concurrency: How many tasks run at a time; default: as many as processors.
            ordered: Results in the order of the inputs, else as they come.
            timeout: Seconds for each task, None for no limit (S201).
            on_timeout: 'exit' raises TaskTimeoutError in the consumer, 'kill_task' gives
                TaskExit('timeout') for that item.
            zip_input_on_exit: TaskExit has the item in its `input`.
            link: A task that ends without a value ends the consumer too, unless that
                traps exits; with False, and for code outside every process, that is a
                TaskExit like any other.

        Raises:
            ValueError: A wrong option.
            MaxChildrenError, NoProcessError: While iterating, as `start_child` (S198).
            TaskTimeoutError: While iterating, see *on_timeout*.
        """
        return make_stream(spawner(supervisor), function, inputs, StreamOptions(**options))


def _spec(
    start: TaskStart, shutdown: Shutdown = 5.0, restart: Restart = "temporary"
) -> ChildSpec[Any]:
    return ChildSpec(start=start, restart=restart, shutdown=shutdown, modules=(Task,))


async def _ask_for_task(
    supervisor: ServerRef[Any],
    owner: Process | None,
    linked: bool,
    function: Callable[..., Any],
    args: tuple[Any, ...],
    kwargs: dict[str, Any],
) -> Task[Any]:
    runtime = owner.runtime if owner is not None else find_runtime("TaskSupervisor.async_nolink")
    outcome = Outcome(runtime)
    start = TaskStart(
        function,
        args,
        kwargs,
        outcome=outcome,
        asked=owner,
        linked=linked,
        carried=pack_for_task(runtime),
    )
    try:
        pid = await ask(supervisor, StartChild(_spec(start)), "TaskSupervisor.async_")
    except asyncio.CancelledError:
        start.give_up()
        raise
    return Task(pid, owner, outcome)


def spawner(supervisor: ServerRef[Any]) -> Spawn:
    """How a stream has its tasks started: it sends the request to *supervisor* and does not wait."""

    def spawn(runtime: Runtime, owner: Process | None, start: TaskStart) -> Slot:
        process = resolve(supervisor, "TaskSupervisor.stream")
        if process is None or process.body.kind != "supervisor":
            refused = Slot(runtime.runqueue)
            refused.fail(nobody(supervisor, "TaskSupervisor.stream"))
            return refused
        reply_to = ReplyTo(runtime.runqueue, process, owner)
        process.deliver((CALL, reply_to, None, (StartChild(_spec(start)),), {}))
        return reply_to

    return spawn
