"""Bounded mailboxes: the policy is exact, the count is exact, the system gets through (F18)."""

from __future__ import annotations

import asyncio

import pytest

import suptree as st
from suptree.testing import turn, wait_down, wait_until

MANY = 20_000


class Slow(st.GenServer):
    """Handles a message when it is told to."""

    def __init__(self) -> None:
        self.got: list[object] = []

    @st.call
    async def block(self, gate: asyncio.Event) -> None:
        await gate.wait()

    @st.call
    def ask(self, value: object) -> object:
        self.got.append(value)
        return value

    def handle_info(self, message: object) -> None:
        self.got.append(message)


async def blocked(limit: int, policy: str = "reject"):
    """A server whose handler waits, with an empty bounded mailbox; and what lets it go on."""
    pid = await st.child(Slow).with_(bound=st.MailboxBound(limit, policy)).start_link()
    gate = asyncio.Event()
    blocking = asyncio.create_task(Slow.block(pid, gate))
    blocking.add_done_callback(lambda task: task.cancelled() or task.exception())  # some kill it
    await wait_until(lambda: pid._process.current is not None)
    server = pid._process.server

    async def go_on() -> list[object]:
        gate.set()
        await blocking
        await wait_until(lambda: not pid._process.mailbox and pid._process.current is None)
        return server.got

    return pid, go_on


@pytest.mark.parametrize(
    ("policy", "kept", "dropped"),
    [
        ("drop_new", list(range(100)), MANY - 100),
        ("drop_old", list(range(MANY - 100, MANY)), MANY - 100),
        ("reject", list(range(100)), 0),
    ],
)
async def test_policy_and_count_are_exact_under_a_flood(runtime, policy, kept, dropped):  # F18
    seen = []
    runtime.telemetry.attach(
        "test", "suptree.mailbox.overflowed", lambda _e, numbers, facts: seen.append(facts)
    )
    pid, go_on = await blocked(100, policy)
    refused = 0
    for number in range(MANY):
        try:
            st.send(pid, number)
        except st.MailboxFullError:
            refused += 1
    info = runtime.info(pid)

    assert info.mailbox == 100
    assert info.dropped == dropped
    assert refused == (MANY - 100 if policy == "reject" else 0)
    assert len(seen) == MANY - 100
    assert {facts["policy"] for facts in seen} == {policy}
    assert await go_on() == kept


async def test_signals_downs_timers_and_system_requests_get_through_to_a_full_mailbox(runtime):
    other = runtime.spawn(st.receive)

    class Trapping(Slow):
        trap_exit = True

        def init(self) -> None:
            self.ref = st.monitor(other)
            self.timer = self.send_after(1, "tick")

    pid = await st.child(Trapping).with_(bound=st.MailboxBound(1, "drop_new")).start_unlinked()
    gate = asyncio.Event()
    blocking = asyncio.create_task(Slow.block(pid, gate))
    blocking.add_done_callback(lambda task: task.cancelled() or task.exception())  # some kill it
    await wait_until(lambda: pid._process.current is not None)
    server = pid._process.server
    for number in range(5):
        st.send(pid, number)
    st.exit(pid, "stranger")
    st.exit(other, "gone")
    state = runtime.system(pid, lambda body: "looked", "test")
    await wait_until(lambda: not runtime.info(pid).timers)
    gate.set()
    await blocking
    await wait_until(lambda: len(server.got) == 4)

    assert server.got == [
        0,
        st.Exit(st.current(), "stranger"),
        st.Down(server.ref, other, "gone"),
        "tick",
    ]
    assert await state == "looked"


async def test_a_full_mailbox_can_be_killed_and_monitored(runtime):
    pid, _ = await blocked(1)
    st.unlink(pid)
    st.send(pid, 1)
    ref = st.monitor(pid)
    st.exit(pid, st.KILL)

    assert await st.receive(st.Down) == st.Down(ref, pid, st.KILLED)


