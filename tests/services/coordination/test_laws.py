"""Laws that hold whatever happens: random traffic, with receivers and the router killed in it."""

from __future__ import annotations

import asyncio
import itertools
from collections import Counter
from dataclasses import dataclass, field
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as some

import suptree as st
from suptree.services import (
    Acknowledged,
    Buffered,
    CoordinationManager,
    DeadLettered,
    DeadLetterQueue,
    Expired,
    LanePolicy,
    MemoryStore,
    Rejected,
    StateOwner,
    UnknownMessageError,
)
from suptree.services.parts.backoff import RetryPolicy
from suptree.testing import VirtualLoop

from .helpers import agent, got

NAMES = ("a", "b")

sends = some.tuples(
    some.just("send"),
    some.sampled_from(NAMES),
    some.sampled_from(("plain", "sleep", "sleep", "hold", "crash")),
    some.sampled_from((0.0, 0.3, 5.0)),
    some.sampled_from((None, None, 0.4)),
)
groups = some.tuples(some.sampled_from(("distribute", "broadcast", "all")), some.just(0.5))
kills = some.tuples(some.just("kill"), some.sampled_from(NAMES))
router_kills = some.tuples(some.just("kill router"))
others = some.one_of(
    some.tuples(some.just("pass"), some.integers(1, 6)),
    some.tuples(some.just("sleep"), some.sampled_from((0.01, 0.2, 1.0))),
    some.tuples(some.just("let go"), some.sampled_from(NAMES)),
    some.tuples(some.just("cancel")),
)
plans = some.lists(some.one_of(sends, sends, groups, kills, others), max_size=40)
plans_with_deaths = some.lists(
    some.one_of(sends, sends, sends, kills, router_kills, others), max_size=40
)
policies = some.builds(
    LanePolicy,
    buffer=some.sampled_from((0, 2, 100)),
    overflow=some.sampled_from(("reject", "drop_oldest", "wait")),
    parked=some.sampled_from((1, 100)),
    expires=some.sampled_from((2.0, 600.0)),
    retry=some.just(RetryPolicy.fixed(delay=0.05, max_attempts=3)),
    while_open=some.sampled_from(("buffer", "reject")),
)


@dataclass
class Traffic:
    """What was sent to whom, and what its sender was told."""

    numbers: Any = field(default_factory=itertools.count)
    sent: dict[int, tuple[str, Any]] = field(default_factory=dict)
    asking: dict[int, asyncio.Future[Any]] = field(default_factory=dict)
    groups: list[asyncio.Future[Any]] = field(default_factory=list)

    async def do(self, step: tuple[Any, ...]) -> None:
        match step:
            case "send", to, kind, wait, expires:
                number = next(self.numbers)
                message: Any = number if kind == "plain" else (kind, number)
                if kind == "sleep":
                    message = ("sleep", 0.1, number)
                self.sent[number] = to, message
                self.asking[number] = asyncio.ensure_future(
                    CoordinationManager.coordinate(
                        "router", to, message, wait=wait, expires=expires
                    )
                )
                await asyncio.sleep(0)  # it is sent, so that the next one comes after it
            case "distribute", wait:
                self.groups.append(
                    asyncio.ensure_future(
                        CoordinationManager.distribute("router", list(NAMES), "task", wait=wait)
                    )
                )
            case "broadcast" | "all" as kind, wait:
                strategy = "all_or_nothing" if kind == "all" else "best_effort"
                self.groups.append(
                    asyncio.ensure_future(
                        CoordinationManager.broadcast(
                            "router",
                            [*NAMES, "nobody"],
                            "news",
                            strategy=strategy,
                            wait=wait,
                        )
                    )
                )
            case "kill", name:
                await _kill(name)
            case ("kill router",):
                await _kill("router")
            case "pass", count:
                for _ in range(count):
                    await asyncio.sleep(0)
            case "sleep", seconds:
                await asyncio.sleep(seconds)
            case "let go", name:
                let_go(name)
            case ("cancel",):
                for one in list(self.asking.values())[-1:]:
                    one.cancel()

    async def told(self, number: int) -> Any:
        """The outcome of a message, or the error that its sender got."""
        try:
            outcome = await self.asking[number]
        except (asyncio.CancelledError, st.SuptreeError) as error:
            return error
        if isinstance(outcome, Buffered):
            try:
                return await CoordinationManager.outcome("router", outcome.id, wait=600.0)
            except UnknownMessageError as error:
                return error
        return outcome


