"""S30 to S34: calls and casts, from the client's side; typed clients; direct calls."""

from __future__ import annotations

import asyncio
import contextlib
import math
from typing import Any

import pytest

import suptree as st
from suptree.core import IDLE, RECEIVING
from suptree.testing import turn, wait_down, wait_mailbox_empty, wait_until

VIRTUAL = pytest.mark.suptree_loop("virtual")  # waits, or exact times


@pytest.fixture(params=["as asked", "queued"])
def runtime_options(
    runtime_options: dict[str, Any], request: pytest.FixtureRequest
) -> dict[str, Any]:
    """Everything here holds with direct calls and without."""
    if request.param == "queued":
        return {**runtime_options, "direct_call": False}
    return runtime_options


class Server(st.GenServer):
    """Answers now, later, or never."""

    def __init__(self, story: list[object] | None = None) -> None:
        self.story: list[object] = [] if story is None else story
        self.open: list[st.ReplyTo] = []
        self.total = 0

    @st.call
    def add(self, by: int = 1, *, times: int = 1) -> int:
        self.total += by * times
        return self.total

    @st.call
    async def slow(self, seconds: float) -> str:
        self.story.append("slow began")
        await asyncio.sleep(seconds)
        self.story.append("slow ended")
        return "slow"

    @st.call
    def hold(self) -> st.NoReply:
        self.open.append(self.sender)
        return st.NoReply()

    @st.call
    async def hold_async(self) -> st.NoReply:
        self.open.append(self.sender)
        await asyncio.sleep(0.02)
        return st.NoReply()

    @st.call
    def take(self) -> list[st.ReplyTo]:
        return list(self.open)

    @st.call
    def leave(self, reason: object, reply: Any = None) -> st.Stop:
        return st.Stop(reason) if reply is None else st.Stop(reason, reply)

    @st.call
    async def leave_async(self, reason: object, reply: Any = None) -> st.Stop:
        await asyncio.sleep(0.02)
        return st.Stop(reason) if reply is None else st.Stop(reason, reply)

    @st.call
    def crash(self) -> None:
        raise ValueError("broken")

    @st.cast
    def note(self, value: object, *, twice: bool = False) -> None:
        self.story.extend([value, value] if twice else [value])

    def handle_call(self, request: Any, sender: st.ReplyTo) -> Any:
        if request == "hold":
            self.open.append(sender)
            return st.NoReply()
        return ("answer to", request)

    def handle_cast(self, request: Any) -> None:
        self.story.append(("cast", request))

    def terminate(self, reason: object) -> None:
        self.story.append(("terminate", reason))


class SlowGoodbye(Server):
    async def terminate(self, reason: object) -> None:
        await asyncio.sleep(0.02)
        self.story.append(("terminate", reason))


async def warm(pid: st.Pid[Any]) -> None:
    """Make the clients know this server, so that direct calls happen where they can."""
    await Server.add(pid, 0)
    await wait_mailbox_empty(pid)


async def handling(pid: st.Pid[Any], *, mailbox: int = 0) -> None:
    """Wait until an async handler of it is suspended, and so many messages wait behind that one."""

    def suspended() -> bool:
        info = pid.runtime.info(pid)
        return bool(info.stack) and info.mailbox == mailbox

    await wait_until(suspended)


async def owing(pid: st.Pid[Any], count: int = 1) -> None:
    """Wait until it has put off the replies to so many calls."""
    await wait_until(lambda: pid.runtime.info(pid).owes == count)


# -- S30: every call ends ------------------------------------------------------------------


@pytest.mark.otp("S30")
async def test_a_call_returns_the_reply(runtime):
    pid = await Server.start_link()

    assert await Server.add(pid, 2, times=3) == 6
    assert await Server.add(pid, by=1) == 7
    assert await st.GenServer.call(pid, "x") == ("answer to", "x")
    assert await Server.slow(pid, 0.02) == "slow"


