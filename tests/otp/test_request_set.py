"""Requests sent now and waited for later, alone or many at once."""

from __future__ import annotations

import asyncio
import pickle

import pytest

import suptree as st
from suptree.testing import turn, wait_down

pytestmark = pytest.mark.suptree_loop("virtual")  # exact times


class Server(st.GenServer):
    """Answers at once, later, or never."""

    def __init__(self) -> None:
        self.count = 0

    @st.call
    def increment(self, by: int = 1) -> int:
        self.count += by
        return self.count

    @st.call
    async def after(self, seconds: float) -> float:
        await asyncio.sleep(seconds)
        return seconds

    @st.call
    def never(self) -> st.NoReply:
        return st.NoReply()

    @st.call
    def fails(self) -> None:
        raise ValueError("broken")

    def handle_call(self, request: object, sender: st.ReplyTo) -> object:
        return request


class Other(st.GenServer):
    """Not a Server."""


async def test_request_is_sent_now_and_awaited_later(runtime):
    pid = await Server.start()
    asking = Server.increment.send_request(pid, by=2)
    assert not asking.done()

    assert await Server.increment(pid) == 3  # it came after
    assert asking.done()
    assert await asking == 2
    assert asking.result() == 2
    assert await asking == 2


async def test_untyped_request_reaches_handle_call(runtime):
    pid = await st.child(Server).with_(name="server").start_link()

    assert await st.send_request(pid, "one") == "one"
    assert await st.send_request("server", "two") == "two"


async def test_request_to_nobody_has_the_error_in_the_place_of_the_reply(runtime):
    pid = await Server.start()
    st.exit(pid, st.KILL)

    for asking in (
        Server.increment.send_request(pid),
        st.send_request("nobody", 1),
    ):
        with pytest.raises(st.NoProcessError):
            await asking
        assert isinstance(asking.error, st.NoProcessError)


async def test_a_typed_request_to_the_wrong_class_is_refused(runtime):
    pid = await Other.start()
    with pytest.raises(st.BadRequestError):
        Server.increment.send_request(pid)


async def test_death_of_the_server_answers_every_request(runtime):
    pid = await Server.start()
    asking = [Server.never.send_request(pid), Server.fails.send_request(pid)]
    late = Server.increment.send_request(pid)

    for one in (*asking, late):
        with pytest.raises(st.ServerExitError):
            await one.response(5)
        assert isinstance(one.error, st.ServerExitError)


async def test_response_gives_up_at_its_deadline_and_leaves_nothing_behind(runtime):
    pid = await Server.start()
    asking = Server.never.send_request(pid)
    start = runtime.now()
    with pytest.raises(st.CallTimeoutError, match="no reply to never within 2"):
        await asking.response(2)

    assert runtime.now() - start == pytest.approx(2.0)
    assert not pid._process.pending
    assert not pid._process.monitors


async def test_wait_says_whether_it_is_done_and_gives_nothing_up(runtime):
    pid = await Server.start()
    asking = Server.after.send_request(pid, 3)

    assert await asking.wait(1) is False
    assert await asking.wait(0) is False
    assert await asking.wait(5) is True
    assert asking.result() == 3


async def test_result_before_the_reply_is_refused(runtime):
    pid = await Server.start()
    with pytest.raises(st.UsageError, match="has no reply yet"):
        Server.never.send_request(pid).result()


async def test_two_tasks_may_wait_for_one_request_and_one_may_be_cancelled(runtime):
    pid = await Server.start()
    asking = Server.after.send_request(pid, 1)
    waiting = [asyncio.create_task(asking.wait()) for _ in range(3)]
    await turn()
    waiting[0].cancel()

    assert await asyncio.gather(*waiting[1:]) == [True, True]
    assert asking.result() == 1


async def test_a_server_that_waits_for_itself_is_refused(runtime):
    class Selfish(Server):
        @st.call
        async def ask_myself(self) -> int:
            return await Selfish.increment.send_request(self.pid)

    pid = await Selfish.start()
    with pytest.raises(st.ServerExitError) as caught:
        await Selfish.ask_myself(pid)

    assert caught.value.reason.type.endswith("SelfCallError")


