"""What a system holds at a quiet moment, as numbers: one for each series of the soak."""

from __future__ import annotations

import asyncio
import gc
import linecache
import sys
import threading
from collections import deque
from collections.abc import Collection, Iterable, Iterator, Mapping
from typing import Any, Final

import psutil

import suptree as st
from suptree.core import Process
from tests.soak.memory import bytes_in_use
from tests.soak.verdict import Series

__all__ = ["HELD", "MEGABYTE", "elements", "sample", "series_of"]

HELD: Final = "held by "
MEGABYTE: Final = 1024.0 * 1024.0
WALKED: Final = ("suptree.services", "suptree.system", "suptree.otp", "suptree.core.table")
NOT_WALKED: Final = (st.Runtime, Process, st.Pid, st.Ref, type)

REFILLED: Final = (10.0, 50.0)
"""In an hour, and once: bounded tables fill again after each kill."""

COUNTED: Final = (
    Series(
        "memory in use, MB",
        0.2,
        0.4,
        "what the allocators have given out; caches of the interpreter fill",
    ),
    Series(
        "resident memory, MB",
        1.0,
        4.0,
        "what the kernel lent, which is the most that was in use at once, so far; the worst moment yet makes it "
        "grow, and comes ever more rarely",
    ),
    Series(
        "blocks of memory",
        2_000.0,
        4_000.0,
        "what Python's allocator has given out, 4,000 are a quarter of a megabyte; caches of the interpreter fill",
    ),
    Series("objects", 500.0, 1_000.0, "what the collector tracks; as above"),
    Series("processes"),
    Series("tasks"),
    Series("timers"),
    Series("deadlines of calls"),
    Series("monitors"),
    Series("links"),
    Series("names"),
    Series("messages in mailboxes", 0.0, 5.0, "some are on their way at the moment of the look"),
    Series("owned resources"),
    Series("descriptors"),
    Series("threads"),
    Series("abandoned"),
    Series("rows of tables", *REFILLED),
)


def series_of(services: Iterable[str]) -> list[Series]:
    """Every series: what the runtime holds, then what each service does."""
    return [*COUNTED, *(Series(f"{HELD}{name}", *REFILLED) for name in services)]


def sample(runtime: st.Runtime, services: Mapping[str, str]) -> dict[str, float]:
    """Count everything now; *services* are their registered names by their own.

    The cache of the sources of tracebacks is emptied first: it is the interpreter's, and is full
    when each file has been in one.
    """
    linecache.clearcache()  # source lines for tracebacks: a new file now and then, for an hour
    gc.collect()
    system = psutil.Process()
    living = list(runtime.processes.values())
    tables = {id(one): one for one in runtime.tables.values()}
    tables |= {id(one): one for process in living for one in process.tables or ()}
    counted: dict[str, float] = {
        "memory in use, MB": bytes_in_use() / MEGABYTE,
        "resident memory, MB": system.memory_info().rss / MEGABYTE,
        "blocks of memory": sys.getallocatedblocks(),
        "objects": len(gc.get_objects()),
        "processes": len(living),
        "tasks": len(asyncio.all_tasks()),
        "timers": runtime.ticker.timers.live,
        "deadlines of calls": runtime.ticker.timers.deadlines(),
        "monitors": sum(len(process.watching or ()) for process in living),
        "links": sum(len(process.links or ()) for process in living) / 2,
        "names": len(runtime.names),
        "messages in mailboxes": sum(len(process.mailbox) for process in living),
        "owned resources": sum(len(process.owned or ()) for process in living),
        "descriptors": system.num_fds(),
        "threads": threading.active_count(),
        "abandoned": len(runtime.abandoned),
        "rows of tables": sum(len(one) for one in tables.values()),
    }
    for name, path in services.items():
        process = runtime.names.get(path)
        counted[f"{HELD}{name}"] = 0 if process is None else elements(_inside(process))
    return counted


def _inside(process: Process) -> object:
    return process.body if process.server is None else process.server


def elements(root: object) -> int:
    """How many elements there are in the containers inside *root*, which is a server of ours.

    Goes into what is of the services, and into their containers; not into the runtime and its
    processes, and not into what users gave.
    """
    seen: set[int] = set()
    work: deque[object] = deque([root])
    count = 0
    while work:
        one = work.popleft()
        if id(one) in seen or isinstance(one, NOT_WALKED):
            continue
        seen.add(id(one))
        if isinstance(one, (dict, list, set, frozenset, tuple, deque)):
            inside: Collection[Any] = one
            count += len(inside)
            work.extend(inside)
            if isinstance(one, dict):
                work.extend(one.values())
        elif type(one).__module__.startswith(WALKED):
            work.extend(_attributes(one))
    return count


def _attributes(one: object) -> Iterator[object]:
    yield from getattr(one, "__dict__", {}).values()
    for cls in type(one).__mro__:
        slots = cls.__dict__.get("__slots__", ())
        for name in (slots,) if isinstance(slots, str) else slots:
            if name.startswith("__") and not name.endswith("__"):
                name = f"_{cls.__name__.lstrip('_')}{name}"
            yield getattr(one, name, None)
