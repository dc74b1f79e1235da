"""Programs for DynamicSupervisor: a supervisor, what is started under it, what is done to it, and a seeded generator.

Children have no ids there; the ids of a program are its own, unique in it, and let a trace name a process `w2#3`: the
third process that was started for `w2`. An operation on a child means the process that came up last for its id.

What it refuses: anything whose outcome the BEAM leaves to the scheduler. Periods are much longer than a run, a worker
that will not stop has a shutdown time that its supervisor waits for, and what must happen "at once" is in a `Burst`.
Shutdown time 0 is left out: Elixir 1.14 refuses it, OTP and suptree do not (S130).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, TypeAlias

from tests.conformance.elixir.draws import Draws
from tests.conformance.plain import Plain

Restart: TypeAlias = Literal["permanent", "transient", "temporary"]
Shutdown: TypeAlias = int | Literal["infinity", "brutal_kill"]
"""Milliseconds to wait after the exit signal `shutdown`, or one of OTP's two words."""
Start: TypeAlias = Literal["ok", "error", "ignore", "crash"]
"""What `init` does: come up, stop with `no_start`, be ignored, or raise `init_boom`."""
Goodbye: TypeAlias = Literal["ok", "exit", "stubborn"]
"""What `terminate` does: return, exit with `changed` instead, or never end when its supervisor asks."""
Reason: TypeAlias = Literal["normal", "shutdown", "shutdown_why", "boom", "kill"]
How: TypeAlias = Literal["stop", "raise", "signal"]
"""How a process is made to end: a stop from its handler, an exception in it, or an exit signal from a stranger."""


@dataclass(frozen=True, slots=True)
class Worker:
    """A child that is a plain server; `starts` is its script, one word per attempt, and `ok` after the last."""

    id: str
    restart: Restart = "permanent"
    shutdown: Shutdown = 5000
    type: Literal["worker", "supervisor"] = "worker"
    traps: bool = False
    goodbye: Goodbye = "ok"
    starts: tuple[Start, ...] = ()


@dataclass(frozen=True, slots=True)
class Sup:
    """A dynamic supervisor, as a child (the first fields; unused at the root) and as a keeper of children."""

    id: str
    restart: Restart = "permanent"
    shutdown: Shutdown = "infinity"
    max_restarts: int = 3
    max_children: int | Literal["infinity"] = "infinity"
    extra: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class StartChild:
    """Start a child under `sup`."""

    sup: str
    spec: Worker | Sup


@dataclass(frozen=True, slots=True)
class Terminate:
    """Ask `sup` to terminate the process that came up last for `target`; a stranger if none did."""

    sup: str
    target: str


@dataclass(frozen=True, slots=True)
class Ask:
    """Ask `sup` what it has."""

    sup: str
    request: Literal["which_children", "count_children"]


@dataclass(frozen=True, slots=True)
class Die:
    """Make process `target` end (or try to: who traps survives a signal)."""

    target: str
    how: How
    reason: Reason


@dataclass(frozen=True, slots=True)
class Stop:
    """End supervisor `sup`: `stop` asks as anyone may, `parent` is the exit signal of its parent (root only)."""

    sup: str
    how: Literal["stop", "parent"]
    reason: Reason


@dataclass(frozen=True, slots=True)
class Burst:
    """Do all of `ops` while `sup` is suspended, then let it go: it finds them in its mailbox in that order."""

    sup: str
    ops: tuple[StartChild | Terminate | Ask | Die, ...]


Op: TypeAlias = StartChild | Terminate | Ask | Die | Stop | Burst


@dataclass(frozen=True, slots=True)
class Program:
    """One supervisor and what happens to it, in order. `seed` is its name, and shuffles suptree's run queue."""

    seed: int
    root: Sup
    ops: tuple[Op, ...]


PLAIN = Plain(Worker, Sup, StartChild, Terminate, Ask, Die, Stop, Burst, Program)


def generate(seed: int) -> Program:
    """Make the program that belongs to *seed*."""
    return _Generator(seed).program()


