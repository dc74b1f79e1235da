"""Readers of budgets: what is truly used, as against what was declared."""

from __future__ import annotations

import asyncio
from typing import Any

import psutil  # type: ignore[import-untyped]

from suptree.core import safe_repr
from suptree.services.resources.limits import Budget
from suptree.services.resources.records import Reading

__all__ = ["process_memory", "take_reading"]


async def process_memory() -> int:
    """Bytes of memory that this program has resident (RSS).

    The system keeps that number at hand: reading it takes some ten microseconds.
    """
    return int(psutil.Process().memory_info().rss)


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
