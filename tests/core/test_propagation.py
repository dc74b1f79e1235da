"""Law 15: trace ids and deadlines travel beside messages, when a propagator is attached."""

from __future__ import annotations

import asyncio
import contextvars
import logging
import sys
from typing import Any

import pytest

import suptree as st
from suptree.core import Process
from suptree.testing import turn, wait_down, wait_until

TRACE: contextvars.ContextVar[str] = contextvars.ContextVar("trace", default="none")
TENANT: contextvars.ContextVar[str] = contextvars.ContextVar("tenant")


@pytest.fixture
def traced(runtime: st.Runtime) -> st.Runtime:
    """The runtime, with a propagator for TRACE and deadlines; the test has the trace 't1'."""
    runtime.propagator = st.ContextPropagator(TRACE)
    return runtime


class Seen(st.GenServer):
    """Notes the trace that it sees in each handler."""

    def __init__(self, next_one: st.Pid[Seen] | None = None) -> None:
        self.next_one = next_one
        self.log: list[str] = []
        self.waiting: st.ReplyTo | None = None

    @st.call
    def plain(self) -> str:
        return TRACE.get()

    @st.call
    async def slow(self) -> str:
        before = TRACE.get()
        await asyncio.sleep(0.01)
        return f"{before} {TRACE.get()}"

    @st.call
    def asks_sender(self) -> tuple[str, object]:
        return TRACE.get(), self.sender.pid

    @st.call
    async def through(self) -> str:
        assert self.next_one is not None
        return await Seen.plain(self.next_one)

    @st.call
    def goes_on(self) -> st.Reply[str]:
        return st.Reply(TRACE.get(), st.Continue("more"))

    @st.call
    def changes(self) -> str:
        TRACE.set("changed by the handler")
        return TRACE.get()

    @st.cast
    def note(self) -> None:
        self.log.append(f"cast {TRACE.get()}")

    @st.call
    def log_so_far(self) -> list[str]:
        return list(self.log)

    @st.call
    def arm(self) -> None:
        self.send_after(0.01, "timer")

    @st.call
    def arm_interval(self) -> None:
        self.send_interval(0.01, "tick")

    @st.call
    def arm_left(self) -> None:
        self.send_after(0.01, "left")

    @st.call
    def fail(self) -> None:
        raise ValueError("on purpose")

    @st.call
    def stops(self) -> st.Stop:
        return st.Stop("asked", TRACE.get())

    @st.call
    async def stops_later(self) -> st.Stop:
        await asyncio.sleep(0)
        return st.Stop("asked", TRACE.get())

    @st.call
    def left(self) -> float | None:
        return st.time_left()

    @st.call
    async def left_in_a_task(self) -> float | None:
        return await st.Task.async_(st.time_left)

    @st.call(timeout=60.0)
    async def asks_who_never_answers(self, silent: st.Pid[Seen]) -> None:
        try:
            await Seen.never(silent)
        except st.CallTimeoutError as error:
            self.log.append(str(error))

    @st.call(timeout=None)
    def never(self) -> st.NoReply:
        return st.NoReply()

    def handle_call(self, request: object, sender: st.ReplyTo) -> object:
        return f"{request} {TRACE.get()}"

    def handle_cast(self, request: object) -> None:
        self.log.append(f"{request} {TRACE.get()}")

    def handle_info(self, message: object) -> None:
        if message == "left":
            message = f"left {st.time_left()}"
        self.log.append(f"{message} {TRACE.get()}")

    def handle_continue(self, argument: object) -> None:
        self.log.append(f"{argument} {TRACE.get()}")

    def terminate(self, reason: object) -> None:
        self.log.append(f"terminate {TRACE.get()}")


async def test_law15_without_a_propagator_an_envelope_is_a_plain_tuple(runtime):
    pid = await Seen.start()
    TRACE.set("t1")

    Seen.note(pid)

    process: Any = pid._process
    assert type(process.mailbox[0]) is tuple
    assert await Seen.log_so_far(pid) == ["cast none"]