async def test_a_dropped_call_is_answered_with_mailbox_full_error(runtime):
    for policy in ("drop_new", "drop_old"):
        pid, go_on = await blocked(1, policy)
        first = asyncio.create_task(Slow.ask(pid, "first"))
        await turn()
        second = asyncio.create_task(Slow.ask(pid, "second"))
        await turn()
        await go_on()
        answers = await asyncio.gather(first, second, return_exceptions=True)
        dropped, answered = answers if policy == "drop_old" else reversed(answers)

        assert isinstance(dropped, st.MailboxFullError)
        assert answered == ("second" if policy == "drop_old" else "first")


# -- waiting for a place -------------------------------------------------------------------


async def test_send_wait_waits_for_a_place_and_keeps_the_order_of_asking(runtime):
    pid, go_on = await blocked(2)
    sent = []

    async def sender(name: int) -> None:
        await st.send_wait(pid, name)
        sent.append(name)

    senders = [asyncio.create_task(sender(name)) for name in range(10)]
    await turn()
    assert sent == [0, 1]
    assert runtime.info(pid).mailbox == 2

    assert await go_on() == list(range(10))
    assert sent == list(range(10))
    await asyncio.gather(*senders)


async def test_nobody_overtakes_a_sender_that_waits(runtime):
    class Greedy(Slow):
        """Makes a place, and somebody tries to take it before the waiter has run."""

        def handle_info(self, message: object) -> None:
            super().handle_info(message)
            if message == "first":
                with pytest.raises(st.MailboxFullError):
                    st.send(self.pid, "greedy")

    pid = await st.child(Greedy).with_(bound=st.MailboxBound(1)).start_link()
    gate = asyncio.Event()
    blocking = asyncio.create_task(Slow.block(pid, gate))
    blocking.add_done_callback(lambda task: task.cancelled() or task.exception())  # some kill it
    await wait_until(lambda: pid._process.current is not None)
    server = pid._process.server
    st.send(pid, "first")
    waiting = asyncio.create_task(st.send_wait(pid, "waited"))
    await turn()
    gate.set()
    await blocking
    await waiting
    await wait_until(lambda: len(server.got) == 2)

    assert server.got == ["first", "waited"]


async def test_a_cancelled_waiter_leaves_its_place_to_the_next(runtime):
    pid, go_on = await blocked(1)
    st.send(pid, 0)
    waiting = [asyncio.create_task(st.send_wait(pid, number)) for number in (1, 2, 3)]
    await turn()
    waiting[0].cancel()
    await turn()

    assert await go_on() == [0, 2, 3]
    await asyncio.gather(*waiting[1:])
    assert pid._process.bounded.users == 0


async def test_a_waiter_cancelled_after_it_was_woken_gives_its_place_back(runtime):
    pid, go_on = await blocked(1)
    st.send(pid, 0)
    waiting = [asyncio.create_task(st.send_wait(pid, number)) for number in (1, 2)]
    await turn()
    bounded = pid._process.bounded
    bounded.took(pid._process.mailbox.popleft())  # a place: the first waiter is woken
    waiting[0].cancel()  # before it ran

    assert await go_on() == [2]
    await asyncio.gather(*waiting, return_exceptions=True)
    assert waiting[0].cancelled()
    assert bounded.users == 0


async def test_senders_that_wait_for_a_dead_mailbox_go_on(runtime):
    pid, _ = await blocked(1)
    st.unlink(pid)
    st.send(pid, 0)
    waiting = [asyncio.create_task(st.send_wait(pid, number)) for number in range(3)]
    await turn()
    st.exit(pid, st.KILL)

    assert await asyncio.gather(*waiting) == [None, None, None]


async def test_send_wait_to_ones_own_full_mailbox_is_refused(runtime):
    async def work() -> None:
        st.send(st.current(), 1)
        await st.send_wait(st.current(), 2)

    reason = await wait_down(runtime.spawn(work, bound=st.MailboxBound(1)))

    assert reason.type.endswith("MailboxFullError")


