"""The virtual loop: waiting is free, work outside is waited for, deadlocks are named."""

from __future__ import annotations

import asyncio
import concurrent.futures
import contextlib
import math
import socket
import sys
import threading
import time
from collections.abc import Coroutine, Iterator
from typing import Any, TypeVar

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from suptree.clock import ManualClock
from suptree.testing.loop import VirtualDeadlockError, VirtualLoop

T = TypeVar("T")


@contextlib.contextmanager
def fresh(**options: Any) -> Iterator[asyncio.Runner]:
    with asyncio.Runner(loop_factory=lambda: VirtualLoop(**options)) as runner:
        yield runner


def run(main: Coroutine[Any, Any, T], **options: Any) -> T:
    with fresh(**options) as runner:
        return runner.run(main)


def current() -> VirtualLoop:
    loop = asyncio.get_running_loop()
    assert isinstance(loop, VirtualLoop)
    return loop


# -- time -------------------------------------------------------------------------------


def test_a_day_of_sleep_passes_at_once_and_exactly() -> None:
    async def main() -> float:
        await asyncio.sleep(86_400 * 3)
        return current().time()

    before = time.monotonic()
    assert run(main()) == 86_400 * 3
    assert time.monotonic() - before < 5.0


def test_time_stands_still_while_somebody_runs() -> None:
    async def main() -> float:
        for _ in range(100):
            await asyncio.sleep(0)
        return current().time()

    assert run(main()) == 0.0


def test_the_clock_on_the_wall_goes_on_with_the_time_of_the_loop() -> None:
    async def main() -> tuple[float, float]:
        before = current().wall_time()
        await asyncio.sleep(86_400)
        return before, current().wall_time()

    real = time.time()
    before, after = run(main())
    assert before == pytest.approx(real, abs=60.0)
    assert after - before == 86_400


def test_timer_runs_at_its_exact_time_however_the_sum_rounds() -> None:
    async def main() -> list[tuple[float, float]]:
        loop, seen = current(), []
        for step in range(1, 200):
            due = loop.time() + step * 0.1
            done = loop.create_future()
            loop.call_at(due, done.set_result, None)
            await done
            seen.append((due, loop.time()))
        return seen

    assert all(due == now for due, now in run(main()))


def test_no_timer_runs_before_its_time_not_even_by_a_rounding() -> None:
    """asyncio calls back a hair too early; whoever looks then what is due would never find it."""

    async def main() -> list[tuple[float, float]]:
        loop = current()
        seen: list[tuple[float, float]] = []

        def note(due: float) -> None:
            seen.append((due, loop.time()))

        for due in (0.3, 0.1 + 0.2, 0.41, 0.41000000000000003, 1e6, math.nextafter(1e6, 2e6)):
            loop.call_at(due, note, due)
        await asyncio.sleep(2e6)
        return seen

    seen = run(main())
    assert len(seen) == 6
    assert all(due == now for due, now in seen)


def test_timers_run_in_order_of_their_due_time() -> None:
    async def main() -> list[int]:
        loop, order = current(), []
        for delay in (5, 1, 3, 2, 4):
            loop.call_later(delay, order.append, delay)
        await asyncio.sleep(10)
        return order

    assert run(main()) == [1, 2, 3, 4, 5]


def test_cancelled_timer_is_not_jumped_to() -> None:
    async def main() -> float:
        current().call_later(5, print).cancel()
        await asyncio.sleep(10)
        return current().jumps

    assert run(main()) == 1


def test_clock_that_does_not_jump_moves_by_advance_alone() -> None:
    clock = ManualClock(autojump=False)

    async def main() -> list[str]:
        seen: list[str] = []
        current().call_later(5, seen.append, "five")
        clock.advance(4.9)
        await asyncio.sleep(0)
        seen.append("before")
        clock.advance(0.1)
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        return seen

    assert run(main(), clock=clock) == ["before", "five"]