@pytest.mark.otp("S30")
@pytest.mark.parametrize("by", ["pid", "name"])
async def test_a_call_to_nobody_says_so(runtime, by):
    pid = await st.child(Server).with_(name="gone").start_link()
    await Server.stop(pid)
    target = pid if by == "pid" else "gone"

    with pytest.raises(st.NoProcessError) as caught:
        await Server.add(target)
    assert caught.value.target == target
    with pytest.raises(st.NoProcessError):
        await st.GenServer.call(target, 1)


@pytest.mark.otp("S30")
@pytest.mark.parametrize("reason", [st.NORMAL, st.SHUTDOWN, "any"])
@pytest.mark.parametrize("how", ["leave", "leave_async"])
@pytest.mark.parametrize("cls", [Server, SlowGoodbye])
async def test_a_call_ends_with_the_reason_of_the_server_normal_included(runtime, cls, how, reason):
    pid = await cls.start()
    await warm(pid)

    with pytest.raises(st.ServerExitError) as caught:
        await getattr(cls, how)(pid, reason)

    assert caught.value.reason == reason
    assert caught.value.server is pid


@pytest.mark.otp("S30")
@pytest.mark.parametrize("cls", [Server, SlowGoodbye])
async def test_a_crash_is_the_servers_and_the_caller_learns_its_reason(runtime, cls):
    pid = await cls.start()
    await warm(pid)

    with pytest.raises(st.ServerExitError) as caught:
        await Server.crash(pid)

    assert caught.value.reason.text == "broken"
    assert not pid.is_alive()


@pytest.mark.otp("S30")
@pytest.mark.parametrize("where", ["in the mailbox", "being handled", "left open"])
async def test_the_death_of_a_server_answers_every_call_to_it(runtime, where):
    pid = await Server.start()
    await warm(pid)
    match where:
        case "in the mailbox":
            asyncio.ensure_future(_swallow(Server.slow(pid, 1000)))
            await handling(pid)
            asked = asyncio.ensure_future(Server.add(pid))
            await handling(pid, mailbox=1)
        case "being handled":
            asked = asyncio.ensure_future(Server.slow(pid, 1000))
            await handling(pid)
        case _:
            asked = asyncio.ensure_future(Server.hold(pid))
            await owing(pid)
    st.exit(pid, "gone")

    with pytest.raises(st.ServerExitError) as caught:
        await asked

    assert caught.value.reason == "gone"


async def _swallow(awaitable: Any) -> None:
    with contextlib.suppress(st.SuptreeError):
        await awaitable


@VIRTUAL
@pytest.mark.otp("S30")
async def test_a_call_gives_up_after_five_seconds_and_the_server_is_unaffected(runtime):
    pid = await Server.start_link()
    begun = runtime.now()

    with pytest.raises(st.CallTimeoutError) as caught:
        await Server.slow(pid, 7)

    assert runtime.now() - begun == 5
    assert isinstance(caught.value, TimeoutError)
    assert "no reply to slow within 5.0 s" in str(caught.value)
    assert await Server.add(pid) == 1
    assert (await st.sys.get_state(pid))["story"] == ["slow began", "slow ended"]


@pytest.mark.otp("S30")
async def test_a_call_that_times_out_leaves_nothing_behind_in_the_server(runtime):
    pid = await Server.start_link()
    with pytest.raises(st.CallTimeoutError):
        await Server.hold.within(0.05)(pid)
    process = runtime.find(pid)

    assert not process.pending
    assert not process.monitors


@VIRTUAL
@pytest.mark.otp("S30")
async def test_the_deadline_of_a_call_is_its_own(runtime):
    pid = await Server.start_link()
    for client, seconds in [
        (Server.slow.within(2), 2),
        (Server.slow.within(0.5), 0.5),
    ]:
        begun = runtime.now()
        with pytest.raises(st.CallTimeoutError):
            await client(pid, 3)
        assert runtime.now() - begun == seconds
        await asyncio.sleep(5)

    assert await Server.slow.within(None)(pid, 60) == "slow"
    with pytest.raises(st.CallTimeoutError):
        await st.GenServer.call(pid, "hold", timeout=1)


