"""Every loss is a count: whoever gets nothing of what was sent shows up in a number."""

from __future__ import annotations

import asyncio

import pytest

import suptree as st
from suptree.testing import turn, wait_down, wait_until


class Clerk(st.GenServer):
    @st.call
    async def wait(self, gate: asyncio.Event) -> int:
        await gate.wait()
        return 1

    @st.cast
    def note(self, number: int) -> None:
        pass


async def test_what_is_sent_or_cast_to_the_dead_is_counted(runtime):
    pid = await Clerk.start()
    await st.GenServer.stop(pid)

    st.send(pid, "hello")
    Clerk.note(pid, 1)
    st.GenServer.cast(pid, "note")
    st.GenServer.cast("nobody", "note")

    assert runtime.losses == st.Losses(to_dead=4)


@pytest.mark.otp("S15")
async def test_what_waits_in_the_mailbox_of_one_who_dies_is_counted(runtime):
    pid = await Clerk.start()
    gate = asyncio.Event()
    waiting = asyncio.create_task(Clerk.wait(pid, gate))
    await turn()
    Clerk.note(pid, 1)
    st.send(pid, "hello")
    st.exit(pid, st.KILL)
    Clerk.note(pid, 2)  # it is exiting: not alive, and its mailbox is closed

    await wait_down(pid)

    assert runtime.losses == st.Losses(unread=2, to_dead=1)
    with pytest.raises(st.ServerExitError):  # a call is answered, so it is no loss
        await waiting


@pytest.mark.otp("S31")
@pytest.mark.suptree_loop("virtual")
async def test_a_reply_that_comes_too_late_is_counted(runtime):
    pid = await Clerk.start()
    gate = asyncio.Event()
    with pytest.raises(st.CallTimeoutError):
        await Clerk.wait.within(1.0)(pid, gate)

    gate.set()
    await wait_until(lambda: runtime.losses.total == 1)

    assert runtime.losses == st.Losses(late_replies=1)


async def test_what_the_bound_of_a_mailbox_drops_is_counted(runtime):
    async def busy() -> None:
        await asyncio.sleep(3600)

    pid = runtime.spawn(busy, bound=st.MailboxBound(2, "drop_new"))
    for number in range(5):
        st.send(pid, number)

    assert runtime.losses == st.Losses(overflowed=3)
