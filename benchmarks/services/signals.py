"""What the signal bus costs: finding subscribers among 10,000, and publishing to 1, 100 and 10,000.

    python -m benchmarks.services.signals [rounds]

Every row is measured in each round, in turn, so that a slow moment of the machine hits all of
them; the figures are medians of processor time.  Goals: the trie finds the targets of a signal among 10,000
subscriptions at least 100 times faster than a scan of a list, also for types that it has not
seen before; publishing costs no more with 10,000 other subscriptions than with one; and a
publish to one subscriber costs at most ten calls of a plain server.
"""

from __future__ import annotations

import asyncio
import sys
import time

import suptree as st
from benchmarks.services.alternating import Measurement, medians
from suptree.services import (
    Signal,
    SignalBus,
    SignalDelivery,
    SignalPath,
    SignalReceived,
    SignalRouter,
)

SUBSCRIPTIONS = 10_000
TYPES = [f"shop.s{i % 100}.order.o{i}" for i in range(0, SUBSCRIPTIONS, 10)]
SCANNED = 10  # how many types a scan is measured with: each takes milliseconds

Row = Measurement
"""Gives the seconds that one operation took."""


def paths() -> list[str]:
    """10,000 paths: most exact, some with stars, as on a bus that many agents share."""
    found: list[str] = []
    for i in range(SUBSCRIPTIONS):
        match i % 20:
            case 0:
                found.append(f"shop.s{i % 100}.*.o{i}")
            case 1:
                found.append(f"shop.*.order.o{i}")
            case 2:
                found.append(f"shop.s{i % 100}.agent{i}.**")
            case _:
                found.append(f"shop.s{i % 100}.order.o{i}")
    return found


# -- the router ---------------------------------------------------------------------------


def by_trie(remember: int) -> Row:
    """One look-up in the trie."""
    router: SignalRouter[int] = SignalRouter(remember=remember)
    for number, path in enumerate(paths()):
        router.add(path, number)

    async def row() -> float:
        start = time.process_time()
        for type in TYPES:
            router.routes(type)
        return (time.process_time() - start) / len(TYPES)

    return row


def by_scan() -> Row:
    """One look-up by asking each path, words split beforehand, the first word that differs ends it."""
    compiled = [SignalPath(path) for path in paths()]

    async def row() -> float:
        start = time.process_time()
        for type in TYPES[:SCANNED]:
            found = [path for path in compiled if scanned_match(path.words, type.split("."))]
            found.sort(key=lambda path: path.rank)
        return (time.process_time() - start) / SCANNED

    return row


def scanned_match(words: tuple[str, ...], given: list[str]) -> bool:
    """The fastest plain test that we know: most paths are refused at their length or a word."""
    for index, word in enumerate(words):
        if word == "**":
            rest = words[index + 1 :]
            return any(scanned_match(rest, given[start:]) for start in range(index, len(given) + 1))
        if index >= len(given) or word not in ("*", given[index]):
            return False
    return len(words) == len(given)


# -- the bus --------------------------------------------------------------------------------


class Sink(st.GenServer):
    """Takes signals, and acknowledges those that must be."""

    def handle_info(self, message: object) -> None:
        if isinstance(message, SignalReceived) and message.ack:
            SignalBus.ack(message)

    @st.call
    def settle(self) -> None:
        """Answered when everything before it is handled."""


async def bus_with(
    matching: int, others: int = 0, delivery: SignalDelivery | None = None, log_entries: int = 1000
) -> tuple[st.Pid[SignalBus], list[st.Pid[Sink]]]:
    """A bus whose signal `bench.tick` goes to *matching* subscribers, each a process."""
    bus = await SignalBus.start_link(log_entries=log_entries)
    sinks = [await Sink.start_link() for _ in range(matching)]
    for sink in sinks:
        await SignalBus.subscribe(bus, "bench.tick", sink, delivery=delivery)
    if others:
        other = await Sink.start_link()
        for number, path in enumerate(paths()[:others]):
            await SignalBus.subscribe(bus, path, other, id=f"other {number}")
    return bus, sinks


async def publishing(
    matching: int,
    count: int,
    others: int = 0,
    delivery: SignalDelivery | None = None,
    batch: int = 1,
) -> Row:
    """One signal: published, delivered, and handled by its subscribers."""
    bus, sinks = await bus_with(matching, others, delivery)
    signal = Signal("bench.tick", source="/bench")
    given = [signal] * batch

    async def row() -> float:
        start = time.process_time()
        for _ in range(count // batch):
            await SignalBus.publish(bus, given)
        for sink in sinks:
            await Sink.settle(sink)
        await SignalBus.stats(bus)
        return (time.process_time() - start) / count

    return row


async def calling(count: int) -> Row:
    """One call of a plain server, the yardstick."""
    sink = await Sink.start_link()

    async def row() -> float:
        start = time.process_time()
        for _ in range(count):
            await Sink.settle(sink)
        return (time.process_time() - start) / count

    return row


async def making(count: int) -> Row:
    """One Signal, checked against the rules of CloudEvents."""

    async def row() -> float:
        start = time.process_time()
        for _ in range(count):
            Signal("bench.tick", source="/bench", data=1)
        return (time.process_time() - start) / count

    return row


async def measure(rounds: int) -> dict[str, float]:
    """Median seconds for one operation of each row."""
    sure = SignalDelivery(ack=True)
    rows: dict[str, Row] = {
        "look-up, trie, type seen before": by_trie(len(TYPES)),
        "look-up, trie, type not seen before": by_trie(0),
        "look-up, scan of the list": by_scan(),
        "make a Signal": await making(5_000),
        "call a plain server": await calling(5_000),
        "publish to 1 subscriber": await publishing(1, 5_000),
        "publish to 1, batches of 50": await publishing(1, 5_000, batch=50),
        "publish to 1, acknowledged": await publishing(1, 5_000, delivery=sure),
        "publish to 1 beside 10,000 others": await publishing(1, 5_000, others=SUBSCRIPTIONS),
        "publish to 100 subscribers": await publishing(100, 200),
        "publish to 10,000 subscribers": await publishing(10_000, 4),
    }
    return await medians(rows, rounds)


def report(taken: dict[str, float]) -> str:
    """The figures, and whether the goals are met."""
    lines = [f"{name:<40} {seconds * 1e6:12.2f} us" for name, seconds in taken.items()]
    one, beside = taken["publish to 1 subscriber"], taken["publish to 1 beside 10,000 others"]
    scan = taken["look-up, scan of the list"]
    unseen = scan / taken["look-up, trie, type not seen before"]
    seen = scan / taken["look-up, trie, type seen before"]
    each = taken["publish to 10,000 subscribers"] / 10_000
    lines += [
        "",
        f"trie against scan, type not seen before: {unseen:10.0f} times faster (goal: 100)",
        f"trie against scan, type seen before:     {seen:10.0f} times faster",
        f"10,000 others against none:              {beside / one:10.2f} (goal: about 1)",
        f"publish to 1 against a call:             {one / taken['call a plain server']:10.2f} (goal: 10 at most)",
        f"10,000 subscribers, for each of them:    {each * 1e6:10.2f} us",
    ]
    return "\n".join(lines)


async def main(rounds: int) -> None:
    """Measure and print."""
    async with st.Runtime():
        print(report(await measure(rounds)))


if __name__ == "__main__":
    asyncio.run(main(int(sys.argv[1]) if len(sys.argv) > 1 else 7))
