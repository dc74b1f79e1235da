"""The laws of the core (docs/explanation/laws.md), those that no other file of this folder shows.

Law 3 is in test_unwinding.py, 6 and 7 in test_lifetime.py, 8 in test_portal.py, most of 15 in test_propagation.py.
"""

from __future__ import annotations

import asyncio
import contextlib
import contextvars
import os
import pickle

import pytest

import suptree as st
from suptree.core import IDLE, RESTING, KernelBody, asyncio_private
from suptree.testing import turn, wait_down, wait_until
from tests.depth import at_depth


async def wait_for_ever() -> None:
    await st.receive(lambda message: False)


class Echo(st.GenServer):
    """Answers at once."""

    @st.call
    def echo(self, value: object) -> object:
        return value


# -- 1: stepping ------------------------------------------------------------------------


class Link(st.GenServer):
    """Defers each answer until the next server in the chain has answered."""

    def __init__(self, following: st.Pid[Link] | None) -> None:
        self.following = following

    @st.call
    async def ask(self) -> int:
        if self.following is None:
            return 0
        return 1 + await Link.ask(self.following)


class Holder(st.GenServer):
    """Keeps its callers waiting, and answers each when the one before was answered."""

    def __init__(self) -> None:
        self.waiting: list[st.ReplyTo] = []

    @st.call
    def hold(self) -> st.NoReply:
        self.waiting.append(self.sender)
        return st.NoReply()

    @st.call
    def release(self) -> int:
        count = len(self.waiting)
        if self.waiting:
            self.reply(self.waiting.pop(), None)
        return count


async def test_law1_four_hundred_chained_deferred_replies_do_not_recurse(runtime):
    holder = await Holder.start()

    async def client() -> None:
        await Holder.hold(holder)
        await Holder.release(holder)  # each answer releases the next waiter

    pids = [runtime.spawn(client) for _ in range(400)]
    downs = [runtime.down_slot(pid) for pid in pids]
    await wait_until(lambda: len(holder._process.server.waiting) == 400)
    await Holder.release(holder)

    assert {await down for down in downs} == {st.NORMAL}


async def test_law1_a_chain_of_four_hundred_calls_answers(runtime):
    pid = None
    for _ in range(401):
        pid = await Link.start(pid)
    assert pid is not None

    assert await Link.ask(pid) == 400


async def test_law1_a_reply_made_inside_a_direct_call_steps_its_waiter_later(runtime):
    holder = await Holder.start()
    order = []

    async def waiter() -> None:
        await Holder.hold(holder)
        order.append("waiter")

    pid = runtime.spawn(waiter)
    down = runtime.down_slot(pid)
    await wait_until(lambda: holder._process.server.waiting)
    await Holder.release(holder)
    order.append("releaser")
    await down

    assert sorted(order) == ["releaser", "waiter"]


# -- 2: a synchronous turn is atomic ---------------------------------------------------------


class Suicidal(st.GenServer):
    """Is killed by others, or exits, while it is on the stack."""

    log: list[object] = []

    @st.call
    def killed_on_the_stack(self) -> str:
        self._process.runtime.exit(self.pid, "bullet", None)
        Suicidal.log.append("went on")
        return "answer"

    @st.call
    def exits(self) -> str:
        st.exit("mine")
        raise AssertionError("went on")

    @st.call
    def exits_by_pid(self) -> str:
        st.exit(self.pid, "mine")
        raise AssertionError("went on")

    @st.cast
    def next_message(self) -> None:
        Suicidal.log.append("next message")


async def test_law2_a_signal_for_a_process_on_the_stack_waits_for_the_end_of_its_turn(runtime):
    Suicidal.log.clear()
    pid = await Suicidal.start()
    down = runtime.down_slot(pid)

    assert await Suicidal.killed_on_the_stack(pid) == "answer"

    assert await down == "bullet"
    assert Suicidal.log == ["went on"]


async def test_law2_the_signal_comes_before_the_next_message(runtime):
    Suicidal.log.clear()
    pid = await Suicidal.start()
    first = asyncio.create_task(Suicidal.killed_on_the_stack(pid))
    Suicidal.next_message(pid)  # before or behind the call: either way, never after the death
    down = runtime.down_slot(pid)

    assert await down == "bullet"
    assert Suicidal.log[-1] == "went on"
    await first


