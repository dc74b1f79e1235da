"""A call that failed with its server says whether anybody had begun with it."""

from __future__ import annotations

from typing import Any

import pytest

import suptree as st
from suptree.testing import turn


class Slow(st.GenServer):
    """Never answers, and is at its first call for ever."""

    async def handle_call(self, request: Any, sender: st.ReplyTo) -> Any:
        await st.receive()


class Late(st.GenServer):
    """Takes every call, and answers none."""

    def handle_call(self, request: Any, sender: st.ReplyTo) -> Any:
        return st.NoReply()


@pytest.mark.parametrize(("server", "unread"), [(Slow, [False, True]), (Late, [False, False])])
async def test_who_calls_the_dying_learns_whether_its_request_was_read(runtime, server, unread):
    pid = await server.start()
    asked = [st.send_request(pid, number) for number in range(2)]
    await turn()

    st.exit(pid, st.KILL)

    for request, expected in zip(asked, unread, strict=True):
        with pytest.raises(st.ServerExitError) as caught:
            await request
        assert caught.value.unread is expected


async def test_a_call_that_crashes_its_server_was_read(runtime):
    class Fragile(st.GenServer):
        @st.call
        def crash(self) -> None:
            raise RuntimeError("on purpose")

    pid = await Fragile.start()

    with pytest.raises(st.ServerExitError) as caught:
        await Fragile.crash(pid)

    assert not caught.value.unread
