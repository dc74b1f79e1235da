"""The watchdog of a program that is being stopped: ends it from outside when nothing else can.

A loop that is blocked by a plain handler, or by C code, runs no deadline of its own.
So a thread waits beside it.  When the time is up and the loop does not even answer, or
does not finish its last steps, the thread says where the code stands, flushes what can
be flushed, and leaves the interpreter with `os._exit`.

Nothing here, and nothing in a signal handler, waits for a log: the code that a signal
interrupts may itself stand in a write to a full pipe and hold the lock of the stream.
So all that is said is said from a thread, and waited for a moment only.

Owned by `runner.py`.  The only place that calls `os._exit`.
"""

from __future__ import annotations

import asyncio
import logging
import os
import sys
import threading
import traceback
from collections.abc import Callable
from contextlib import suppress
from typing import Final

from suptree.core import LOG
from suptree.otp.exit_codes import ExitCode

__all__ = ["Watchdog", "leave"]

ANSWER_LIMIT: Final = 0.7
"""Seconds in which a loop that works answers."""
WORDS_LIMIT: Final = 0.25
"""Seconds that the last words may take; with the above less than the second that a stop may be late."""
LAST_STEPS: Final = 10.0
"""Seconds that killing, closing and leaving may take once the loop answers."""


class Watchdog:
    """Watches one stop of one program.  `watch` and `warn` may be called from a signal handler."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._main = threading.get_ident()
        self._done = threading.Event()
        self._threads: list[threading.Thread] = []

    def watch(self, seconds: float, code: ExitCode) -> None:
        """Leave with *code* if the program has not ended soon after *seconds*."""
        self._begin("suptree watchdog", self._wait, seconds, code)

    def warn(self, text: str, *args: object) -> None:
        """Log a warning from a thread: whatever the signal interrupted may hold the lock of the log."""
        self._begin("suptree warning", self._warn, text, *args)

    def _warn(self, text: str, *args: object) -> None:
        LOG.warning(text, *args)  # here, so that the record names this module

    def done(self) -> None:
        """The program has ended: nothing is left to watch."""
        self._done.set()
        for thread in self._threads:
            thread.join(WORDS_LIMIT)

    def _begin(self, name: str, function: Callable[..., object], *args: object) -> None:
        thread = threading.Thread(target=function, args=args, name=name, daemon=True)
        self._threads.append(thread)
        thread.start()

    def _wait(self, seconds: float, code: ExitCode) -> None:
        if self._done.wait(seconds):
            return
        answered = threading.Event()
        with suppress(RuntimeError):  # the loop is closed
            self._loop.call_soon_threadsafe(answered.set)
        if not answered.wait(ANSWER_LIMIT) and not self._done.is_set():
            leave(code, f"the event loop does not answer; it stands in\n{self._stack()}")
        if not self._done.wait(LAST_STEPS):
            leave(code, f"the last steps of the stop do not end; they stand in\n{self._stack()}")

    def _stack(self) -> str:
        frame = sys._current_frames().get(self._main)
        return "".join(traceback.format_stack(frame)) if frame is not None else "nowhere"


def leave(code: ExitCode, why: str) -> None:
    """Leave the interpreter at once; the logs and the standard streams have a moment to be flushed."""
    last = threading.Thread(
        target=_last_words, args=(code, why), name="suptree last words", daemon=True
    )
    last.start()
    last.join(WORDS_LIMIT)
    os._exit(code)


def _last_words(code: ExitCode, why: str) -> None:
    LOG.critical("exit code %d: %s", code, why)
    with suppress(Exception):
        logging.shutdown()
    for stream in (sys.stdout, sys.stderr):
        with suppress(Exception):
            stream.flush()