def test_waiting_on_a_clock_that_does_not_jump_is_reported() -> None:
    with pytest.raises(VirtualDeadlockError, match=r"autojump is off .* Call loop.clock.advance"):
        run(asyncio.sleep(1), clock=ManualClock(autojump=False))


def test_turn_lets_time_move_where_sleep_zero_would_spin() -> None:
    async def main() -> float:
        woken = asyncio.Event()
        current().call_later(7, woken.set)
        while not woken.is_set():
            await current().turn()
        return current().time()

    assert run(main()) == 7.0


# -- the rest of asyncio ------------------------------------------------------------------


def test_timeout_and_wait_for_fire_in_virtual_time() -> None:
    async def main() -> list[float]:
        seen = []
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(30):
                await asyncio.Event().wait()
        seen.append(current().time())
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(asyncio.Event().wait(), 12)
        seen.append(current().time())
        return seen

    assert run(main()) == [30.0, 42.0]


def test_debug_mode_does_not_call_virtual_waits_slow(caplog: pytest.LogCaptureFixture) -> None:
    async def main() -> None:
        current().clock.advance(100)
        await asyncio.sleep(100)

    with fresh() as runner:
        runner.get_loop().set_debug(True)
        runner.run(main())
    assert "Executing" not in caplog.text


def test_thread_may_call_in_from_outside() -> None:
    async def main() -> tuple[str, float]:
        loop = current()
        answer: asyncio.Future[str] = loop.create_future()
        go = threading.Event()

        def work() -> None:
            go.wait(5)
            loop.call_soon_threadsafe(answer.set_result, "done")

        thread = threading.Thread(target=work)
        thread.start()
        with loop.external_work("my thread"):
            assert loop.outside() == ["my thread"]
            loop.call_soon(go.set)
            async with asyncio.timeout(3600):
                result = await answer
        thread.join()
        return result, loop.time()

    assert run(main()) == ("done", 0.0)


# -- work outside ---------------------------------------------------------------------------


def test_time_does_not_jump_over_a_thread_job() -> None:
    async def main() -> tuple[str, float]:
        async with asyncio.timeout(60):
            result = await asyncio.to_thread(lambda: time.sleep(0.05) or "worked")
        return result, current().time()

    assert run(main()) == ("worked", 0.0)


def test_time_does_not_jump_over_a_job_of_an_executor_of_the_user() -> None:
    async def main() -> tuple[str, float]:
        with concurrent.futures.ThreadPoolExecutor(1) as pool:
            async with asyncio.timeout(60):
                job = current().run_in_executor(pool, lambda: time.sleep(0.05) or "worked")
                result = await job
        return result, current().time()

    assert run(main()) == ("worked", 0.0)


def test_timeout_around_a_stuck_thread_fires_at_its_real_pace() -> None:
    release = threading.Event()

    async def main() -> tuple[float, float]:
        before = time.monotonic()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(0.2):
                await asyncio.to_thread(release.wait, 30)
        took = time.monotonic() - before
        release.set()
        return took, current().time()

    took, now = run(main())
    assert 0.19 <= took < 5.0
    assert now == 0.2


def test_after_a_second_of_work_outside_time_passes_as_outside() -> None:
    async def main() -> tuple[float, int]:
        loop = current()
        beats = 0

        async def heart() -> None:
            nonlocal beats
            while True:
                await asyncio.sleep(0.1)
                beats += 1

        task = asyncio.create_task(heart())
        await asyncio.to_thread(time.sleep, 1.5)
        task.cancel()
        return loop.time(), beats

    now, beats = run(main())
    assert 1.2 <= now < 5.0
    assert 12 <= beats < 50


