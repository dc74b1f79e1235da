"""Makes programs from seeds.

It keeps a rough guess of who lives, so that most operations aim at the living; what really happens is for the two
sides to say. What would be left to the BEAM's scheduler is refused by `fairness.Burst`.

>>> generate(7) == generate(7)
True
"""

from __future__ import annotations

import random
from itertools import pairwise
from typing import TypeVar

from tests.conformance.signals.actor import NAMES
from tests.conformance.signals.fairness import Burst
from tests.conformance.signals.program import (
    Action,
    Alive,
    Attend,
    Bare,
    Cancel,
    Demonitor,
    Do,
    Exit,
    Hold,
    How,
    Link,
    Monitor,
    Op,
    Program,
    Quit,
    Reason,
    Register,
    Release,
    Send,
    Soon,
    Spawn,
    Take,
    Timer,
    Trap,
    Unlink,
    Unregister,
    Whereis,
)

T = TypeVar("T")

CROWD = 6
"""Processes that probably live at the same time, at most."""

WEIGHTS = {
    "spawn": 7,
    "link": 12,
    "unlink": 5,
    "monitor": 10,
    "demonitor": 8,
    "trap": 7,
    "exit": 10,
    "quit": 4,
    "send": 9,
    "register": 5,
    "unregister": 2,
    "whereis": 2,
    "alive": 2,
    "take": 11,
    "attend": 5,
    "timer": 3,
    "cancel": 1,
    "soon": 1,
    "bare": 2,
}

REASONS: dict[Reason, int] = {
    "normal": 4,
    "shutdown": 2,
    "shutdown_x": 2,
    "boom": 4,
    "kill": 3,
    "killed": 1,
}


def generate(seed: int) -> Program:
    """Make the program that belongs to *seed*; the same on every machine and Python version."""
    return _Generator(seed).program()


class _Guess:
    """Who probably lives: signals travel through links, and nothing is ever queued."""

    def __init__(self) -> None:
        self.alive: list[str] = []
        self.dead: list[str] = []
        self.links: set[frozenset[str]] = set()
        self.traps: set[str] = set()

    def see(self, actor: str, actions: tuple[Action, ...]) -> None:
        """*actor* does *actions*."""
        for action in actions:
            match action:
                case Spawn(how=how, child=child, script=script):
                    self.alive.append(child)
                    if how == "spawn_link":
                        self.links.add(frozenset((actor, child)))
                    self.see(child, script)
                case Link(target) if target in self.alive:
                    self.links.add(frozenset((actor, target)))
                case Unlink(target):
                    self.links.discard(frozenset((actor, target)))
                case Trap(on):
                    (self.traps.add if on else self.traps.discard)(actor)
                case Exit(target, reason):
                    self._signal(target, reason, itself=target == actor)
                case Quit(how, reason):
                    self._die(actor, "crash" if how == "error" else reason)
                case _:
                    pass

    def _signal(self, target: str, reason: str, *, itself: bool = False) -> None:
        if reason == "kill" or (target not in self.traps and (reason != "normal" or itself)):
            self._die(target, "killed" if reason == "kill" else reason)

    def _die(self, who: str, reason: str) -> None:
        if who not in self.alive:
            return
        self.alive.remove(who)
        self.dead.append(who)
        linked = sorted(other for link in self.links if who in link for other in link - {who})
        self.links = {link for link in self.links if who not in link}
        for other in linked:
            if other not in self.traps and reason != "normal":
                self._die(other, reason)