@VIRTUAL
@pytest.mark.otp("S30")
async def test_a_deadline_of_the_decorator_is_the_default_of_its_request(runtime):
    class Patient(st.GenServer):
        @st.call(timeout=30.0)
        async def slow(self) -> str:
            await asyncio.sleep(20)
            return "done"

        @st.call(timeout=None)
        async def endless(self) -> str:
            await asyncio.sleep(2000)
            return "done"

    pid = await Patient.start_link()

    assert await Patient.slow(pid) == "done"
    assert await Patient.endless(pid) == "done"


@pytest.mark.otp("S30")
@pytest.mark.parametrize("typed", [True, False])
async def test_a_server_that_calls_itself_is_told_at_once(runtime, typed):
    class Selfish(st.GenServer):
        @st.call
        async def go(self) -> str:
            try:
                await (Selfish.go(self.pid) if typed else st.GenServer.call(self.pid, 1))
            except st.SelfCallError as error:
                return str(error)
            return "answered"

    pid = await Selfish.start_link()

    assert "called itself" in await Selfish.go(pid)


async def test_a_server_may_be_called_by_its_own_task(runtime):
    seen: list[int] = []

    class Busy(st.GenServer):
        @st.cast
        def begin(self) -> None:
            self.start_task(self._work())

        async def _work(self) -> None:
            seen.append(await Busy.one(self.pid))

        @st.call
        def one(self) -> int:
            return 1

    pid = await Busy.start_link()
    Busy.begin(pid)
    await wait_until(lambda: seen)

    assert seen == [1]


# -- S31, S32: late and deferred replies ---------------------------------------------------------


@VIRTUAL
@pytest.mark.otp("S31")
async def test_a_late_reply_is_dropped_and_the_mailbox_stays_clean(runtime):
    pid = await Server.start_link()
    with pytest.raises(st.CallTimeoutError):
        await Server.slow.within(1)(pid, 2)
    with pytest.raises(st.CallTimeoutError):
        await Server.hold.within(1)(pid)
    [sender] = await Server.take(pid)
    st.reply(sender, "late")
    await asyncio.sleep(5)

    with pytest.raises(st.ReceiveTimeoutError):
        await st.receive(timeout=0)
    assert await Server.add(pid) == 1


@pytest.mark.otp("S32")
@pytest.mark.parametrize("how", ["hold", "hold_async", "call"])
async def test_a_reply_may_come_later_and_from_any_process(runtime, how):
    pid = await Server.start_link()
    await warm(pid)
    request = st.GenServer.call(pid, "hold") if how == "call" else getattr(Server, how)(pid)
    asked = asyncio.ensure_future(request)
    await owing(pid)
    [sender] = await Server.take(pid)

    async def other() -> None:
        st.reply(sender, "from another")

    runtime.spawn(other)

    assert await asked == "from another"


@pytest.mark.otp("S32")
async def test_the_server_takes_other_messages_while_a_call_is_open(runtime):
    pid = await Server.start_link()
    asked = asyncio.ensure_future(Server.hold(pid))
    await owing(pid)

    assert await Server.add(pid, 3) == 3
    st.reply((await Server.take(pid))[0], None)
    assert await asked is None


@pytest.mark.otp("S32")
async def test_a_second_reply_is_dropped(runtime):
    pid = await Server.start_link()
    asked = asyncio.ensure_future(Server.hold(pid))
    await owing(pid)
    [sender] = await Server.take(pid)
    st.reply(sender, 1)
    st.reply(sender, 2)

    assert await asked == 1
    with pytest.raises(st.ReceiveTimeoutError):
        await st.receive(timeout=0)


@pytest.mark.otp("S32")
async def test_a_reply_made_inside_the_handler_counts_although_it_returns_no_reply(runtime):
    class Early(st.GenServer):
        @st.call
        def ask(self) -> st.NoReply:
            self.reply(self.sender, "early")
            return st.NoReply()

    pid = await Early.start_link()

    assert [await Early.ask(pid) for _ in range(3)] == ["early"] * 3
    assert not runtime.find(pid).pending