def test_chatter_from_outside_does_not_keep_an_overall_timeout_from_firing() -> None:
    async def main() -> float:
        loop = current()
        left, right = socket.socketpair()
        left.setblocking(False)
        right.setblocking(False)

        async def echo() -> None:
            while True:
                await loop.sock_sendall(right, await loop.sock_recv(right, 1))

        async def ping_pong() -> None:
            while True:
                async with asyncio.timeout(30):  # armed anew for each round
                    await loop.sock_sendall(left, b"x")
                    await loop.sock_recv(left, 1)

        with left, right:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(0.3), asyncio.TaskGroup() as group:
                    group.create_task(echo())
                    await ping_pong()
        return loop.time()

    assert 0.3 <= run(main()) < 1.0


def test_cancelled_job_of_a_closed_loop_calls_nobody() -> None:
    release = threading.Event()
    pool = concurrent.futures.ThreadPoolExecutor(1)

    async def main() -> None:
        job = current().run_in_executor(pool, release.wait, 30)
        await asyncio.sleep(0)
        job.cancel()

    run(main())
    release.set()
    pool.shutdown(wait=True)


def test_time_waits_for_child_processes() -> None:
    async def main() -> tuple[int | None, bytes, float]:
        program = "import time; time.sleep(0.1); print('out')"
        child = await asyncio.create_subprocess_exec(
            sys.executable, "-c", program, stdout=asyncio.subprocess.PIPE
        )
        assert [line for line in current().outside() if line.startswith("child process")]
        async with asyncio.timeout(600):
            out, _ = await child.communicate()
        return child.returncode, out, current().time()

    code, out, now = run(main())
    assert (code, out) == (0, b"out\n")
    assert now < 60.0


def test_server_in_this_process_answers_before_any_timeout() -> None:
    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readline()
        await asyncio.sleep(2)  # virtual
        writer.write(b"pong\n")
        await writer.drain()
        writer.close()
        await writer.wait_closed()

    async def main() -> tuple[list[bytes], float]:
        server = await asyncio.start_server(answer, "127.0.0.1", 0)
        port = server.sockets[0].getsockname()[1]
        answers = []
        for _ in range(3):
            async with asyncio.timeout(5):
                reader, writer = await asyncio.open_connection("127.0.0.1", port)
                writer.write(b"ping\n")
                answers.append(await reader.readline())
                writer.close()
                await writer.wait_closed()
        server.close()
        await server.wait_closed()
        return answers, current().time()

    answers, now = run(main())
    assert answers == [b"pong\n"] * 3
    assert now == 6.0


def test_idle_listener_does_not_slow_the_jumps() -> None:
    async def main() -> None:
        server = await asyncio.start_server(lambda *_: None, "127.0.0.1", 0)
        for _ in range(2000):
            await asyncio.sleep(1)
        server.close()
        await server.wait_closed()

    before = time.monotonic()
    run(main())
    assert time.monotonic() - before < 10.0  # with the grace of 20 ms it would be 40


def test_httpx_against_a_server_here_behaves_under_virtual_time() -> None:
    httpx = pytest.importorskip("httpx")
    body = b"hello"
    head = f"HTTP/1.1 200 OK\r\ncontent-length: {len(body)}\r\n\r\n".encode()
    slow = asyncio.Event()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(asyncio.IncompleteReadError):
            while True:
                request = await reader.readuntil(b"\r\n\r\n")
                if b"/slow" in request:
                    await slow.wait()
                writer.write(head + body)
        writer.close()
        await writer.wait_closed()

    async def main() -> tuple[list[str], str]:
        server = await asyncio.start_server(serve, "127.0.0.1", 0)
        url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
        texts = []
        async with httpx.AsyncClient(timeout=5.0, trust_env=False) as client:
            for _ in range(5):
                texts.append((await client.get(url)).text)
                await asyncio.sleep(60)
            try:
                await client.get(url + "/slow")
                late = "answered"
            except httpx.ReadTimeout:
                late = "timed out"
            slow.set()
        server.close()
        await server.wait_closed()
        await asyncio.sleep(1)  # the handlers see their clients go, and close
        return texts, late

    assert run(main()) == (["hello"] * 5, "timed out")


