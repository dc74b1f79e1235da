"""The ledger lets go of what is over, and loses nothing that is not."""

from __future__ import annotations

import gc
import weakref

import suptree.core as st
from suptree.testing.ledger import Ledger
from suptree.testing.sites import Sites

MANY = 3_000


async def test_runtimes_that_are_closed_and_empty_are_let_go_of_as_others_open() -> None:
    opened: list[weakref.ref[st.Runtime]] = []
    with Ledger(Sites()).watch():
        for _ in range(5):
            async with st.Runtime() as rt:
                opened.append(weakref.ref(rt))
        del rt
        gc.collect()

        assert [ref() is None for ref in opened] == [True, True, True, True, False]


async def test_the_line_that_made_a_monitor_is_known_however_many_came_and_went() -> None:
    ledger = Ledger(Sites())
    with ledger.watch():
        async with st.Runtime() as rt:
            watched = rt.spawn(st.receive)
            st.monitor(watched)
            for _ in range(MANY):
                st.demonitor(st.monitor(watched))

            [leak] = [one for one in ledger.leaks_of(rt) if one.kind == "monitor"]

    assert "test_ledger.py" in str(leak.where)
    places = ledger._opened[rt]
    assert len(places._of) < MANY