@pytest.mark.parametrize("request_name", ["exits", "exits_by_pid"])
async def test_law2_exit_on_oneself_happens_at_once(runtime, request_name):
    pid = await Suicidal.start()
    down = runtime.down_slot(pid)
    with pytest.raises(st.ServerExitError) as caught:
        await getattr(Suicidal, request_name)(pid)

    assert caught.value.reason == "mine"
    assert await down == "mine"


async def test_law2_a_caller_killed_by_its_callee_does_not_go_on(runtime):
    class Assassin(st.GenServer):
        @st.call
        def shoot(self, victim: st.Pid[object]) -> str:
            st.exit(victim, "shot")
            return "done"

    assassin = await Assassin.start()
    went_on = []

    async def victim() -> None:
        went_on.append(await Assassin.shoot(assassin, st.current()))

    pid = runtime.spawn(victim)

    assert await wait_down(pid) == "shot"
    assert went_on == []


# -- 4: a supervisor is a kernel coroutine ---------------------------------------------------


class Kernel(KernelBody):
    """Takes two messages, and waits between them for something else than a message."""

    def __init__(self, gate: object) -> None:
        super().__init__()
        self.gate = gate
        self.seen: list[object] = []

    async def main(self) -> object:
        self.started()
        self.seen.append((await self.receive())[1])
        await self.gate
        self.seen.append((await self.receive())[1])
        return "done"


async def test_law4_a_kernel_coroutine_has_no_task_and_serves_no_mailbox_while_it_waits(runtime):
    gate = runtime.park()
    body = Kernel(gate)
    pid = await runtime.start_process(body)
    down = runtime.down_slot(pid)
    st.send(pid, 1)
    st.send(pid, 2)
    await turn(2)

    assert pid._process.task is None
    assert body.seen == [1]
    gate.set(None)
    assert await down == "done"
    assert body.seen == [1, 2]


async def test_law4_a_kernel_coroutine_that_gives_way_lets_others_run(runtime):
    order = []

    class Polite(KernelBody):
        async def main(self) -> object:
            self.started()
            await self.receive()
            for step in range(3):
                order.append(step)
                await self.give_way()
            return st.NORMAL

    class Other(st.GenServer):
        def handle_info(self, message: object) -> None:
            order.append(message)

    polite = await runtime.start_process(Polite())
    other = await Other.start()
    down = runtime.down_slot(polite)
    st.send(polite, "go")
    st.send(other, "other")
    await down
    await turn()

    assert order.index("other") < order.index(2)


# -- 5: finding the runtime -----------------------------------------------------------------------


async def test_law5_code_outside_every_process_finds_the_only_runtime_of_its_loop(runtime):
    pid = runtime.spawn(wait_for_ever, name="worker")
    outside = contextvars.Context()  # a FastAPI request does not inherit the lifespan's context
    found = outside.run(asyncio.ensure_future, look("worker"))

    assert await found is pid


async def look(name: str) -> object:
    return st.whereis(name)


async def test_law5_two_runtimes_in_one_loop_are_ambiguous_for_code_outside(
    runtime, runtime_options
):
    async with st.Runtime(name="second", **runtime_options):
        outside = contextvars.Context()
        with pytest.raises(st.AmbiguousRuntimeError, match=r"'suptree', 'second'.*rt\.whereis"):
            await outside.run(asyncio.ensure_future, look("worker"))


async def test_law5_a_pid_carries_its_runtime(runtime, runtime_options):
    async with st.Runtime(name="second", **runtime_options) as second:
        pid = await Echo.start_link()  # the body belongs to the second runtime
        assert pid.runtime is second

        async def ask(pid: st.Pid[Echo]) -> object:
            return await Echo.echo(pid, 1)

        assert await contextvars.Context().run(asyncio.ensure_future, ask(pid)) == 1


async def test_law5_without_a_runtime_the_error_says_what_to_do():
    with pytest.raises(st.NoRuntimeError, match="async with Runtime"):
        st.whereis("worker")


def test_law5_without_a_loop_the_error_names_the_portal():
    with pytest.raises(st.NoRuntimeError, match="portal"):
        st.whereis("worker")


# -- 9: idle means that a direct call is allowed ------------------------------------------------


async def test_law9_a_server_with_an_idle_timeout_rests_and_is_not_called_directly(runtime):
    class Resting(Echo):
        def init(self) -> st.Timeout:
            return st.Timeout(100.0)

    pid = await Resting.start()
    assert pid._process.state is RESTING

    assert await Resting.echo(pid, 1) == 1
    assert pid._process.state is IDLE  # any message ends the idle timeout