# -- S33: order of terminate, reply, exit ----------------------------------------------------------


@pytest.mark.otp("S33", "S252")
@pytest.mark.parametrize("how", ["leave", "leave_async"])
@pytest.mark.parametrize("cls", [Server, SlowGoodbye])
async def test_a_stop_with_a_reply_terminates_first_then_replies_then_exits(runtime, cls, how):
    story: list[object] = []
    pid = await cls.start(story)
    await warm(pid)

    async def watch() -> None:
        st.monitor(pid)
        story.append(await st.receive(st.Down))

    runtime.spawn(watch)
    await turn()

    reply = await getattr(cls, how)(pid, "enough", "bye")
    story.append(reply)
    await turn(2)

    assert story[:2] == [("terminate", "enough"), "bye"]
    assert story[2].reason == "enough"


class Broken(Server):
    def terminate(self, reason: object) -> None:
        raise ValueError("terminate")


class SlowBroken(Server):
    async def terminate(self, reason: object) -> None:
        await asyncio.sleep(0.02)
        raise ValueError("terminate")


@pytest.mark.otp("S33")
@pytest.mark.parametrize("cls", [Broken, SlowBroken])
@pytest.mark.parametrize("how", ["leave", "leave_async"])
async def test_the_reply_is_sent_although_terminate_raises(runtime, cls, how):
    pid = await cls.start()
    await warm(pid)
    down = runtime.down_slot(pid)

    assert await getattr(cls, how)(pid, "enough", "bye") == "bye"
    assert (await down).text == "terminate"


# -- S34: casts ----------------------------------------------------------------------------------------


@pytest.mark.otp("S34")
async def test_a_cast_returns_at_once_and_is_handled_later(runtime):
    story: list[object] = []
    pid = await Server.start_link(story)

    assert Server.note(pid, 1, twice=True) is None
    assert st.GenServer.cast(pid, 2) is None
    assert story == []
    await turn(2)
    assert story == [1, 1, ("cast", 2)]


@pytest.mark.otp("S34")
@pytest.mark.parametrize("target", ["pid", "name"])
async def test_a_cast_to_nobody_is_no_error(runtime, target):
    pid = await Server.start_link()
    await Server.stop(pid)
    to = pid if target == "pid" else "nobody"

    assert Server.note(to, 1) is None
    assert st.GenServer.cast(to, 1) is None


# -- typed requests and classes ---------------------------------------------------------------------------


class Louder(Server):
    """Overrides a handler; requests of the base class reach the override."""

    @st.call
    def add(self, by: int = 1, *, times: int = 1) -> int:
        self.total += 1000
        return self.total

    @st.cast
    def note(self, value: object, *, twice: bool = False) -> None:
        self.story.append(("louder", value))


class AsyncLouder(Server):
    @st.call
    async def add(self, by: int = 1, *, times: int = 1) -> int:
        await asyncio.sleep(0.02)
        return 2000


async def test_a_request_reaches_the_override_of_a_subclass(runtime):
    story: list[object] = []
    base, louder, slower = (
        await Server.start_link(),
        await Louder.start_link(story),
        await AsyncLouder.start_link(),
    )
    for _ in range(2):
        assert await Server.add(base, 0) == 0
    for n in (1, 2):
        assert await Server.add(louder) == 1000 * n
    assert await Louder.add(louder) == 3000
    assert await Server.add(slower) == 2000
    Server.note(louder, 1)
    await turn(2)
    assert story == [("louder", 1)]


