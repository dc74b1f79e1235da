"""S17: selective receive of plain processes and guests."""

from __future__ import annotations

import pytest

import suptree as st
from suptree.testing import turn, wait_down

pytestmark = pytest.mark.suptree_loop("virtual")  # exact times


@pytest.mark.otp("S17")
async def test_unmatched_messages_stay_in_their_order(runtime):
    me = st.current()
    for message in (1, "a", 2, "b", 3):
        st.send(me, message)

    assert await st.receive(str) == "a"
    assert await st.receive(lambda m: m == 3) == 3
    assert await st.receive((str, bytes)) == "b"
    assert [await st.receive() for _ in range(2)] == [1, 2]


@pytest.mark.otp("S17")
async def test_receive_waits_for_the_message_that_matches(runtime):
    me = st.current()

    async def work() -> None:
        st.send(me, 1)
        st.send(me, "wanted")

    runtime.spawn(work)

    assert await st.receive(str) == "wanted"
    assert await st.receive(timeout=0) == 1


@pytest.mark.otp("S17")
async def test_receive_with_timeout_zero_scans_the_mailbox_once(runtime):
    me = st.current()
    st.send(me, 1)

    with pytest.raises(st.ReceiveTimeoutError):
        await st.receive(str, timeout=0)
    assert await st.receive(int, timeout=0) == 1


@pytest.mark.otp("S17")
async def test_receive_timeout_is_counted_over_all_unmatched_messages(runtime):
    me = st.current()
    st.send_after(0.6, "one")
    st.send_after(1.2, "two")
    start = runtime.now()

    with pytest.raises(st.ReceiveTimeoutError, match="within 1 s"):
        await st.receive(int, timeout=1)

    assert runtime.now() - start == pytest.approx(1.0)
    assert await st.receive() == "one"
    assert me.is_alive()


@pytest.mark.otp("S17")
async def test_a_predicate_that_raises_ends_the_process_and_keeps_the_runtime(runtime):
    async def work() -> None:
        await st.receive(lambda message: message.missing)

    pid = runtime.spawn(work)
    await turn()
    down = runtime.down_slot(pid)
    st.send(pid, 1)

    assert (await down).type == "AttributeError"


async def test_a_cancelled_timer_is_not_received_although_it_fired(runtime):
    timer = st.send_after(1, "late")
    st.send_after(1, "in time")
    await turn(2)

    st.cancel_timer(timer)

    assert await st.receive() == "in time"
    with pytest.raises(st.ReceiveTimeoutError):
        await st.receive(timeout=0)


async def test_a_plain_process_can_serve_calls_and_casts(runtime):
    async def serve() -> None:
        request = await st.receive(st.CallMessage)
        st.reply(request.sender, request.request * 2)
        st.exit((await st.receive(st.CastMessage)).request)

    pid = runtime.spawn(serve)
    down = runtime.down_slot(pid)

    assert await st.GenServer.call(pid, 21) == 42
    st.GenServer.cast(pid, "enough")
    assert await down == "enough"


async def test_receive_in_a_server_is_refused(runtime):
    class Server(st.GenServer):
        async def handle_call(self, request: object, sender: object) -> object:
            return await st.receive()

    pid = await Server.start()
    with pytest.raises(st.ServerExitError):
        await st.GenServer.call(pid, 1)

    assert not pid.is_alive()


async def test_receive_refuses_a_timeout_that_is_no_number_of_seconds(runtime):
    for timeout in (-1, float("nan"), float("inf"), "1"):
        with pytest.raises(ValueError, match="receive: timeout must be"):
            await st.receive(timeout=timeout)


async def test_death_while_receiving_gives_no_message_to_the_dead(runtime):
    got = []

    async def work() -> None:
        got.append(await st.receive())

    pid = runtime.spawn(work)
    await turn()
    down = runtime.down_slot(pid)
    st.exit(pid, "gone")
    st.send(pid, 1)

    assert await down == "gone"
    assert got == []
    await wait_down(pid)


@pytest.mark.otp("S30")
@pytest.mark.parametrize("how", ["returns", "crashes", "is killed"])
async def test_the_caller_of_a_plain_process_that_ends_without_a_reply_is_answered(runtime, how):
    async def careless() -> None:
        message = await st.receive(st.CallMessage)
        assert message.request == "anybody?"
        if how == "crashes":
            raise ValueError("boom")
        if how == "is killed":
            await st.receive()

    pid = runtime.spawn(careless)
    asking = st.send_request(pid, "anybody?")
    await turn()
    st.exit(pid, st.KILL)

    with pytest.raises(st.ServerExitError):
        await asking.response(60)


async def test_a_call_that_a_plain_process_has_answered_is_owed_no_more(runtime):
    async def polite() -> None:
        while True:
            message = await st.receive(st.CallMessage)
            st.reply(message.sender, message.request)

    pid = runtime.spawn(polite)

    assert [await st.GenServer.call(pid, number) for number in range(3)] == [0, 1, 2]
    assert not runtime.find(pid).pending


@pytest.mark.parametrize("match", ["holding", 7, (str, "holding"), [str]])
async def test_a_match_that_is_none_is_refused_at_once(runtime, match):
    with pytest.raises(
        st.BadArgumentError, match="receive: match must be a class, a tuple of"
    ) as no:
        await st.receive(match, timeout=1.0)
    assert "write receive(lambda message: message == value)" in str(no.value)
