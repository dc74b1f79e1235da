"""What the soak counts, and what it calls a broken promise."""

from __future__ import annotations

from collections import deque
from types import SimpleNamespace

import pytest

import suptree as st
from suptree.services import Acknowledged, DeadLettered, Leases, Rejected
from tests.soak.book import Book, Boom
from tests.soak.holdings import elements


@pytest.mark.parametrize(
    ("outcome", "handled", "broken"),
    [
        (Acknowledged(1, "agent", "done", attempts=1), 1, 0),
        (Acknowledged(1, "agent", "done", attempts=2), 1, 0),
        (Acknowledged(1, "agent", "done", attempts=1), 0, 1),
        (Acknowledged(1, "agent", "done", attempts=1), 2, 1),
        (Rejected(1, "agent", "buffer_full", ""), 0, 0),
        (Rejected(1, "agent", "buffer_full", ""), 1, 1),
        (DeadLettered(1, "agent", "poison", attempts=3), 4, 1),
        (None, 0, 1),
    ],
)
def test_an_outcome_must_agree_with_how_often_the_message_was_handled(outcome, handled, broken):
    book = Book()

    with book.sent(book.parcel(), "agent") as entry:
        for _ in range(handled):
            book.handled(entry.parcel, "agent")
        entry.outcome = outcome

    assert (book.broken, book.open) == (broken, {})


@pytest.mark.parametrize(
    ("error", "raised", "end"),
    [
        (st.NoProcessError("router", "coordinate"), False, "the router was killed"),
        (GeneratorExit(), True, "the sender was killed"),
        (KeyError(), True, "an error"),
    ],
)
def test_a_message_without_an_outcome_has_a_reason_and_is_open_no_longer(error, raised, end):
    book, seen = Book(), None

    try:
        with book.sent(book.parcel(), "agent"):
            raise error
    except BaseException as caught:
        seen = caught

    assert (seen is error, dict(book.ends), book.open) == (raised, {end: 1}, {})


def test_messages_of_one_sender_to_one_name_come_in_order():
    book = Book()
    first, second, other = book.parcel("sender"), book.parcel("sender"), book.parcel("somebody")

    book.handled(second, "agent")
    book.handled(second, "agent")  # again, since it died over it
    book.handled(other, "agent")
    book.handled(first, "another agent")
    assert book.broken == 0

    book.handled(first, "agent")
    assert book.broken == 1


@pytest.mark.parametrize(
    ("reason", "broken"),
    [
        (st.KILLED, 0),
        (st.Crashed(Boom()), 0),
        (st.Crashed(st.NoProcessError("router", "coordinate")), 0),
        (st.Crashed(KeyError("lane")), 1),
    ],
)
def test_only_what_is_meant_to_may_crash(reason, broken):
    book = Book()

    book.crashed(None, None, {"label": "Router", "reason": reason})

    assert book.broken == broken


def test_elements_are_counted_in_what_belongs_to_services_and_in_nothing_else():
    mine = SimpleNamespace(many=list(range(1000)))

    assert elements({"a": [1, 2], "b": deque([mine])}) == 2 + 2 + 1


async def test_elements_see_what_a_server_holds(runtime):
    pid = await Leases.start_link()
    process = runtime.find(pid)
    before = elements(process.server)

    for n in range(10):
        await Leases.acquire(pid, f"lease {n}")

    assert elements(process.server) >= before + 10
