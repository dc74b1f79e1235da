"""`ErrorContext`: belongs to a block, travels with messages, and stays small."""

from __future__ import annotations

import asyncio
import logging

import pytest

import suptree as st
from suptree.services import ERROR_CONTEXT, ErrorContext, ErrorContextFilter, Tracer

pytestmark = pytest.mark.suptree_loop("virtual")


class Till(st.GenServer):
    """Says in which operation it works."""

    @st.call
    def seen(self) -> ErrorContext | None:
        return ErrorContext.current()

    @st.call
    async def book(self) -> ErrorContext | None:
        ErrorContext.note("booked")
        await asyncio.sleep(0)
        return ErrorContext.current()


async def test_an_operation_ends_with_its_block_and_the_one_around_it_is_current_again(runtime):
    assert ErrorContext.current() is None
    with ErrorContext.open("outer") as outer:
        with pytest.raises(KeyError), ErrorContext.open("inner"):
            raise KeyError
        assert ErrorContext.current() == outer
    assert ErrorContext.current() is None


async def test_what_is_below_has_an_id_of_its_own_and_shares_what_correlates(runtime):
    with (
        ErrorContext.open("pay", correlation_id="order-7", shop="a") as above,
        ErrorContext.open("book", row=3) as below,
    ):
        pass

    assert below.correlation_id == above.correlation_id == "order-7"
    assert below.parent_id == above.operation_id != below.operation_id
    assert dict(below.facts) == {"shop": "a", "row": 3}
    assert above.parent_id is None


async def test_breadcrumbs_say_what_and_when_and_the_oldest_that_are_too_many_are_counted(runtime):
    with ErrorContext.open("pay"):
        for n in range(25):
            await asyncio.sleep(1.0)
            ErrorContext.note("tried", n=n)
        context = ErrorContext.current()

    assert context is not None
    assert len(context.breadcrumbs) == 20
    assert context.dropped == 5
    first, *_, last = context.breadcrumbs
    assert (first.text, dict(first.facts), first.after) == ("tried", {"n": 5}, 6.0)
    assert last.after == 25.0
    assert "after 5 more, tried (n=5), tried (n=6)" in str(context)


async def test_a_note_outside_of_operations_is_no_error(runtime):
    ErrorContext.note("nothing")

    assert ErrorContext.current() is None


@pytest.mark.parametrize("propagator", [st.ContextPropagator, Tracer], ids=["plain", "tracer"])
async def test_it_travels_with_calls_and_what_is_added_there_does_not_come_back(
    runtime, propagator
):
    one = propagator(ERROR_CONTEXT)
    if isinstance(one, Tracer):
        one.install(runtime)
    else:
        runtime.propagator = one
    till = await Till.start_link()

    with ErrorContext.open("pay") as context:
        assert await Till.seen(till) == context
        there = await Till.book(till)
        assert ErrorContext.current() == context
    assert await Till.seen(till) is None

    assert there is not None
    assert [crumb.text for crumb in there.breadcrumbs] == ["booked"]


async def test_without_a_propagator_it_stays_in_its_process(runtime):
    till = await Till.start_link()

    with ErrorContext.open("pay"):
        assert await Till.seen(till) is None


async def test_a_task_and_a_process_that_are_started_inside_have_it(runtime):
    async def look() -> ErrorContext | None:
        return ErrorContext.current()

    seen: list[ErrorContext | None] = []

    async def process() -> None:
        seen.append(ErrorContext.current())

    with ErrorContext.open("pay") as context:
        assert await asyncio.create_task(look()) == context
        st.spawn_monitor(process)
    await st.receive(st.Down, timeout=5.0)

    assert seen == [context]


async def test_log_records_say_in_which_operation_they_were_written(runtime):
    record = logging.makeLogRecord({})

    assert ErrorContextFilter().filter(record)
    assert (record.operation, record.correlation_id) == ("", "")  # type: ignore[attr-defined]
    with ErrorContext.open("pay", correlation_id="order-7") as context:
        ErrorContextFilter().filter(record)
    assert record.operation_id == context.operation_id  # type: ignore[attr-defined]
    assert record.correlation_id == "order-7"  # type: ignore[attr-defined]


@pytest.mark.parametrize("wrong", [None, 5, ""])
async def test_a_name_that_is_none_is_refused(runtime, wrong):
    with pytest.raises(st.BadArgumentError, match="operation must be"), ErrorContext.open(wrong):
        pass
    with pytest.raises(st.BadArgumentError, match="text must be"):
        ErrorContext.note(wrong)