@pytest.mark.suptree_loop("virtual")
async def test_a_call_waits_for_a_place_within_its_deadline(runtime):
    pid, go_on = await blocked(1)
    st.send(pid, 0)
    start = runtime.now()
    with pytest.raises(st.MailboxFullError):
        await Slow.ask.within(2.0)(pid, "no place")
    assert runtime.now() - start == pytest.approx(2.0)
    asking = asyncio.create_task(Slow.ask.within(5.0)(pid, "in time"))
    await turn()

    assert await go_on() == [0, "in time"]
    assert await asking == "in time"


@pytest.mark.suptree_loop("virtual")
async def test_the_wait_for_a_place_and_for_the_reply_share_one_deadline(runtime):
    class Stuck(Slow):
        @st.call
        def never(self) -> st.NoReply:
            return st.NoReply()

    pid = await st.child(Stuck).with_(bound=st.MailboxBound(1)).start_link()
    gate = asyncio.Event()
    blocking = asyncio.create_task(Slow.block(pid, gate))
    blocking.add_done_callback(lambda task: task.cancelled() or task.exception())  # some kill it
    await wait_until(lambda: pid._process.current is not None)
    st.send(pid, 0)
    runtime.loop.call_later(3, gate.set)
    start = runtime.now()
    with pytest.raises(st.CallTimeoutError):
        await Stuck.never.within(4.0)(pid)

    assert runtime.now() - start == pytest.approx(4.0)
    await blocking


async def test_a_call_that_waits_for_the_mailbox_of_a_dying_server_is_answered(runtime):
    pid, _ = await blocked(1)
    st.unlink(pid)
    st.send(pid, 0)
    asking = asyncio.create_task(Slow.ask(pid, 1))
    await turn()
    st.exit(pid, st.KILL)

    with pytest.raises(st.ServerExitError):
        await asking


@pytest.mark.parametrize("limit", [0, -1, 1.5, True, "1"])
def test_a_bound_refuses_a_limit_that_is_no_count(limit):
    with pytest.raises(ValueError, match="limit must be an int of at least 1"):
        st.MailboxBound(limit)


def test_a_bound_refuses_an_unknown_policy():
    with pytest.raises(ValueError, match="overflow must be 'drop_new', 'drop_old' or 'reject'"):
        st.MailboxBound(1, "block")


async def test_senders_that_gave_up_leave_nothing_behind_in_a_full_mailbox(runtime):
    pid = await st.child(Slow).with_(bound=st.MailboxBound(1)).start_unlinked()
    gate = asyncio.Event()
    blocking = asyncio.create_task(Slow.block.within(None)(pid, gate))
    await wait_until(lambda: pid._process.current is not None)
    st.send(pid, "the one place")
    for _ in range(5):
        with pytest.raises(st.MailboxFullError):
            await Slow.ask.within(0.01)(pid, "too late")
        cancelled = asyncio.create_task(st.send_wait(pid, "unwanted"))
        await turn()
        cancelled.cancel()
        await asyncio.wait([cancelled])

    assert not pid._process.bounded.waiting
    gate.set()
    await blocking
    assert await Slow.ask(pid, "last") == "last"


@pytest.mark.otp("S34")
@pytest.mark.parametrize("policy", ["reject", "drop_new", "drop_old"])
async def test_a_full_mailbox_of_a_dying_process_refuses_nothing(runtime, policy):
    class Reluctant(st.GenServer):
        @st.cast
        async def work(self) -> None:
            try:
                await asyncio.sleep(3600)
            finally:
                await asyncio.sleep(0.1)

        @st.cast
        def note(self) -> None: ...

    pid = await st.child(Reluctant).with_(bound=st.MailboxBound(1, policy)).start_unlinked()
    Reluctant.work(pid)
    await wait_until(lambda: pid._process.task is not None)
    await turn()
    Reluctant.note(pid)
    down = runtime.down_slot(pid)
    st.exit(pid, "bye")
    for _ in range(3):
        Reluctant.note(pid)

    assert await down == "bye"