def test_anyio_works_on_the_virtual_loop() -> None:
    anyio = pytest.importorskip("anyio")

    async def main() -> tuple[bool, str, float]:
        with anyio.move_on_after(5) as scope:
            await anyio.sleep(100)
        async with anyio.create_task_group() as group:
            group.start_soon(anyio.sleep, 3)
            word = await anyio.to_thread.run_sync(lambda: "threaded")
        return scope.cancelled_caught, word, current().time()

    assert run(main()) == (True, "threaded", 8.0)


def test_thread_that_nobody_announced_gets_a_grace_before_each_jump() -> None:
    async def main() -> tuple[str, float]:
        loop = current()
        answer: asyncio.Future[str] = loop.create_future()
        thread = threading.Thread(
            target=lambda: loop.call_soon_threadsafe(answer.set_result, "in time")
        )
        loop.call_soon(thread.start)
        async with asyncio.timeout(3600):
            result = await answer
        thread.join()
        return result, loop.time()

    assert run(main(), grace=5.0) == ("in time", 0.0)


def test_thread_that_nobody_announced_and_that_is_slow_is_overtaken_by_timers() -> None:
    release = threading.Event()

    async def main() -> float:
        thread = threading.Thread(target=release.wait, args=(30,))
        thread.start()
        try:
            await asyncio.sleep(3600)
        finally:
            release.set()
            thread.join()
        return current().time()

    assert run(main()) == 3600.0


# -- deadlocks ---------------------------------------------------------------------------


def test_deadlock_names_each_pending_task_and_the_line_where_it_waits() -> None:
    async def deep(event: asyncio.Event) -> None:
        await event.wait()

    async def main() -> None:
        async def lost() -> None:
            await deep(asyncio.Event())

        asyncio.create_task(lost(), name="lost one")
        await deep(asyncio.Event())

    with pytest.raises(VirtualDeadlockError) as caught:
        run(main())

    text = str(caught.value)
    assert "nothing is ready, no timer is armed, nothing outside is under way" in text
    assert "task 'lost one' (" in text
    assert "test_loop.py" in text
    assert (
        "in test_deadlock_names_each_pending_task_and_the_line_where_it_waits.<locals>.deep" in text
    )
    assert "waiting in Event.wait" in text
    assert len(caught.value.tasks) == 2


def test_runner_cleans_up_after_a_deadlock() -> None:
    cleaned: list[str] = []

    async def main() -> None:
        try:
            await asyncio.Event().wait()
        finally:
            await asyncio.sleep(1)
            cleaned.append("up")

    with pytest.raises(VirtualDeadlockError):
        run(main())
    assert cleaned == ["up"]


def test_deadlock_reaches_whoever_awaits_a_turn() -> None:
    async def main() -> str:
        try:
            while True:
                await current().turn()
        except VirtualDeadlockError as error:
            return error.why

    assert "nothing is ready" in run(main())


def test_lost_wake_up_beside_a_periodic_timer_is_found() -> None:
    async def main() -> None:
        async def heart() -> None:
            while True:
                await asyncio.sleep(5)

        beating = asyncio.create_task(heart(), name="heart")
        try:
            await asyncio.Event().wait()
        finally:
            beating.cancel()

    with pytest.raises(VirtualDeadlockError, match=r"(?s)1000 jumps in one run.*'heart'"):
        run(main(), max_jumps=1000)


def test_silent_stranger_is_given_patience_and_then_called_a_deadlock() -> None:
    async def main() -> None:
        left, right = socket.socketpair()
        left.setblocking(False)
        with left, right:
            await current().sock_recv(left, 1)

    before = time.monotonic()
    with pytest.raises(VirtualDeadlockError, match=r"silent for 0\.2 real seconds"):
        run(main(), patience=0.2)
    assert time.monotonic() - before >= 0.2


# -- against a model ------------------------------------------------------------------------