class _Generator(Draws):
    """Draws one program. Holds the ids in use so that operations aim at real targets and, seldom, at none."""

    def __init__(self, seed: int) -> None:
        super().__init__(seed)
        self.seed = seed
        self.members: dict[str, list[str]] = {"root": []}
        self.count = 0
        self.fragile: list[str] = []  # workers that some later attempt to start will fail
        self.touched: dict[str, str] = {}  # the member of each supervisor that was last aimed at

    def program(self) -> Program:
        root = self.sup("root")
        ops: list[Op] = [self.start_child("root") for _ in self.up_to(1, 4)]
        ops += [self.op() for _ in self.up_to(2, 9)]
        if self.chance(0.3):
            ops.append(self.stop("root"))
        return Program(self.seed, root, tuple(ops))

    # values

    def sup(self, id: str) -> Sup:
        return Sup(
            id=id,
            restart=self.restart(),
            shutdown=self.pick({"infinity": 8, 5000: 1, "brutal_kill": 1}),
            max_restarts=self.pick({0: 1, 1: 2, 2: 3, 3: 4, 5: 5}),
            max_children=self.pick({"infinity": 6, 0: 1, 1: 1, 2: 2, 3: 2}),
            extra=("extra",) if self.chance(0.2) else (),
        )

    def worker(self, id: str) -> Worker:
        traps = self.chance(0.5)
        goodbye: Goodbye = self.pick({"ok": 7, "exit": 2, "stubborn": 1}) if traps else "ok"
        shutdown: Shutdown = self.pick({5000: 6, "infinity": 1, "brutal_kill": 2})
        if goodbye == "stubborn" and shutdown != "brutal_kill":
            shutdown = 10
        starts = self.starts()
        if len(starts) > 1:
            self.fragile.append(id)
        return Worker(
            id=id,
            restart=self.restart(),
            shutdown=shutdown,
            type=self.pick({"worker": 5, "supervisor": 1}),
            traps=traps,
            goodbye=goodbye,
            starts=starts,
        )

    def restart(self) -> Restart:
        return self.pick({"permanent": 5, "transient": 3, "temporary": 2})

    def starts(self) -> tuple[Start, ...]:
        first: Start = self.pick({"ok": 17, "error": 1, "crash": 1, "ignore": 1})
        rest: list[Start] = []
        if self.chance(0.5):
            weights: dict[Start, int] = {"ok": 3, "error": 3, "crash": 1, "ignore": 1}
            rest = [self.pick(weights) for _ in self.up_to(1, 4)]
        return (first, *rest) if rest or first != "ok" else ()

    # operations

    def op(self) -> Op:
        match self.pick(
            {"die": 9, "start": 4, "ask": 2, "end": 3, "burst": 4, "sup": 1, "stop": 1}
        ):
            case "die":
                return self.die(self.some_member())
            case "start":
                return self.start_child(self.some_sup())
            case "ask":
                return self.ask(self.some_sup())
            case "end":
                return self.terminate(self.some_sup())
            case "burst":
                return self.burst(self.some_sup())
            case "sup":
                reason: Reason = self.pick({"kill": 3, "boom": 1, "normal": 1})
                return Die(self.nested(), "signal", reason)
            case _:
                return self.stop(self.nested())

    def start_child(self, sup: str) -> StartChild:
        self.count += 1
        nested = sup == "root" and self.chance(0.15)
        id = f"{'s' if nested else 'w'}{self.count}"
        self.members[sup].append(id)
        if nested:
            self.members[id] = []
        return StartChild(sup, self.sup(id) if nested else self.worker(id))

    def die(self, target: str) -> Die:
        if target[0] == "s":  # a supervisor has no handler of ours to crash in
            return Die(target, "signal", "kill")
        how: How = self.pick({"stop": 5, "raise": 2, "signal": 4})
        reasons: dict[Reason, int] = {"normal": 2, "shutdown": 1, "shutdown_why": 1, "boom": 4}
        if how == "signal":
            reasons["kill"] = 4
        return Die(target, how, "boom" if how == "raise" else self.pick(reasons))

    def ask(self, sup: str) -> Ask:
        return Ask(sup, self.pick({"which_children": 1, "count_children": 1}))

    def terminate(self, sup: str) -> Terminate:
        if self.chance(0.1):
            return Terminate(sup, self.some_member())
        return Terminate(sup, self.member_of(sup))

    def stop(self, sup: str) -> Stop:
        reason: Reason = self.pick({"normal": 2, "shutdown": 3, "shutdown_why": 1, "boom": 2})
        how: Literal["stop", "parent"] = "stop"
        if sup == "root":
            how = self.pick({"stop": 1, "parent": 1})
        return Stop(sup, how, reason)

    def burst(self, sup: str) -> Burst:
        inner: list[StartChild | Terminate | Ask | Die] = []
        fragile = [id for id in self.fragile if id in self.members[sup]]
        if fragile and self.chance(0.8):  # what follows will find it restarting
            self.touched[sup] = self.one_of(fragile)
            inner.append(self.die(self.touched[sup]))
        for _ in self.up_to(1, 4):
            match self.pick({"die": 4, "ask": 2, "end": 3, "start": 2}):
                case "die":
                    inner.append(self.die(self.member_of(sup)))
                case "ask":
                    inner.append(self.ask(sup))
                case "end":
                    inner.append(self.terminate(sup))
                case _:
                    inner.append(self.start_child(sup))
        return Burst(sup, tuple(inner))

    # targets

    def some_sup(self) -> str:
        return self.one_of(list(self.members))

    def nested(self) -> str:
        """A supervisor below the root where there is one: a dead root makes the rest of a run dull."""
        below = [id for id in self.members if id != "root"]
        return self.one_of(below) if below and self.chance(0.8) else "root"

    def some_member(self) -> str:
        return self.one_of([id for ids in self.members.values() for id in ids])

    def member_of(self, sup: str) -> str:
        """Often the one that was aimed at before, seldom one that was never there."""
        members = self.members[sup]
        if not members or self.chance(0.03):
            return "w0"
        if sup not in self.touched or self.chance(0.5):
            self.touched[sup] = self.one_of(members)
        return self.touched[sup]
