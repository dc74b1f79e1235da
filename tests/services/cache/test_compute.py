"""`Cache.get_or_compute`: one computes, in its own process; the others wait, and nobody for ever."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

import suptree as st
from suptree.services import Cache, NotAsyncError, TooManyCacheWaitersError
from suptree.testing import wait_down

pytestmark = pytest.mark.suptree_loop("virtual")


class Source:
    """What is slow: counts how often it is asked, and by whom."""

    def __init__(self, *answers: Any, takes: float = 1.0) -> None:
        self.answers = list(answers)
        self.takes = takes
        self.asked: list[st.Pid[Any]] = []

    async def __call__(self) -> Any:
        self.asked.append(st.current())
        answer = self.answers.pop(0)
        await asyncio.sleep(self.takes)
        if isinstance(answer, Exception):
            raise answer
        return answer


class Bank(ConnectionError):
    """An error that cannot be made from its `args`."""

    def __init__(self, *, code: int) -> None:
        super().__init__(f"code {code}")
        self.code = code


def ask(cache: Any, source: Any, key: str = "k", **options: Any) -> asyncio.Task[Any]:
    return asyncio.ensure_future(Cache.get_or_compute(cache, key, source, **options))


async def computing(cache: Any, waiting: int) -> None:
    """Until somebody computes and so many wait."""
    while (stats := await Cache.stats(cache)).waiting != waiting or not stats.computing:
        await asyncio.sleep(0)


async def test_callers_of_one_key_at_one_time_share_one_computation(runtime):
    cache, source = await Cache.start_link(), Source("tea")

    assert await asyncio.gather(*(ask(cache, source) for _ in range(100))) == ["tea"] * 100

    stats = await Cache.stats(cache)
    assert len(source.asked) == 1
    assert (stats.computed, stats.shared, stats.puts, stats.misses) == (1, 99, 1, 100)
    assert (stats.computing, stats.waiting) == (0, 0)


async def test_what_was_computed_is_there_once_it_returns_and_until_its_time_is_over(runtime):
    cache, source = await Cache.start_link(), Source(1, 2)

    assert await Cache.get_or_compute(cache, "k", source, ttl=5.0) == 1
    assert Cache.get(cache, "k") == 1
    assert await Cache.get_or_compute(cache, "k", source, ttl=5.0) == 1
    await asyncio.sleep(5.0)
    assert await Cache.get_or_compute(cache, "k", source, ttl=5.0) == 2


async def test_none_is_a_value_and_is_kept(runtime):
    cache, source = await Cache.start_link(), Source(None)

    assert await Cache.get_or_compute(cache, "k", source) is None
    assert await Cache.get_or_compute(cache, "k", source) is None


async def test_keys_do_not_wait_for_one_another(runtime):
    cache = await Cache.start_link()
    slow, quick = ask(cache, Source(1, takes=1000.0)), Source(2)
    await computing(cache, waiting=0)

    assert await Cache.get_or_compute(cache, "other", quick) == 2

    assert not slow.done()
    slow.cancel()


async def test_it_runs_in_the_process_of_the_caller_and_never_in_the_server(runtime):
    cache, source = await Cache.start_link(), Source(1)

    await Cache.get_or_compute(cache, "k", source)

    assert source.asked == [st.current()]


# -- failures -------------------------------------------------------------------------------------


async def test_a_failure_is_told_to_all_who_wait_and_never_kept(runtime):
    cache, source = await Cache.start_link(), Source(OSError(5, "away"), "tea")
    first, *others = [ask(cache, source) for _ in range(3)]

    errors = await asyncio.gather(first, *others, return_exceptions=True)

    assert [(type(one), one.args) for one in errors] == [(OSError, (5, "away"))] * 3
    assert len({id(one) for one in errors}) == 3
    assert [one.__cause__ for one in errors] == [None, errors[0], errors[0]]
    assert (await Cache.stats(cache)).failed == 1
    assert await Cache.get_or_compute(cache, "k", source) == "tea"


async def test_an_error_that_cannot_be_copied_is_told_all_the_same(runtime):
    cache, source = await Cache.start_link(), Source(Bank(code=7))

    errors = await asyncio.gather(ask(cache, source), ask(cache, source), return_exceptions=True)

    assert [one.code for one in errors] == [7, 7]


async def test_a_function_that_is_not_async_is_refused_and_nobody_waits_for_it(runtime):
    cache = await Cache.start_link()

    with pytest.raises(NotAsyncError):
        await Cache.get_or_compute(cache, "k", lambda: 3)

    assert await Cache.get_or_compute(cache, "k", Source(1)) == 1


# -- who goes away ----------------------------------------------------------------------------------


async def test_one_who_waits_and_is_cancelled_takes_nobody_along(runtime):
    cache, source = await Cache.start_link(), Source("tea")
    tasks = [ask(cache, source) for _ in range(4)]
    await computing(cache, waiting=3)

    tasks[2].cancel()

    done = await asyncio.gather(*tasks, return_exceptions=True)
    assert [done[0], done[1], done[3]] == ["tea"] * 3
    assert isinstance(done[2], asyncio.CancelledError)
    assert (await Cache.stats(cache)).shared == 2


async def test_when_the_one_who_computes_is_cancelled_the_next_in_line_does_it(runtime):
    cache, source = await Cache.start_link(), Source("never", "tea")
    tasks = [ask(cache, source) for _ in range(3)]
    await computing(cache, waiting=2)

    tasks[0].cancel()

    assert await asyncio.gather(*tasks[1:]) == ["tea", "tea"]
    assert len(source.asked) == 2


async def test_who_is_next_and_was_cancelled_with_the_one_who_computes_passes_it_on(runtime):
    cache, source = await Cache.start_link(), Source("never", "tea")
    tasks = [ask(cache, source) for _ in range(3)]
    await computing(cache, waiting=2)

    tasks[0].cancel()
    tasks[1].cancel()

    assert await tasks[2] == "tea"
    assert len(source.asked) == 2


async def test_when_the_one_who_computes_is_killed_the_next_in_line_does_it(runtime):
    cache, source = await Cache.start_link(), Source("never", "tea")
    victim = st.spawn(Cache.get_or_compute, cache, "k", source)
    await computing(cache, waiting=0)
    task = ask(cache, source)
    await computing(cache, waiting=1)

    st.exit(victim, st.KILL)

    assert await task == "tea"
    assert source.asked == [victim, st.current()]


async def test_one_who_waits_and_is_killed_is_forgotten(runtime):
    cache, source = await Cache.start_link(), Source("tea")
    task = ask(cache, source)
    await computing(cache, waiting=0)
    victim = st.spawn(Cache.get_or_compute, cache, "k", source)
    await computing(cache, waiting=1)

    st.exit(victim, st.KILL)
    await wait_down(victim)

    await computing(cache, waiting=0)
    assert await task == "tea"


async def test_nobody_waits_longer_than_said_for_somebody_else(runtime):
    cache, source = await Cache.start_link(), Source("tea", takes=10.0)
    first = ask(cache, source)
    await computing(cache, waiting=0)

    with pytest.raises(st.CallTimeoutError):
        await Cache.get_or_compute(cache, "k", source, timeout=3.0)

    assert await first == "tea"
    assert (await Cache.stats(cache)).waiting == 0


async def test_no_more_wait_than_may(runtime):
    cache, source = await Cache.start_link(max_waiting=2), Source("tea")
    tasks = [ask(cache, source) for _ in range(3)]
    await computing(cache, waiting=2)

    with pytest.raises(
        TooManyCacheWaitersError, match="'k' is being computed, and 2 wait"
    ) as caught:
        await Cache.get_or_compute(cache, "k", source)

    assert (caught.value.key, caught.value.limit) == ("k", 2)
    assert await asyncio.gather(*tasks) == ["tea"] * 3


async def test_who_computes_gets_its_value_though_the_cache_has_ended_meanwhile(runtime):
    st.trap_exit(True)
    cache, source = await Cache.start_link(), Source("tea")
    tasks = [ask(cache, source) for _ in range(2)]
    await computing(cache, waiting=1)

    st.exit(cache, st.KILL)

    assert await tasks[0] == "tea"
    with pytest.raises(st.ServerExitError):
        await tasks[1]


# -- what changes meanwhile ----------------------------------------------------------------------------


async def test_what_is_deleted_while_it_is_computed_is_given_and_not_kept(runtime):
    cache, source = await Cache.start_link(), Source("outdated")
    old = [ask(cache, source) for _ in range(2)]
    await computing(cache, waiting=1)

    await Cache.delete(cache, "k")
    new = ask(cache, Source("tea", takes=2.0))

    assert await asyncio.gather(*old) == ["outdated"] * 2
    assert Cache.get(cache, "k") is None
    assert await new == "tea"
    assert Cache.get(cache, "k") == "tea"


async def test_what_is_cleared_while_it_is_computed_is_not_kept(runtime):
    cache, source = await Cache.start_link(), Source("outdated")
    old = ask(cache, source)
    await computing(cache, waiting=0)

    await Cache.clear(cache)

    assert await old == "outdated"
    assert Cache.get(cache, "k") is None


async def test_what_is_put_while_it_is_computed_stays(runtime):
    cache, source = await Cache.start_link(), Source("outdated")
    old = ask(cache, source)
    await computing(cache, waiting=0)

    await Cache.put(cache, "k", "newer")

    assert await Cache.get_or_compute(cache, "k", source) == "newer"
    assert await old == "outdated"
    assert Cache.get(cache, "k") == "newer"


async def test_computations_are_told(runtime):
    cache, source = await Cache.start_link(), Source("tea", OSError("away"))
    events: list[tuple[str, dict[str, Any]]] = []
    runtime.telemetry.attach(
        "test",
        "suptree.cache.value.*",
        lambda event, numbers, facts: events.append((event.name, {**numbers, **facts})),
    )

    await asyncio.gather(ask(cache, source), ask(cache, source))
    await asyncio.gather(ask(cache, source, "b"), return_exceptions=True)
    await Cache.stats(cache)
    ask(cache, Source(1), "c").cancel()
    task = ask(cache, Source(1), "d")
    await computing(cache, waiting=0)
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    await Cache.stats(cache)

    of = {"cache": cache}
    (done, failed, cancelled) = events
    numbers = {"duration_s": 1.0, "waiters_count": 1}
    assert done == ("suptree.cache.value.computed", {**of, **numbers, "key": "k", "kept": True})
    assert failed[1] == {
        **of,
        "key": "b",
        "duration_s": 1.0,
        "waiters_count": 0,
        "error": failed[1]["error"],
    }
    assert isinstance(failed[1]["error"], OSError)
    assert (cancelled[1]["key"], cancelled[1]["error"]) == ("d", None)