UNIT = 0.25  # a power of two: sums are exact, so the model can compare with ==
quick = settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow], database=None
)
ticks = st.integers(1, 40)
step = st.one_of(
    st.tuples(st.just("sleep"), ticks),
    st.tuples(st.just("yield"), st.just(0)),
    st.tuples(st.just("thread"), st.just(0)),
    st.tuples(st.sampled_from(["timeout", "wait_for"]), ticks, ticks).filter(
        lambda op: op[1] != op[2]  # asyncio leaves a tie open
    ),
    st.tuples(st.just("group"), st.lists(ticks, min_size=1, max_size=3)),
)
programs = st.lists(st.lists(step, max_size=4), min_size=1, max_size=4)
Log = list[tuple[float, int, str]]


def model(program: list[Any], number: int) -> Log:
    """What asyncio's documentation promises for one program, as (time, program, outcome)."""
    now, log = 0.0, []
    for op, *args in program:
        outcome = "ok"
        match op:
            case "sleep":
                now += args[0] * UNIT
            case "timeout" | "wait_for":
                limit, length = args
                now += min(limit, length) * UNIT
                outcome = "ok" if length < limit else "timeout"
            case "group":
                now += max(args[0]) * UNIT
        log.append((now, number, f"{op} {outcome}"))
    return log


async def play(program: list[Any], number: int, log: Log) -> None:
    for op, *args in program:
        outcome = "ok"
        try:
            await perform(op, args)
        except TimeoutError:
            outcome = "timeout"
        log.append((current().time(), number, f"{op} {outcome}"))


async def perform(op: str, args: list[Any]) -> None:
    match op:
        case "sleep":
            await asyncio.sleep(args[0] * UNIT)
        case "yield":
            await asyncio.sleep(0)
        case "thread":
            await asyncio.to_thread(int)
        case "timeout":
            async with asyncio.timeout(args[0] * UNIT):
                await asyncio.sleep(args[1] * UNIT)
        case "wait_for":
            await asyncio.wait_for(asyncio.sleep(args[1] * UNIT), args[0] * UNIT)
        case "group":
            async with asyncio.TaskGroup() as group:
                for length in args[0]:
                    group.create_task(asyncio.sleep(length * UNIT))


@quick
@given(programs)
def test_programs_do_what_asyncio_documents_at_the_documented_times(programs: list[Any]) -> None:
    async def main() -> Log:
        log: Log = []
        await asyncio.gather(*(play(one, number, log) for number, one in enumerate(programs)))
        return log

    log = run(main())

    assert [entry[0] for entry in log] == sorted(entry[0] for entry in log)
    for number, one in enumerate(programs):
        assert [entry for entry in log if entry[1] == number] == model(one, number)


@quick
@given(st.lists(st.tuples(ticks, st.booleans()), max_size=30))
def test_timers_that_are_not_cancelled_run_once_each_in_order(timers: list[Any]) -> None:
    async def main() -> list[tuple[float, float]]:
        loop, ran = current(), []

        def fire(due: float) -> None:
            ran.append((due, loop.time()))

        handles = [(loop.call_at(n * UNIT, fire, n * UNIT), keep) for n, keep in timers]
        for handle, keep in handles:
            if not keep:
                handle.cancel()
        await asyncio.sleep(100)
        return ran

    ran = run(main())

    assert [due for due, _ in ran] == sorted(n * UNIT for n, keep in timers if keep)
    assert all(due == now for due, now in ran)


@quick
@given(st.lists(st.integers(0, 3), min_size=1, max_size=8))
def test_run_on_the_virtual_loop_repeats_exactly(yields: list[int]) -> None:
    async def main() -> list[tuple[float, int]]:
        log: list[tuple[float, int]] = []

        async def worker(number: int, count: int) -> None:
            for _ in range(count):
                await asyncio.sleep(0)
                await asyncio.sleep(count)
                log.append((current().time(), number))

        await asyncio.gather(*(worker(*pair) for pair in enumerate(yields)))
        return log

    assert run(main()) == run(main())
