"""The scripted processes on suptree, and the recorder that writes the trace; twins of `erl/trace_*.erl`.

The recorder is a plain object: starts and goodbyes are told by the processes as they happen, and every end comes
through telemetry, which is synchronous. So its list is the order of events.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import suptree as st
from tests.conformance.supervision.scenario import Start, Tree, Worker
from tests.conformance.supervision.words import REASONS, reason_text


@dataclass(slots=True)
class Life:
    """What the recorder knows of one process."""

    name: str
    id: str
    supervisor: bool
    parent: st.Pid[Any]
    outcome: Start


@dataclass(slots=True)
class Recorder:
    """Writes the events, counts attempts, and knows who lives.

    Attributes:
        driver: The process that starts the root; called `driver` in the trace.
        asynchronous: Whether handlers, init and terminate of the workers are async.
    """

    driver: st.Pid[Any]
    asynchronous: bool = False
    events: list[str] = field(default_factory=list)
    attempts: dict[str, int] = field(default_factory=dict)
    lives: dict[st.Pid[Any], Life] = field(default_factory=dict)
    alive: set[st.Pid[Any]] = field(default_factory=set)
    newest: dict[str, st.Pid[Any]] = field(default_factory=dict)

    def started(self, pid: st.Pid[Any], parent: st.Pid[Any], spec: Worker | Tree) -> Start:
        """Note that a process of *spec* began its init; returns what that is to do."""
        attempt = self.attempts[spec.id] = self.attempts.get(spec.id, 0) + 1
        outcome = spec.starts[attempt - 1] if attempt <= len(spec.starts) else "ok"
        name = f"{spec.id}#{attempt}"
        self.lives[pid] = Life(name, spec.id, isinstance(spec, Tree), parent, outcome)
        self.alive.add(pid)
        self.newest[spec.id] = pid
        self.events.append(f"start {name} in {self.name(parent)} {outcome}")
        return outcome

    def note(self, verb: str, pid: st.Pid[Any], text: str) -> None:
        self.events.append(f"{verb} {self.name(pid)} {text}")

    def exited(
        self, event: object, measurements: Mapping[str, float], metadata: Mapping[str, object]
    ) -> None:
        """Handle `suptree.process.exited`; processes that are not of the scenario are left out."""
        pid = metadata["pid"]
        if isinstance(pid, st.Pid) and pid in self.alive:
            self.alive.discard(pid)
            self.note("down", pid, reason_text(metadata["reason"]))

    def take(self) -> list[str]:
        """All events since the last time."""
        taken, self.events = self.events, []
        return taken

    def name(self, pid: st.Pid[Any]) -> str:
        return "driver" if pid is self.driver else self.lives[pid].name

    def current(self, id_: str) -> st.Pid[Any] | None:
        """The newest live process of a child id."""
        pid = self.newest.get(id_)
        return pid if pid in self.alive else None

    def unsettled(self) -> list[st.Pid[Any]]:
        """Processes that are certain to end by themselves: start failed, or supervisor gone."""
        return [pid for pid in self.alive if self._doomed(self.lives[pid])]

    def supervisors(self) -> list[tuple[str, st.Pid[Any]]]:
        return sorted((self.lives[pid].id, pid) for pid in self.alive if self.lives[pid].supervisor)

    def _doomed(self, life: Life) -> bool:
        orphan = life.parent is not self.driver and life.parent not in self.alive
        return life.outcome != "ok" or orphan


class Quiet(st.GenServer):
    """The scripted worker, which does not trap exits."""

    def __init__(self, recorder: Recorder, parent: st.Pid[Any], spec: Worker) -> None:
        self.recorder = recorder
        self.parent = parent
        self.spec = spec
        self.asked = False

    def init(self) -> Any:
        return self._in_its_manner(self._init)

    def handle_call(self, request: object, sender: object) -> str:
        return "pong"

    def handle_cast(self, request: tuple[str, Any]) -> Any:
        return self._in_its_manner(lambda: self._cast(*request))

    def handle_info(self, message: object) -> None:
        if isinstance(message, st.Exit):
            self.recorder.note("info", self.pid, f"exit {reason_text(message.reason)}")

    def terminate(self, reason: object) -> Any:
        self.recorder.note("terminate", self.pid, reason_text(reason))
        if self.spec.goodbye == "exit":
            st.exit("changed")
        if self.spec.goodbye == "stubborn" and not self.asked and reason is st.SHUTDOWN:
            return asyncio.Event().wait()
        return None

    def _init(self) -> Any:
        match self.recorder.started(self.pid, self.parent, self.spec):
            case "ok":
                return None
            case "error":
                return st.Stop("no_start")
            case "ignore":
                return st.Ignore()
            case "crash":
                raise RuntimeError("init_boom")

    def _cast(self, how: str, reason: object) -> st.Stop:
        if how == "raise":
            raise RuntimeError(reason)
        self.asked = True
        return st.Stop(reason)

    def _in_its_manner(self, step: Any) -> Any:
        return _suspended_once(step) if self.recorder.asynchronous else step()


class Trapping(Quiet):
    """The scripted worker that traps exits."""

    trap_exit = True


class Keeper(st.Supervisor):
    """The supervisor of a `Tree`."""

    def __init__(self, recorder: Recorder, parent: st.Pid[Any], tree: Tree) -> None:
        super().__init__(
            strategy=tree.strategy,
            max_restarts=tree.intensity,
            max_seconds=float(tree.period),
            auto_shutdown=tree.auto_shutdown,
        )
        self.recorder = recorder
        self.parent = parent
        self.tree = tree

    def init(self) -> st.Ignore | None:
        match self.recorder.started(st.current(), self.parent, self.tree):
            case "ignore":
                return st.Ignore()
            case "crash":
                raise RuntimeError("init_boom")
            case _:
                return None

    def children(self) -> list[st.ChildSpec[Any]]:
        return [child_spec(self.recorder, st.current(), child) for child in self.tree.children]


def child_spec(recorder: Recorder, parent: st.Pid[Any], spec: Worker | Tree) -> st.ChildSpec[Any]:
    """The child specification of *spec* under supervisor *parent*.

    Raises:
        ChildSpecError: The scenario asks for what is refused.
    """
    if isinstance(spec, Tree):
        made: st.ChildSpec[Any] = st.child(Keeper, recorder, parent, spec)
    else:
        made = st.child(Trapping if spec.traps else Quiet, recorder, parent, spec)
    shutdown = spec.shutdown / 1000 if isinstance(spec.shutdown, int) else spec.shutdown
    return made.with_(
        id=spec.id, restart=spec.restart, significant=spec.significant, shutdown=shutdown
    )


async def _suspended_once(step: Any) -> Any:
    await asyncio.sleep(0)
    return step()


def stop_request(how: str, word: Any) -> tuple[str, object]:
    """The cast that makes a worker end in that way."""
    return (how, REASONS[word])
