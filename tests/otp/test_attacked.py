"""What an attacker found: every one of these once broke a promise, in one mode of calls or in all."""

from __future__ import annotations

import asyncio
import concurrent.futures
import functools
import gc
import threading
from typing import Any

import anyio
import pytest

import suptree as st
from suptree.core import Process
from suptree.testing import turn, wait_down, wait_until
from tests.depth import at_depth, at_depth_async


class Server(st.GenServer):
    """One handler for each attack."""

    @st.call
    def ping(self) -> str:
        return "pong"

    @st.call
    def never(self) -> st.NoReply:
        return st.NoReply()

    @st.call
    def give(self, what: Any) -> Any:
        return what()

    @st.call
    async def run(self, work: Any) -> Any:
        return await work()

    @st.cast
    def note(self) -> None:
        """Nothing."""

    @st.cast
    async def work(self) -> None:
        """Nothing either."""


@pytest.fixture(params=["direct", "queued"])
async def rt(request: Any) -> Any:
    async with st.Runtime(direct_call=request.param == "direct") as runtime:
        yield runtime


# -- cancellation ------------------------------------------------------------------------


async def test_a_cancelled_call_raises_the_message_of_its_cancellation(rt):
    pid = await Server.start()

    async def caller() -> tuple[object, ...]:
        try:
            await Server.never(pid)
        except asyncio.CancelledError as error:
            return error.args
        return ()

    task = asyncio.ensure_future(caller())
    await turn()
    task.cancel("because")
    assert await task == ("because",)


@pytest.mark.parametrize("inside", ["a task", "a handler"])
async def test_the_scopes_of_anyio_end_a_call(rt, inside):
    pid = await Server.start()
    other = await Server.start()
    await Server.run(other, nothing)

    async def scopes() -> list[object]:
        seen: list[object] = []
        with anyio.move_on_after(0.01) as scope:
            await Server.never(pid)
        seen.append(scope.cancelled_caught)
        try:
            with anyio.fail_after(0.01):
                await Server.never(pid)
        except TimeoutError:
            seen.append("failed")
        return seen

    seen = await (scopes() if inside == "a task" else Server.run(other, scopes))
    assert seen == [True, "failed"]


async def nothing() -> None:
    """Waits for nothing."""


# -- replies -------------------------------------------------------------------------------


class Proxy:
    """As an unbound proxy of a web framework: it cannot even be asked what it is."""

    @property
    def __class__(self) -> type:  # type: ignore[override]
        raise RuntimeError("working outside of a request")


class Unhashable(type):
    """Classes that cannot be looked up in a set."""

    __hash__ = None  # type: ignore[assignment]

    def __eq__(cls, other: object) -> bool:
        return NotImplemented


class Odd(metaclass=Unhashable):
    """Its class has no hash."""


@pytest.mark.parametrize("what", [Proxy, Odd])
async def test_a_reply_that_cannot_be_looked_at_is_a_crash_in_every_mode(rt, what):
    pid = await Server.start()
    await Server.ping(pid)

    with pytest.raises(st.ServerExitError):
        await Server.give(pid, what)
    assert not pid.is_alive()


async def test_a_reply_after_one_that_the_handler_sent_is_late_in_every_mode(rt):
    class Twice(st.GenServer):
        @st.call
        def ask(self) -> int:
            self.reply(self.sender, 1)
            return 2

    pid = await Twice.start()
    assert [await Twice.ask(pid), await Twice.ask(pid)] == [1, 1]
    assert rt.losses.late_replies == 2


async def test_a_private_handler_has_a_client(rt):
    class Secretive(st.GenServer):
        @st.call
        def __secret(self) -> int:
            return 7

        @classmethod
        async def ask(cls, pid: st.Pid[Any]) -> int:
            return await cls.__secret(pid)

    pid = await Secretive.start()
    assert [await Secretive.ask(pid), await Secretive.ask(pid)] == [7, 7]


# -- stacks ---------------------------------------------------------------------------------


async def test_a_call_from_deep_in_the_stack_ends_no_server(rt):
    class Needy(st.GenServer):
        @st.call
        def need(self, frames: int) -> int:
            return 0 if frames == 0 else self.need(frames - 1)

    pid = await Needy.start()

    async def deeper(frames: int) -> None:
        await Needy.need(pid, 25)
        if frames:
            await deeper(frames - 1)

    with pytest.raises(RecursionError):
        await deeper(2_000)
    assert pid.is_alive()