class _Generator:
    """Draws one program."""

    def __init__(self, seed: int) -> None:
        self.seed = seed
        self.random = random.Random(seed)
        self.guess = _Guess()
        self.held: dict[str, Burst] = {}
        self.queued: dict[str, tuple[Action, ...]] = {}
        self.counts = dict.fromkeys("pmt", 0)
        self.refs: dict[str, list[str]] = {}
        self.watched: dict[str, str] = {}
        self.timers: dict[str, list[str]] = {}
        self.mail: dict[str, list[str]] = {}
        self.victim: str | None = None  # who was sent an exit signal in this burst

    def program(self) -> Program:
        first = tuple(self.fresh("p") for _ in range(self.random.choice((2, 2, 3, 3, 4))))
        self.guess.alive += first
        ops = [*self.structure(), *(self.op() for _ in range(self.random.randint(4, 12)))]
        ops += [Release(process) for process in self.held]
        return Program(self.seed, first, tuple(ops))

    # --- operations

    def structure(self) -> list[Op]:
        """Links between the first processes, a chain, a ring, a star or none yet; who traps and who is picky."""
        first = list(self.guess.alive)
        pairs = {
            "none": [],
            "chain": list(pairwise(first)),
            "ring": list(zip(first, first[1:] + first[:1], strict=True)),
            "star": [(first[0], other) for other in first[1:]],
        }[self.pick({"none": 4, "chain": 2, "ring": 2, "star": 2})]
        ops: list[Op] = []
        for process in first:
            traps = (Trap(True),) if self.chance(0.3) else ()
            links = tuple(Link(other) for one, other in pairs if one == process)
            picky = (Attend("picky"),) if self.chance(0.35) else ()
            if actions := (*traps, *picky, *links):
                self.guess.see(process, actions)
                ops.append(Do(process, actions))
        return ops

    def op(self) -> Op:
        held = [process for process in self.held if process in self.guess.alive]
        if held and self.chance(0.2):
            return self.release(self.random.choice(held))
        free = [process for process in self.guess.alive if process not in self.held]
        if free and self.chance(0.15):
            return self.hold(self.random.choice(free))
        return self.do(self.someone(dead=0.02))

    def hold(self, process: str) -> Op:
        self.held[process] = Burst(process)
        return Hold(process)

    def release(self, process: str) -> Op:
        del self.held[process]
        self.guess.see(process, self.queued.pop(process, ()))
        return Release(process)

    def do(self, actor: str) -> Do:
        burst = self.held.get(actor) or Burst(actor)
        actions = self.actions(actor, burst, self.random.choice((1, 1, 2, 2, 3, 4, 5)))
        if actor in self.held:
            self.queued[actor] = self.queued.get(actor, ()) + actions
        else:
            self.guess.see(actor, actions)
        return Do(actor, actions)

    def actions(self, actor: str, burst: Burst, count: int) -> tuple[Action, ...]:
        """Draw up to *count* actions that are fair; what is not is drawn again.

        Some bursts begin with a death, which leaves most of its questions to the actions after it.
        """
        actions: list[Action] = []
        if self.chance(0.1):
            death = (Trap(True), Exit(self.target(actor), self.pick(REASONS)))
            actions += filter(burst.take, death)
        for _ in range(count):
            self.victim = next((a.target for a in actions if isinstance(a, Exit)), None)
            action = next(filter(burst.take, (self.action(actor) for _ in range(20))), None)
            if action is not None:
                actions.append(action)
        self.victim = None
        return tuple(actions)

    # --- actions

    def action(self, actor: str, *, script: bool = False) -> Action:
        kind = self.pick(WEIGHTS)
        if kind == "spawn" and (script or len(self.guess.alive) >= CROWD):
            kind = "link"
        if kind == "bare":
            kind = self.pick({"link": 2, "send": 2, "register": 1, "unregister": 1})
            return Bare(self.noun(kind, actor))  # type: ignore[arg-type]
        return self.noun(kind, actor)

    def noun(self, kind: str, actor: str) -> Action:
        match kind:
            case "spawn":
                return self.spawn(actor)
            case "link":
                return Link(self.target(actor))
            case "unlink":
                return Unlink(self.linked(actor))
            case "monitor":
                return self.monitor(actor)
            case "demonitor":
                return Demonitor(self.watch(actor), flush=self.chance(0.5))
            case "trap":
                return Trap(self.chance(0.7))
            case "exit":
                return Exit(self.target(actor, itself=0.15), self.pick(REASONS))
            case "quit":
                return self.quit()
            case "send":
                return self.send(actor)
            case "register":
                return Register(self.name(), self.target(actor, itself=0.4))
            case "unregister":
                return Unregister(self.name())
            case "whereis":
                return Whereis(self.name())
            case "alive":
                return Alive(self.target(actor))
            case "take":
                return self.take(actor)
            case "attend":
                return Attend(self.pick({"eager": 1, "picky": 3}))
            case "timer" if actor not in self.timers or self.chance(0.3):
                return Timer(self.known_now(self.timers, actor, "t"))
            case "timer" | "cancel":
                return Cancel(self.known(self.timers, actor, "t0"))
            case _:
                return Soon(self.fresh("t"))

    def spawn(self, actor: str) -> Spawn:
        how: How = self.random.choice(("spawn", "spawn_link", "spawn_monitor"))
        ref = self.known_now(self.refs, actor, "m") if how == "spawn_monitor" else ""
        child = self.fresh("p")
        self.watched[ref] = child
        script: tuple[Action, ...] = ()
        if self.chance(0.5):
            burst = Burst(child)
            length = self.random.choice((1, 2, 3))
            drawn = [self.action(child, script=True) for _ in range(2 * length)]
            script = tuple(action for action in drawn if burst.take(action))[:length]
            if self.chance(0.3) and burst.take(end := self.quit()):
                script = (*script, end)
        return Spawn(how, child, ref, script)

    def monitor(self, actor: str) -> Monitor:
        target = self.name() if self.chance(0.3) else self.target(actor)
        ref = self.known_now(self.refs, actor, "m")
        self.watched[ref] = target
        return Monitor(ref, target)

    def quit(self) -> Quit:
        match self.pick({"return": 2, "exit": 5, "error": 2}):
            case "return":
                return Quit("return")
            case "exit":
                return Quit("exit", self.pick(REASONS))
            case _:
                return Quit("error", self.pick({"boom": 4, "normal": 1, "kill": 1}))

    def send(self, actor: str) -> Send:
        tag = self.fresh("t")
        if self.chance(0.35):
            return Send(self.name(), tag)
        target = self.target(actor)
        self.mail.setdefault(target, []).append(tag)
        return Send(target, tag)

    def take(self, actor: str) -> Take:
        match self.pick({"all": 4, "exit": 2, "down": 2, "message": 3}):
            case "exit":
                return Take("exit", self.target(actor, dead=0.6))
            case "down":
                return Take("down", self.watch(actor))
            case "message":
                some = actor in self.mail and self.chance(0.7)
                return Take("message", self.known(self.mail, actor, "") if some else "")
            case _:
                return Take("all")

    # --- draws

    def target(self, actor: str, *, itself: float = 0.04, dead: float = 0.12) -> str:
        if self.chance(itself):
            return actor
        if self.victim is not None and self.chance(0.4):
            return self.victim
        others = [process for process in self.guess.alive if process != actor]
        if self.guess.dead and (not others or self.chance(dead)):
            return self.random.choice(self.guess.dead)
        return self.random.choice(others or [actor])

    def linked(self, actor: str) -> str:
        """Somebody who is linked to *actor*, mostly."""
        links = sorted(p for link in self.guess.links if actor in link for p in link - {actor})
        return self.random.choice(links) if links and self.chance(0.8) else self.target(actor)

    def watch(self, actor: str) -> str:
        """A monitor of *actor*: often one whose Down there may be."""
        told = [r for r in self.refs.get(actor, ()) if self.watched.get(r) in self.guess.dead]
        if told and self.chance(0.6):
            return self.random.choice(told[-3:])
        return self.known(self.refs, actor, "m0")

    def someone(self, *, dead: float) -> str:
        if self.guess.dead and (not self.guess.alive or self.chance(dead)):
            return self.random.choice(self.guess.dead)
        return self.random.choice(self.guess.alive)

    def name(self) -> str:
        return self.random.choice(NAMES)

    def known(self, table: dict[str, list[str]], actor: str, otherwise: str) -> str:
        """One of the newest things that *actor* made or was sent."""
        made = table.get(actor, [])
        return self.random.choice(made[-3:]) if made else otherwise

    def known_now(self, table: dict[str, list[str]], actor: str, prefix: str) -> str:
        made = self.fresh(prefix)
        table.setdefault(actor, []).append(made)
        return made

    def fresh(self, prefix: str) -> str:
        self.counts[prefix] += 1
        return f"{prefix}{self.counts[prefix]}"

    def chance(self, probability: float) -> bool:
        return self.random.random() < probability

    def pick(self, weights: dict[T, int]) -> T:
        return self.random.choices(list(weights), list(weights.values()))[0]
