"""Random programs whose outcome is decided: no two processes that run beside each other touch the same server.

An operation of the driver begins one thread of cause and effect. Within it a server may call others, which is one
thread still, or start something beside: a cast, a signal, whatever goes on behind a reply. `Thread.free` holds the servers
that the thread may touch; what goes on beside gets servers of its own, which leave that set. Deaths travel through
links and monitors, so servers go by *component*: those that links and monitors could connect. These form a forest, so
nobody watches two servers of which one takes the other along.

What the rest of a thread could not survive is not generated: a callee may end only where its end reaches nobody who waits.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from itertools import count
from typing import Literal, TypeAlias

from tests.conformance.servers import program as p
from tests.conformance.servers.program import HOUR, Program, Script

__all__ = ["generate"]

Kind = Literal["init", "call", "cast", "info", "continue", "timeout"]

Done: TypeAlias = tuple[p.Act | None, bool]
"""An act, and whether its script has to end quietly after it; None if it cannot be done there."""

HARMLESS = {p.Look, p.Trap, p.Register, p.Unwatch, p.Unlink, p.Watch, p.Link}
"""Acts from which no signal comes back."""
REASONS: tuple[p.Reason, ...] = ("normal", "shutdown", "shutdown_why", "boom", "boom", "kill")


def generate(seed: int) -> Program:
    """The program of *seed*."""
    return _Maker(random.Random(seed)).program(seed)


@dataclass(frozen=True)
class Thread:
    """Where in a thread of cause and effect a script runs.

    Attributes:
        chain: Who waits for whom: the last one runs, each other one waits for the next.
        free: The servers that may be touched; shared by all of the thread.
        spared: The servers whose end would reach what goes on beside; shared as well.
        mortal: Whether the end of the last one is no matter.
        may_end_after_reply: Whether that may also end behind its reply.
        burst: Whether other messages of the same operation wait behind this one.
        last: Whether what is put behind everything else of this operation really is last.
        depth: How deep scripts may still nest.
    """

    chain: tuple[str, ...]
    free: set[str]
    spared: set[str] = field(default_factory=set[str])
    mortal: bool = True
    may_end_after_reply: bool = True
    last: bool = True
    burst: bool = False
    depth: int = 3

    @property
    def at(self) -> str:
        """Who runs."""
        return self.chain[-1]

    def give_away(self, component: frozenset[str]) -> None:
        """Something goes on beside in *component*: touch nobody there, and end nobody who could be felt there."""
        self.free.difference_update(component)
        self.spared.update(component - {self.at})

    @property
    def first(self) -> bool:
        """Whether nobody of ours waits for it."""
        return len(self.chain) == 1


class _Maker:
    def __init__(self, rng: random.Random) -> None:
        self.rng = rng
        self.ids = count(1)
        # OTP's suspended server that was asleep turns round and round as soon as a message waits
        # (`sys:suspend_loop_hib`), and is never quiet: a program suspends, or has servers that sleep.
        self.sleepy = rng.random() < 0.25
        self.may_be_dead: list[str] = []
        self.names = tuple("abcd"[: rng.choice([1, 2, 2, 3, 3, 4])])
        self.edges = self._forest()
        self.component = {name: self._component(name) for name in self.names}

    # -- programs -----------------------------------------------------------------------------------

    def program(self, seed: int) -> Program:
        ops: list[p.Op] = [self._start(name) for name in self.names]
        for _ in range(self.rng.choice([2, 3, 4, 5, 6, 8, 10])):
            ops += self._burst() if not self.sleepy and self._chance(0.25) else [self._op()]
        return Program(seed, tuple(ops))

    def _op(self) -> p.Op:
        target = self.rng.choice(self.names)
        thread = Thread((target,), set(self.names) - {target})
        if self.may_be_dead and self._chance(0.4):
            return self._start(self.may_be_dead.pop())
        kind = self._pick(ask=30, post=30, request=10, other=30)
        op = self._other(target) if kind == "other" else self._message(kind, thread)
        self._suspect(op)
        return op

    def _suspect(self, op: p.Op) -> None:
        """Note who may have died of *op*, so that it is started again now and then."""
        match op:
            case p.Exit(to) | p.Stop(to):
                pass
            case p.Ask(to, _, script) | p.Post(_, to, _, script) | p.Request(to, _, script):
                if not isinstance(script.returns, p.Quit | p.Raise | p.Leave | p.Bad):
                    return
            case _:
                return
        if to not in self.may_be_dead:
            self.may_be_dead.append(to)

    def _message(self, kind: str, thread: Thread) -> p.Op:
        """A message from outside: a call by a client, a request, a cast or a plain message."""
        to, by = thread.at, self._by()
        if kind == "ask":
            return p.Ask(to, by, self._script("call", thread))
        if kind == "request":
            return p.Request(to, by, self._script("call", thread))
        how = self._pick(cast=1, send=1)
        script = self._script("cast" if how == "cast" else "info", thread)
        return p.Post("cast" if how == "cast" else "send", to, by, script)

    def _other(self, to: str) -> p.Op:
        kind = self._pick(start=20, exit=25, stop=15, tie=10, system=25, collect=10)
        match kind:
            case "start":
                return self._start(to)
            case "exit":
                return p.Exit(to, self._reason(), self.rng.choice(["driver", "stranger"]))
            case "stop":
                return p.Stop(to, self._reason(), self.rng.choice(["stop", "terminate"]))
            case "tie":
                return p.Tie(to, self._chance(0.5))
            case "system":
                return p.System(
                    to,
                    self.rng.choice(
                        ["get_state", "replace", "replace_raise", "code", "code_raise", "resume"]
                    ),
                )
            case _:
                return p.Collect()

    def _burst(self) -> list[p.Op]:
        """Suspend a server, send it several things, resume it: the order in its mailbox is ours."""
        target = self.rng.choice(self.names)
        thread = Thread((target,), set(self.names) - {target}, last=False, burst=True)
        ops: list[p.Op] = [p.System(target, "suspend")]
        for _ in range(self.rng.choice([1, 2, 3, 4, 5])):
            ops.append(self._part_of_burst(target, thread))
        for op in ops:
            self._suspect(op)
        return [*ops, p.System(target, "resume")]

    def _part_of_burst(self, target: str, thread: Thread) -> p.Op:
        kind = self._pick(ask=25, post=35, request=12, brief=8, exit=8, stop=4, system=10, beside=8)
        match kind:
            case "brief":
                return p.AskBriefly(target, self._script("call", thread))
            case "stop":
                return p.Stop(target, self._reason(), self.rng.choice(["stop", "terminate"]))
            case "system":
                return p.System(
                    target,
                    self.rng.choice(
                        ["get_state", "replace", "replace_raise", "code", "code_raise", "suspend"]
                    ),
                )
            case "exit" | "beside" if target in thread.spared:  # may end it: see Thread.spared
                return self._message("post", thread)
            case "exit":
                thread.give_away(self.component[target])
                return p.Exit(target, self._reason(), self.rng.choice(["driver", "stranger"]))
            case "beside" if len(self.names) > 1:
                other = self.rng.choice([name for name in self.names if name != target])
                beside = Thread((other,), set(self.names) - {other, target})
                thread.give_away(self.component[target])
                return self._message(self._pick(ask=1, post=1), beside)
            case "beside":
                return p.Collect()
            case _:
                return self._message(kind, thread)

    def _start(self, name: str) -> p.Start:
        thread = Thread((name,), set(self.names) - {name}, depth=2)
        init = self._script("init", thread)
        near = self._neighbour(thread)
        if near is not None and self._chance(0.6):
            tie = p.Link(near) if self._chance(0.7) else p.Watch(near, self._by())
            init = replace(init, acts=(tie, *init.acts))
        return p.Start(
            p.Server(
                name,
                link=self._chance(0.5),
                traps=self._chance(0.5),
                registered=self._chance(0.6),
                init=init,
                on_exit=self._reaction(),
                on_down=self._reaction(),
                goodbye=self.rng.choice(["ok", "ok", "ok", "answer", "answer", "raise", "leave"]),
            )
        )

    def _reaction(self) -> p.Returned:
        kind = self._pick(go=60, default=10, quit=16, fail=8, idle=6)
        match kind:
            case "quit":
                return p.Quit(self._reason())
            case "fail":
                failures: list[p.Returned] = [p.Raise(self._reason()), p.Leave(self._reason())]
                return self.rng.choice([*failures, p.Bad()])
            case "idle":
                return p.Go(p.Idle(HOUR, Script(0)))
            case "default":
                return p.Default()
            case _:
                return p.Go()

    # -- scripts --------------------------------------------------------------------------------------

    def _script(self, kind: Kind, thread: Thread) -> Script:
        id, acts = next(self.ids), list[p.Act]()
        quiet = False
        for _ in range(self.rng.choice([0, 0, 1, 1, 2, 3]) if thread.depth else 0):
            act, quiet = self._act(kind, thread)
            if act is not None and self._is_undecided(act, acts, kind, thread):
                continue
            if act is not None:
                acts.append(act)
            if quiet:
                break
        if acts and isinstance(acts[-1], p.Forward):
            return Script(id, tuple(acts), p.Given())
        if _writes_to(thread.at, acts):
            thread = replace(thread, last=False)
        if not quiet and thread.first and thread.last and kind in ("init", "call", "cast", "info"):
            quiet = self._connect_with_the_dead(acts, thread)
        returns = self._quiet_return(kind, thread) if quiet else self._return(kind, thread)
        return Script(id, tuple(acts), returns)

    def _is_undecided(self, act: p.Act, before: list[p.Act], kind: Kind, thread: Thread) -> bool:
        """Whether *act* would show when a signal is taken in, which the BEAM does when it likes."""
        match act:
            case p.Unwatch():
                return kind == "continue" or not set(map(type, before)) <= HARMLESS
            case p.Signal(to=thread.at):
                return kind == "continue" or _writes_to(thread.at, before)
            case p.Forward():
                return _writes_to(thread.at, before)
            case p.Signal(to=to) | p.Cast(to=to) | p.Send(to=to) if to != thread.at:
                return thread.at in self.component[to] and _writes_to(thread.at, before)
            case _:
                return False

    def _connect_with_the_dead(self, acts: list[p.Act], thread: Thread) -> bool:
        """Let the last act be a link or a monitor of whom may be dead: what comes of it comes alone."""
        if _writes_to(thread.at, acts):
            return False
        match acts[-1:]:
            case [p.Watch() | p.Link() as act]:
                acts[-1] = replace(act, living=False)
                return True
            case _:
                return False

    def _quiet_return(self, kind: Kind, thread: Thread) -> p.Returned:
        """Go on, and do nothing that could be seen beside what is under way."""
        then: p.Then = self.rng.choice([p.Rest(), p.Rest(), self._sleep(), p.Idle(HOUR, Script(0))])
        if kind == "call" and thread.first and self._chance(0.2):
            return p.Keep(then)
        return p.Go(then)

    def _return(self, kind: Kind, thread: Thread) -> p.Returned:
        end = self._end(kind, thread)
        if end is not None:
            return end
        if kind == "info" and self._chance(0.06):
            return p.Default()
        if kind == "call" and not thread.first:
            return self._return_to_server(thread)
        if kind == "call" and self._chance(0.25):
            return p.Keep(self._then(thread))
        return p.Go(self._then(thread))

    def _end(self, kind: Kind, thread: Thread) -> p.Returned | None:
        """How the server ends with this message; None if it does not."""
        if not thread.mortal or thread.at in thread.spared:
            return None
        if not self._chance(0.12 if thread.first else 0.3):
            return None
        how = self._pick(quit=50, fail=20, leave=15, bad=8, ignore=15 if kind == "init" else 0)
        match how:
            case "quit":
                reply = kind == "call" and thread.may_end_after_reply and self._chance(0.7)
                return p.Quit(self._reason(), reply)
            case "fail":
                return p.Raise(self._reason())
            case "leave":
                return p.Leave(self._reason())
            case "bad":
                return p.Bad()
            case _:
                return p.Ignore()

    def _return_to_server(self, thread: Thread) -> p.Returned:
        """What a call of another server is answered: at once, or in a continue, or never."""
        if self._chance(0.15) and thread.depth:
            answer = Script(next(self.ids), (p.Answer(newest=True),), p.Go())
            may_end = thread.may_end_after_reply and thread.at not in thread.spared
            if may_end and self._chance(0.3):
                answer = replace(answer, returns=p.Quit(self._reason()))
            elif may_end and thread.mortal and self._chance(0.2):
                answer = Script(next(self.ids), (), p.Quit(self._reason()))
            thread.give_away(self.component[thread.at])
            return p.Keep(p.Continue(answer))
        then = self._then(replace(thread, chain=(thread.at,), free=set(), mortal=False))
        if not isinstance(then, p.Rest | p.Hibernate):
            thread.give_away(self.component[thread.at])
        return p.Go(then)

    def _then(self, thread: Thread) -> p.Then:
        inside = replace(thread, depth=thread.depth - 1)
        kind = self._pick(rest=56, hibernate=4, go_on=16, at_once=14, hour=10)
        if kind == "go_on" and thread.depth:
            return p.Continue(self._script("continue", inside))
        if kind == "at_once" and thread.depth:
            return p.Idle(0, self._script("timeout", inside))
        if kind == "hour":
            return p.Idle(HOUR, Script(next(self.ids)))
        return self._sleep() if kind == "hibernate" else p.Rest()

    def _sleep(self) -> p.Then:
        return p.Hibernate() if self.sleepy else p.Rest()

    # -- acts -------------------------------------------------------------------------------------------

    def _act(self, kind: Kind, thread: Thread) -> Done:
        make = self._pick_from(
            (22, self._call),
            (24, self._message_act),
            (12, self._watch),
            (12, self._link),
            (8, self._unwatch),
            (5, self._trap),
            (8, self._look),
            (4, self._register),
            (5, self._inspect),
            (10, self._signal),
            (10 if kind != "init" else 0, self._answer),
            (8 if kind == "call" else 0, self._forward),
        )
        return make(thread)

    def _call(self, thread: Thread) -> Done:
        others = sorted(thread.free - set(thread.chain))
        if not others or self._chance(0.05):
            if self._chance(0.8):
                return None, False
            caught = not thread.mortal or thread.at in thread.spared or self._chance(0.8)
            return p.Call(thread.at, self._by(), Script(next(self.ids)), caught), False
        strangers = [other for other in others if not self.component[other] & set(thread.chain)]
        to = self.rng.choice(strangers if strangers and self._chance(0.5) else others)
        reached = self.component[to] & set(thread.chain)
        inside = Thread(
            (*thread.chain, to),
            thread.free,
            thread.spared,
            mortal=not reached or (reached == {thread.at} and {to, thread.at} in self.edges),
            may_end_after_reply=not reached,
            last=False,
            depth=thread.depth - 1,
        )
        script = self._script("call", inside)
        if inside.mortal:
            thread.give_away(self.component[to])
        caught = not thread.mortal or thread.at in thread.spared or self._chance(0.8)
        return p.Call(to, self._by(), script, caught), False

    def _message_act(self, thread: Thread) -> Done:
        make: type[p.Cast] | type[p.Send] = p.Cast if self._chance(0.5) else p.Send
        kind: Kind = "cast" if make is p.Cast else "info"
        to = self.rng.choice([*sorted(thread.free), thread.at])
        by = self._by()
        if to == thread.at:
            alone = self._is_alone(thread)
            last = thread.first and thread.last and self._chance(0.5)
            inside = Thread(
                (to,),
                thread.free if last else set(),
                thread.spared,
                mortal=thread.mortal and alone,
                last=last,
                depth=thread.depth - 1,
            )
            script = self._script(kind, inside)
            if inside.mortal:
                thread.give_away(self.component[to])
            self._release(thread)
            return make(to, by, script), last
        if not self.component[to] & set(thread.chain):
            beside = set(self.component[to] & thread.free) - {to}
            inside = Thread((to,), beside, depth=thread.depth - 1)
            thread.give_away(self.component[to])
            return make(to, by, self._script(kind, inside)), False
        if thread.first and thread.last:
            everybody = (thread.free | {thread.at}) - {to}
            inside = Thread((to,), everybody, thread.spared, depth=thread.depth - 1)
            return make(to, by, self._script(kind, inside)), True
        return None, False

    def _watch(self, thread: Thread) -> Done:
        to = self._neighbour(thread)
        if to is None or not self._is_alone(thread):
            return None, False
        self._release(thread)
        return p.Watch(to, self._by()), False

    def _link(self, thread: Thread) -> Done:
        to = self._neighbour(thread)
        if to is None:
            return None, False
        if self._chance(0.2):
            return p.Unlink(to), False
        if not self._is_alone(thread):
            return None, False
        self._release(thread)
        return p.Link(to), False

    def _unwatch(self, thread: Thread) -> Done:
        to = self._neighbour(thread)
        return (None if to is None else p.Unwatch(to, self._chance(0.5))), False

    def _trap(self, thread: Thread) -> Done:
        return p.Trap(self._chance(0.5)), False

    def _look(self, thread: Thread) -> Done:
        return p.Look(self.rng.choice(sorted(thread.free | set(thread.chain)))), False

    def _inspect(self, thread: Thread) -> Done:
        return p.Inspect(self.rng.choice([*sorted(thread.free), thread.at, thread.at])), False

    def _register(self, thread: Thread) -> Done:
        return p.Register(self._chance(0.5)), False

    def _signal(self, thread: Thread) -> Done:
        to = self.rng.choice([*sorted(thread.free - set(thread.chain)), thread.at])
        if to == thread.at:
            if not thread.last or not thread.mortal or thread.at in thread.spared:
                return None, False
            if not self._is_alone(thread):
                return None, False
            self._release(thread)
            return p.Signal(to, self._reason()), True
        reached = self.component[to] & set(thread.chain)
        if reached and not (reached == {thread.at} and thread.last and thread.mortal):
            return None, False
        thread.give_away(self.component[to])
        return p.Signal(to, self._reason()), bool(reached)

    def _answer(self, thread: Thread) -> Done:
        return (p.Answer(), True) if thread.first else (None, False)

    def _forward(self, thread: Thread) -> Done:
        others = sorted(thread.free - set(thread.chain))
        if not others or thread.burst:
            return None, False
        to = self.rng.choice(others)
        thread.give_away(self.component[to])
        self._release(thread)
        return p.Forward(to), True

    # -- who is connected with whom -----------------------------------------------------------------------

    def _forest(self) -> frozenset[frozenset[str]]:
        """Whom links and monitors may connect: each server with at most one earlier one."""
        return frozenset(
            frozenset((name, self.rng.choice(self.names[:k])))
            for k, name in enumerate(self.names)
            if k and self._chance(0.7)
        )

    def _component(self, name: str) -> frozenset[str]:
        found = {name}
        for _ in self.names:
            found |= {other for edge in self.edges if edge & found for other in edge}
        return frozenset(found)

    def _neighbour(self, thread: Thread) -> str | None:
        """A server that may be connected with the one that runs, and that nobody else touches now."""
        reachable = thread.free | set(thread.chain)
        near = [
            other
            for edge in self.edges
            if thread.at in edge
            for other in edge - {thread.at}
            if other in reachable
        ]
        return self.rng.choice(sorted(near)) if near else None

    def _is_alone(self, thread: Thread) -> bool:
        """Whether the end of the one that runs reaches none of those who wait for it."""
        return not self.component[thread.at] & set(thread.chain[:-1])

    def _release(self, thread: Thread) -> None:
        """Those who wait for it touch nobody who is connected with it any more: it goes on beside them."""
        if not thread.first:
            thread.give_away(self.component[thread.at])

    # -- dice ---------------------------------------------------------------------------------------------

    def _reason(self) -> p.Reason:
        return self.rng.choice(REASONS)

    def _by(self) -> p.By:
        return "name" if self._chance(0.3) else "pid"

    def _chance(self, probability: float) -> bool:
        return self.rng.random() < probability

    def _pick(self, **weights: int) -> str:
        return self.rng.choices(list(weights), list(weights.values()))[0]

    def _pick_from(
        self, *options: tuple[int, Callable[[Thread], Done]]
    ) -> Callable[[Thread], Done]:
        return self.rng.choices([make for _, make in options], [weight for weight, _ in options])[0]


def _writes_to(to: str, acts: list[p.Act]) -> bool:
    return any(isinstance(act, p.Cast | p.Send) and act.to == to for act in acts)
