"""Supervision scenarios as plain values: a tree, what is done to it, and a seeded generator.

Both machines, the BEAM and suptree, run the same `Scenario` and print a trace; this file knows neither of them.
A scenario is data only, so it prints, shrinks, and survives a round trip through JSON. Ids are unique in the whole
tree, which lets a trace name a process `w2#3`: the third process that was started as child `w2`.

What it refuses: anything whose outcome the BEAM leaves to the scheduler. So shutdown time 0 is never given to a worker
that traps exits and stops politely (who wins is a race), periods are much longer than a run, and whatever
must happen "at once" is put in a `Burst`.

>>> generate(1) == generate(1)
True
>>> from_json(to_json(generate(1))) == generate(1)
True
"""

from __future__ import annotations

import json
import random
from dataclasses import dataclass, fields, is_dataclass, replace
from typing import Any, Literal, TypeAlias

Restart: TypeAlias = Literal["permanent", "transient", "temporary"]
Strategy: TypeAlias = Literal["one_for_one", "one_for_all", "rest_for_one"]
AutoShutdown: TypeAlias = Literal["never", "any_significant", "all_significant"]
Shutdown: TypeAlias = int | Literal["infinity", "brutal_kill"]
"""Milliseconds to wait after the exit signal `shutdown`, or one of OTP's two words."""
Start: TypeAlias = Literal["ok", "error", "ignore", "crash"]
"""What `init` does: come up, stop with `no_start`, be ignored, or raise `init_boom`."""
Goodbye: TypeAlias = Literal["ok", "exit", "stubborn"]
"""What `terminate` does: return, exit with `changed` instead, or never end when its supervisor asks."""
Reason: TypeAlias = Literal["normal", "shutdown", "shutdown_why", "boom", "kill"]
"""An exit reason; `shutdown_why` is `{shutdown, why}`."""
How: TypeAlias = Literal["stop", "raise", "signal"]
"""How a process is made to end: a stop from its handler, an exception in it, or an exit signal from a stranger."""


@dataclass(frozen=True, slots=True)
class Worker:
    """A child that is a plain server; `starts` is its script, one word per attempt, and `ok` after the last."""

    id: str
    restart: Restart = "permanent"
    significant: bool = False
    shutdown: Shutdown = 5000
    traps: bool = False
    goodbye: Goodbye = "ok"
    starts: tuple[Start, ...] = ()


@dataclass(frozen=True, slots=True)
class Tree:
    """A supervisor: as a child (the first four fields; unused at the root) and as a keeper of children."""

    id: str
    restart: Restart = "permanent"
    significant: bool = False
    shutdown: Shutdown = "infinity"
    strategy: Strategy = "one_for_one"
    intensity: int = 1
    period: int = 60
    auto_shutdown: AutoShutdown = "never"
    children: tuple[Worker | Tree, ...] = ()


@dataclass(frozen=True, slots=True)
class Die:
    """Make process `target` end (or try to: a worker that traps survives a signal)."""

    target: str
    how: How
    reason: Reason


@dataclass(frozen=True, slots=True)
class Ask:
    """Call the child API of `sup`; `child` is empty for the two requests that name none."""

    sup: str
    request: Literal[
        "which_children", "count_children", "terminate_child", "restart_child", "delete_child"
    ]
    child: str = ""


@dataclass(frozen=True, slots=True)
class StartChild:
    """Add a child at run time; an id that is already known is a legitimate thing to try."""

    sup: str
    spec: Worker | Tree


@dataclass(frozen=True, slots=True)
class Stop:
    """End supervisor `sup` in order: `stop` asks as anyone may, `parent` is the exit signal of its parent (root only)."""

    sup: str
    how: Literal["stop", "parent"]
    reason: Reason


@dataclass(frozen=True, slots=True)
class Burst:
    """Do all of `ops` while `sup` is suspended, then let it go: it finds them in its mailbox in that order.

    The only way to show, without a race, what is *behind* an exit in the mailbox: a sibling's exit, a request.
    """

    sup: str
    ops: tuple[Die | Ask | StartChild, ...]


Op: TypeAlias = Die | Ask | StartChild | Stop | Burst


@dataclass(frozen=True, slots=True)
class Scenario:
    """One tree and what happens to it, in order. `seed` is only its name."""

    seed: int
    root: Tree
    ops: tuple[Op, ...]


# --- plain text ------------------------------------------------------------------------------------------------------

_KINDS: dict[str, type] = {
    kind.__name__: kind for kind in (Worker, Tree, Die, Ask, StartChild, Stop, Burst, Scenario)
}


def to_json(scenario: Scenario) -> str:
    """Render *scenario* as one line of JSON that `from_json` reads back."""
    return json.dumps(_pack(scenario), separators=(",", ":"))


def from_json(text: str) -> Scenario:
    """Read what `to_json` wrote.

    Raises:
        ValueError: *text* is JSON but no scenario.
    """
    value = _unpack(json.loads(text))
    if not isinstance(value, Scenario):
        raise ValueError(
            f"from_json: text must be a Scenario; got {type(value).__name__}. Use to_json's output."
        )
    return value