async def test_debug_functions_survive_a_call_made_by_the_server_they_look_at(rt):
    class Helper(st.GenServer):
        @st.call
        def answer(self, sender: st.ReplyTo) -> None:
            self.reply(sender, "from the helper")

    class Asker(st.GenServer):
        def __init__(self, helper: st.Pid[Helper]) -> None:
            self.helper = helper

        @st.call
        async def ask(self) -> st.NoReply:
            await Helper.answer(self.helper, self.sender)
            return st.NoReply()

    asker = await Asker.start(await Helper.start())
    await st.sys.statistics(asker)
    for _ in range(3):
        assert await Asker.ask(asker) == "from the helper"
    seen = await st.sys.get_statistics(asker)
    assert seen is not None
    assert seen.messages_in_count == 3


async def test_what_a_dying_server_owns_is_closed_outside_its_callers_task(rt):
    seen: list[object] = []

    class Owner(st.GenServer):
        def __init__(self) -> None:
            self.own(self, lambda _: seen.append(asyncio.current_task()))

        @st.call
        def fall(self) -> str:
            rt.exit(self.pid, st.KILL, None)
            return "answered"

    pid = await Owner.start()
    assert await Owner.fall(pid) == "answered"
    await wait_until(lambda: seen)
    assert seen == [None]


# -- losses and leaks --------------------------------------------------------------------------


async def test_a_cast_to_the_dead_is_refused_outside_its_thread(rt):
    pid = await Server.start()
    await Server.stop(pid)
    raised: list[BaseException] = []

    def elsewhere() -> None:
        try:
            Server.note(pid)
        except BaseException as error:
            raised.append(error)

    thread = threading.Thread(target=elsewhere)
    thread.start()
    thread.join()
    assert [type(error) for error in raised] == [st.WrongThreadError]


async def test_a_cast_whose_handler_never_took_a_step_is_counted_as_unread(rt):
    pid = await Server.start()
    Server.work(pid)
    # After the turn that takes the message, and before the first step of the task that is made for it.
    asyncio.get_running_loop().call_soon(rt.exit, pid, st.KILL, None)
    await wait_down(pid)
    assert rt.losses.unread == 1


def processes() -> int:
    """How many process objects there are, dead ones too."""
    gc.collect()
    return sum(issubclass(type(one), Process) for one in gc.get_objects())


async def test_the_idle_timeout_of_a_server_dies_with_it(rt):
    class Idle(st.GenServer):
        @st.call
        def touch(self) -> Any:
            return st.Reply(1, st.Timeout(1800.0))

    for _ in range(20):
        pid = await Idle.start()
        await Idle.touch(pid)
        await Idle.stop(pid)
    assert rt.ticker.timers.live == 0


async def test_a_line_of_servers_that_call_their_successor_and_stop_leaves_nobody(rt):
    before = processes()
    pid = await Server.start()
    for _ in range(50):
        following = await Server.start()
        await Server.run(pid, lambda following=following: Server.ping(following))
        await Server.stop(pid)
        pid = following
    assert processes() - before < 10


async def test_a_line_of_processes_that_spawn_the_next_and_end_leaves_nobody(rt):
    before = processes()
    done = asyncio.Event()

    def generation(left: int) -> None:
        if left:
            st.spawn_link(generation, left - 1)
        else:
            done.set()

    st.spawn(generation, 200)
    await done.wait()
    await turn(3)
    assert processes() - before < 10


async def test_an_endless_line_of_spawns_carries_only_its_nearest_ancestors(rt):
    lengths: list[int] = []
    done = asyncio.Event()

    def generation(left: int) -> None:
        info = rt.info(st.current())
        assert info is not None
        lengths.append(len(info.ancestors))
        if left:
            st.spawn(generation, left - 1)
        else:
            done.set()

    st.spawn(generation, 200)
    await done.wait()
    assert max(lengths) == 64


# -- arguments -----------------------------------------------------------------------------------


def injecting(handler: Any) -> Any:
    """A decorator that gives the handler an argument more than its client has."""

    @functools.wraps(handler)
    def with_token(self: Any, *args: Any) -> Any:
        return handler(self, "token", *args)

    return with_token


def passing_on(handler: Any) -> Any:
    """A decorator that adds nothing."""

    @functools.wraps(handler)
    def same(self: Any, *args: Any) -> Any:
        return handler(self, *args)

    return same


