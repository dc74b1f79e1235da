"""Readers of budgets: what is truly used, as against what was declared."""

from __future__ import annotations

import asyncio
from typing import Any

import psutil  # type: ignore[import-untyped]

from suptree.core import Table, safe_repr
from suptree.services.parts.checks import check_count, check_name
from suptree.services.resources.limits import Budget, Reader
from suptree.services.resources.records import Reading

__all__ = ["process_memory", "table_entries", "take_reading"]


async def process_memory() -> int:
    """Bytes of memory that this program has resident (RSS).

    The system keeps that number at hand: reading it takes some ten microseconds.
    """
    return int(psutil.Process().memory_info().rss)


def table_entries(*tables: str) -> Reader:
    """A reader of how many entries these public or protected tables have together.

    Args:
        tables: Their names; while one of them is not there, the reading fails, and the last
            one stands.

    Raises:
        BadArgumentError: A name is no text, or there is none.

    >>> budgets = {"sessions": Budget(1_000_000, reader=table_entries("sessions"))}
    """
    check_count("table_entries", "the number of tables", len(tables))
    for name in tables:
        check_name("table_entries", "tables", name)

    async def read() -> int:
        return sum(len(Table.lookup(name)) for name in tables)

    return read


async def take_reading(name: str, budget: Budget) -> Reading:
    """Run the reader of *budget*; runs beside the manager, whatever the reader does."""
    assert budget.reader is not None
    used: Any = None
    try:
        async with asyncio.timeout(budget.reading_timeout):
            used = await budget.reader()
    except TimeoutError:
        return Reading(name, None, f"took longer than {budget.reading_timeout:g} s")
    except Exception as error:  # it is the author's code, and all that it can do is fail
        return Reading(name, None, safe_repr(error, 200))
    if not isinstance(used, int) or isinstance(used, bool) or used < 0:
        what = f"gave {safe_repr(used, 200)}, not a whole number of 0 or more"
        return Reading(name, None, what)
    return Reading(name, used)