async def test_a_full_mailbox_refuses_the_request_at_once(runtime):
    pid = await st.child(Server).with_(bound=st.MailboxBound(1)).start_link()
    busy = asyncio.create_task(Server.after(pid, 1))
    await turn()
    Server.increment.send_request(pid)
    with pytest.raises(st.MailboxFullError):
        Server.increment.send_request(pid)
    await busy


async def test_requests_refuse_pickling(runtime):
    pid = await Server.start()
    with pytest.raises(TypeError, match="cannot be pickled"):
        pickle.dumps(Server.never.send_request(pid))


# -- many at once ------------------------------------------------------------------------


async def test_answers_come_in_the_order_in_which_they_are_given(runtime):
    waits = [3.0, 1.0, 2.0]
    async with st.RequestSet() as asking:
        for seconds in waits:
            asking.add(Server.after.send_request(await Server.start(), seconds), label=seconds)
        assert len(asking) == 3
        got = [(label, request.result()) async for label, request in asking]

    assert got == [(1.0, 1.0), (2.0, 2.0), (3.0, 3.0)]
    assert len(asking) == 0


async def test_errors_are_answers_too(runtime):
    async with st.RequestSet() as asking:
        asking.add(Server.fails.send_request(await Server.start()), label="fails")
        asking.add(st.send_request("nobody", 1), label="nobody")
        asking.add(Server.increment.send_request(await Server.start()), label="fine")
        got = {label: request.error async for label, request in asking}

    assert isinstance(got["fails"], st.ServerExitError)
    assert isinstance(got["nobody"], st.NoProcessError)
    assert got["fine"] is None


async def test_wait_any_gives_none_when_time_is_up_and_keeps_the_requests(runtime):
    pid = await Server.start()
    asking = st.RequestSet()
    assert await asking.wait_any() is None  # empty
    asking.add(Server.after.send_request(pid, 2), label="a")
    start = runtime.now()

    assert await asking.wait_any(timeout=1) is None
    assert await asking.wait_any(timeout=0) is None
    assert runtime.now() - start == pytest.approx(1.0)
    label, request = await asking.wait_any(timeout=5)
    assert (label, request.result()) == ("a", 2)


async def test_requests_may_be_added_while_others_are_waited_for(runtime):
    pid = await Server.start()
    asking = st.RequestSet()
    asking.add(Server.increment.send_request(pid), label=1)
    got = []
    async for label, request in asking:
        got.append((label, request.result()))
        if label < 3:
            asking.add(Server.increment.send_request(pid), label=label + 1)

    assert got == [(1, 1), (2, 2), (3, 3)]


async def test_leaving_the_block_gives_up_what_is_open(runtime):
    pid = await Server.start()
    async with st.RequestSet() as asking:
        for number in range(100):
            asking.add(Server.never.send_request(pid), label=number)
        await turn()
        assert len(pid._process.pending) == 100

    assert not pid._process.pending
    assert not pid._process.monitors
    assert len(asking) == 0


async def test_a_request_is_in_the_set_once_and_one_task_waits(runtime):
    pid = await Server.start()
    asking = st.RequestSet()
    request = Server.never.send_request(pid)
    asking.add(request, label=1)
    with pytest.raises(st.UsageError, match="in the set already"):
        asking.add(request, label=2)
    waiting = asyncio.create_task(asking.wait_any())
    await turn()
    with pytest.raises(st.UsageError, match="somebody waits"):
        await asking.wait_any()
    waiting.cancel()


async def test_a_caller_that_dies_leaves_no_request_that_could_reach_it(runtime):
    pid = await Server.start()

    async def work() -> None:
        async with st.RequestSet() as asking:
            asking.add(Server.never.send_request(pid), label=1)
            await asking.wait_any()

    caller = runtime.spawn(work)
    await turn(2)
    down = runtime.down_slot(caller)
    st.exit(caller, st.KILL)
    await down
    await turn()

    assert not pid._process.pending
    st.exit(pid, "gone")
    await wait_down(pid)