def let_go(name: str) -> None:
    from .helpers import Agent

    if st.whereis(name) is not None:
        Agent.let_go(name)


async def _kill(name: str) -> None:
    pid = st.whereis(name)
    if pid is not None:
        st.exit(pid, st.KILL)
        while st.whereis(name) in (None, pid):
            await asyncio.sleep(0)


async def _system(policy: LanePolicy) -> None:
    await StateOwner.start_link()
    await st.Supervisor.start_link(
        [
            st.child(DeadLetterQueue, store=MemoryStore()).with_(name="letters"),
            st.child(
                CoordinationManager,
                policy=policy,
                dead_letters="letters",
                store=MemoryStore(),
            ).with_(name="router"),
        ],
        max_restarts=1000,
    )
    for name in NAMES:
        await agent(name)


async def _check_account() -> Any:
    stats = await CoordinationManager.stats("router")
    ended = stats.acknowledged + stats.refused + stats.expired + stats.dead_lettered
    assert stats.accepted + stats.taken_over == ended + stats.waiting, stats
    assert stats.in_flight <= stats.waiting
    return stats


async def _to_the_end() -> None:
    """Let everything that waits come to its end."""
    for _ in range(200):
        for name in NAMES:
            let_go(name)
        await asyncio.sleep(0.2)
        stats = await _check_account()
        if not stats.waiting and not stats.parked:
            break
    await asyncio.sleep(700.0)


def on_virtual_time(coroutine: Any) -> None:
    with asyncio.Runner(loop_factory=VirtualLoop) as runner:
        runner.run(coroutine)


@settings(deadline=None)
@given(plans, policies)
def test_every_message_is_somewhere_in_the_counts_at_every_moment(plan, policy):
    async def main() -> None:
        async with st.Runtime():
            await _system(policy)
            traffic = Traffic()
            for step in plan:
                await traffic.do(step)
                await _check_account()
            await _to_the_end()

            stats = await _check_account()
            assert (stats.waiting, stats.parked, stats.taken_over) == (0, 0, 0)
            letters = await DeadLetterQueue.stats("letters")
            assert letters.added == stats.dead_lettered + stats.expired
            if not traffic.groups and not any(one.cancelled() for one in traffic.asking.values()):
                outcomes = [await traffic.told(number) for number in traffic.asking]
                counts = Counter(map(type, outcomes))
                assert counts[Acknowledged] == stats.acknowledged
                assert counts[Expired] == stats.expired
                assert counts[DeadLettered] == stats.dead_lettered
                assert counts[Rejected] == stats.rejected + stats.refused
                assert sum(counts.values()) == len(traffic.sent)
            await asyncio.gather(*traffic.groups, return_exceptions=True)

    on_virtual_time(main())


@settings(deadline=None)
@given(plans_with_deaths, policies)
def test_receivers_get_what_was_accepted_in_order_and_once_whoever_is_killed(plan, policy):
    async def main() -> None:
        async with st.Runtime():
            await _system(policy)
            traffic = Traffic()
            for step in plan:
                await traffic.do(step)
                await _check_account()
            await _to_the_end()

            outcomes = {number: await traffic.told(number) for number in traffic.asking}
            handled = {name: [_number(one) for one in got(name)] for name in NAMES}
            for name, numbers in handled.items():
                first = [number for number, _ in itertools.groupby(numbers)]
                assert first == sorted(set(first)), (name, numbers)
            times = Counter(itertools.chain.from_iterable(handled.values()))
            given_up = {
                _number(one.message) for one in await DeadLetterQueue.letters("letters", limit=999)
            }
            for number, outcome in outcomes.items():
                match outcome:
                    case Acknowledged(attempts=attempts):
                        assert (
                            1 <= times[number] <= attempts
                        )  # read, and killed before its first step
                    case DeadLettered(attempts=attempts):
                        assert times[number] <= attempts
                        assert number in given_up
                    case Rejected():
                        assert outcome.why != "refused"
                        assert times[number] == 0
                    case Expired(in_flight=in_flight):
                        assert number in given_up
                        assert times[number] == 0 or in_flight or times[number] < 3
                    case st.ServerExitError(unread=True):
                        assert times[number] == 0
                    case st.ServerExitError():
                        assert times[number] or number in given_up
                    case st.NoProcessError() | asyncio.CancelledError():
                        pass
                    case _:
                        raise AssertionError(f"{number}: {outcome!r}")

    on_virtual_time(main())


def _number(message: Any) -> int:
    number: int = message[-1] if isinstance(message, tuple) else message
    return number
