"""Introspection: one process as a record, the tree, and where code stands."""

from __future__ import annotations

import asyncio
import json

import pytest

import suptree as st
from suptree.core import KernelBody
from suptree.testing import turn, wait_until


class Server(st.GenServer):
    """Does what it is told."""

    @st.call
    async def ask(self, other: st.Pid[Server]) -> str:
        return await Server.slow(other)

    @st.call
    async def slow(self) -> str:
        await asyncio.sleep(100)
        return "done"

    @st.call
    def hold(self) -> st.NoReply:
        return st.NoReply()

    @st.call
    def own_info(self) -> st.ProcessInfo:
        return self.pid.runtime.info(self.pid)

    def handle_info(self, message: object) -> None:
        pass


class Tree(KernelBody):
    """A supervisor as `tree` sees one."""

    kind = "supervisor"

    def __init__(self) -> None:
        super().__init__()
        self.children: list[tuple[object, object, str]] = []

    async def main(self) -> object:
        self.started()
        await self.receive()
        return st.NORMAL

    def children_of(self) -> list[tuple[object, object, str]]:
        return self.children


async def test_info_of_a_resting_server_says_what_it_holds(runtime):
    me = st.current()
    pid = await st.child(Server).with_(name="server", bound=st.MailboxBound(5)).start_link()
    st.monitor(pid)
    pid._process.runtime.ticker.send_after(pid._process, pid._process, 10, "tick")
    pid._process.body.server.own("a file", len)
    info = runtime.info("server")

    assert (info.pid, info.name, info.label, info.kind) == (pid, "server", "Server", "server")
    assert (info.state, info.parent, info.ancestors) == ("idle", me, (me,))
    assert info.links == (me,)
    assert info.monitored_by == (me,)
    assert (info.mailbox, info.mailbox_bound, info.dropped) == (0, 5, 0)
    assert info.timers == ("in 10.000 s: 'tick'",)
    assert info.owned == ("'a file'",)
    assert (info.current, info.stack, info.waiting_for) == ("", "", None)
    json.dumps(info.to_dict())
    assert info.to_dict()["parent"] == repr(me)


async def test_info_of_a_suspended_handler_says_the_message_and_where_it_stands(runtime):
    a, b = await Server.start(), await Server.start()
    asked = asyncio.create_task(Server.ask(a, b))
    await wait_until(lambda: runtime.info(b).stack)
    info = runtime.info(a)

    assert info.state == "waiting"
    assert info.current.startswith("call ask(<0.")
    assert "in ask" in info.stack
    assert "return await Server.slow(other)" in info.stack
    assert (info.waiting_for, info.wait_chain) == (b, (a, b))
    assert "await asyncio.sleep(100)" in runtime.info(b).stack
    asked.cancel()


async def test_info_of_a_plain_process_shows_the_line_where_it_receives(runtime):
    async def work() -> None:
        await st.receive(timeout=50)

    pid = runtime.spawn(work)
    await turn()
    info = runtime.info(pid)

    assert (info.kind, info.state) == ("plain", "receiving")
    assert "await st.receive(timeout=50)" in info.stack
    assert "core/api.py" not in info.stack


async def test_info_of_a_process_on_the_stack_says_so(runtime):
    pid = await Server.start()
    info = await Server.own_info(pid)

    assert info.state == "running"
    assert info.stack.startswith("running now:")
    assert "in own_info" in info.stack
    assert "running now:" in runtime.info(st.current()).stack


async def test_info_counts_dropped_messages_put_off_replies_and_the_mailbox(runtime):
    pid = await st.child(Server).with_(bound=st.MailboxBound(2, "drop_new")).start_link()
    held = asyncio.create_task(Server.hold(pid))
    await wait_until(lambda: runtime.info(pid).owes)
    slow = asyncio.create_task(Server.slow(pid))
    await wait_until(lambda: runtime.info(pid).stack)
    for number in range(5):
        st.send(pid, number)
    info = runtime.info(pid)

    assert (info.mailbox, info.dropped, info.owes) == (2, 3, 1)
    held.cancel()
    slow.cancel()


async def test_info_of_nobody_raises(runtime):
    for target in ("nobody", await ended(runtime)):
        with pytest.raises(st.NoProcessError, match="info"):
            runtime.info(target)


async def ended(runtime):
    pid = await Server.start()
    st.exit(pid, st.KILL)
    return pid


async def test_info_survives_objects_that_cannot_be_shown(runtime):
    class Nasty:
        def __repr__(self) -> str:
            raise ValueError

    gate = asyncio.Event()

    class Busy(Server):
        async def handle_call(self, request: object, sender: st.ReplyTo) -> object:
            await gate.wait()
            return super().handle_call(request, sender)

    pid = await Busy.start()
    pid._process.body.server.own(Nasty(), id)
    asked = asyncio.create_task(st.GenServer.call(pid, Nasty()))
    await wait_until(lambda: runtime.info(pid).current)
    json.dumps(runtime.info(pid).to_dict())
    gate.set()
    with pytest.raises(st.ServerExitError):
        await asked


async def test_tree_shows_guests_and_parentless_ones_at_the_top_and_children_in_order(runtime):
    me = st.current()
    linked = [await Server.start_link() for _ in range(3)]
    alone = await Server.start()
    top = runtime.tree()

    assert [node.pid for node in top] == [me, alone]
    assert [node.pid for node in top[0].children] == linked
    assert (top[0].kind, top[0].label) == ("guest", "main")


async def test_tree_shows_children_as_their_supervisor_knows_them(runtime):
    body = Tree()
    sup = await runtime.start_process(body, parent=runtime.root, name="sup")
    first, second = [
        await runtime.start_process(Tree(), parent=sup._process, label="child") for _ in range(2)
    ]
    body.children = [("two", second, "worker"), ("one", first, "worker"), ("gone", None, "worker")]
    body.children.append(("back", "restarting", "worker"))
    [main] = runtime.tree()
    [node] = main.children

    assert node.name == "sup"
    assert [(child.id, child.pid, child.state) for child in node.children] == [
        ("two", second, "receiving"),
        ("one", first, "receiving"),
        ("gone", None, "down"),
        ("back", None, "restarting"),
    ]
    assert json.loads(json.dumps(main.to_dict()))["children"][0]["children"][2]["state"] == "down"


async def test_tree_of_ten_thousand_linked_below_one_another_does_not_recurse(runtime):
    parent = runtime.root
    for _ in range(10_000):
        pid = await runtime.start_process(Tree(), parent=parent)
        parent = pid._process
    [main] = runtime.tree()
    out = main.to_dict()
    depth = 0
    while out["children"]:
        [out] = out["children"]
        depth += 1

    assert depth == 10_000
    main.children.clear()


async def test_the_wait_chain_of_a_ring_ends_where_it_began(runtime):
    class Ring(st.GenServer):
        @st.call
        async def ask(self, *path: st.Pid[object]) -> str:
            return await Ring.ask(path[0], *path[1:]) if path else "end"

    a, b = await Ring.start(), await Ring.start()
    asked = asyncio.create_task(Ring.ask(a, b, a))
    await wait_until(lambda: runtime.info(b).waiting_for)

    assert runtime.info(a).wait_chain == (a, b, a)
    asked.cancel()
    st.exit(a, st.KILL)
