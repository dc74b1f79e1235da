"""Timers of suptree's servers."""

from __future__ import annotations

import asyncio
import time
from typing import Any

import suptree as st
from benchmarks.ours.system import pid, supervised
from benchmarks.protocol import Ask, Metrics
from benchmarks.schedule import PAIRS_PER_TURN, accurate_delays, common_due
from benchmarks.worker import Workload


class Alarms(st.GenServer):
    """Starts timers and cancels them."""

    @st.call(timeout=600.0)
    async def pairs(self, n: int) -> float:
        start = time.perf_counter()
        for _ in range(n // PAIRS_PER_TURN):
            for _ in range(PAIRS_PER_TURN):
                self.cancel_timer(self.send_after(60.0, "late"))
            await asyncio.sleep(0)
        return time.perf_counter() - start


async def timer(ask: Ask) -> Metrics:
    async def pairs(ask: Ask) -> Metrics:
        return {"seconds": await Alarms.pairs(pid("alarms"), ask.n)}

    return await supervised(ask, pairs, [st.child(Alarms).with_(name="alarms")])


class Clock(st.GenServer):
    """Notes how late each of its timers is."""

    def __init__(self, expected: int) -> None:
        self.expected = expected
        self.late: list[float] = []
        self.asker: st.ReplyTo | None = None

    @st.call(timeout=600.0)
    def run(self) -> Any:
        self.asker = self.sender
        start = time.monotonic()
        for delay in accurate_delays(self.expected):
            due = start + delay
            self.send_after(due - time.monotonic(), due)
        return st.NoReply()

    def handle_info(self, due: float) -> None:
        self.late.append(max(0.0, time.monotonic() - due))
        if len(self.late) == self.expected and self.asker is not None:
            self.reply(self.asker, self.late)


async def timer_late(ask: Ask) -> Metrics:
    async def run(ask: Ask) -> Metrics:
        return {"late": await Clock.run(pid("clock"))}

    return await supervised(ask, run, [st.child(Clock, ask.n).with_(name="clock")])


class Tally(st.GenServer):
    """Counts ends, and tells when *expected* have come."""

    def __init__(self, expected: int) -> None:
        self.left = expected
        self.asker: st.ReplyTo | None = None

    @st.call(timeout=600.0)
    def all_in(self) -> Any:
        self.asker = self.sender
        return time.monotonic() if not self.left else st.NoReply()

    @st.cast
    def one(self) -> None:
        self.left -= 1
        if not self.left and self.asker is not None:
            self.reply(self.asker, time.monotonic())


class Armed(st.GenServer):
    """Has one timer, due when all the others' are."""

    def __init__(self, due: float, tally: st.Pid[Tally]) -> None:
        self.tally = tally
        self.send_after(max(0.0, due - time.monotonic()), "tick")

    def handle_info(self, message: object) -> None:
        Tally.one(self.tally)


async def armed(ask: Ask) -> Metrics:
    async def arm_and_fire(ask: Ask) -> Metrics:
        tally = pid("tally")
        start = time.monotonic()
        due = start + common_due(ask.n)
        for _ in range(ask.n):
            await Armed.start_link(due, tally)
        armed = time.monotonic()
        fired = await Tally.all_in(tally)
        return {"arm": armed - start, "fire": fired - max(due, armed)}

    return await supervised(ask, arm_and_fire, [st.child(Tally, ask.n).with_(name="tally")])


WORKLOADS: dict[str, Workload] = {"timer": timer, "timer_late": timer_late, "armed": armed}
