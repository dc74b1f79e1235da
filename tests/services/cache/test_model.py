"""`Cache` against a model that is plain and slow: an ordered dict, the last used at its end."""

from __future__ import annotations

import asyncio
from collections import Counter, OrderedDict
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as some

import suptree as st
from suptree.services import Cache
from suptree.testing import VirtualLoop

KEYS = some.integers(0, 7)
TTLS = some.sampled_from([1.0, 2.0, 5.0, 100.0])
STEPS = some.one_of(
    some.tuples(some.just("put"), KEYS, TTLS),
    some.tuples(some.just("put"), KEYS, TTLS),
    some.tuples(some.just("get"), KEYS),
    some.tuples(some.just("get"), KEYS),
    some.tuples(some.just("compute"), KEYS, TTLS, some.booleans()),
    some.tuples(some.just("delete"), KEYS),
    some.tuples(some.just("clear")),
    some.tuples(some.just("pass"), some.sampled_from([0.5, 1.0, 3.0])),
    some.tuples(some.just("resize"), some.integers(1, 6)),
)


class Model:
    """What a cache is to be: key -> (value, until), the one used longest ago first."""

    def __init__(self, room: int) -> None:
        self.room = room
        self.now = 0.0
        self.kept: OrderedDict[int, tuple[Any, float]] = OrderedDict()
        self.counts: Counter[str] = Counter()

    def forget_the_over(self) -> None:
        for key in [key for key, (_, until) in self.kept.items() if until <= self.now]:
            del self.kept[key]

    def get(self, key: int) -> Any:
        self.forget_the_over()
        if key not in self.kept:
            self.counts["misses"] += 1
            return None
        self.counts["hits"] += 1
        self.kept.move_to_end(key)
        return self.kept[key][0]

    def put(self, key: int, value: Any, ttl: float) -> None:
        self.forget_the_over()
        self.counts["puts"] += 1
        self.counts["replaced"] += self.kept.pop(key, None) is not None
        self.kept[key] = (value, self.now + ttl)
        self.resize(self.room)

    def resize(self, room: int) -> None:
        self.forget_the_over()
        self.room = room
        while len(self.kept) > room:
            self.kept.popitem(last=False)
            self.counts["evicted"] += 1

    def delete(self, key: int) -> bool:
        self.forget_the_over()
        there = self.kept.pop(key, None) is not None
        self.counts["deleted"] += there
        return there


async def _do(cache: Any, model: Model, number: int, step: tuple[Any, ...]) -> None:
    match step:
        case ("put", key, ttl):
            await Cache.put(cache, key, number, ttl=ttl)
            model.put(key, number, ttl)
        case ("get", key):
            assert Cache.get(cache, key) == model.get(key)
        case ("compute", key, ttl, fails):
            await _compute(cache, model, number, key, ttl, fails)
        case ("delete", key):
            assert await Cache.delete(cache, key) == model.delete(key)
        case ("clear",):
            await Cache.clear(cache)
            model.kept.clear()
        case ("pass", seconds):
            await asyncio.sleep(seconds)
            model.now += seconds
        case ("resize", room):
            await Cache.reconfigure(cache, max_entries=room)
            model.resize(room)
        case _:
            raise AssertionError(step)


async def _compute(
    cache: Any, model: Model, number: int, key: int, ttl: float, fails: bool
) -> None:
    async def function() -> int:
        if fails:
            raise OSError(number)
        return number

    there = model.get(key)
    try:
        value = await Cache.get_or_compute(cache, key, function, ttl=ttl)
    except OSError:
        assert there is None
        assert fails
        return
    assert value == (number if there is None else there)
    if there is None:
        model.put(key, number, ttl)


@settings(deadline=None)
@given(some.lists(STEPS, max_size=60), some.integers(1, 6), some.sampled_from([1.0, 4.0, 1e6]))
def test_it_holds_what_the_model_holds_whatever_is_done_and_nothing_is_uncounted(
    steps, room, interval
):
    async def main() -> None:
        async with st.Runtime():
            cache = await Cache.start_link(max_entries=room, cleanup_interval=interval)
            model = Model(room)
            for number, step in enumerate(steps):
                await _do(cache, model, number, step)

                stats = await Cache.stats(cache)
                gone = (
                    stats.replaced + stats.deleted + stats.cleared + stats.evicted + stats.expired
                )
                assert stats.puts == stats.entries + gone
                assert stats.entries <= model.room
                seen = {name: getattr(stats, name) for name in model.counts}
                assert seen == dict(model.counts)

    with asyncio.Runner(loop_factory=VirtualLoop) as runner:
        runner.run(main())
