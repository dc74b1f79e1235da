"""Pids and refs: opaque, comparable by identity, printable."""

from __future__ import annotations

import suptree as st
from suptree.testing import turn, wait_down


async def wait_for_ever() -> None:
    await st.receive(lambda message: False)


async def test_pids_are_equal_by_identity_and_sort_by_age(runtime):
    pids = [runtime.spawn(wait_for_ever) for _ in range(5)]

    shuffled = [pids[3], pids[0], pids[4], pids[2], pids[1]]

    assert sorted(shuffled) == pids
    assert len({*pids, *pids}) == 5
    assert pids[0] != pids[1]


async def test_a_pid_prints_its_number_and_its_name_while_it_has_one(runtime):
    pid = runtime.spawn(wait_for_ever, name="worker")
    await turn()
    assert repr(pid) == f"<0.{pid.id} worker>"
    st.exit(pid, st.KILL)
    await wait_down(pid)

    assert repr(pid) == f"<0.{pid.id}>"
    assert not pid.is_alive()


async def test_numbers_are_never_given_out_again(runtime):
    seen = set()
    for _ in range(100):
        pid = runtime.spawn(wait_for_ever)
        st.exit(pid, st.KILL)
        await wait_down(pid)
        seen.add(pid.id)

    assert len(seen) == 100


async def test_a_pid_keeps_nothing_of_its_dead_process(runtime):
    pid = runtime.spawn(wait_for_ever)
    await turn()
    st.exit(pid, st.KILL)
    await wait_down(pid)

    assert pid._process is None


async def test_refs_are_unique_and_printable(runtime):
    refs = [st.monitor(st.current()) for _ in range(10)]

    assert len({repr(ref) for ref in refs}) == 10
    assert repr(refs[0]).startswith("#Ref<")


def test_a_pid_carries_the_class_of_its_server_for_type_checkers():
    class Server(st.GenServer):
        pass

    assert st.Pid[Server].__origin__ is st.Pid