@pytest.mark.parametrize("request_name", ["plain", "asks_sender", "goes_on"])
async def test_law15_what_the_caller_has_is_current_in_a_plain_handler(traced, request_name):
    pid = await Seen.start()
    TRACE.set("t1")

    answer = await getattr(Seen, request_name)(pid)

    assert answer in ("t1", ("t1", st.current()))


async def test_law15_it_stays_current_while_an_async_handler_waits(traced):
    pid = await Seen.start()
    TRACE.set("t1")
    assert await Seen.slow(pid) == "t1 t1"


async def test_law15_it_goes_on_to_whom_the_handler_calls(traced):
    end = await Seen.start()
    middle = await Seen.start(end)
    TRACE.set("t1")
    assert await Seen.through(middle) == "t1"


async def test_law15_calls_casts_messages_and_requests_carry_it(traced):
    pid = await Seen.start()
    TRACE.set("t1")

    Seen.note(pid)
    st.GenServer.cast(pid, "untyped cast")
    st.send(pid, "message")
    await st.send_wait(pid, "waited for")

    assert await st.GenServer.call(pid, "untyped call") == "untyped call t1"
    assert await st.send_request(pid, "request") == "request t1"
    assert await Seen.plain.send_request(pid) == "t1"
    assert await Seen.log_so_far(pid) == [
        "cast t1",
        "untyped cast t1",
        "message t1",
        "waited for t1",
    ]


async def test_law15_a_continue_belongs_to_the_message_that_asked_for_it(traced):
    pid = await Seen.start()
    TRACE.set("t1")
    await Seen.goes_on(pid)
    TRACE.set("t2")
    assert await Seen.log_so_far(pid) == ["more t1"]


async def test_law15_a_timer_brings_along_what_was_current_where_it_was_started(traced):
    pid = await Seen.start()
    TRACE.set("t1")

    await Seen.arm(pid)
    TRACE.set("t2")
    await wait_until(lambda: len(traced.info(pid).timers) == 0)

    assert await Seen.log_so_far(pid) == ["timer t1"]


async def test_law15_each_firing_of_an_interval_brings_it_along(traced):
    pid = await Seen.start()
    TRACE.set("t1")

    await Seen.arm_interval(pid)
    await asyncio.sleep(0.025)

    assert await Seen.log_so_far(pid) == ["tick t1", "tick t1"]


async def test_law15_a_timer_for_another_process_brings_it_along(traced):
    pid = await Seen.start()
    TRACE.set("t1")

    st.send_after(0.01, "timer", to=pid)
    await asyncio.sleep(0.02)

    assert await Seen.log_so_far(pid) == ["timer t1"]


async def test_law15_a_plain_process_has_what_came_with_the_timer_received_last(traced):
    log: list[str] = []

    async def waits() -> None:
        TRACE.set("of its start")
        st.send_after(0.01, "once")
        st.send_interval(0.02, "again")
        TRACE.set("of later")
        for _ in range(2):
            message = await st.receive(str)
            log.append(f"{message} {TRACE.get()}")

    await wait_down(traced.spawn(waits))

    assert log == ["once of its start", "again of its start"]


async def test_law15_a_timer_started_without_a_propagator_carries_nothing(runtime):
    pid = await Seen.start()
    TRACE.set("t1")
    st.send_after(0.01, "timer", to=pid)
    runtime.propagator = st.ContextPropagator(TRACE)
    await asyncio.sleep(0.02)

    TRACE.set("t2")
    assert await Seen.log_so_far(pid) == ["timer none"]


async def test_law15_a_timer_carries_no_deadline_because_nobody_waits(traced):
    pid = await Seen.start()
    await Seen.arm_left.within(2.0)(pid)
    await asyncio.sleep(0.02)

    assert await Seen.log_so_far(pid) == ["left None none"]


async def test_law15_the_carrier_of_a_timer_is_asked_for_once_however_often_it_fires(traced):
    asked: list[object] = []

    class Counting(st.ContextPropagator):
        def inject(self) -> object:
            asked.append(None)
            return super().inject()

    traced.propagator = Counting(TRACE)
    TRACE.set("t1")
    timer = st.send_interval(0.01, "tick")
    for _ in range(3):
        await st.receive(str)

    assert len(asked) == 1
    st.cancel_timer(timer)


