"""The seeded generator of machine programs.

Every event comes to an end: its last answer neither postpones nor inserts. Most machines come up, and most answers
leave them alive, because a dead machine shows nothing more.

>>> generate(1) == generate(1)
True
"""

from __future__ import annotations

import random
from itertools import count
from typing import Any

from tests.conformance.machines.program import (
    HOUR,
    Action,
    Answer,
    Bad,
    Burst,
    Crash,
    Enter,
    Event,
    Halt,
    Hibernate,
    Init,
    Insert,
    Keep,
    Leave,
    Look,
    Machine,
    Next,
    Op,
    Postpone,
    Program,
    Reason,
    Repeat,
    Replace,
    Reply,
    ReplyAll,
    Signal,
    Start,
    State,
    Stop,
    Tell,
    Time,
    Timeout,
)

STATES: tuple[State, ...] = ("a", "b", "c")
DEPTH = 3
"""How deep events may hold others."""


def generate(seed: int) -> Program:
    """Make the program that belongs to *seed*; the same on every machine and Python version."""
    return _Generator(seed).program()


class _Generator:
    def __init__(self, seed: int) -> None:
        self.seed = seed
        self.random = random.Random(seed)
        self.ids = count(1)
        self.values = count(1)

    def program(self) -> Program:
        ops: list[Op] = [Start(self.machine())]
        for _ in range(self.random.randint(3, 9)):
            ops.append(self.op())
            if self.chance(0.12):  # it may have ended meanwhile
                ops.append(Start(self.machine()))
        return Program(self.seed, tuple(ops))

    # -- machines

    def machine(self) -> Machine:
        enter_calls = self.chance(0.5)
        enters = [
            Enter(state, self.answers(1, self.entered)) for state in STATES if self.chance(0.5)
        ]
        return Machine(
            functions=self.chance(0.5),
            enter_calls=enter_calls,
            traps=self.chance(0.5),
            linked=self.chance(0.7),
            goodbye=self.pick({"ok": 8, "exit": 1, "crash": 1}),
            init=self.init(),
            enters=tuple(enters) if enter_calls else (),
        )

    def init(self) -> Init:
        answer = self.pick({"ok": 40, "ignore": 1, "stop": 1, "crash": 1, "exit": 1, "bad": 1})
        actions = [self.action(2, in_init=True) for _ in range(self.random.randrange(3))]
        return Init(answer, self.random.choice(STATES), tuple(actions))

    # -- what is done

    def op(self) -> Op:
        if self.chance(0.3):
            return Burst(tuple(self.part() for _ in range(self.random.randint(2, 7))))
        return self.part()

    def part(self) -> Tell | Signal | Stop | Look | Replace:
        match self.pick({"tell": 30, "signal": 3, "stop": 1, "look": 3, "replace": 1}):
            case "tell":
                kind = self.pick({"cast": 1, "info": 1, "call": 2})
                return Tell(kind, self.event(DEPTH))
            case "signal":
                return Signal(self.pick({"driver": 1, "stranger": 2}), self.reason())
            case "stop":
                return Stop(self.reason())
            case "look":
                return Look()
            case _:
                return Replace(self.random.choice(STATES))

    def reason(self) -> Reason:
        reason: Reason = self.pick(
            {"normal": 3, "shutdown": 2, "shutdown_why": 1, "boom": 3, "kill": 1}
        )
        return reason

    # -- events and answers

    def event(self, depth: int) -> Event:
        name = next(self.ids)
        return Event(name, self.answers(depth, self.answer) if depth else ())

    def answers(self, depth: int, answer: Any) -> tuple[Answer, ...]:
        answers = tuple(answer(depth) for _ in range(self.random.randrange(4)))
        if not answers or isinstance(answers[-1], (Halt, Crash, Leave, Bad)):
            return answers
        last = [ReplyAll(next(self.values))] if self.chance(0.5) else []
        return (*answers, Keep(tuple(last)))

    def answer(self, depth: int) -> Answer:
        kind = self.pick({"next": 45, "keep": 40, "repeat": 9, "end": 4})
        if kind == "end":
            return self.end()
        actions = tuple(self.action(depth) for _ in range(self.random.choice((0, 0, 1, 1, 2, 3))))
        if kind == "next":
            return Next(self.random.choice(STATES), actions)
        return Keep(actions) if kind == "keep" else Repeat(actions)

    def entered(self, depth: int) -> Answer:
        """An enter call may not change the state, postpone or insert (S64): sometimes it tries."""
        match self.pick({"keep": 20, "next": 2, "wrong": 1, "end": 1}):
            case "keep":
                actions = (self.timeout(depth) for _ in range(self.random.randrange(3)))
                replies = [ReplyAll(next(self.values))] if self.chance(0.3) else []
                return Keep((*actions, *replies))
            case "next":
                return Repeat() if self.chance(0.3) else Next(self.random.choice(STATES))
            case "wrong":
                return Keep((self.pick({Postpone(): 1, self.insert(depth): 1}),))
            case _:
                return self.end()

    def end(self) -> Answer:
        match self.pick({"halt": 4, "crash": 2, "leave": 2, "bad": 1}):
            case "halt":
                replies = [self.reply() for _ in range(self.random.randrange(3))]
                return Halt(self.reason(), tuple(replies))
            case "crash":
                return Crash()
            case "leave":
                return Leave(self.reason())
            case _:
                return Bad()

    def action(self, depth: int, *, in_init: bool = False) -> Action:
        weights = {"postpone": 20, "insert": 25, "timeout": 35, "reply": 18, "hibernate": 2}
        if in_init:
            weights |= {"postpone": 1, "reply": 0}
        match self.pick(weights):
            case "postpone":
                return Postpone()
            case "insert":
                return self.insert(depth)
            case "timeout":
                return self.timeout(depth)
            case "reply":
                return self.reply()
            case _:
                return Hibernate()

    def insert(self, depth: int) -> Insert:
        kind = self.pick({"internal": 4, "cast": 1, "info": 1, "call": 1})
        return Insert(kind, self.event(depth - 1))

    def timeout(self, depth: int) -> Timeout:
        timeout = self.pick({"state": 2, "event": 2, "g1": 1, "g2": 1})
        time: Time = self.pick({0: 3, HOUR: 2, "infinity": 1, "update": 1})
        if timeout == "event" and time == "update":  # there is no such thing
            time = 0
        return Timeout(timeout, time, self.event(depth - 1))

    def reply(self) -> Reply | ReplyAll:
        value = next(self.values)
        return Reply(value) if self.chance(0.7) else ReplyAll(value)

    # -- draws

    def chance(self, p: float) -> bool:
        return self.random.random() < p

    def pick(self, weights: dict[Any, int]) -> Any:
        return self.random.choices(list(weights), weights=list(weights.values()))[0]
