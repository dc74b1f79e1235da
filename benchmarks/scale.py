"""How far one runtime goes: `python -m benchmarks.scale [--processes N] [--children N]`.

Two measurements, each in a fresh interpreter so that neither pays for the other's memory:

- **crowd**: N live servers at once in one runtime (default 100,000): started, each called once, all stopped.
  Resident memory per process is the growth from before the first start to after the last.
- **storm**: N children (default 10,000) of one supervisor crash at the same moment; measured until each of them has
  a successor that answers. Crash reports are throttled by the runtime, and how many were written is printed.
"""

from __future__ import annotations

import argparse
import asyncio
import gc
import json
import logging
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import suptree as st

CROWD, STORM = 100_000, 10_000


class Idler(st.GenServer):
    """The smallest server that answers."""

    def __init__(self, number: int) -> None:
        self.number = number

    @st.call
    def ping(self) -> int:
        return self.number


class Faller(st.GenServer):
    """A permanent child that tells `watcher` when it is up, and crashes when told to."""

    def __init__(self, watcher: st.Pid[Any], number: int) -> None:
        st.send(watcher, (number, self.pid))

    @st.call
    def ping(self) -> bool:
        return True

    @st.cast
    def crash(self) -> None:
        raise RuntimeError("storm")


async def crowd(n: int) -> dict[str, float]:
    async with st.Runtime(stop_timeout=120.0) as rt:
        warm = await Idler.start(0)
        await Idler.stop(warm)
        gc.collect()
        before, start = _resident_bytes(), time.perf_counter()
        pids = [await Idler.start(number) for number in range(n)]
        started, after = time.perf_counter(), _resident_bytes()
        answers = [await Idler.ping(pid) for pid in pids]
        pinged = time.perf_counter()
        assert answers == list(range(n)), "every process answers for itself"
        live = len(rt.alive())
        stopping = time.perf_counter()
        for pid in pids:
            await Idler.stop(pid)
        stopped = time.perf_counter()
        left = len(rt.alive()) - 1  # this block is a process too
    return {
        "live": live,
        "start_s": started - start,
        "ping_s": pinged - started,
        "stop_s": stopped - stopping,
        "left": left,
        "bytes_per_process": (after - before) / n,
    }


async def storm(n: int) -> dict[str, float]:
    reports = _Counting()
    log = logging.getLogger("suptree")
    log.addHandler(reports)
    log.propagate = False
    async with st.Runtime(stop_timeout=120.0):
        me = st.current()
        start = time.perf_counter()
        supervisor = await st.Supervisor.start_link(
            [st.child(Faller, me, number).with_(id=number) for number in range(n)],
            max_restarts=n,
            max_seconds=600.0,
        )
        first = dict([await st.receive() for _ in range(n)])
        started = time.perf_counter()
        for pid in first.values():
            Faller.crash(pid)
        second = dict([await st.receive() for _ in range(n)])
        back = time.perf_counter()
        answered = [await Faller.ping(pid) for pid in second.values()]
        assert len(answered) == n, "every child is back"
        assert not set(first.values()) & set(second.values()), "and none is the one that fell"
        stopping = time.perf_counter()
        await st.Supervisor.stop(supervisor)
        stopped = time.perf_counter()
    return {
        "children": n,
        "start_s": started - start,
        "storm_s": back - started,
        "restarts_per_s": n / (back - started),
        "stop_s": stopped - stopping,
        "reports": reports.count,
    }


class _Counting(logging.Handler):
    def __init__(self) -> None:
        super().__init__()
        self.count = 0

    def emit(self, record: logging.LogRecord) -> None:
        self.count += 1


def _resident_bytes() -> int:
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE")


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.scale", description=__doc__)
    parser.add_argument("--processes", type=int, default=CROWD)
    parser.add_argument("--children", type=int, default=STORM)
    parser.add_argument("--only", choices=["crowd", "storm"])
    parser.add_argument("--json", action="store_true")
    parser.add_argument(
        "--here", action="store_true", help="run --only in this interpreter, print JSON"
    )
    options = parser.parse_args(arguments)
    if options.here:
        work = crowd(options.processes) if options.only == "crowd" else storm(options.children)
        print(json.dumps(asyncio.run(work)))
        return 0
    for name, n in (("crowd", options.processes), ("storm", options.children)):
        if options.only in (None, name):
            facts = _in_fresh_interpreter(name, n)
            print(json.dumps({name: facts}) if options.json else _sentence(name, facts))
    return 0


def _in_fresh_interpreter(name: str, n: int) -> dict[str, float]:
    size = "--processes" if name == "crowd" else "--children"
    command = [sys.executable, "-m", "benchmarks.scale", "--here", "--only", name, size, str(n)]
    done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)
    facts: dict[str, float] = json.loads(done.stdout)
    return facts


def _sentence(name: str, facts: dict[str, float]) -> str:
    if name == "crowd":
        return (
            f"crowd: {facts['live']:,.0f} processes alive at once; started in {facts['start_s']:.2f} s, "
            f"each called in {facts['ping_s']:.2f} s, stopped in {facts['stop_s']:.2f} s, {facts['left']:.0f} left; "
            f"{facts['bytes_per_process']:,.0f} bytes resident each"
        )
    return (
        f"storm: {facts['children']:,.0f} children crashed at once, all back in {facts['storm_s']:.2f} s "
        f"({facts['restarts_per_s']:,.0f} restarts/s); started in {facts['start_s']:.2f} s, stopped in "
        f"{facts['stop_s']:.2f} s; {facts['reports']:.0f} log records written"
    )


if __name__ == "__main__":
    sys.exit(main())