@pytest.mark.parametrize("request_name", ["plain", "slow", "goes_on", "changes", "asks_sender"])
async def test_law15_after_the_message_a_process_has_its_own_context_again(traced, request_name):
    TRACE.set("of its start")
    pid = await Seen.start()
    TRACE.set("t1")
    await getattr(Seen, request_name)(pid)
    process: Any = pid._process

    await turn()

    assert process.carried is None
    assert process.context[TRACE] == "of its start"


class Busy(st.GenServer):
    """Has tasks of its own beside its handlers."""

    def __init__(self, back: st.Pid[Seen] | None = None) -> None:
        self.back = back
        self.log: list[object] = []
        self.go = asyncio.Event()
        self.over = asyncio.Event()

    @st.call
    def trace(self) -> str:
        return TRACE.get()

    @st.call
    def work(self) -> None:
        self.start_task(self._work())

    async def _work(self) -> None:
        TRACE.set("of the task")
        for _ in range(3):  # the first one queues, the others are direct
            self.log.append(await Busy.trace(self.pid))
        self.over.set()

    @st.call
    def background(self) -> None:
        self.start_task(self._background())

    async def _background(self) -> None:
        await self.go.wait()
        self.log.append(st.time_left())
        self.over.set()

    @st.call
    async def wait_for_background(self) -> None:
        self.go.set()
        await self.over.wait()

    @st.call
    def so_far(self) -> list[object]:
        return list(self.log)


async def test_law15_a_task_beside_the_handlers_may_call_its_own_server(traced):
    pid = await Busy.start()
    attached = traced.propagator

    await Busy.work(pid)
    state = await st.sys.get_state(pid)
    await state["over"].wait()

    assert traced.propagator is attached
    assert state["log"] == ["of the task"] * 3
    assert await contextvars.Context().run(asyncio.create_task, Busy.trace(pid)) == "none"


async def test_law15_a_variable_that_the_sender_has_not_set_is_left_alone(runtime):
    runtime.propagator = st.ContextPropagator(TRACE, TENANT)
    pid = await Seen.start()
    TRACE.set("t1")
    assert await Seen.plain(pid) == "t1"