def to_term(value: object) -> str:
    """Render any value of this file as an Erlang term: a dataclass is a tuple led by its lower-case name.

    >>> to_term(Die("w1", "stop", "boom"))
    "{die,'w1','stop','boom'}"
    """
    if is_dataclass(value):
        inner = [to_term(getattr(value, f.name)) for f in fields(value)]
        return "{" + ",".join([type(value).__name__.lower(), *inner]) + "}"
    match value:
        case bool():
            return "true" if value else "false"
        case int():
            return str(value)
        case str():
            return f"'{value}'"
        case tuple():
            return "[" + ",".join(map(to_term, value)) + "]"
        case _:
            raise TypeError(
                f"to_term: value must be part of a Scenario; got {type(value).__name__}."
            )


def _pack(value: object) -> Any:
    if is_dataclass(value):
        body = {f.name: _pack(getattr(value, f.name)) for f in fields(value)}
        return {"kind": type(value).__name__, **body}
    return [_pack(item) for item in value] if isinstance(value, tuple) else value


def _unpack(value: Any) -> Any:
    match value:
        case {"kind": str(kind), **body}:
            return _KINDS[kind](**{name: _unpack(item) for name, item in body.items()})
        case list():
            return tuple(_unpack(item) for item in value)
        case _:
            return value


# --- the generator ---------------------------------------------------------------------------------------------------


def generate(seed: int) -> Scenario:
    """Make the scenario that belongs to *seed*; the same on every machine and Python version."""
    return _Generator(seed).scenario()


