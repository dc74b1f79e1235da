"""Who waits, in which order, for how long, and for which run: counted in virtual time, without a program."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

import suptree as st
from suptree.errors import BadArgumentError
from suptree.otp import sys
from suptree.services import (
    AnyArguments,
    CommandLostError,
    CommandNotAllowedError,
    CommandRule,
    CommandTimeoutError,
    SystemCommandManager,
    TooManyCommandsError,
)
from suptree.services.commands.outcome import Captured, RunOutcome
from suptree.services.commands.run import Began, Job, Order, Over, Peek, Seen
from suptree.services.commands.server import CommandServer, Family, Terms
from suptree.services.commands.settings import CommandOptions, HeldOptions
from suptree.services.commands.spec import Command
from suptree.testing import wait_down

pytestmark = pytest.mark.suptree_loop("virtual")  # they count seconds, exactly

execute = SystemCommandManager.execute
RULES = {
    "work": CommandRule(arguments=AnyArguments(), grace=0.5),
    "short": CommandRule(cache_ttl=5.0),
    "bad": CommandRule(),
}


async def pretend(manager: st.Pid[Any], guardians: str, job: Job) -> None:
    """In the place of a run: takes as many seconds as its last argument says, and 0.5 to be ended."""
    st.send(manager, Began(job.run, "none"))
    started = job.command.shown
    seconds = float(started[-1]) if started else 1.0
    until = now() + seconds
    how: Any = "exited"
    while now() < until:
        try:
            message = await st.receive(timeout=until - now())
        except st.ReceiveTimeoutError:
            break
        if isinstance(message, Peek):
            st.send(manager, Seen(job.run, message.ticket, Captured(b"half", b"", 4, 0)))
        elif isinstance(message, Order):
            how, until = "stopped", now() + job.rule.grace
    code = 1 if job.command.name == "bad" else 0
    captured = Captured(b"%d" % job.run, b"", 1, 0)
    outcome = RunOutcome(how=how, code=code, captured=captured, duration_s=seconds)
    st.send(manager, Over(job.run, outcome))


def now() -> float:
    return asyncio.get_running_loop().time()


async def family() -> Family:
    return Family("c.runs", "c.guardian")


async def service(**options: Any) -> None:
    await st.TaskSupervisor.start_link(name="c.runs")
    held = HeldOptions(CommandOptions(**options))
    server = st.child(CommandServer, RULES, held, family, conduct=pretend)
    await server.with_(name="c.server").start_link()


async def stats() -> Any:
    return await SystemCommandManager.stats("c")


async def work(name: str, seconds: float, **options: Any) -> Any:
    return await execute("c", "work", [name, f"{seconds}"], **options)


def begin(name: str, seconds: float, **options: Any) -> st.Task[Any]:
    return st.Task.async_(work, name, seconds, **options)


async def fails(task: st.Task[Any], kind: type[BaseException]) -> Any:
    """What the call of that task raised; the tasks are made by `attempt`."""
    error = await st.Task.await_(task, timeout=1000.0)
    assert isinstance(error, kind)
    return error


def attempt(name: str, seconds: float, **options: Any) -> st.Task[Any]:
    async def tried() -> Any:
        try:
            return await work(name, seconds, **options)
        except st.SuptreeError as error:
            return error

    return st.Task.async_(tried)


# -- room -----------------------------------------------------------------------------------------


async def test_so_many_run_so_many_wait_and_one_more_is_refused_at_once(runtime):
    await service(max_concurrency=2, max_queued=3)
    tasks = [begin(str(number), 1.0) for number in range(5)]
    while (await stats()).queued < 3:
        await asyncio.sleep(0)
    start = now()

    with pytest.raises(TooManyCommandsError, match="2 commands run and 3 wait") as caught:
        await work("one more", 1.0)

    assert (now(), caught.value.running, caught.value.queued) == (start, 2, 3)
    await st.Task.await_many(tasks, timeout=60.0)
    assert now() - start == pytest.approx(3.0)


async def test_five_run_at_once_by_default(runtime):
    await service()
    tasks = [begin(str(number), 1.0) for number in range(12)]

    await st.Task.await_many(tasks, timeout=60.0)

    assert now() == pytest.approx(3.0, abs=0.01)


async def test_those_who_wait_have_their_turn_in_the_order_in_which_they_came(runtime):
    await service(max_concurrency=1)
    tasks = []
    for number in range(5):
        tasks.append(begin(str(number), 1.0))
        await asyncio.sleep(0.01)

    results = await st.Task.await_many(tasks, timeout=60.0)

    runs = [int(one.stdout) for one in results]
    assert runs == sorted(runs)


async def test_whose_turn_does_not_come_in_time_is_told_so_and_nothing_runs_for_it(runtime):
    await service(max_concurrency=1)
    first = begin("long", 5.0)
    await asyncio.sleep(0.1)

    with pytest.raises(CommandTimeoutError, match="its turn did not come within 2 s") as caught:
        await work("other", 1.0, timeout=2.0)

    assert (caught.value.began, caught.value.gone, now()) == (False, True, pytest.approx(2.1))
    await st.Task.await_(first)
    assert (await stats()).started == 1


# -- time -----------------------------------------------------------------------------------------


async def test_a_command_has_ten_seconds_unless_somebody_says_otherwise(runtime):
    await service()

    with pytest.raises(CommandTimeoutError, match="not done within 10 s"):
        await work("x", 1000.0)

    assert now() == pytest.approx(10.5)  # with the half second that it has to end


async def test_a_slot_is_free_only_when_the_command_is_gone(runtime):
    await service(max_concurrency=1)
    first = attempt("first", 1000.0, timeout=1.0)
    await asyncio.sleep(0.1)

    await work("second", 0.0)

    assert now() == pytest.approx(1.5)
    await fails(first, CommandTimeoutError)


async def test_the_limit_is_the_time_that_the_callers_caller_still_waits(runtime):
    seen: list[Any] = []
    runtime.propagator = st.ContextPropagator()
    runtime.telemetry.attach(
        "t", "suptree.command.requested", lambda _, n, __: seen.append(dict(n))
    )
    await service()
    front = await Front.start_link()

    with pytest.raises(st.CallTimeoutError):
        await Front.ask.within(2.0)(front)
    while not front_saw:
        await asyncio.sleep(0.01)

    assert seen == [{"limit_s": 2.0, "time_left_s": 2.0}]
    error = front_saw.pop()
    assert (type(error), error.timeout, error.gone) == (CommandTimeoutError, 2.0, False)
    await idle()
    assert now() == pytest.approx(2.5, abs=0.05)
    assert (await stats()).stopped == 1


async def test_a_shorter_timeout_goes_before_a_longer_deadline(runtime):
    seen: list[Any] = []
    runtime.propagator = st.ContextPropagator()
    runtime.telemetry.attach(
        "t", "suptree.command.requested", lambda _, n, __: seen.append(dict(n))
    )
    await service()
    front = await Front.start_link()

    answer = await Front.ask_for.within(60.0)(front, 3.0)

    assert answer == "CommandTimeoutError"
    assert seen == [{"limit_s": 3.0, "time_left_s": 60.0}]


async def test_without_a_deadline_none_is_told(runtime):
    seen: list[Any] = []
    runtime.telemetry.attach(
        "t", "suptree.command.requested", lambda _, n, __: seen.append(dict(n))
    )
    await service()

    await work("x", 1.0)

    assert seen == [{"limit_s": 10.0}]


front_saw: list[Any] = []


class Front(st.GenServer):
    """Asks for a command on behalf of somebody."""

    @st.call
    async def ask(self) -> None:
        try:
            await work("x", 1000.0)
        except CommandTimeoutError as error:
            front_saw.append(error)

    @st.call
    async def ask_for(self, timeout: float) -> str:
        try:
            await work("x", 1000.0, timeout=timeout)
        except CommandTimeoutError as error:
            return type(error).__name__
        return ""


async def test_no_timer_is_left_when_a_command_has_ended_in_time(runtime):
    await service()
    for number in range(50):
        await work(str(number), 0.01)
    one = runtime.info("c.server").timers

    await asyncio.sleep(11.0)  # for that time the one alarm was armed, for whoever came first

    assert len(one) <= 1
    assert runtime.info("c.server").timers == ()


# -- one run for many -------------------------------------------------------------------------------


async def test_equal_commands_at_the_same_time_are_one_run(runtime):
    await service()
    tasks = [begin("x", 1.0) for _ in range(20)]

    results = await st.Task.await_many(tasks, timeout=60.0)

    assert len({one.stdout for one in results}) == 1
    found = await stats()
    assert (found.started, found.joined) == (1, 19)


@pytest.mark.parametrize("options", [{"use_cache": False}, {"cache_ttl": 0.0}])
async def test_who_wants_a_run_of_its_own_gets_one(runtime, options):
    await service()
    first = begin("x", 1.0)
    await asyncio.sleep(0.1)

    second = await work("x", 1.0, **options)

    assert (await st.Task.await_(first)).stdout != second.stdout
    assert (await stats()).joined == 0


async def test_each_of_those_who_share_a_run_has_its_own_time(runtime):
    await service()
    long = begin("x", 5.0, timeout=8.0)
    await asyncio.sleep(0.1)

    with pytest.raises(CommandTimeoutError) as caught:
        await work("x", 5.0, timeout=1.0)

    assert now() == pytest.approx(1.1)
    assert (caught.value.stdout, caught.value.gone) == (b"half", False)
    assert (await st.Task.await_(long, timeout=60.0)).ok
    assert now() == pytest.approx(5.0, abs=0.01)


async def test_a_run_that_comes_to_its_end_is_shared_by_nobody_new(runtime):
    await service()
    first = attempt("x", 1000.0, timeout=1.0)
    await asyncio.sleep(1.2)

    second = attempt("x", 1000.0, timeout=1.0)
    await asyncio.sleep(0.1)
    assert (await stats()).joined == 0

    await fails(first, CommandTimeoutError)
    await fails(second, CommandTimeoutError)
    assert (await stats()).started == 2


async def test_a_run_of_which_every_caller_has_left_is_ended(runtime):
    await service()
    callers = [runtime.spawn(work, "x", 1000.0) for _ in range(3)]
    await asyncio.sleep(1.0)

    for caller in callers:
        st.exit(caller, st.KILL)
        await wait_down(caller)
    await idle()

    found = await stats()
    assert (found.started, found.stopped, found.waiting, now()) == (
        1,
        1,
        0,
        pytest.approx(1.5, abs=0.05),
    )


async def test_who_is_cancelled_in_the_queue_leaves_no_trace(runtime):
    await service(max_concurrency=1)
    first = begin("x", 1.0)
    await asyncio.sleep(0.1)
    second = asyncio.ensure_future(work("y", 1.0))
    await asyncio.sleep(0.1)

    second.cancel()
    await asyncio.wait([second])

    found = await stats()
    assert (found.queued, found.waiting) == (0, 1)
    await st.Task.await_(first)


# -- the cache ----------------------------------------------------------------------------------------


async def test_a_result_is_good_for_thirty_seconds_by_default(runtime):
    await service()
    first = await work("x", 0.0)
    await asyncio.sleep(29.0)
    second = await work("x", 0.0)
    await asyncio.sleep(1.5)
    third = await work("x", 0.0)

    assert (first.cached, second.cached, third.cached) == (False, True, False)
    assert (second.stdout, second.age) == (first.stdout, pytest.approx(29.0, abs=0.01))
    assert (await stats()).cache_hits == 1


async def test_its_rule_may_say_for_how_long_a_result_is_good_and_a_caller_too(runtime):
    await service()
    await execute("c", "short")
    await asyncio.sleep(4.0)
    assert not (await execute("c", "short", cache_ttl=3.0)).cached
    await asyncio.sleep(2.0)
    assert (await execute("c", "short", cache_ttl=100.0)).cached
    await asyncio.sleep(2.0)
    assert not (await execute("c", "short")).cached


async def test_only_good_results_are_kept(runtime):
    await service()

    assert (await execute("c", "bad")).exit_code == 1
    assert not (await execute("c", "bad")).cached


async def test_a_cleared_cache_has_nothing(runtime):
    await service()
    await work("x", 0.0)
    await work("y", 0.0)

    assert await SystemCommandManager.clear_cache("c") == 2
    assert not (await work("x", 0.0)).cached


# -- changes and losses ---------------------------------------------------------------------------------


async def test_a_command_that_is_forbidden_while_it_waits_is_refused_and_what_runs_goes_on(runtime):
    await service(max_concurrency=1)
    running = begin("x", 1.0)
    await asyncio.sleep(0.1)
    waiting = attempt("y", 1.0)
    await asyncio.sleep(0.1)

    await SystemCommandManager.update_allowed_commands("c", forbid=["work"])

    await fails(waiting, CommandNotAllowedError)
    assert (await st.Task.await_(running)).ok
    assert (await stats()).running == 0


async def test_a_run_whose_process_is_killed_is_lost_and_its_place_is_free(runtime):
    await service(max_concurrency=1)
    call = attempt("x", 1000.0)
    await asyncio.sleep(0.1)
    (run,) = await st.TaskSupervisor.children("c.runs")

    st.exit(run, st.KILL)

    await fails(call, CommandLostError)
    assert (await work("y", 0.0)).ok


async def test_nobody_waits_for_ever_when_the_supervisor_of_the_runs_is_gone(runtime):
    await service()
    runs = st.whereis("c.runs")
    assert runs is not None
    await st.TaskSupervisor.stop("c.runs")

    with pytest.raises(st.SuptreeError, match="could not be started"):
        await work("x", 1.0)

    assert (await stats()).running == 0


async def test_other_bounds_hold_for_what_comes_and_more_room_is_used_at_once(runtime):
    await service(max_concurrency=1)
    tasks = [begin(str(number), 1.0) for number in range(4)]
    await asyncio.sleep(0.1)

    await SystemCommandManager.reconfigure("c", max_concurrency=4, timeout=1.5, cache_entries=0)

    await st.Task.await_many(tasks, timeout=60.0)
    assert now() == pytest.approx(1.1)
    assert (await stats()).cached == 0
    with pytest.raises(CommandTimeoutError, match=r"within 1\.5 s"):
        await work("x", 1000.0)
    with pytest.raises(BadArgumentError, match="max_concurrency must be"):
        await SystemCommandManager.reconfigure("c", max_concurrency=0)


async def test_two_who_change_bounds_at_once_change_both(runtime):
    await service()
    await sys.suspend("c.server")
    changes = [
        asyncio.create_task(SystemCommandManager.reconfigure("c", max_concurrency=7)),
        asyncio.create_task(SystemCommandManager.reconfigure("c", cache_ttl=7.0)),
    ]
    await asyncio.sleep(0.1)
    await sys.resume("c.server")
    await asyncio.gather(*changes)

    terms = await CommandServer.terms("c.server", Command("work"))
    assert isinstance(terms, Terms)
    assert (terms.options.max_concurrency, terms.options.cache_ttl) == (7, 7.0)


async def idle() -> None:
    while (await stats()).running:
        await asyncio.sleep(0.01)
