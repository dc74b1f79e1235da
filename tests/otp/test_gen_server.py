"""S20 to S26, S35 to S37: how a server starts, what it is told, and what it may answer."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

import suptree as st
from suptree.testing import turn, wait_down, wait_until

VIRTUAL = pytest.mark.suptree_loop("virtual")  # waits, or exact times


class Starter(st.GenServer):
    """Does in its init whatever it is told."""

    def __init__(self, answer: Any = None, *, raises: BaseException | None = None) -> None:
        self.answer = answer
        self.raises = raises

    def init(self) -> Any:
        if self.raises is not None:
            raise self.raises
        return self.answer

    def handle_continue(self, argument: Any) -> None:
        pass


class AsyncStarter(Starter):
    """The same, after a while."""

    async def init(self) -> Any:
        await asyncio.sleep(0.02)
        return super().init()


STARTERS = pytest.mark.parametrize("cls", [Starter, AsyncStarter])


# -- S20: what a start returns ---------------------------------------------------------------


@VIRTUAL
@pytest.mark.otp("S20")
@STARTERS
async def test_start_link_returns_the_pid_when_init_is_done(runtime, cls):
    begun = runtime.now()

    pid = await cls.start_link()

    assert pid.is_alive()
    assert runtime.now() - begun == (0.02 if cls is AsyncStarter else 0)


@pytest.mark.otp("S20")
@STARTERS
async def test_ignore_is_told_and_the_process_has_ended_normal(runtime, cls):
    pids = []

    class Ignored(cls):
        def __init__(self) -> None:
            super().__init__(st.Ignore())
            pids.append((self.pid, runtime.down_slot(self.pid)))

    with pytest.raises(st.StartIgnoredError):
        await Ignored.start_link()

    (pid, down) = pids[0]
    assert await down is st.NORMAL
    assert not pid.is_alive()


@pytest.mark.otp("S20")
@STARTERS
@pytest.mark.parametrize(
    ("options", "reason"),
    [
        ({"answer": st.Stop("no disk")}, "no disk"),
        ({"answer": st.Stop(st.NORMAL)}, st.NORMAL),
        ({"answer": "what"}, st.BadReturn("what")),
        ({"answer": st.Reply(1)}, st.BadReturn(st.Reply(1))),
        ({"raises": st.ProcessExit(("any", 1))}, ("any", 1)),
    ],
)
async def test_a_failed_start_says_what_init_said(runtime, cls, options, reason):
    with pytest.raises(st.StartError) as caught:
        await cls.start_link(**options)

    assert caught.value.reason == reason


@pytest.mark.otp("S20")
@STARTERS
async def test_a_raise_in_init_is_the_reason_of_the_start_error(runtime, cls):
    with pytest.raises(st.StartError) as caught:
        await cls.start_link(raises=ValueError("no disk"))

    reason = caught.value.reason
    assert isinstance(reason, st.Crashed)
    assert (reason.type, reason.text) == ("ValueError", "no disk")


@pytest.mark.otp("S20")
@STARTERS
@pytest.mark.parametrize(
    "kind",
    [
        SystemExit,
        KeyboardInterrupt,
        GeneratorExit,
        asyncio.CancelledError,
        RecursionError,
        StopIteration,
    ],
)
async def test_whatever_init_raises_fails_that_start_and_nothing_else(runtime, cls, kind):
    other = await Starter.start()

    with pytest.raises(st.StartError) as caught:
        await cls.start(raises=kind("out"))

    assert isinstance(caught.value.reason, st.Crashed)
    assert other.is_alive()


@pytest.mark.otp("S20")
async def test_a_raise_in_the_constructor_is_a_failed_start(runtime):
    with pytest.raises(st.StartError) as caught:
        await Starter.start_link(1, 2, 3)

    assert caught.value.reason.type == "TypeError"


# -- S21: the starter is signalled ----------------------------------------------------------------


@VIRTUAL
@pytest.mark.otp("S21")
@STARTERS
async def test_a_failing_init_kills_a_starter_that_does_not_trap(runtime, cls):
    async def start() -> None:
        try:
            await cls.start_link(st.Stop("no disk"))
        except st.StartError:
            await asyncio.sleep(60)

    assert await wait_down(runtime.spawn(start)) == "no disk"


@pytest.mark.otp("S21")
@STARTERS
@pytest.mark.parametrize("answer", [st.Ignore(), st.Stop(st.NORMAL)])
async def test_a_normal_end_of_init_leaves_the_starter_alone(runtime, cls, answer):
    async def start() -> None:
        with pytest.raises(st.StartError):
            await cls.start_link(answer)
        st.exit("went on")

    assert await wait_down(runtime.spawn(start)) == "went on"


@pytest.mark.otp("S21")
@STARTERS
async def test_a_starter_that_traps_learns_it_from_the_error_alone(runtime, cls):
    with pytest.raises(st.StartError):
        await cls.start_link(st.Stop("no disk"))

    with pytest.raises(st.ReceiveTimeoutError):
        await st.receive(timeout=0)


@pytest.mark.otp("S21")
@STARTERS
async def test_an_unlinked_start_signals_nobody(runtime, cls):
    async def start() -> None:
        with pytest.raises(st.StartError):
            await cls.start(st.Stop("no disk"))
        st.exit("went on")

    assert await wait_down(runtime.spawn(start)) == "went on"


# -- S23: start timeout -----------------------------------------------------------------------------


@VIRTUAL
@pytest.mark.otp("S23")
async def test_a_start_that_takes_too_long_is_killed(runtime):
    seen = []

    class Slow(st.GenServer):
        async def init(self) -> None:
            seen.append((self.pid, runtime.down_slot(self.pid)))
            await asyncio.sleep(60)

    spec = st.child(Slow).with_(start_timeout=2.0)
    begun = runtime.now()

    with pytest.raises(st.StartTimeoutError):
        await spec.start_link()

    pid, down = seen[0]
    assert runtime.now() - begun == 2
    assert not pid.is_alive()
    assert await down is st.KILLED
    with pytest.raises(st.ReceiveTimeoutError):  # and no Exit came
        await st.receive(timeout=0)


@VIRTUAL
@pytest.mark.otp("S23")
async def test_a_start_timeout_does_not_signal_a_starter_that_does_not_trap(runtime):
    class Slow(st.GenServer):
        async def init(self) -> None:
            await asyncio.sleep(60)

    async def start() -> None:
        with pytest.raises(st.StartTimeoutError):
            await st.child(Slow).with_(start_timeout=2.0).start_link()
        st.exit("went on")

    assert await wait_down(runtime.spawn(start)) == "went on"


# -- S24: names -------------------------------------------------------------------------------------------


@pytest.mark.otp("S24")
async def test_a_taken_name_refuses_the_start_before_init_runs(runtime):
    ran = []

    class Named(st.GenServer):
        def __init__(self) -> None:
            ran.append(self.pid)

    spec = st.child(Named).with_(name="only")
    holder = await spec.start_link()

    with pytest.raises(st.AlreadyStartedError) as caught:
        await spec.start_link()

    assert caught.value.pid is holder
    assert ran == [holder]
    with pytest.raises(st.ReceiveTimeoutError):
        await st.receive(timeout=0)


@pytest.mark.otp("S24")
async def test_the_name_is_visible_while_init_runs(runtime):
    class Named(st.GenServer):
        def __init__(self) -> None:
            self.seen = st.whereis("only")

        @st.call
        def saw(self) -> Any:
            return self.seen

    pid = await st.child(Named).with_(name="only").start_link()

    assert await Named.saw(pid) is pid


@VIRTUAL
@pytest.mark.otp("S24")
async def test_a_request_sent_while_init_runs_waits_for_it(runtime):
    class Slow(st.GenServer):
        async def init(self) -> None:
            await asyncio.sleep(1)
            self.ready = True

        @st.call
        def ask(self) -> bool:
            return self.ready

    starting = asyncio.ensure_future(st.child(Slow).with_(name="slow").start_unlinked())
    await turn()

    assert await Slow.ask("slow") is True
    await starting


@pytest.mark.otp("S24")
@STARTERS
async def test_the_name_is_free_when_a_failed_start_is_told(runtime, cls):
    spec = st.child(cls, st.Stop("no disk")).with_(name="only")

    with pytest.raises(st.StartError):
        await spec.start_link()

    assert st.whereis("only") is None


# -- S25: what init may go on with -----------------------------------------------------------------------


class Story(st.GenServer):
    """Keeps an account of everything that happens to it."""

    def __init__(self, then: Any = None, *, send_self: object = None) -> None:
        self.story: list[object] = []
        self.then = then
        if send_self is not None:
            st.send(self.pid, send_self)

    def init(self) -> Any:
        return self.then

    def handle_continue(self, argument: Any) -> Any:
        self.story.append(("continue", argument))
        return argument if isinstance(argument, st.Continue) else None

    def handle_info(self, message: Any) -> Any:
        self.story.append(message)
        return message if isinstance(message, (st.Continue, st.NoReply)) else None

    def handle_cast(self, request: Any) -> Any:
        self.story.append(("cast", request))
        return request

    @st.call
    def replying(self, then: Any) -> st.Reply[str]:
        return st.Reply("answer", then)

    @st.call
    def tell(self) -> list[object]:
        return list(self.story)


class AsyncStory(Story):
    """The same with async init and continue."""

    async def init(self) -> Any:
        await asyncio.sleep(0.02)
        return self.then

    async def handle_continue(self, argument: Any) -> Any:
        await asyncio.sleep(0.02)
        return super().handle_continue(argument)


@pytest.mark.otp("S25")
@pytest.mark.parametrize("cls", [Story, AsyncStory])
async def test_a_continue_from_init_runs_before_any_message_even_one_sent_in_init(runtime, cls):
    pid = await cls.start_link(st.Continue("x"), send_self="sent in init")

    assert await cls.tell(pid) == [("continue", "x"), "sent in init"]


@VIRTUAL
@pytest.mark.otp("S25")
async def test_the_starter_is_told_before_the_continue_ends(runtime):
    class Slow(st.GenServer):
        def __init__(self) -> None:
            self.continued = False

        def init(self) -> st.Continue:
            return st.Continue()

        async def handle_continue(self, argument: Any) -> None:
            await asyncio.sleep(5)
            self.continued = True

        @st.call(timeout=10)
        def ask(self) -> bool:
            return self.continued

    begun = runtime.now()
    pid = await Slow.start_link()

    assert runtime.now() == begun
    assert await Slow.ask(pid) is True


@pytest.mark.otp("S25")
@pytest.mark.parametrize("cls", [Story, AsyncStory])
async def test_a_continue_runs_before_the_next_message_whatever_callback_asked_for_it(runtime, cls):
    pid = await cls.start_link()
    st.send(pid, st.Continue("info"))
    st.send(pid, 1)
    st.GenServer.cast(pid, st.Continue("cast"))
    st.send(pid, 2)
    st.send(pid, st.NoReply(st.Continue(st.Continue("again"))))
    st.send(pid, 3)

    assert await cls.replying(pid, st.Continue("reply")) == "answer"
    story = await cls.tell(pid)

    told = [
        event
        for event in story
        if event in (1, 2, 3) or (isinstance(event, tuple) and event[0] == "continue")
    ]
    assert told == [
        ("continue", "info"),
        1,
        ("continue", "cast"),
        2,
        ("continue", st.Continue("again")),
        ("continue", "again"),
        3,
        ("continue", "reply"),
    ]


@VIRTUAL
@pytest.mark.otp("S25", "S36")
@pytest.mark.parametrize("cls", [Story, AsyncStory])
async def test_init_may_ask_for_an_idle_timeout(runtime, cls):
    pid = await cls.start_link(st.Timeout(3))
    await asyncio.sleep(2.5)
    assert (await st.sys.get_state(pid))["story"] == []

    await asyncio.sleep(3)  # the look began it again
    assert await cls.tell(pid) == [st.TIMEOUT]


@pytest.mark.otp("S25", "S47")
@pytest.mark.parametrize("cls", [Story, AsyncStory])
async def test_hibernation_changes_nothing_to_be_seen(runtime, cls):
    pid = await cls.start_link(st.Hibernate())
    st.send(pid, 1)

    assert await cls.replying(pid, st.Hibernate()) == "answer"
    st.send(pid, st.NoReply(st.Hibernate()))
    assert await cls.tell(pid) == [1, st.NoReply(st.Hibernate())]


# -- S26: parent and ancestors --------------------------------------------------------------------------------


class Nested(st.GenServer):
    """Starts another one inside its init."""

    def __init__(self, depth: int) -> None:
        self.depth = depth
        self.inner: st.Pid[Nested] | None = None

    async def init(self) -> None:
        if self.depth:
            self.inner = await Nested.start_link(self.depth - 1)

    @st.call
    def get(self) -> st.Pid[Nested] | None:
        return self.inner


@pytest.mark.otp("S26")
async def test_the_parent_is_who_called_start_link_and_ancestors_follow(runtime):
    outer = await Nested.start_link(2)
    middle = await Nested.get(outer)
    assert middle is not None
    inner = await Nested.get(middle)
    assert inner is not None

    assert (await st.sys.get_status(outer)).parent is st.current()
    assert (await st.sys.get_status(inner)).parent is middle
    assert runtime.find(inner).lineage == (middle, outer, st.current())


@pytest.mark.otp("S26")
async def test_an_unlinked_start_has_no_parent(runtime):
    pid = await Story.start()

    assert (await st.sys.get_status(pid)).parent is None
    assert runtime.find(pid).links in (None, {})


# -- S35: everything else goes to handle_info --------------------------------------------------------------------


@pytest.mark.otp("S35")
async def test_messages_calls_and_casts_are_handled_in_the_order_of_arrival(runtime):
    class Ordered(Story):
        def handle_call(self, request: Any, sender: st.ReplyTo) -> Any:
            self.story.append(("call", request))
            return request

        def handle_cast(self, request: Any) -> None:
            self.story.append(("cast", request))

        @st.cast
        def typed(self, value: int) -> None:
            self.story.append(("typed", value))

    pid = await Ordered.start_link()
    st.send(pid, 1)
    st.GenServer.cast(pid, 2)
    Ordered.typed(pid, 3)
    asked = asyncio.ensure_future(st.GenServer.call(pid, 4))
    await turn()
    st.send(pid, 5)
    await asked

    assert await Ordered.tell(pid) == [1, ("cast", 2), ("typed", 3), ("call", 4), 5]


@VIRTUAL
@pytest.mark.otp("S35")
async def test_downs_timers_and_plain_messages_come_to_handle_info(runtime):
    class Watcher(Story):
        @st.cast
        def watch(self, pid: st.Pid[Any]) -> None:
            st.monitor(pid)
            self.send_after(1, "later")

    other = await Starter.start()
    pid = await Watcher.start_link()
    Watcher.watch(pid, other)
    await turn()
    st.exit(other, "gone")
    await asyncio.sleep(2)

    down, later = await Watcher.tell(pid)

    assert isinstance(down, st.Down)
    assert (down.process, down.reason) == (other, "gone")
    assert later == "later"


@pytest.mark.otp("S35")
async def test_an_unexpected_message_is_logged_and_dropped(runtime, caplog):
    pid = await Starter.start_link()
    st.send(pid, "who sends this")
    await turn(3)

    assert pid.is_alive()
    assert "who sends this" in caplog.text


# -- S36: idle timeouts ---------------------------------------------------------------------------------------------


class Idler(st.GenServer):
    """Asks for idle timeouts and counts them."""

    def __init__(self, async_: bool) -> None:
        self.async_ = async_
        self.timeouts: list[float] = []
        self.others: list[object] = []

    @st.call
    def idle(self, seconds: float) -> Any:
        then = st.Timeout(seconds)
        return self._later(st.Reply(None, then)) if self.async_ else st.Reply(None, then)

    async def _later(self, answer: Any) -> Any:
        await asyncio.sleep(0.125)
        return answer

    @st.cast
    def note(self, value: object) -> None:
        self.others.append(value)

    @st.cast
    def idle_again(self, seconds: float) -> st.NoReply:
        self.others.append(seconds)
        return st.NoReply(st.Timeout(seconds))

    def handle_info(self, message: Any) -> Any:
        if message is st.TIMEOUT:
            self.timeouts.append(self._process.runtime.now())
        else:
            self.others.append(message)


SYNC_AND_ASYNC = pytest.mark.parametrize("async_", [False, True], ids=["plain", "async"])


async def timeouts_of(pid: st.Pid[Idler]) -> list[float]:
    state = await st.sys.get_state(pid)
    return list(state["timeouts"])


@VIRTUAL
@pytest.mark.otp("S36")
@SYNC_AND_ASYNC
async def test_an_idle_timeout_comes_when_nothing_else_does_and_comes_once(runtime, async_):
    pid = await Idler.start_link(async_)
    await Idler.idle(pid, 2)
    begun = runtime.now()
    await asyncio.sleep(10)

    assert await timeouts_of(pid) == [begun + 2]


@VIRTUAL
@pytest.mark.otp("S36")
@SYNC_AND_ASYNC
@pytest.mark.parametrize("what", ["cast", "info", "call", "timer", "down"])
async def test_any_message_cancels_an_idle_timeout(runtime, async_, what):
    other = await Starter.start()
    pid = await Idler.start_link(async_)
    if what == "down":
        process = runtime.find(pid)
        runtime.monitor(process, other)
    if what == "timer":
        st.send_after(1, "tick", pid)
    await Idler.idle(pid, 2)
    await asyncio.sleep(1)
    match what:
        case "cast":
            Idler.note(pid, 1)
        case "info":
            st.send(pid, 1)
        case "call":
            await Idler.idle(pid, 1000)
        case "down":
            st.exit(other, "gone")
    await asyncio.sleep(10)

    assert await timeouts_of(pid) == []


@VIRTUAL
@pytest.mark.otp("S36")
@SYNC_AND_ASYNC
async def test_a_queued_message_wins_over_a_timeout_of_zero(runtime, async_):
    pid = await Idler.start_link(async_)
    Idler.idle_again(pid, 0)
    Idler.note(pid, "queued")
    await asyncio.sleep(1)

    state = await st.sys.get_state(pid)
    assert state["others"] == [0, "queued"]
    assert state["timeouts"] == []


@pytest.mark.otp("S36")
@SYNC_AND_ASYNC
async def test_a_timeout_of_zero_comes_at_once_when_nothing_is_queued(runtime, async_):
    pid = await Idler.start_link(async_)
    await Idler.idle(pid, 0)
    await turn(2)

    assert len(await timeouts_of(pid)) == 1


@VIRTUAL
@pytest.mark.otp("S36")
@SYNC_AND_ASYNC
async def test_a_system_request_begins_the_idle_timeout_again(runtime, async_):
    pid = await Idler.start_link(async_)
    await Idler.idle(pid, 2)
    await asyncio.sleep(1.5)
    await st.sys.get_status(pid)
    looked = runtime.now()
    await asyncio.sleep(10)

    assert await timeouts_of(pid) == [looked + 2]


@VIRTUAL
@pytest.mark.otp("S36", "S51")
@SYNC_AND_ASYNC
async def test_an_idle_timeout_does_not_come_while_suspended_and_begins_again_after(
    runtime, async_
):
    pid = await Idler.start_link(async_)
    await Idler.idle(pid, 2)
    await st.sys.suspend(pid)
    await asyncio.sleep(10)
    await st.sys.resume(pid)
    resumed = runtime.now()
    await asyncio.sleep(10)

    assert await timeouts_of(pid) == [resumed + 2]


@VIRTUAL
@pytest.mark.otp("S36")
async def test_messages_that_wait_during_a_long_handler_cancel_the_idle_timeout_it_asks_for(
    runtime,
):
    pid = await Idler.start_link(True)
    asked = asyncio.ensure_future(Idler.idle(pid, 2))
    await turn()
    Idler.note(pid, "waits")
    await asked
    await asyncio.sleep(10)

    assert await timeouts_of(pid) == []


@pytest.mark.parametrize("seconds", [-1, float("inf"), float("nan"), "soon", None])
def test_a_timeout_must_be_a_finite_number(seconds):
    with pytest.raises(ValueError, match="Timeout: seconds must be"):
        st.Timeout(seconds)


# -- S37: bad returns and crashes ---------------------------------------------------------------------------------------


class Loose(st.GenServer):
    """Returns what it is told, from every kind of callback."""

    def __init__(self, goodbyes: list[object]) -> None:
        self.goodbyes = goodbyes

    def handle_call(self, request: Any, sender: st.ReplyTo) -> Any:
        return request

    def handle_cast(self, request: Any) -> Any:
        return request

    def handle_info(self, message: Any) -> Any:
        return message

    def handle_continue(self, argument: Any) -> Any:
        return argument

    @st.call
    def typed_call(self, value: Any) -> Any:
        return value

    @st.cast
    def typed_cast(self, value: Any) -> Any:
        return value

    def terminate(self, reason: object) -> None:
        self.goodbyes.append(reason)


class AsyncLoose(Loose):
    """The same, later."""

    async def handle_call(self, request: Any, sender: st.ReplyTo) -> Any:
        await asyncio.sleep(0.02)
        return request

    async def handle_cast(self, request: Any) -> Any:
        return request

    async def handle_info(self, message: Any) -> Any:
        await asyncio.sleep(0.02)
        return message

    @st.call
    async def typed_call(self, value: Any) -> Any:
        await asyncio.sleep(0.02)
        return value


@pytest.mark.otp("S37")
@pytest.mark.parametrize("cls", [Loose, AsyncLoose])
@pytest.mark.parametrize("bad", [1, "text", st.Ignore(), st.Reply(1)])
@pytest.mark.parametrize("how", ["cast", "typed_cast", "info", "continue"])
async def test_a_bad_return_ends_the_server_with_it_after_terminate(runtime, cls, bad, how):
    goodbyes: list[object] = []
    pid = await cls.start(goodbyes)
    match how:
        case "cast":
            st.GenServer.cast(pid, bad)
        case "typed_cast":
            cls.typed_cast(pid, bad)
        case "info":
            st.send(pid, bad)
        case "continue":
            st.send(pid, st.NoReply(st.Continue(bad)))

    assert await wait_down(pid) == st.BadReturn(bad)
    assert goodbyes == [st.BadReturn(bad)]


@pytest.mark.otp("S37")
@pytest.mark.parametrize("cls", [Loose, AsyncLoose])
@pytest.mark.parametrize("bad", [st.Continue(1), st.Timeout(1), st.Hibernate(), st.Ignore()])
@pytest.mark.parametrize("typed", [True, False])
async def test_a_call_cannot_be_answered_with_a_bare_directive(runtime, cls, bad, typed):
    goodbyes: list[object] = []
    pid = await cls.start(goodbyes)
    if typed:  # so that a direct call is possible
        await cls.typed_call(pid, 1)

    with pytest.raises(st.ServerExitError) as caught:
        await (cls.typed_call(pid, bad) if typed else st.GenServer.call(pid, bad))

    assert caught.value.reason == st.BadReturn(bad)
    assert goodbyes == [st.BadReturn(bad)]


@pytest.mark.otp("S37")
async def test_a_bad_then_is_a_bad_return(runtime):
    pid = await Loose.start([])

    with pytest.raises(st.ServerExitError) as caught:
        await Loose.typed_call(pid, st.NoReply("soon"))  # type: ignore[arg-type]

    assert caught.value.reason == st.BadReturn("soon")


@VIRTUAL
@pytest.mark.otp("S37", "S1")
@pytest.mark.parametrize("cls", [Loose, AsyncLoose])
async def test_a_plain_function_that_returns_a_coroutine_is_an_async_handler(runtime, cls):
    class Delegating(cls):
        @st.call
        def delegate(self, value: int) -> Any:
            return self._work(value)

        async def _work(self, value: int) -> int:
            await asyncio.sleep(1)
            return value

    pid = await Delegating.start([])

    assert [await Delegating.delegate(pid, n) for n in range(3)] == [0, 1, 2]


@pytest.mark.otp("S37")
@pytest.mark.parametrize(
    "kind", [ValueError, SystemExit, KeyboardInterrupt, asyncio.CancelledError]
)
async def test_what_a_continue_raises_ends_that_server_after_terminate(runtime, kind):
    goodbyes: list[object] = []

    class Broken(Loose):
        def init(self) -> st.Continue:
            return st.Continue()

        def handle_continue(self, argument: Any) -> None:
            raise kind("out")

    pid = await Broken.start(goodbyes)
    reason = await wait_down(pid)

    assert isinstance(reason, st.Crashed)
    assert goodbyes == [reason]


async def test_a_server_without_a_handler_for_a_request_crashes_and_says_which(runtime):
    pid = await Starter.start()

    with pytest.raises(st.ServerExitError) as caught:
        await st.GenServer.call(pid, "what")

    assert "Starter has no handle_call for 'what'" in caught.value.reason.text


# -- for handlers ----------------------------------------------------------------------------------------------


async def test_sender_outside_a_call_is_refused(runtime):
    seen: list[object] = []

    class Asking(st.GenServer):
        def __init__(self) -> None:
            self._ask()

        def _ask(self) -> None:
            try:
                seen.append(self.sender)
            except st.NotInProcessError as error:
                seen.append(str(error))

        def handle_info(self, message: object) -> None:
            self._ask()

    pid = await Asking.start_link()
    st.send(pid, 1)
    await turn(2)

    assert seen == ["sender: no call is being handled here."] * 2


async def test_sender_knows_its_caller_whichever_way_the_call_came(runtime):
    class Asked(st.GenServer):
        @st.call
        def who(self) -> st.Pid[Any] | None:
            return self.sender.pid

    pid = await Asked.start_link()

    assert [await Asked.who(pid) for _ in range(3)] == [st.current()] * 3


@VIRTUAL
async def test_an_owned_task_ends_with_its_server(runtime):
    class Owner(st.GenServer):
        def __init__(self) -> None:
            self.task = self.start_task(asyncio.sleep(1000))

        @st.call
        def get(self) -> asyncio.Task[None]:
            return self.task

    pid = await Owner.start()
    task = await Owner.get(pid)
    st.exit(pid, st.KILL)
    await wait_until(task.done)

    assert task.cancelled()