@pytest.mark.parametrize("again", [False, True])
async def test_a_type_error_under_a_decorator_that_adds_arguments_is_a_crash(rt, again):
    class Injected(st.GenServer):
        @st.call
        @injecting
        def good(self, token: str) -> str:
            return token

        @st.call
        @injecting
        def bad(self, token: str) -> str:
            return token + 1  # type: ignore[operator]

    pid = await Injected.start()
    if again:
        assert await Injected.good(pid) == "token"
    with pytest.raises(st.ServerExitError, match="TypeError"):
        await Injected.bad(pid)
    assert not pid.is_alive()


async def test_what_does_not_fit_a_decorated_handler_is_the_callers_mistake(rt):
    class Decorated(st.GenServer):
        @st.call
        @passing_on
        def take(self, number: int) -> int:
            return number

    pid = await Decorated.start()
    for _ in range(2):
        assert await Decorated.take(pid, 3) == 3
        with pytest.raises(st.BadRequestError):
            await Decorated.take(pid, 3, 4)  # type: ignore[call-arg]
    assert pid.is_alive()


@pytest.mark.parametrize("timeout", [float("nan"), float("inf"), -1.0, "5"])
async def test_no_wait_takes_what_is_no_time(rt, timeout):
    pid = await Server.start()
    requests = st.RequestSet[int]()
    requests.add(Server.never.send_request(pid), 1)
    waits = [
        lambda: Server.never.send_request(pid).response(timeout),
        lambda: Server.never.send_request(pid).wait(timeout),
        lambda: requests.wait_any(timeout),
        lambda: Server.stop(pid, timeout=timeout),
        lambda: st.sys.get_state(pid, timeout=timeout),
    ]
    for wait in waits:
        with pytest.raises((ValueError, TypeError), match="timeout"):
            await wait()
    with pytest.raises(ValueError, match="Hasty: call_timeout"):
        type("Hasty", (Server,), {"call_timeout": timeout, "__qualname__": "Hasty"})
    requests.cancel()
    assert await Server.ping(pid) == "pong"


async def test_a_period_that_the_clock_cannot_tell_is_refused(rt):
    with pytest.raises(ValueError, match="1e-06 at least"):
        st.send_interval(1e-13, "tick")


async def test_ticks_that_are_in_a_mailbox_stay_there_when_the_owner_of_the_timer_dies(rt):
    me = st.current()

    async def owner() -> None:
        rt.ticker.send_after(st.current()._process, me, 0.01, "tick", 0.01)
        await asyncio.sleep(0.035)

    pid = st.spawn(owner)
    await wait_down(pid)
    assert [await st.receive(timeout=0) for _ in range(3)] == ["tick"] * 3


async def test_an_answer_that_comes_as_the_time_of_a_portal_runs_out_is_taken(rt, monkeypatch):
    def answered_at_the_last_moment(futures: Any, timeout: float) -> None:
        for future in futures:
            future.set_result("answer")

    monkeypatch.setattr("concurrent.futures.wait", answered_at_the_last_moment)
    future: concurrent.futures.Future[str] = concurrent.futures.Future()
    assert rt.portal._wait("call", future) == "answer"


# -- the end of the stack ---------------------------------------------------------------------------


@pytest.mark.parametrize("left", range(5, 130, 5))
async def test_a_start_at_the_end_of_the_stack_leaves_nothing_half_made(rt, left):
    alive = set(rt.processes)

    async def named() -> None:
        await st.child(Server).with_(name="named").start_unlinked()

    def starts() -> None:
        st.spawn(nothing)

    at_depth(left, starts)
    await at_depth_async(left, named)
    await turn(3)
    pid = st.whereis("named")
    if pid is None:
        pid = await st.child(Server).with_(name="named").start_unlinked()
    assert await Server.ping(pid) == "pong"
    await Server.stop(pid)
    assert set(rt.processes) == alive


@pytest.mark.parametrize("left", range(5, 130, 5))
async def test_a_registration_at_the_end_of_the_stack_leaves_nothing_half_made(rt, left):
    await st.Registry.start_link(name="registry")

    async def registers() -> None:
        at_depth(left, lambda: st.Registry.register("registry", "key"))

    await wait_down(st.spawn(registers))
    assert st.Registry.count("registry") == 0