async def test_a_request_for_another_class_is_refused_to_the_caller_and_harms_nobody(runtime):
    class Other(st.GenServer):
        @st.call
        def ask(self) -> int:
            return 1

        @st.cast
        def tell(self) -> None:
            pass

    pid = await Server.start_link()
    plain = runtime.spawn(st.receive)

    with pytest.raises(st.BadRequestError, match=r"Other\.ask: it is a Server, not an Other"):
        await Other.ask(pid)
    with pytest.raises(st.BadRequestError):
        Other.tell(pid)
    with pytest.raises(st.BadRequestError, match="it is a plain process"):
        await Other.ask(plain)
    assert await Server.add(pid) == 1
    st.send(plain, None)


async def test_a_subclass_request_is_refused_by_a_server_of_the_base_class(runtime):
    pid = await Server.start_link()

    with pytest.raises(st.BadRequestError):
        await Louder.add(pid)


@VIRTUAL
async def test_a_client_sends_at_its_first_await(runtime):
    pid = await Server.start_link()
    request = Server.add(pid)
    await asyncio.sleep(1)
    assert (await st.sys.get_state(pid))["total"] == 0

    assert await request == 1


async def test_a_handler_is_a_method_on_the_instance(runtime):
    class Self(Server):
        @st.call
        def both(self) -> int:
            return self.add(2) + self.add(3)

    pid = await Self.start_link()

    assert await Self.both(pid) == 7


def test_clients_say_what_they_are():
    assert Server.add.__qualname__ == "Server.add"
    assert Server.note.__qualname__ == "Server.note"
    assert Server.add.request == "add"
    assert Louder.__dict__["add"].__name__ == "add"


# -- a call and its caller -------------------------------------------------------------------------------------


@VIRTUAL
async def test_a_caller_cancelled_between_request_and_reply_is_not_resumed(runtime):
    pid = await Server.start_link()
    seen: list[object] = []

    async def ask(request: Any) -> None:
        seen.append(await request)

    for request, sent in ((Server.hold(pid), owing), (Server.slow(pid, 1), handling)):
        task = asyncio.ensure_future(ask(request))
        await sent(pid)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
    [sender] = await Server.take(pid)
    st.reply(sender, "nobody waits")
    await asyncio.sleep(5)

    assert seen == []
    assert not runtime.find(pid).pending
    assert await Server.add(pid) == 1


async def test_a_cancelled_caller_leaves_nothing_open_in_the_server(runtime):
    pid = await Server.start_link()
    task = asyncio.ensure_future(Server.hold(pid))
    await owing(pid)
    task.cancel()
    await asyncio.wait([task])

    assert not runtime.find(pid).pending


@VIRTUAL
async def test_asyncio_timeout_around_a_call_works(runtime):
    pid = await Server.start_link()

    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.02):
            await Server.slow(pid, 2)
    assert await Server.add(pid) == 1


@pytest.mark.parametrize("how", ["killed", "signalled"])
async def test_a_caller_ended_by_its_own_call_does_not_go_on(runtime, how):
    after: list[object] = []

    class Assassin(Server):
        @st.call
        def strike(self, victim: st.Pid[Any]) -> str:
            st.exit(victim, st.KILL if how == "killed" else "struck")
            return "done"

    pid = await Assassin.start_link()
    await warm(pid)

    async def caller() -> None:
        await Assassin.add(pid, 0)
        await Assassin.strike(pid, st.current())
        after.append("went on")

    reason = await wait_down(runtime.spawn(caller))

    assert reason == (st.KILLED if how == "killed" else "struck")
    assert after == []
    assert await Server.add(pid) == 1


async def test_a_server_doomed_inside_its_turn_still_gives_its_reply_and_then_ends(runtime):
    """Law 2, the same whichever way the call came."""

    class Doomed(Server):
        @st.call
        def doom(self, partner: st.Pid[Any], with_: Any) -> Any:
            st.exit(partner, "partner died")
            return with_

    for with_, reply in [("plain", "plain"), (st.Reply("given"), "given")]:
        partner = await Server.start()  # idle, so it dies at once
        pid = await Doomed.start()
        await warm(pid)
        runtime.link(runtime.find(pid), partner)
        down = runtime.down_slot(pid)

        assert await Doomed.doom(pid, partner, with_) == reply
        assert await down == "partner died"


