"""Running the tree as a program: what the user sees meanwhile, and how it came to its end.

Crash reports go to a file beside the rows: under chaos there are hundreds, and the
terminal belongs to the progress line. What the runner itself has to say stays on stderr.
"""

from __future__ import annotations

import gc
import logging
from collections.abc import Iterator
from contextlib import contextmanager
from enum import IntEnum
from pathlib import Path

import suptree as st
from suptree.system import Inspector

from .survey import quiet_parser
from .tree import Census

RUNNER = ("runner", "watchdog")
"""The modules of suptree that speak about the program as a whole."""


class Ending(IntEnum):
    """How a run ended; the exit codes of the program."""

    COMPLETE = 0  # every file has its row
    FAILED = 1  # the tree gave up, or a chaos run differs from a plain one
    BAD_INPUT = 2  # nothing was started
    STOPPED = 130  # by Ctrl-C or SIGTERM, in order; the rows so far are there


def run(application: Census, *, inspect: bool = False) -> Ending:
    """Run *application* until it ends by itself or a signal stops it.

    Args:
        application: The census.
        inspect: Whether `suptree tree` may look in from another terminal.

    Returns:
        COMPLETE, STOPPED or FAILED.
    """
    job = application.job
    with quiet_parser(), _heap_at_rest(), _crash_reports_to(crash_log(job.out)):
        code = st.run_program(application, companions=[st.child(Inspector)] if inspect else ())
    if job.line is not None:
        job.line.finish(job.tally)
    if code is st.ExitCode.OK:
        return Ending.COMPLETE if job.tally.done == job.tally.total else Ending.STOPPED
    return Ending.STOPPED if code in _FORCED else Ending.FAILED


def crash_log(out: Path) -> Path:
    """Where the crash reports of a run go whose rows go to *out*."""
    return out.with_name("crashes.log")


_FORCED = (st.ExitCode.INTERRUPTED, st.ExitCode.TERMINATED, st.ExitCode.OVERDUE)


@contextmanager
def _heap_at_rest() -> Iterator[None]:
    """Leave what is there already to itself: each file's tree has the garbage collector run.

    It would go through all the services' code each time, a tenth of the whole run.
    """
    gc.collect()
    gc.freeze()
    try:
        yield
    finally:
        gc.unfreeze()


@contextmanager
def _crash_reports_to(path: Path) -> Iterator[None]:
    path.unlink(missing_ok=True)
    to_file = logging.FileHandler(path, delay=True, encoding="utf-8", errors="backslashreplace")
    to_file.setFormatter(logging.Formatter("%(asctime)s %(message)s"))
    to_file.addFilter(lambda record: record.module not in RUNNER)
    to_people = logging.StreamHandler()
    to_people.addFilter(lambda record: record.module in RUNNER)
    log = logging.getLogger("suptree")
    before = log.propagate
    log.propagate = False
    for handler in (to_file, to_people):
        log.addHandler(handler)
    try:
        yield
    finally:
        log.propagate = before
        for handler in (to_file, to_people):
            log.removeHandler(handler)
            handler.close()