async def test_law15_a_crash_is_reported_and_terminated_in_the_context_of_the_message(
    traced, caplog
):
    traces: list[str] = []

    class Listening(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            traces.append(TRACE.get())

    pid = await Seen.start()
    log: list[str] = (await st.sys.get_state(pid))["log"]
    handler = Listening()
    logging.getLogger("suptree").addHandler(handler)
    TRACE.set("t1")
    try:
        with pytest.raises(st.ServerExitError):
            await Seen.fail(pid)
    finally:
        logging.getLogger("suptree").removeHandler(handler)

    assert log == ["terminate t1"]
    assert traces == ["t1"]


@pytest.mark.parametrize("supervised", [True, False])
@pytest.mark.parametrize("deep", [0, 500])
async def test_law15_the_crash_of_a_direct_call_is_reported_as_that_of_a_queued_one(
    traced, supervised, deep
):
    class Listening(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            traces.append(TRACE.get())

    class Spans(st.ContextPropagator):
        """Each message is a child of the one that it was sent from."""

        def attach(self, carrier: Any, deadline: float | None) -> list[contextvars.Token[Any]]:
            [(variable, value)] = carrier
            return super().attach([(variable, f"{value} > callee")], deadline)

    async def call(depth: int) -> None:
        await (call(depth - 1) if depth else Seen.fail(pid))

    traces: list[str] = []
    traced.propagator = Spans(TRACE)
    spec = st.child(Seen).with_(name="seen", restart="temporary")
    if supervised:
        await st.Supervisor.start_link([spec])
        pid = st.whereis("seen")
    else:
        pid = await spec.start_unlinked()
    handler = Listening()
    logging.getLogger("suptree").addHandler(handler)
    TRACE.set("t1")
    try:
        with pytest.raises(st.ServerExitError):
            await call(deep)
        await wait_until(lambda: traces)
    finally:
        logging.getLogger("suptree").removeHandler(handler)

    assert traces == ["t1 > callee"]


async def test_law15_at_the_end_of_the_stack_the_server_and_the_propagator_are_as_before(traced):
    async def call(depth: int, pid: st.Pid[Seen]) -> None:
        await (call(depth - 1, pid) if depth else Seen.plain(pid))

    attached = traced.propagator
    depth = sys.getrecursionlimit() - 200
    refused = 0
    for more in range(250):
        pid = await Seen.start()
        await Seen.plain(pid)
        try:
            await call(depth + more, pid)
        except RecursionError:
            refused += 1
        assert await Seen.plain(pid) == "none"
    assert traced.propagator is attached
    assert refused > 10


@pytest.mark.parametrize("request_name", ["stops", "stops_later"])
async def test_law15_a_server_that_ends_in_its_turn_leaves_the_propagator_alone(
    traced, request_name
):
    attached = traced.propagator
    TRACE.set("t1")
    for _ in range(3):  # the first queues, the others may be direct
        pid = await Seen.start()
        assert await getattr(Seen, request_name)(pid) == "t1"
        pid = await Seen.start()
        with pytest.raises(st.ServerExitError):
            await Seen.fail(pid)
    assert traced.propagator is attached


async def test_law15_arguments_that_do_not_fit_leave_nothing_attached(traced):
    pid = await Seen.start()
    TRACE.set("t1")

    with pytest.raises(st.BadRequestError):
        await Seen.plain(pid, "one too many")
    Seen.note(pid, "one too many")
    await turn()

    process: Any = pid._process
    assert process.carried is None
    assert process.context.get(TRACE) is None


async def test_law15_a_plain_process_has_what_came_with_the_message_received_last(traced):
    log: list[str] = []

    async def reads() -> None:
        for _ in range(3):
            await st.receive(str)
            log.append(TRACE.get())

    pid = traced.spawn(reads)
    TRACE.set("t1")
    st.send(pid, "first")
    TRACE.set("t2")
    st.send(pid, "second")
    contextvars.Context().run(st.send, pid, "from nowhere in particular")
    await wait_down(pid)

    assert log == ["t1", "t2", "none"]


async def test_law15_a_guest_keeps_the_context_of_its_host(traced):
    test = st.current()

    def replies() -> None:
        TRACE.set("of the other one")
        st.send(test, "hello")

    TRACE.set("of the test")
    traced.spawn(replies)
    assert await st.receive(str) == "hello"
    assert TRACE.get() == "of the test"


@pytest.mark.parametrize("linked", [True, False])
async def test_law15_a_supervised_task_has_what_its_caller_had(traced, linked):
    tasks = await st.TaskSupervisor.start_link()
    TRACE.set("t1")
    ask = st.TaskSupervisor.async_ if linked else st.TaskSupervisor.async_nolink

    task = await ask(tasks, TRACE.get)

    assert await task == "t1"


async def test_law15_a_task_that_nobody_waits_for_has_it_too_but_no_deadline(traced):
    class Asks(st.GenServer):
        @st.call
        async def ask(self, tasks: st.Pid[Any], log: Any) -> None:
            await st.TaskSupervisor.start_child(tasks, lambda: log((TRACE.get(), st.time_left())))

    tasks = await st.TaskSupervisor.start_link()
    asks = await Asks.start()
    seen: list[object] = []
    TRACE.set("t1")

    await Asks.ask(asks, tasks, seen.append)
    await wait_until(lambda: len(seen) == 1)

    assert seen == [("t1", None)]


async def test_law15_every_task_of_a_stream_has_what_the_consumer_had(traced):
    tasks = await st.TaskSupervisor.start_link()
    TRACE.set("t1")

    stream = st.TaskSupervisor.stream(tasks, lambda _: TRACE.get(), range(5), max_concurrency=2)

    assert [result.result() async for result in stream] == ["t1"] * 5


async def test_law15_a_child_that_a_handler_asks_for_does_not_inherit_the_trace(traced):
    children = await st.DynamicSupervisor.start_link()
    TRACE.set("t1")

    pid = await st.DynamicSupervisor.start_child(children, st.child(Seen))

    assert await contextvars.Context().run(asyncio.create_task, Seen.plain(pid)) == "none"


class Gate(st.GenStateMachine):
    """Postpones knocks while it is shut."""

    state_enter = False

    def __init__(self) -> None:
        self.log: list[str] = []

    def init(self) -> object:
        return "shut"

    def shut(self, event: Any) -> Any:
        if isinstance(event, st.CastMessage) and event.request == "open":
            return st.Next("open", st.NextEvent(st.Internal("creak")))
        return st.Keep(st.Postpone())

    def open(self, event: Any) -> Any:
        if isinstance(event, st.CallMessage):
            return st.Keep(st.Reply(list(self.log)))
        what = event.content if isinstance(event, st.Internal) else event.request
        self.log.append(f"{what} {TRACE.get()}")
        return st.Keep()


async def test_law15_a_postponed_event_keeps_what_came_with_it(traced):
    pid = await Gate.start()
    TRACE.set("t1")
    Gate.cast(pid, "knock")
    TRACE.set("t2")
    Gate.cast(pid, "open")
    TRACE.set("t3")

    assert await Gate.call(pid, "log") == ["creak t2", "knock t1"]


class Fuse(st.GenStateMachine):
    """Burns for as long as the first cast says, then notes the trace; postpones while it is wet."""

    state_enter = False

    def __init__(self) -> None:
        self.log: list[str] = []

    def init(self) -> object:
        return "cold"

    def cold(self, event: Any) -> Any:
        if isinstance(event, st.CastMessage):
            return st.Next("wet", st.GenericTimeout("burnt", event.request))
        return st.Keep()

    def wet(self, event: Any) -> Any:
        if isinstance(event, st.CastMessage):
            return st.Next("dry")
        return st.Keep(st.Postpone())

    def dry(self, event: Any) -> Any:
        if isinstance(event, st.CallMessage):
            return st.Keep(st.Reply(list(self.log)))
        self.log.append(f"{type(event).__name__} {TRACE.get()}")
        return st.Keep()


@pytest.mark.parametrize("seconds", [0, 0.01])
async def test_law15_the_timeout_of_a_machine_brings_it_along_postponed_too(traced, seconds):
    pid = await Fuse.start()
    TRACE.set("t1")
    Fuse.cast(pid, seconds)
    await asyncio.sleep(0.02)
    TRACE.set("t2")
    Fuse.cast(pid, "dry it")

    assert await Fuse.call(pid, "log") == ["Expired t1"]


async def test_law15_a_code_change_leaves_it_with_the_messages_that_wait(traced):
    pid = await Seen.start()
    await st.sys.suspend(pid)
    TRACE.set("t1")
    Seen.note(pid)

    await st.sys.change_code(pid, None)
    await st.sys.resume(pid)

    assert await Seen.log_so_far(pid) == ["cast t1"]


# -- deadlines --------------------------------------------------------------------------


@pytest.mark.suptree_loop("virtual")
async def test_law15_a_handler_knows_how_long_its_caller_waits(traced):
    pid = await Seen.start()

    assert await Seen.left.within(2.0)(pid) == pytest.approx(2.0)
    assert await Seen.left.within(None)(pid) is None
    assert await Seen.left_in_a_task.within(3.0)(pid) == pytest.approx(3.0)
    assert st.time_left() is None


async def test_law15_without_deadlines_there_is_none(runtime):
    runtime.propagator = st.ContextPropagator(TRACE, deadlines=False)
    pid = await Seen.start()
    assert await Seen.left(pid) is None


async def test_law15_a_deadline_is_nobodys_but_of_the_code_that_works_for_the_caller(traced):
    pid = await Busy.start()
    await contextvars.Context().run(asyncio.create_task, Busy.background.within(None)(pid))

    await Busy.wait_for_background.within(3.0)(pid)

    assert await Busy.so_far(pid) == [None]


async def test_law15_a_task_that_a_handler_starts_keeps_its_deadline(traced):
    pid = await Busy.start()
    await Busy.background.within(30.0)(pid)

    await Busy.wait_for_background.within(3.0)(pid)

    [left] = await Busy.so_far(pid)
    assert isinstance(left, float)
    assert 3.0 < left <= 30.0


async def test_law15_a_process_that_a_handler_starts_has_no_deadline(traced):
    class Starts(st.GenServer):
        @st.call
        async def start_one(self) -> st.Pid[Seen]:
            return await Seen.start()

    starts = await Starts.start()
    pid = await Starts.start_one(starts)

    assert await Seen.left.within(None)(pid) is None


async def test_law15_a_plain_process_has_no_deadline_for_nobody_knows_when_it_is_done(traced):
    left: list[float | None] = []

    async def answers() -> None:
        message = await st.receive(st.CallMessage)
        left.append(st.time_left())
        st.reply(message.sender, TRACE.get())

    TRACE.set("t1")
    assert await st.GenServer.call(traced.spawn(answers), "x") == "t1"
    assert left == [None]


@pytest.mark.suptree_loop("virtual")
async def test_law15_a_call_made_for_a_caller_waits_no_longer_than_that_one(traced):
    loop = asyncio.get_running_loop()
    silent, asks = await Seen.start(), await Seen.start()
    began = loop.time()

    with pytest.raises(st.CallTimeoutError):
        await Seen.asks_who_never_answers.within(2.0)(asks, silent)

    [text] = await Seen.log_so_far(asks)
    assert "no reply to never within 2.0 s" in text
    assert loop.time() - began == pytest.approx(2.0)


@pytest.mark.suptree_loop("virtual")
async def test_law15_a_request_made_for_a_caller_inherits_its_deadline(traced):
    loop = asyncio.get_running_loop()
    pid = await Seen.start()
    ended: list[float] = []

    class Asks(st.GenServer):
        @st.call
        async def ask(self) -> object:
            return await Seen.left.send_request(pid)

        @st.call
        async def ask_on(self) -> None:
            with pytest.raises(st.CallTimeoutError):
                await Seen.never.send_request(pid).response(60.0)
            ended.append(loop.time())

    asks = await Asks.start()
    assert await Asks.ask.within(4.0)(asks) == pytest.approx(4.0)
    began = loop.time()
    with pytest.raises(st.CallTimeoutError):
        await Asks.ask_on.within(4.0)(asks)
    await wait_until(lambda: len(ended) == 1)
    assert ended[0] - began == pytest.approx(4.0)


# -- propagators that fail ------------------------------------------------------------------


class Failing:
    """Raises in the step that it was told."""

    deadlines = True

    def __init__(self, step: str) -> None:
        self.step = step

    def _do(self, step: str) -> object:
        if step == self.step:
            raise OSError(f"{step} fails")
        return step

    def inject(self) -> object:
        return self._do("inject")

    def attach(self, carrier: object, deadline: float | None) -> object:
        return self._do("attach")

    def deadline(self) -> float | None:
        return None if self._do("deadline") else 0.0

    def detach(self, token: object) -> None:
        self._do("detach")


@pytest.mark.parametrize("step", ["inject", "attach", "detach", "deadline"])
@pytest.mark.parametrize("request_name", ["plain", "slow"])
async def test_law15_a_propagator_that_raises_is_taken_off_and_the_message_goes_its_way(
    runtime, caplog, step, request_name
):
    runtime.propagator = Failing(step)
    pid = await Seen.start()

    assert await getattr(Seen, request_name)(pid) in ("none", "none none")
    await turn()

    assert runtime.propagator is None
    [record] = [one for one in caplog.records if "is taken off" in one.getMessage()]
    assert f"the {step} of" in record.getMessage()
    assert record.exc_info is not None
    process: Process = pid._process  # type: ignore[assignment]
    assert process.carried is None


async def test_law15_messages_under_way_do_not_tell_of_a_failed_propagator_again(runtime, caplog):
    runtime.propagator = Failing("attach")
    pid = await Seen.start()
    for _ in range(100):
        Seen.note(pid)

    assert len(await Seen.log_so_far(pid)) == 100

    assert caplog.text.count("is taken off") == 1
