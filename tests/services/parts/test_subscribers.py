"""Who hears of what, until they end."""

from __future__ import annotations

from typing import Any

import suptree as st
from suptree.services.parts.subscribers import Subscribers


class Idle(st.GenServer):
    """Does nothing."""


async def ended(pid: st.Pid[Any]) -> st.Down:
    st.exit(pid, st.KILL)
    return await st.receive(st.Down)


async def test_each_hears_once_of_what_it_asked_for(runtime):
    subscribers = Subscribers()
    one, other = await Idle.start(), await Idle.start()
    subscribers.add(one, "a")
    subscribers.add(one, "a")
    subscribers.add(one, "b")
    subscribers.add(other, "b")

    assert subscribers.of("a", "b") == [one, other]
    assert subscribers.of("c") == []
    assert list(subscribers.names()) == ["a", "b"]
    assert len(subscribers) == 2


async def test_who_ends_is_forgotten_under_every_name(runtime):
    subscribers = Subscribers()
    pid = await Idle.start()
    subscribers.add(pid, "a")
    subscribers.add(pid, "b")

    assert subscribers.gone(await ended(pid))

    assert (subscribers.of("a", "b"), list(subscribers.names()), len(subscribers)) == ([], [], 0)


async def test_other_messages_and_the_ends_of_others_change_nothing(runtime):
    subscribers = Subscribers()
    pid, stranger = await Idle.start(), await Idle.start()
    subscribers.add(pid, "a")
    st.monitor(stranger)

    assert not subscribers.gone("hello")
    assert not subscribers.gone(await ended(stranger))
    assert subscribers.of("a") == [pid]


async def test_who_leaves_its_last_name_is_watched_no_longer(runtime):
    subscribers = Subscribers()
    pid = await Idle.start()
    subscribers.add(pid, "a")

    subscribers.discard(pid, "a")
    subscribers.discard(pid, "b")

    assert len(subscribers) == 0
    st.exit(pid, st.KILL)


async def test_a_full_mailbox_loses_its_own_message_and_nobody_elses(runtime):
    subscribers = Subscribers()
    full = await st.child(Idle).with_(bound=st.MailboxBound(1, "reject")).start_link()
    other = await Idle.start()
    await st.sys.suspend(full)
    st.send(full, "in the way")
    subscribers.add(full, "a")
    subscribers.add(other, "a")

    assert subscribers.tell("news", "a") == 1

    assert (subscribers.told, subscribers.lost) == (1, 1)
    await st.sys.resume(full)
