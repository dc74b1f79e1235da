"""A Python contestant as a program: `python -m benchmarks.worker MODULE LOOP` reads asks, prints answers.

The module has a `VERSION` and `WORKLOADS`, functions from an `Ask` to its metrics, async ones run by the loop. It is
the only one in its interpreter. What it prints itself goes to stderr.
"""

from __future__ import annotations

import asyncio
import gc
import importlib
import inspect
import os
import sys
from collections.abc import Callable, Coroutine, Iterable, Mapping
from typing import Any, Protocol, TextIO, TypeAlias, cast

from benchmarks.protocol import CANNOT, FAILED, Ask, Metrics, answer

Workload: TypeAlias = Callable[[Ask], Metrics | Coroutine[Any, Any, Metrics]]


class RunLoop(Protocol):
    """`asyncio.run` or `uvloop.run`."""

    def __call__(self, main: Coroutine[Any, Any, Metrics], /) -> Metrics: ...


def main() -> None:
    _, module_name, loop = sys.argv
    answers = os.fdopen(os.dup(1), "w", buffering=1)
    os.dup2(2, 1)
    module = importlib.import_module(module_name)
    print(module.VERSION, file=answers)
    serve(module.WORKLOADS, run_loop(loop), sys.stdin, answers)


def serve(
    workloads: Mapping[str, Workload], run: RunLoop, asks: Iterable[str], answers: TextIO
) -> None:
    """Answer each line of *asks* on *answers*."""
    for line in asks:
        ask = Ask.parse(line)
        workload = workloads.get(ask.workload)
        print(CANNOT if workload is None else _sample(workload, ask, run), file=answers)


def _sample(workload: Workload, ask: Ask, run: RunLoop) -> str:
    gc.collect()  # what the sample before left behind is not for this one to pay
    try:
        metrics = workload(ask)
        if inspect.iscoroutine(metrics):
            metrics = run(metrics)
        return answer(cast("Metrics", metrics))
    except Exception as error:  # the driver tells it; the next sample may go well
        return f"{FAILED} {type(error).__name__}: {' '.join(str(error).split())}"


def run_loop(name: str) -> RunLoop:
    """Return what runs a coroutine on that loop."""
    if name == "uvloop":
        import uvloop

        return uvloop.run
    return asyncio.run


if __name__ == "__main__":
    main()