@pytest.mark.suptree_loop("virtual")
async def test_law9_a_reply_that_is_there_beats_the_timeout_after_a_stall(runtime):
    pid = await Echo.start()
    process = pid._process
    process.resting = process.state = RESTING  # calls queue

    async def ask() -> object:
        return await Echo.echo.within(1.0)(pid, "in time")

    asked = asyncio.create_task(ask())
    await asyncio.sleep(0)  # exactly one pass: it has asked, and the server has not run yet
    assert runtime.info(pid).mailbox == 1
    runtime.loop.clock.advance(10.0)  # the loop stalled

    assert await asked == "in time"


async def test_law9_a_server_on_the_stack_is_never_entered_again(runtime):
    class Nested(st.GenServer):
        depth = 0

        @st.call
        async def outer(self) -> list[int]:
            return [await Nested.inner(self.friend)]

        @st.call
        def inner(self) -> int:
            return 1

        @st.call
        def befriend(self, friend: st.Pid[object]) -> None:
            self.friend = friend

    pid = await Nested.start()
    await Nested.befriend(pid, pid)
    with pytest.raises(st.ServerExitError) as caught:
        await Nested.outer(pid)

    assert caught.value.reason.type.endswith("SelfCallError")


async def test_law9_the_state_word_is_right_after_a_handler_raised_cancelled_error(runtime):
    class Server(Echo):
        @st.call
        def cancels(self) -> None:
            raise asyncio.CancelledError

    pid = await Server.start()
    down = runtime.down_slot(pid)
    with pytest.raises(st.ServerExitError):
        await Server.cancels(pid)

    assert (await down).type == "asyncio.exceptions.CancelledError"


# -- 10: by reference --------------------------------------------------------------------------------


async def test_law10_messages_and_replies_pass_by_reference(runtime):
    pid = await Echo.start()
    thing = object()
    st.send(st.current(), thing)

    assert await st.receive() is thing
    assert await Echo.echo(pid, thing) is thing


# -- 11: tasks ----------------------------------------------------------------------------------------


class Cancelled(st.GenServer):
    """Its handler leaves its task with a pending cancellation."""

    @st.call
    async def dirty(self) -> str:
        task = asyncio.current_task()
        assert task is not None
        task.cancel()
        try:
            await asyncio.sleep(1)
        except asyncio.CancelledError:
            return "swallowed"
        return "never"

    @st.call
    async def group(self) -> str:
        async def fail() -> None:
            raise ValueError("its own error")

        try:
            async with asyncio.TaskGroup() as group:
                group.create_task(fail())
        except ExceptionGroup as group_error:
            return str(group_error.exceptions[0])
        return "nothing"

    @st.call
    async def task_id(self) -> int:
        return id(asyncio.current_task())


async def test_law11_the_kept_task_is_dropped_when_a_handler_leaves_it_cancelling(runtime):
    pid = await Cancelled.start()

    assert await Cancelled.dirty(pid) == "swallowed"
    assert await Cancelled.group(pid) == "its own error"


async def test_law11_a_kept_task_serves_many_async_handlers(runtime):
    pid = await Cancelled.start()

    assert len({await Cancelled.task_id(pid) for _ in range(5)}) == 1


async def test_law11_tasks_are_not_made_by_the_task_factory_of_the_host(runtime):
    made = []

    def factory(loop, coro, **options):
        made.append(coro)
        return asyncio.Task(coro, loop=loop, **options)

    runtime.loop.set_task_factory(factory)
    try:
        pid = await Cancelled.start()
        await Cancelled.task_id(pid)
        await wait_down(runtime.spawn(asyncio.sleep, 0))
    finally:
        runtime.loop.set_task_factory(None)

    assert made == []


async def test_async_handlers_may_use_what_asyncio_offers(runtime):
    class Server(st.GenServer):
        @st.call
        async def all_of_it(self) -> list[object]:
            seen: list[object] = []
            try:
                async with asyncio.timeout(0.01):
                    await asyncio.sleep(3600)
            except TimeoutError:
                seen.append("timeout")
            async with asyncio.TaskGroup() as group:
                one = group.create_task(asyncio.sleep(0.01, "one"))
                two = group.create_task(asyncio.sleep(0.01, "two"))
            seen += [one.result(), two.result()]
            seen.append(await asyncio.wait_for(asyncio.shield(asyncio.sleep(0.01, "three")), 5))
            seen.append(await asyncio.to_thread(len, "four"))
            return seen

    pid = await Server.start()

    assert await Server.all_of_it(pid) == ["timeout", "one", "two", "three", 4]


