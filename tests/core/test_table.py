"""Tables: read by all, written by their owner, inherited by their heir."""

from __future__ import annotations

import asyncio
import pickle

import pytest

import suptree as st
from suptree.testing import turn, wait_down, wait_until


async def wait_for_ever() -> None:
    await st.receive(lambda message: False)


async def keep(to: st.Pid[object]) -> None:
    """Forward every message, and write into each table that was handed over."""
    while True:
        message = await st.receive()
        if isinstance(message, st.TableTransfer):
            message.table["keeper"] = st.current()
        st.send(to, message)


async def make(to: st.Pid[object], **options: object) -> None:
    """Make a table, tell whom it may concern, and live on."""
    table = st.Table(**options)
    table["made by"] = st.current()
    st.send(to, table)
    await wait_for_ever()


async def test_all_read_what_the_owner_writes(runtime):
    pid = runtime.spawn(lambda to: make(to, name="cache"), st.current())
    table = await st.receive()

    assert st.Table.lookup("cache") is table
    assert table["made by"] is pid
    assert table.owner is pid
    assert (len(table), list(table), "made by" in table) == (1, ["made by"], True)
    assert table.get("missing") is None
    assert table.select(lambda key, value: value is pid) == [("made by", pid)]


@pytest.mark.parametrize(
    ("access", "reads", "writes"),
    [("public", True, True), ("protected", True, False), ("private", False, False)],
)
async def test_access_says_who_may_read_and_write_beside_the_owner(runtime, access, reads, writes):
    runtime.spawn(lambda to: make(to, access=access), st.current())
    table = await st.receive()

    for allowed, ask in [
        (reads, lambda: table.get("made by")),
        (reads, lambda: len(table)),
        (writes, lambda: table.update(a=1)),
        (writes, lambda: table.pop("made by")),
        (writes, lambda: table.insert_new("b", 1)),
        (writes, lambda: table.update_counter("n")),
        (writes, lambda: table.clear()),
        (False, lambda: table.delete()),
        (False, lambda: table.give_away(st.current())),
        (False, lambda: table.set_heir(st.current())),
    ]:
        if allowed:
            ask()
        else:
            with pytest.raises(st.TableAccessError, match="only its owner may"):
                ask()


async def test_table_without_an_heir_is_deleted_with_its_owner(runtime):
    pid = runtime.spawn(lambda to: make(to, name="cache"), st.current())
    table = await st.receive()
    st.exit(pid, st.KILL)
    await wait_down(pid)

    with pytest.raises(st.NoTableError, match="its owner has ended without an heir"):
        table["made by"]
    with pytest.raises(st.NoTableError, match="no table of that name"):
        st.Table.lookup("cache")
    assert table.owner is None
    assert "deleted" in repr(table)


async def test_heir_gets_the_table_and_a_message_and_may_write(runtime):
    keeper = runtime.spawn(keep, st.current())
    pid = runtime.spawn(
        lambda to: make(to, name="cache", heir=keeper, heir_data="yours"), st.current()
    )
    table = await st.receive()
    down = runtime.down_slot(pid)
    st.exit(pid, st.KILL)
    await down

    assert await st.receive() == st.TableTransfer(table, pid, "yours")
    assert table.owner is keeper
    assert dict(table) == {"made by": pid, "keeper": keeper}
    assert st.Table.lookup("cache") is table


async def test_a_dead_heir_inherits_nothing(runtime):
    keeper = runtime.spawn(keep, st.current())
    pid = runtime.spawn(lambda to: make(to, heir=keeper), st.current())
    table = await st.receive()
    st.exit(keeper, st.KILL)
    await wait_down(keeper)
    st.exit(pid, st.KILL)
    await turn(2)

    with pytest.raises(st.NoTableError):
        len(table)


async def test_an_owner_that_is_its_own_heir_leaves_nothing(runtime):
    async def own_heir(to: st.Pid[object]) -> None:
        st.send(to, st.Table(heir=st.current()))

    runtime.spawn(own_heir, st.current())
    table = await st.receive()
    await turn(2)

    with pytest.raises(st.NoTableError):
        len(table)


async def test_give_away_makes_another_process_the_owner(runtime):
    keeper = runtime.spawn(keep, st.current())
    table = st.Table()
    table["a"] = 1
    table.give_away(keeper, "take it")

    assert await st.receive() == st.TableTransfer(table, st.current(), "take it")
    with pytest.raises(st.TableAccessError):
        table["b"] = 2
    assert table.owner is keeper


async def test_give_away_to_the_dead_is_refused_and_the_table_stays(runtime):
    dead = runtime.spawn(wait_for_ever)
    st.exit(dead, st.KILL)
    await wait_down(dead)
    table = st.Table()

    with pytest.raises(st.NoProcessError):
        table.give_away(dead)
    table["mine"] = 1
    assert table.owner is st.current()


async def test_inheritance_gets_through_to_a_full_bounded_mailbox(runtime):
    got = []

    class Keeper(st.GenServer):
        @st.call
        async def busy(self) -> None:
            await asyncio.sleep(1)

        def handle_info(self, message: object) -> None:
            got.append(message)

    keeper = await st.child(Keeper).with_(bound=st.MailboxBound(1)).start_link()
    busy = asyncio.create_task(Keeper.busy(keeper))
    await wait_until(lambda: runtime.info(keeper).stack)
    st.send(keeper, "fills it")
    pid = runtime.spawn(lambda to: make(to, heir=keeper), st.current())
    table = await st.receive()
    st.exit(pid, st.KILL)
    await busy
    await turn(2)

    assert got == ["fills it", st.TableTransfer(table, pid, None)]
    st.send(keeper, "room again")


async def test_two_tables_cannot_have_one_name(runtime):
    st.Table("cache")
    with pytest.raises(st.NameTakenError, match="'cache'"):
        st.Table("cache")


async def test_delete_frees_the_name(runtime):
    st.Table("cache").delete()

    assert st.Table("cache").owner is st.current()


async def test_a_table_outlives_a_crash_of_its_user_under_a_keeper(runtime):
    """The pattern: the keeper is heir, the restarted worker is given the table again."""

    class Worker(st.GenServer):
        def handle_info(self, message: object) -> None:
            if isinstance(message, st.TableTransfer):
                self.table = message.table

        @st.call
        def count(self) -> int:
            return self.table.update_counter("n")

    table = st.Table(heir=st.current())
    for expected in (1, 2, 3):
        worker = await Worker.start()
        table.give_away(worker)
        assert await Worker.count(worker) == expected
        st.exit(worker, st.KILL)
        assert (await st.receive(st.TableTransfer)).table is table


async def test_iteration_is_over_a_snapshot(runtime):
    table = st.Table()
    table.update({1: "a", 2: "b"})
    for key in table:
        del table[key]

    assert len(table) == 0
    assert table.insert_new(1, "a")
    assert not table.insert_new(1, "b")
    assert table[1] == "a"


async def test_tables_refuse_threads_runtimes_pickling_and_nonsense(runtime, runtime_options):
    table = st.Table()
    with pytest.raises(st.WrongThreadError):
        await asyncio.to_thread(len, table)
    with pytest.raises(TypeError, match="dict\\(table\\)"):
        pickle.dumps(table)
    with pytest.raises(ValueError, match="access must be"):
        st.Table(access="everybody")
    me = st.current()
    async with st.Runtime(**runtime_options):
        with pytest.raises(st.CrossRuntimeError):
            st.Table(heir=me)
