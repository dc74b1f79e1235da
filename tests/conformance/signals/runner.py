"""suptree's half of the family: runs a program, returns the trace that `erl/suptree_signals.erl` writes.

The driver is the body of a runtime's block. After each operation it gives way until nothing can move any more:
everyone who lives waits for a message, and nobody is on the way out. It never sleeps.

>>> Suptree().run(Program(0, ("p1",), ()))
['op 0', 'view p1 plain links= monitors= watchers= queue=0', 'names nobody nobody', 'op drain', \
'view p1 plain links= monitors= watchers= queue=0', 'names nobody nobody']
"""

from __future__ import annotations

import asyncio
import importlib.util
import logging
import random
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from typing import Any, Literal

import suptree as st
from suptree.core import RECEIVING
from tests.conformance.signals.actor import NAMES, Said, Stage
from tests.conformance.signals.program import Do, Hold, Op, Program, Release
from tests.conformance.signals.words import reason_text

HANG = 5_000
"""Turns of the loop after which an operation is given up; it takes about ten."""
KILLS = 3
"""Rounds of kills at the end: one may be ended by another that it started meanwhile."""


@dataclass(frozen=True, slots=True)
class Suptree:
    """suptree as one side of the comparison.

    Attributes:
        loop: The event loop; `shuffled` is asyncio's with callbacks and answers in random order, by the program's seed.
        plain_scripts: Whether a child that only does its script is a plain function.
    """

    loop: Literal["asyncio", "uvloop", "shuffled"] = "asyncio"
    plain_scripts: bool = False

    def run(self, program: Program) -> list[str]:
        """Run *program* in a runtime and an event loop of its own; return the lines of its trace."""
        with _silence(), asyncio.Runner(loop_factory=self._loop_factory(program.seed)) as runner:
            return runner.run(self._run(program))

    def _loop_factory(self, seed: int) -> Callable[[], asyncio.AbstractEventLoop] | None:
        if self.loop == "shuffled":
            return lambda: _ShuffledLoop(random.Random(seed))
        if self.loop == "uvloop":
            import uvloop

            return uvloop.new_event_loop
        return None

    async def _run(self, program: Program) -> list[str]:
        async with st.Runtime(stop_timeout=1.0) as rt:
            if self.loop == "shuffled":
                rt.runqueue.resuming = _Shuffled(random.Random(program.seed))
            driver = _Driver(rt, Stage(plain_scripts=self.plain_scripts))
            rt.telemetry.attach("trace", "suptree.process.exited", driver.exited)
            await driver.run(program)
        return driver.lines


MODES = {
    "plain": Suptree(),
    "functions": Suptree(plain_scripts=True),
    "shuffled": Suptree(loop="shuffled", plain_scripts=True),
    **({"uvloop": Suptree(loop="uvloop")} if importlib.util.find_spec("uvloop") else {}),
}
"""The ways in which the comparison is run."""


class _Driver:
    """Does the operations one by one and writes what happened after each, and how everyone stands."""

    def __init__(self, runtime: st.Runtime, stage: Stage) -> None:
        self.runtime = runtime
        self.stage = stage
        self.lines: list[str] = []

    async def run(self, program: Program) -> None:
        """Write the trace, and leave nobody alive."""
        await self._segment("0", lambda: [self._begin(id_) for id_ in program.first])
        for number, op in enumerate(program.ops, 1):
            await self._segment(str(number), partial(self._perform, op))
        await self._segment("drain", lambda: [self._say(id_, "eager") for id_ in self._living()])
        for _ in range(KILLS):
            for id_ in self._living():
                st.exit(self.stage.pids[id_], st.KILL)
            await self._settle()

    def exited(
        self, event: object, measurements: Mapping[str, float], metadata: Mapping[str, object]
    ) -> None:
        """Handle `suptree.process.exited`."""
        who, reason = self.stage.id_of(metadata["pid"]), reason_text(metadata["reason"])
        self.stage.events.append(f"{who} ended {reason}")

    async def _segment(self, label: str, do: Callable[[], Iterable[str]]) -> None:
        results = list(filter(None, do()))
        await self._settle()
        self.lines += [f"op {label}", *results, *self.stage.events, *self._view()]
        self.stage.events.clear()

    def _begin(self, id_: str) -> str:
        self.stage.begin(self.runtime.spawn, id_)
        return ""

    def _perform(self, op: Op) -> list[str]:
        match op:
            case Do(process, actions):
                return [self._say(process, actions)]
            case Hold(process):
                return [self._say(process, "hold")]
            case Release(process):
                return [self._say(process, "release")]

    def _say(self, id_: str, what: Any) -> str:
        if id_ not in self._living():
            return f"absent {id_}"
        st.send(self.stage.pids[id_], Said(what))
        return ""

    def _living(self) -> list[str]:
        return sorted(id_ for id_, pid in self.stage.pids.items() if pid.is_alive())

    # --- quiet

    async def _settle(self) -> None:
        for _ in range(HANG):
            if self._is_quiet():
                return
            await asyncio.sleep(0)
        self.lines.append("hang")

    def _is_quiet(self) -> bool:
        others = (p for p in self.runtime.processes.values() if p is not self.runtime.root)
        return self.stage.waiting == 0 and all(p.state is RECEIVING for p in others)

    # --- how everyone stands

    def _view(self) -> list[str]:
        names = " ".join(self.stage.id_of(st.whereis(name)) for name in NAMES)
        return [*map(self._view_of, self._living()), f"names {names}"]

    def _view_of(self, id_: str) -> str:
        info = self.runtime.info(self.stage.pids[id_])
        traps = "traps" if info.trap_exit else "plain"
        links, monitors, watchers = map(self._some, (info.links, info.monitors, info.monitored_by))
        return f"view {id_} {traps} links={links} monitors={monitors} watchers={watchers} queue={info.mailbox}"

    def _some(self, who: Iterable[object]) -> str:
        return ",".join(sorted(w if isinstance(w, str) else self.stage.id_of(w) for w in who))


class _Shuffled(deque[Any]):
    """A queue that gives out a random item: every order that nobody promised is tried."""

    def __init__(self, rng: random.Random) -> None:
        super().__init__()
        self._rng = rng

    def popleft(self) -> Any:
        self.rotate(-self._rng.randrange(len(self)))
        return super().popleft()


class _ShuffledLoop(asyncio.SelectorEventLoop):
    """asyncio's loop with its ready callbacks in random order.

    asyncio promises their order, but no process of suptree should rest on the order in which tasks are stepped.
    """

    def __init__(self, rng: random.Random) -> None:
        super().__init__()
        self._ready = _Shuffled(rng)


@contextmanager
def _silence() -> Iterator[None]:
    """Crashes are what these runs are made of: nothing is logged, as on the BEAM's side."""
    log = logging.getLogger("suptree")
    before, log.disabled = log.disabled, True
    try:
        yield
    finally:
        log.disabled = before