# -- 12: cancel ------------------------------------------------------------------------------------------


async def test_law12_a_cancel_that_nobody_asked_for_is_a_crash(runtime):
    pid = runtime.spawn(wait_for_ever)
    await turn()
    down = runtime.down_slot(pid)
    pid._process.task.cancel()

    reason = await down
    assert isinstance(reason, st.Crashed)
    assert reason.type.endswith("CancelledError")


async def test_law12_a_cancel_of_a_parked_server_task_is_a_crash_of_that_server(runtime):
    pid = await Cancelled.start()
    await Cancelled.task_id(pid)
    await turn()
    down = runtime.down_slot(pid)
    pid._process.task.cancel()

    assert (await down).type.endswith("CancelledError")


def test_law12_when_the_host_cancels_everything_nothing_is_a_crash():
    reasons = []

    async def main() -> None:
        async with st.Runtime() as rt:
            rt.telemetry.attach(
                "test", "suptree.process.*", lambda event, _n, facts: note(event.name, facts)
            )
            await Cancelled.start_link()
            waiting = rt.spawn(wait_for_ever)
            await wait_until(lambda: rt.info(waiting).state == "receiving")
            raise SystemExit(3)  # asyncio.run cancels every task now

    def note(name: str, facts: dict[str, object]) -> None:
        reasons.append((name, facts.get("reason")))

    with pytest.raises(SystemExit):
        asyncio.run(main())

    assert not [one for one in reasons if one[0] == "suptree.process.crashed"]


# -- 13: Ctrl-C -----------------------------------------------------------------------------------------------


async def test_law13_keyboard_interrupt_without_a_signal_is_a_crash_of_that_process(runtime):
    async def work() -> None:
        raise KeyboardInterrupt

    assert (await wait_down(runtime.spawn(work))).type == "KeyboardInterrupt"


async def test_law13_keyboard_interrupt_after_a_signal_is_a_stop_request(runtime_options):
    async def work() -> None:
        raise KeyboardInterrupt

    with pytest.raises(st.RuntimeStoppedError, match="Ctrl-C"):
        async with st.Runtime(**runtime_options) as rt:
            rt.interrupt_hook = lambda: True
            rt.spawn(work)
            await asyncio.sleep(100)


# -- 14: fork and pickling --------------------------------------------------------------------------------------


async def test_law14_pid_ref_runtime_and_pending_answers_refuse_pickling_with_a_hint(runtime):
    pid = st.current()
    ref = st.monitor(pid)
    for thing, hint in [
        (pid, "Send a name"),
        (ref, "its own runtime only"),
        (st.send_after(1, None), "its own runtime only"),
        (runtime, "cannot be pickled"),
        (runtime.park(), "cannot be pickled"),
    ]:
        with pytest.raises(TypeError, match=hint):
            pickle.dumps(thing)


async def test_law14_crashed_crosses_as_data(runtime):
    class Unpicklable(Exception):
        def __reduce__(self) -> object:
            raise TypeError("no")

    async def work() -> None:
        error = Unpicklable("broken")
        error.add_note("a note")
        raise error

    reason = await wait_down(runtime.spawn(work))
    again = pickle.loads(pickle.dumps(reason))

    assert (again.type, again.text, again.notes) == (reason.type, reason.text, reason.notes)
    assert again.traceback == reason.traceback


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork on this platform")
@pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")
async def test_law14_after_fork_the_child_is_told(runtime):
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:  # no assertion here: the child must leave at once
        try:
            st.send(st.current(), 1)
            answer = b"sent"
        except st.ForkedRuntimeError as error:
            answer = str(error).encode()
        except BaseException as error:
            answer = repr(error).encode()
        os.write(writing, answer)
        os._exit(0)
    os.close(writing)
    with os.fdopen(reading, "rb") as pipe:
        said = pipe.read().decode()
    os.waitpid(child, 0)

    assert "belongs to the process that was forked" in said


# -- 15: context --------------------------------------------------------------------------------------------------