async def test_a_doomed_server_that_says_stop_ends_by_the_signal_without_terminate(runtime):
    story: list[object] = []

    class Doomed(Server):
        @st.call
        def doom(self, partner: st.Pid[Any]) -> st.Stop:
            st.exit(partner, "partner died")
            return st.Stop("own reason", "bye")

    partner = await Server.start()  # idle, so it dies at once
    pid = await Doomed.start(story)
    await warm(pid)
    runtime.link(runtime.find(pid), partner)

    with pytest.raises(st.ServerExitError) as caught:
        await Doomed.doom(pid, partner)

    assert caught.value.reason == "partner died"
    assert story == []


async def test_a_server_is_never_entered_while_it_handles_a_message(runtime):
    """Two servers that call one another: the second call queues, and times out."""

    class Ring(st.GenServer):
        def __init__(self) -> None:
            self.other: st.Pid[Any] | None = None

        @st.cast
        def meet(self, other: st.Pid[Any]) -> None:
            self.other = other

        @st.call
        async def ask(self) -> str:
            try:
                assert self.other is not None
                return await Ring.ask.within(0.05)(self.other)
            except st.CallTimeoutError as error:
                return str(error)

    one, two = await Ring.start_link(), await Ring.start_link()
    Ring.meet(one, two)
    Ring.meet(two, one)

    assert "no reply to ask within 0.05" in await Ring.ask(one)


async def test_many_callers_are_served_in_the_order_they_asked(runtime):
    pid = await Server.start_link()

    assert await asyncio.gather(*(Server.add(pid) for _ in range(1000))) == list(range(1, 1001))


async def test_a_long_row_of_calls_lets_others_run(runtime):
    pid = await Server.start_link()
    ticks = 0

    async def tick() -> None:
        nonlocal ticks
        while True:
            ticks += 1
            await asyncio.sleep(0)

    ticker = asyncio.ensure_future(tick())
    for _ in range(2000):
        await Server.add(pid)
    ticker.cancel()
    await asyncio.wait([ticker])

    assert ticks >= 5


async def test_a_direct_call_leaves_the_server_idle_and_counts_its_message(runtime):
    pid = await Server.start_link()
    for _ in range(10):
        await Server.add(pid)
    process = runtime.find(pid)
    await turn(2)

    assert process.state is IDLE
    assert process.current is None
    assert process.messages_in == 10


async def test_what_arrives_during_a_direct_call_is_handled_after_it(runtime):
    story: list[object] = []

    class Talking(Server):
        @st.call
        def talk(self) -> str:
            Server.note(self.pid, "cast to myself")
            st.send(self.pid, "info")
            self.story.append("handler ends")
            return "reply"

        def handle_info(self, message: Any) -> None:
            self.story.append(message)

    pid = await Talking.start_link(story)
    await warm(pid)
    assert await Talking.talk(pid) == "reply"
    await turn(2)

    assert story == ["handler ends", "cast to myself", "info"]


async def test_a_handler_runs_in_the_context_of_its_server(runtime):
    class Context(st.GenServer):
        @st.call
        def who(self) -> Any:
            return st.current()

    pid = await Context.start_link()

    assert [await Context.who(pid) for _ in range(3)] == [pid] * 3
    assert st.current() is not pid


async def test_a_bounded_server_makes_its_callers_wait_for_a_place(runtime):
    pid = await st.child(Server).with_(bound=st.MailboxBound(2)).start_link()
    busy = asyncio.ensure_future(Server.slow(pid, 0.02))
    await handling(pid)

    assert sorted(await asyncio.gather(*(Server.add(pid) for _ in range(6)))) == [1, 2, 3, 4, 5, 6]
    await busy