class _Generator:
    """Draws one scenario. Holds the ids in use so that operations can aim at real targets and, seldom, at none."""

    def __init__(self, seed: int) -> None:
        self.seed = seed
        self.random = random.Random(seed)
        self.members: dict[str, list[str]] = {}
        self.auto: dict[str, AutoShutdown] = {}
        self.counters = {"w": 0, "s": 0}
        self.fragile: list[str] = []  # workers that some later attempt to start will fail
        self.touched: dict[str, str] = {}  # the member of each supervisor that was last aimed at

    def scenario(self) -> Scenario:
        root = self.tree("root", depth=self.random.choice((1, 1, 2)))
        ops = tuple(self.op() for _ in range(self.random.randint(2, 9)))
        if self.chance(0.4):
            ops += (self.stop("root"),)
        return Scenario(self.seed, root, ops)

    # values

    def tree(self, id_: str, depth: int, parent_auto: AutoShutdown = "never") -> Tree:
        self.members[id_] = []
        auto = self.pick({"never": 8, "any_significant": 1, "all_significant": 1})
        self.auto[id_] = auto
        children: list[Worker | Tree] = []
        for _ in range(self.random.choice((0, 1, 2, 2, 3, 3, 4))):
            if depth > 1 and self.chance(0.5):
                children.append(self.tree(self.fresh("s", id_), depth - 1, auto))
            else:
                children.append(self.worker(self.fresh("w", id_), auto))
        if children and self.chance(0.02):
            children.append(self.worker(children[0].id, auto))  # a duplicate id: refused (S103)
        restart = self.restart()
        return Tree(
            id=id_,
            restart=restart,
            significant=self.significant(restart, parent_auto) if id_ != "root" else False,
            shutdown=self.pick({"infinity": 8, 5000: 1, "brutal_kill": 1}),
            strategy=self.pick({"one_for_one": 4, "one_for_all": 3, "rest_for_one": 3}),
            intensity=self.pick({0: 1, 1: 2, 2: 3, 3: 4, 5: 5}),
            period=self.random.choice((10, 60, 3600)),
            auto_shutdown=auto,
            children=tuple(children),
        )

    def late_worker(self, id_: str, sup: str) -> Worker:
        """A worker for start_child, where a wrong spec or a failed start leaves the tree standing.

        Never permanent and significant: suptree refuses that already where the spec is written, so that in a
        burst the request would not be sent at all.
        """
        worker = self.worker(id_, self.auto[sup], first_ok=0.8, refused=0.1)
        return replace(worker, significant=worker.significant and worker.restart != "permanent")

    def worker(
        self, id_: str, auto: AutoShutdown, *, first_ok: float = 0.95, refused: float = 0.01
    ) -> Worker:
        restart = self.restart()
        traps = self.chance(0.5)
        goodbye: Goodbye = self.pick({"ok": 7, "exit": 2, "stubborn": 1}) if traps else "ok"
        shutdown: Shutdown = self.pick({5000: 6, "infinity": 1, "brutal_kill": 2, 0: 1})
        if goodbye == "stubborn" and shutdown != "brutal_kill":
            shutdown = 10
        elif traps and shutdown == 0:
            shutdown = 5000
        starts = self.starts(first_ok)
        if len(starts) > 1:
            self.fragile.append(id_)
        return Worker(
            id=id_,
            restart=restart,
            significant=self.significant(restart, auto, refused),
            shutdown=shutdown,
            traps=traps,
            goodbye=goodbye,
            starts=starts,
        )

    def restart(self) -> Restart:
        return self.pick({"permanent": 5, "transient": 3, "temporary": 2})

    def significant(self, restart: Restart, auto: AutoShutdown, refused: float = 0.01) -> bool:
        allowed = auto != "never" and restart != "permanent"
        return self.chance(0.5 if allowed else refused)  # what is not allowed is refused (S105)

    def starts(self, first_ok: float) -> tuple[Start, ...]:
        first: Start = (
            "ok" if self.chance(first_ok) else self.pick({"error": 2, "crash": 1, "ignore": 2})
        )
        rest: list[Start] = []
        if self.chance(0.45):
            weights = {"ok": 3, "error": 3, "crash": 1, "ignore": 1}
            rest = [self.pick(weights) for _ in range(self.random.randint(1, 4))]
        return (first, *rest) if rest or first != "ok" else ()

    # operations

    def op(self) -> Op:
        match self.pick({"die": 9, "ask": 5, "start": 2, "burst": 3, "kill_sup": 1, "stop": 1}):
            case "die":
                return self.die(self.some_worker())
            case "ask":
                return self.ask(self.some_sup())
            case "start":
                return self.start_child(self.some_sup())
            case "burst":
                return self.burst(self.some_sup())
            case "kill_sup":
                return Die(self.nested(), "signal", self.pick({"kill": 3, "boom": 1, "normal": 1}))
            case _:
                return self.stop(self.nested())

    def die(self, target: str) -> Die:
        if target[0] == "s":  # a supervisor has no handler of ours to crash in
            return Die(target, "signal", "kill")
        how: How = self.pick({"stop": 5, "raise": 2, "signal": 4})
        reasons = {"normal": 2, "shutdown": 1, "shutdown_why": 1, "boom": 4}
        if how == "signal":
            reasons["kill"] = 4
        return Die(target, how, "boom" if how == "raise" else self.pick(reasons))

    def ask(self, sup: str) -> Ask:
        request = self.pick(
            {
                "which_children": 3,
                "count_children": 2,
                "terminate_child": 3,
                "restart_child": 3,
                "delete_child": 2,
            }
        )
        if request in ("which_children", "count_children"):
            return Ask(sup, request)
        return Ask(sup, request, self.some_member(sup))

    def start_child(self, sup: str) -> StartChild:
        if self.members[sup] and self.chance(0.3):
            id_ = self.random.choice(self.members[sup])
            if id_[0] == "s":
                return StartChild(sup, Tree(id_))
            return StartChild(sup, self.late_worker(id_, sup))
        if self.chance(0.15):
            return StartChild(sup, self.tree(self.fresh("s", sup), 1, self.auto[sup]))
        return StartChild(sup, self.late_worker(self.fresh("w", sup), sup))

    def stop(self, sup: str) -> Stop:
        reason: Reason = self.pick({"normal": 2, "shutdown": 3, "shutdown_why": 1, "boom": 2})
        how: Literal["stop", "parent"] = (
            self.pick({"stop": 1, "parent": 1}) if sup == "root" else "stop"
        )
        return Stop(sup, how, reason)

    def burst(self, sup: str) -> Burst:
        inner: list[Die | Ask | StartChild] = []
        fragile = [id_ for id_ in self.fragile if id_ in self.members[sup]]
        if fragile and self.chance(0.8):  # what follows will find it restarting
            id_ = self.random.choice(fragile)
            self.touched[sup] = id_
            inner.append(self.die(id_))
        for _ in range(self.random.randint(1, 4)):
            match self.pick({"die": 4, "ask": 5, "start": 1}):
                case "die":
                    inner.append(self.die(self.some_member(sup)))
                case "ask":
                    inner.append(self.ask(sup))
                case _:
                    inner.append(self.start_child(sup))
        return Burst(sup, tuple(inner))

    # draws

    def fresh(self, prefix: str, sup: str) -> str:
        self.counters[prefix] += 1
        id_ = f"{prefix}{self.counters[prefix]}"
        self.members[sup].append(id_)
        return id_

    def some_sup(self) -> str:
        return self.random.choice(list(self.members))

    def nested(self) -> str:
        """A supervisor below the root where there is one: a dead root makes the rest of a run dull."""
        below = [id_ for id_ in self.members if id_ != "root"]
        return self.random.choice(below) if below and self.chance(0.9) else "root"

    def some_worker(self) -> str:
        workers = [id_ for ids in self.members.values() for id_ in ids if id_[0] == "w"]
        return self.random.choice(workers) if workers else "w0"

    def some_member(self, sup: str) -> str:
        """Aim at a member of *sup*: often the one that was aimed at before, seldom one that was never there."""
        members = self.members[sup]
        if not members or self.chance(0.03):
            return "w0"
        if sup not in self.touched or self.chance(0.5):
            self.touched[sup] = self.random.choice(members)
        return self.touched[sup]

    def chance(self, p: float) -> bool:
        return self.random.random() < p

    def pick(self, weights: dict[Any, int]) -> Any:
        return self.random.choices(list(weights), weights=list(weights.values()))[0]