VARIABLE: contextvars.ContextVar[str] = contextvars.ContextVar("VARIABLE", default="unset")


async def test_law15_a_process_has_a_copy_of_its_starters_context_and_keeps_its_own(runtime):
    class Server(st.GenServer):
        def init(self) -> None:
            self.at_start = VARIABLE.get()
            VARIABLE.set("of init")

        @st.call
        def see(self) -> tuple[str, str]:
            before = VARIABLE.get()
            VARIABLE.set("of a handler")
            return self.at_start, before

        @st.call
        async def see_later(self) -> str:
            await asyncio.sleep(0)
            return VARIABLE.get()

    VARIABLE.set("of the starter")
    pid = await Server.start()

    assert await Server.see(pid) == ("of the starter", "of init")
    assert await Server.see_later(pid) == "of a handler"
    assert VARIABLE.get() == "of the starter"


# -- 16: call cycles -------------------------------------------------------------------------------------------------


class Ring(st.GenServer):
    """Calls another one while it is called."""

    @st.call
    async def ask(self, *path: st.Pid[Ring]) -> str:
        if not path:
            return "end"
        return await Ring.ask.within(1.0)(path[0], *path[1:])


async def test_law16_the_timeout_of_a_call_cycle_prints_the_chain(runtime):
    a, b = await Ring.start(), await Ring.start()

    with pytest.raises((st.CallTimeoutError, st.ServerExitError)) as caught:
        await Ring.ask.within(0.5)(a, b, a)

    assert f"{a!r} -> {b!r} -> {a!r}" in str(caught.value)


async def test_law16_the_tree_has_the_wait_chain_of_who_waits(runtime):
    a, b = await Ring.start(), await Ring.start()
    Ring.ask.send_request(a, b, a)
    await wait_until(lambda: runtime.info(b).waiting_for == a)

    chains = {node.pid: node.wait_chain for node in runtime.tree()}

    assert chains[a] == (a, b, a)
    assert chains[b] == (b, a, b)
    assert chains[st.current()] == ()  # it has sent, and does not wait


async def test_law16_the_tree_follows_a_long_chain_for_twenty_calls(runtime):
    pids = [await Ring.start() for _ in range(30)]
    Ring.ask.send_request(pids[0], *pids[1:], pids[0])
    await wait_until(lambda: runtime.info(pids[29]).waiting_for == pids[0])

    chains = {node.pid: node.wait_chain for node in runtime.tree()}

    assert chains[pids[0]] == tuple(pids[:21])
    assert runtime.info(pids[0]).wait_chain == (*pids, pids[0])


async def test_law16_a_self_call_is_refused_at_once(runtime):
    a = await Ring.start()
    with pytest.raises(st.ServerExitError) as caught:
        await Ring.ask(a, a)

    assert caught.value.reason.type.endswith("SelfCallError")


# -- 17: the clock ----------------------------------------------------------------------------------------------------


@pytest.mark.suptree_loop("virtual")
async def test_law17_timers_of_asyncio_and_ours_are_of_one_clock(runtime):
    start = runtime.now()
    st.send_after(5, "ours")
    await asyncio.sleep(4.9)
    with pytest.raises(st.ReceiveTimeoutError):
        await st.receive(timeout=0)

    assert await st.receive() == "ours"
    assert runtime.now() - start == pytest.approx(5.0)


# -- 18: private names of asyncio ---------------------------------------------------------------------------------------


async def test_law18_without_a_way_to_hide_tasks_direct_calls_are_off_and_calls_work(
    monkeypatch, runtime_options
):
    monkeypatch.setattr("suptree.core.runtime.task_hiding", lambda loop: None)
    options = {**runtime_options, "direct_call": True}
    async with st.Runtime(**options) as rt:
        pid = await Echo.start()
        assert rt.runqueue.direct_budget == 0
        assert await Echo.echo(pid, 1) == 1


async def test_law18_without_a_way_to_show_tasks_handlers_run_in_their_own(
    monkeypatch, runtime_options
):
    class Asking(st.GenServer):
        @st.call
        async def task(self) -> object:
            return asyncio.current_task()

    monkeypatch.setattr("suptree.core.runtime.task_hiding", lambda loop: None)
    async with st.Runtime(**runtime_options):
        pid = await Asking.start()
        first = await Asking.task(pid)
        assert first is not None
        assert first is not asyncio.current_task()
        assert await Asking.task(pid) is first


