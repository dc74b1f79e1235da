"""The seeded generator of supervision scenarios.

What it refuses: anything whose outcome the BEAM leaves to the scheduler. So shutdown time 0 is never given to a worker
that traps exits and stops politely (who wins is a race), periods are much longer than a run, and whatever
must happen "at once" is put in a `Burst`.

>>> generate(1) == generate(1)
True
"""

from __future__ import annotations

import random
from dataclasses import replace
from typing import Any, Literal

from tests.conformance.supervision.scenario import (
    Ask,
    AutoShutdown,
    Burst,
    Die,
    Goodbye,
    How,
    Op,
    Reason,
    Restart,
    Scenario,
    Shutdown,
    Start,
    StartChild,
    Stop,
    Tree,
    Worker,
)


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
        self.fragile: list[str] = []  # children that some later attempt to start will fail
        self.convoys: dict[str, list[str]] = {}  # children that are all significant, of supervisors
        self.touched: dict[str, str] = {}  # the member of each supervisor that was last aimed at

    def scenario(self) -> Scenario:
        root = self.tree("root", depth=self.pick({1: 4, 2: 4, 3: 2}))
        ops = tuple(self.op() for _ in range(self.random.randint(2, 9)))
        if self.convoys and self.chance(0.6):
            ops = (self.end_of_convoy(self.random.choice(list(self.convoys))), *ops)
        if self.chance(0.4):
            ops += (self.stop("root"),)
        return Scenario(self.seed, root, ops)

    # values

    def tree(self, id_: str, depth: int, parent_auto: AutoShutdown = "never") -> Tree:
        self.members[id_] = []
        auto = self.pick({"never": 5, "any_significant": 2, "all_significant": 3})
        self.auto[id_] = auto
        children: list[Worker | Tree] = []
        for _ in range(self.random.choice((0, 1, 2, 2, 3, 3, 4))):
            if depth > 1 and self.chance(0.5):
                children.append(self.tree(self.fresh("s", id_), depth - 1, auto))
            else:
                children.append(self.worker(self.fresh("w", id_), auto))
        if auto == "all_significant" and self.chance(0.4):
            children += self.convoy(id_, auto)
        if children and self.chance(0.02):
            children.append(self.worker(children[0].id, auto))  # a duplicate id: refused (S103)
        restart = self.restart()
        starts = self.starts_of_tree() if id_ != "root" else ()
        if len(starts) > 1:
            self.fragile.append(id_)
        return Tree(
            id=id_,
            restart=restart,
            significant=self.significant(restart, parent_auto) if id_ != "root" else False,
            shutdown=self.pick({"infinity": 8, 5000: 1, "brutal_kill": 1}),
            strategy=self.pick({"one_for_one": 4, "one_for_all": 3, "rest_for_one": 3}),
            intensity=self.pick({0: 1, 1: 2, 2: 3, 3: 4, 4: 2, 5: 4}),
            period=self.random.choice((10, 60, 3600)),
            auto_shutdown=auto,
            children=tuple(children),
            starts=starts,
        )

    def convoy(self, sup: str, auto: AutoShutdown) -> list[Worker]:
        """Significant children, the first of which does not come up again at once: does it keep *sup* up?"""
        ids = self.convoys[sup] = [self.fresh("w", sup) for _ in range(self.random.randint(2, 3))]
        made = [replace(self.worker(id_, auto), starts=(), significant=True) for id_ in ids]
        first = replace(made[0], restart="transient", starts=("ok", "error", "ok"))
        return [first, *(replace(other, restart="transient") for other in made[1:])]

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
        restart: Restart = self.pick({"permanent": 5, "transient": 3, "temporary": 2})
        return restart

    def significant(self, restart: Restart, auto: AutoShutdown, refused: float = 0.01) -> bool:
        allowed = auto != "never" and restart != "permanent"
        return self.chance(0.6 if allowed else refused)  # what is not allowed is refused (S105)

    def starts(self, first_ok: float) -> tuple[Start, ...]:
        first: Start = (
            "ok" if self.chance(first_ok) else self.pick({"error": 2, "crash": 1, "ignore": 2})
        )
        rest: list[Start] = []
        if self.chance(0.45):
            weights = {"ok": 3, "error": 3, "crash": 1, "ignore": 1}
            rest = [self.pick(weights) for _ in range(self.random.randint(1, 4))]
        return (first, *rest) if rest or first != "ok" else ()

    def starts_of_tree(self) -> tuple[Start, ...]:
        """Mostly up the first time: a tree that never stands shows nothing."""
        if self.chance(0.8):
            return ()
        first: Start = "ok" if self.chance(0.8) else self.pick({"crash": 1, "ignore": 2})
        weights = {"ok": 3, "crash": 2, "ignore": 1}
        return (first, *(self.pick(weights) for _ in range(self.random.randint(1, 3))))

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

    def end_of_convoy(self, sup: str) -> Burst:
        first, *others = self.convoys[sup]
        return Burst(
            sup, (Die(first, "stop", "boom"), *(Die(id_, "stop", "normal") for id_ in others))
        )

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
