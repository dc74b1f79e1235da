"""What the tests of supervisors start: a worker that writes down what happens to it, and dies on demand."""

from __future__ import annotations

from typing import Any

import suptree as st

Log = list[str]


class Book:
    """What all starts of a worker share on purpose, which is why it is no plain list.

    Args:
        log: Where they write.
        script: Consumed one word per start: 'ok', 'error' (Stop("no_start")), 'raise',
            'ignore'; after the last one 'ok'.
    """

    def __init__(self, log: Log, script: list[str] | None = None) -> None:
        self.log = log
        self.script = script if script is not None else []


class Worker(st.GenServer):
    """Writes ``+id`` when it starts and ``-id`` when it says goodbye; follows the script of its book."""

    trap_exit = True

    def __init__(self, id: str, book: Book) -> None:
        self.id = id
        self.log = book.log
        self.script = book.script
        self.goodbye: Any = None

    def init(self) -> Any:
        word = self.script.pop(0) if self.script else "ok"
        self.log.append(f"+{self.id}" if word == "ok" else f"{word} {self.id}")
        match word:
            case "error":
                return st.Stop("no_start")
            case "raise":
                raise ValueError("init_boom")
            case "ignore":
                return st.Ignore()
        return None

    @st.cast
    def crash(self) -> None:
        raise RuntimeError("boom")

    @st.cast
    def end(self, reason: object) -> st.Stop:
        return st.Stop(reason)

    @st.call
    def say_goodbye_by(self, reason: object) -> None:
        """Have `terminate` exit with *reason* instead of returning."""
        self.goodbye = reason

    def terminate(self, reason: object) -> None:
        self.log.append(f"-{self.id}")
        if self.goodbye is not None:
            st.exit(self.goodbye)

    def handle_info(self, message: object) -> None:
        """Exits of strangers are survived."""


def worker(id: str, log: Log, script: list[str] | None = None, **changes: Any) -> st.ChildSpec[Any]:
    """The spec of a worker, registered as *id*."""
    spec = st.child(Worker, id, Book(log, script))
    return spec.with_(**{"id": id, "name": id, **changes})


async def crash(id: str, supervisor: st.Pid[Any]) -> None:
    """Have the worker *id* crash, and wait until its supervisor has dealt with that."""
    await die(id, supervisor, None)


async def die(id: str, supervisor: st.Pid[Any], reason: object) -> None:
    """Have the worker *id* end with *reason* (None: crash); returns when that is dealt with."""
    pid = st.whereis(id)
    assert pid is not None
    down = pid.runtime.down_slot(pid)
    if reason is None:
        Worker.crash(pid)
    else:
        Worker.end(pid, reason)
    await down
    await settled(supervisor)


async def settled(supervisor: st.Pid[Any]) -> None:
    """Wait until the supervisor has handled what was in its mailbox, or has ended."""
    try:
        await st.Supervisor.count_children(supervisor)
    except (st.ServerExitError, st.NoProcessError):
        return


async def ids_up(supervisor: st.Pid[Any]) -> list[str]:
    """Ids of the children that run, in start order."""
    children = await st.Supervisor.which_children(supervisor)
    return [child.id for child in reversed(children) if isinstance(child.pid, st.Pid)]


async def states(supervisor: st.Pid[Any]) -> dict[str, str]:
    """Child id -> 'up', 'down' or 'restarting', in start order."""
    children = await st.Supervisor.which_children(supervisor)
    return {
        child.id: "up"
        if isinstance(child.pid, st.Pid)
        else "down"
        if child.pid is None
        else "restarting"
        for child in reversed(children)
    }


async def start(children: list[Any], **options: Any) -> st.Pid[Any]:
    """Start a supervisor whose giving up does not end the test."""
    top = await st.DynamicSupervisor.start_link()
    spec = st.Supervisor.child(children, **options).with_(restart="temporary")
    return await st.DynamicSupervisor.start_child(top, spec)


class paused:
    """Suspend a supervisor, so that what happens meanwhile waits in its mailbox in that order."""

    def __init__(self, supervisor: st.Pid[Any]) -> None:
        self.supervisor = supervisor

    async def __aenter__(self) -> None:
        await self.supervisor.runtime.system(
            self.supervisor, lambda body: body.suspend(), "suspend"
        )

    async def __aexit__(self, *_: object) -> None:
        await self.supervisor.runtime.system(self.supervisor, lambda body: body.resume(), "resume")


async def kill(id: str) -> None:
    """Kill the worker *id*, and wait until it is dead."""
    pid = st.whereis(id)
    assert pid is not None
    down = pid.runtime.down_slot(pid)
    st.exit(pid, st.KILL)
    await down