async def test_law18_the_probe_finds_hiding_that_does_not_hide(runtime):
    fake = asyncio_private.TaskHiding(lambda: None, lambda task: None)

    assert asyncio_private.hides(runtime.loop, fake) is False
    assert asyncio_private.task_hiding(runtime.loop) is not None


async def test_law18_a_direct_call_hides_the_task_of_the_caller(runtime):
    class Server(st.GenServer):
        @st.call
        def task(self) -> object:
            try:
                return asyncio.current_task()
            except RuntimeError:
                return None

    pid = await Server.start()
    mine = asyncio.current_task()

    assert await Server.task(pid) is None
    assert asyncio.current_task() is mine


# -- a stack that is nearly used up ------------------------------------------------------------


async def test_a_send_that_has_no_room_left_on_the_stack_does_not_stop_the_runtime(runtime):
    me = st.current()
    pid = await Echo.start()
    for left in range(40):
        await asyncio.sleep(0)
        await asyncio.sleep(0)  # the next send has to ask the loop for a turn
        at_depth(left, lambda: Echo.echo.send_request(pid, 1))
        assert await Echo.echo.within(60)(pid, left) == left
    assert me.is_alive()


class Deep(st.GenServer):
    """Answers in every way a handler can."""

    trap_exit = True

    @st.call
    def plain(self) -> int:
        return 1

    @st.call
    def given(self) -> st.Reply[int]:
        return st.Reply(1)

    @st.call
    def asked(self) -> st.NoReply:
        self.reply(self.sender, 1)
        return st.NoReply()

    @st.call
    def stops(self) -> st.Stop:
        return st.Stop("done", 1)

    @st.call
    def raises(self) -> int:
        raise ValueError("boom")

    @st.call
    def warm(self) -> int:
        return 1

    @st.call
    def deeper(self) -> int:
        return self._one()

    def _one(self) -> int:
        return 1


async def test_a_block_ends_at_once_although_a_crash_had_no_room_left_on_the_stack(
    runtime_options,
):
    """The crash is put off, and nobody could be told that there is something to do."""
    loop = asyncio.get_running_loop()
    began = loop.time()
    for left in range(60):
        async with st.Runtime(**runtime_options) as rt:
            pid = await Deep.start()
            await Deep.deeper(pid)
            rt.runqueue.refill()

            def step(pid: st.Pid[Deep] = pid) -> None:
                calling = Deep.deeper(pid)
                with contextlib.suppress(StopIteration, st.ServerExitError):
                    calling.send(None)
                calling.close()

            at_depth(left, step)
    assert loop.time() - began < rt.stop_timeout


@pytest.mark.parametrize("request_name", ["plain", "given", "asked", "stops", "raises"])
async def test_a_direct_call_without_room_on_the_stack_leaves_nobody_waiting(runtime, request_name):
    """The server is as before, or has crashed as one; the host's current task is always there."""
    client = getattr(Deep, request_name)
    task = asyncio.current_task()
    for left in range(60):
        pid = await Deep.start()
        with contextlib.suppress(st.ServerExitError):
            await client(await Deep.start())  # it is known now, and can be called directly
        runtime.runqueue.refill()

        def step(pid: st.Pid[Deep] = pid) -> None:
            calling = client(pid)
            with contextlib.suppress(StopIteration, st.ServerExitError):
                calling.send(None)
            calling.close()

        at_depth(left, step)
        assert asyncio.current_task() is task
        try:
            assert await Deep.warm.within(60)(pid) == 1
        except (st.ServerExitError, st.NoProcessError):
            assert not pid.is_alive()


async def test_an_exit_signal_without_room_on_the_stack_leaves_nobody_waiting(runtime):
    """It is carried out later, or not at all, and then its sender is told."""

    class Holder(st.GenServer):
        @st.call(timeout=None)
        def hold(self) -> st.NoReply:
            return st.NoReply()

    for left in range(60):
        pid = await Holder.start()
        asking = Holder.hold.send_request(pid)
        await turn()
        st.monitor(pid)
        at_depth(left, lambda pid=pid: runtime.exit(pid, st.KILL, None))
        await turn(2)
        st.exit(pid, st.KILL)

        with pytest.raises(st.ServerExitError):
            await asking.response(60)
        assert (await st.receive(st.Down, timeout=60)).process == pid