@VIRTUAL
async def test_a_call_that_finds_no_place_in_time_is_told_so(runtime):
    pid = await st.child(Server).with_(bound=st.MailboxBound(1)).start_link()
    busy = asyncio.ensure_future(Server.slow(pid, 4))
    await handling(pid)
    waiting = asyncio.ensure_future(Server.add(pid))
    await handling(pid, mailbox=1)

    with pytest.raises(st.MailboxFullError):
        await Server.add.within(0.05)(pid)
    with pytest.raises(st.MailboxFullError):
        Server.note(pid, 1)
    await busy
    await waiting
    await wait_until(lambda: runtime.find(pid).state is IDLE)


@pytest.mark.otp("S32")
@pytest.mark.parametrize("then", ["returns", "crashes"])
async def test_a_reply_made_inside_the_handler_is_the_reply_whatever_follows(runtime, then):
    class Early(st.GenServer):
        @st.call
        def ask(self) -> str:
            self.reply(self.sender, "early")
            if then == "crashes":
                raise ValueError("late")
            return "late"

    replies = []
    for _ in range(3):  # the first one queues
        replies.append(await Early.ask(await Early.start()))

    assert replies == ["early"] * 3


async def test_the_clean_up_of_a_dying_caller_may_call_whichever_way_the_call_goes(runtime):
    pid = await Server.start_link()
    await warm(pid)
    after: list[object] = []

    async def caller() -> None:
        try:
            await st.receive()
        finally:
            after.append(await Server.add(pid, 0))

    dying = runtime.spawn(caller)
    await wait_until(lambda: runtime.find(dying).state is RECEIVING)
    st.exit(dying, "bye")

    assert await wait_down(dying) == "bye"
    assert after == [0]


async def test_a_task_that_outlives_its_process_gets_its_replies(runtime):
    pid = await Server.start_link()
    await warm(pid)
    tasks: list[asyncio.Task[list[int]]] = []

    async def beside() -> list[int]:
        await wait_down(owner)
        return [await Server.add(pid, 1) for _ in range(3)]

    async def leaves_it() -> None:
        tasks.append(asyncio.create_task(beside()))

    owner = runtime.spawn(leaves_it)
    await wait_down(owner)

    assert await asyncio.wait_for(tasks[0], 60) == [1, 2, 3]


@pytest.mark.parametrize("timeout", ["1", -1, math.nan, math.inf, True])
async def test_what_is_no_time_to_wait_is_refused_before_anything_is_sent(runtime, timeout):
    pid = await Server.start()

    with pytest.raises(ValueError, match="timeout must be a finite number"):
        Server.add.within(timeout)
    with pytest.raises(ValueError, match="timeout must be a finite number"):
        await st.GenServer.call(pid, "add", timeout=timeout)


@pytest.mark.parametrize("target", [None, 5, object()])
async def test_what_is_no_address_is_refused_with_what_to_give(runtime, target):
    with pytest.raises(TypeError, match="a pid, a name or via"):
        await Server.add(target, 1)
    with pytest.raises(TypeError, match="a pid, a name or via"):
        st.send(target, 1)


async def test_arguments_that_do_not_fit_are_the_callers_mistake_and_the_server_lives(runtime):
    pid = await Server.start()

    for call in (
        lambda: Server.add(pid, bye=3),
        lambda: Server.add(pid, 1, 2),
        lambda: Server.slow(pid),
    ):
        with pytest.raises(st.BadRequestError, match=r"It takes (add|slow)\("):
            await call()

    assert await Server.add(pid, 3) == 3


async def test_a_cast_whose_arguments_do_not_fit_is_dropped_and_told(runtime, caplog):
    class Casts(st.GenServer):
        @st.cast
        def note(self, number: int) -> None: ...

        @st.call
        def ready(self) -> bool:
            return True

    pid = await Casts.start()

    Casts.note(pid, 1, 2)

    assert await Casts.ready(pid)
    assert "a cast was dropped" in caplog.text


async def test_a_type_error_inside_a_handler_is_the_servers_crash(runtime):
    class Wrong(st.GenServer):
        @st.call
        def work(self) -> int:
            return len(5)

    pid = await Wrong.start()

    with pytest.raises(st.ServerExitError):
        await Wrong.work(pid)
