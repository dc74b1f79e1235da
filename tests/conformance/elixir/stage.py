"""suptree's half of the trace: who was born, what happened in which order, and when all is quiet; twin of `ex/trace.ex`.

The processes of a program tell a `Stage` what they do as they do it, and every end comes through telemetry, which is
synchronous. So its list is the order of events. Programs run on a virtual clock that stands still except while the
driver waits for something: then only timers are left to come, as on the BEAM.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Literal

import suptree as st
from suptree.testing.loop import VirtualDeadlockError, VirtualLoop
from tests.conformance.elixir.words import reason_text

Drive = Callable[["Stage"], Awaitable[None]]
"""What the driver of a program does, in a process that traps exits."""


@dataclass(frozen=True, slots=True)
class Mode:
    """One way in which suptree runs programs.

    Attributes:
        direct_call: As `Runtime` takes it.
        shuffled: Whether the run queue is shuffled, by the seed of the program.
    """

    direct_call: bool | Literal["random"] = True
    shuffled: bool = False

    def run(self, seed: int, drive: Drive) -> list[str]:
        """Run *drive* in a runtime and an event loop of its own; the lines of the trace."""
        stage = Stage()
        with _silence(), asyncio.Runner(loop_factory=VirtualLoop) as runner:
            try:
                runner.run(self._run(stage, seed if self.shuffled else None, drive))
            except VirtualDeadlockError as error:
                stage.printed.append(f"hang: {error}")
        return stage.printed

    async def _run(self, stage: Stage, seed: int | None, drive: Drive) -> None:
        async with st.Runtime(direct_call=self.direct_call, seed=seed, stop_timeout=1.0) as rt:
            driver = st.spawn(stage.drive, drive, trap_exit=True)
            ref = st.monitor(driver)
            down = await st.receive(lambda m: isinstance(m, st.Down) and m.ref is ref)
            if down.reason is not st.NORMAL:
                stage.printed.append(f"driver failed: {_whole(down.reason)}")
            for pid in rt.alive():
                if pid is not st.current():
                    st.exit(pid, st.KILL)


MODES = {
    "direct": Mode(direct_call=True),
    "queued": Mode(direct_call=False),
    "shuffled": Mode(direct_call="random", shuffled=True),
}
"""The ways in which the comparison is run."""


class Stage:
    """Writes the events, counts births, and knows who lives.

    Attributes:
        printed: The lines of the trace so far, segment by segment.
        kept: What the processes of a program keep for one another.
    """

    def __init__(self) -> None:
        self.printed: list[str] = []
        self.kept: dict[Any, Any] = {}
        self._events: list[str] = []
        self._births: dict[str, int] = {}
        self._names: dict[st.Pid[Any], str] = {}
        self._newest: dict[str, st.Pid[Any]] = {}
        self._parents: dict[st.Pid[Any], st.Pid[Any]] = {}  # of the living
        self.driver: st.Pid[Any]

    async def drive(self, drive: Drive) -> None:
        """Be the driver."""
        self.driver = st.current()
        self._names[self.driver] = "driver"
        runtime = self.driver.runtime
        runtime.telemetry.attach("trace", "suptree.process.exited", self._exited)
        await drive(self)

    # -- events

    def born(self, id: str, parent: st.Pid[Any], line: str) -> str:
        """The current process is the next one of *id*; returns its name, such as `w1#2`."""
        self._births[id] = self.births(id) + 1
        name = f"{id}#{self._births[id]}"
        self._follow(st.current(), id, name, parent)
        self.note(f"start {name}{line}")
        return name

    def watch(self, id: str, pid: st.Pid[Any]) -> None:
        """Note the end of *pid* under that name too."""
        self._follow(pid, id, id, self.driver)

    def _follow(self, pid: st.Pid[Any], id: str, name: str, parent: st.Pid[Any]) -> None:
        self._names[pid] = name
        self._newest[id] = pid
        self._parents[pid] = parent

    def births(self, id: str) -> int:
        """How often a process of *id* was born."""
        return self._births.get(id, 0)

    def note(self, line: str) -> None:
        """Write one event."""
        self._events.append(line)

    def _exited(
        self, event: object, measurements: Mapping[str, float], metadata: Mapping[str, object]
    ) -> None:
        pid = metadata["pid"]
        if isinstance(pid, st.Pid) and self._parents.pop(pid, None) is not None:
            self.note(f"down {self.name(pid)} {reason_text(metadata['reason'])}")

    # -- who is who

    def name(self, pid: object) -> str:
        """The name of a process."""
        return self._names.get(pid, repr(pid)) if isinstance(pid, st.Pid) else repr(pid)

    def newest(self, id: str) -> st.Pid[Any] | None:
        """The newest process of *id*, dead or alive."""
        return self._newest.get(id)

    def living(self, id: str) -> st.Pid[Any] | None:
        """The newest process of *id* if it lives."""
        pid = self._newest.get(id)
        return pid if pid in self._parents else None

    def alive(self) -> list[st.Pid[Any]]:
        """All that live."""
        return list(self._parents)

    def doomed(self) -> list[st.Pid[Any]]:
        """Those whose parent is gone."""
        return [
            pid
            for pid, parent in self._parents.items()
            if parent is not self.driver and parent not in self._parents
        ]

    # -- segments

    async def segment(
        self,
        label: str,
        do: Callable[[], Awaitable[Iterable[str]]],
        settle: Callable[[], Awaitable[object]],
    ) -> None:
        """Do one thing, wait for quiet by *settle*, write what happened and what it returned."""
        results = [f"result {result}" for result in await do()]
        await settle()
        events, self._events = self._events, []
        self.printed += [f"op {label}", *events, *results]


async def quiet() -> None:
    """Wait until nobody is ready to run: that is all that can happen before time passes."""
    loop = asyncio.get_running_loop()
    assert isinstance(loop, VirtualLoop)
    loop.clock.autojump = False
    try:
        while True:
            await loop.turn()
    except VirtualDeadlockError:
        return
    finally:
        loop.clock.autojump = True


async def ended(pid: st.Pid[Any]) -> object:
    """Wait until *pid* is gone; its exit reason."""
    ref = st.monitor(pid)
    down = await st.receive(lambda m: isinstance(m, st.Down) and m.ref is ref)
    return down.reason


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
