"""Where things were made: tasks, timers, threads, child processes, for the leak check.

A `Sites` watches one test.  Tasks and timers are seen by wrapping `create_task`,
`call_later` and `call_at` of the test's own loop, threads and child processes by
listening to `Thread.start` and `Popen.__init__` while the test runs.  It keeps one
place per thing, and holds none of them alive.
"""

from __future__ import annotations

import asyncio
import concurrent.futures
import contextlib
import functools
import inspect
import os
import subprocess
import threading
import weakref
from collections.abc import Callable, Generator
from typing import Any

from suptree.clock import loop_clock
from suptree.testing.listening import listening
from suptree.testing.stacks import Site, call_site, is_asyncio

__all__ = ["Sites"]

_OURS = os.path.dirname(os.path.dirname(__file__)) + os.sep
_FUTURES = os.path.dirname(concurrent.futures.__file__) + os.sep
_AT_ONCE = 1e-6  # a loop runs what is due within its resolution, before the clock says so
_QUIET = (_OURS, _FUTURES, threading.__file__, subprocess.__file__, contextlib.__file__)


class Sites:
    """Remembers the line that made each thing of one test."""

    def __init__(self) -> None:
        self._things: weakref.WeakKeyDictionary[Any, Site | None] = weakref.WeakKeyDictionary()
        self._keys: dict[object, Site | None] = {}
        # Not in _things: two timers of one callback at one time are equal to asyncio.
        self._timers: dict[int, tuple[weakref.ref[asyncio.TimerHandle], str, Site | None]] = {}

    def note(self, thing: object) -> None:
        """Remember the nearest caller outside suptree as the maker of *thing*."""
        self._things[thing] = _place()

    def note_key(self, key: object) -> None:
        """As `note`, for what takes no weak reference: *key* stands for it."""
        self._keys[key] = _place()

    def place(self) -> Site | None:
        """Return the nearest caller outside suptree."""
        return _place()

    def of(self, thing: object) -> Site | None:
        """Return the place that made *thing*; None if nobody saw it."""
        return self._things.get(thing)

    def of_key(self, key: object) -> Site | None:
        """Return the place that made what *key* stands for."""
        return self._keys.get(key)

    def watch_loop(self, loop: asyncio.AbstractEventLoop) -> None:
        """See every task and timer that is made in *loop* from now on.

        Not by a task factory: with one, Python 3.13.0 names every task 'None'.
        """
        make = loop.create_task

        @functools.wraps(make)
        def create_task(*args: Any, **options: Any) -> asyncio.Task[Any]:
            task: asyncio.Task[Any] = make(*args, **options)
            self.note(task)
            return task

        loop.create_task = create_task  # type: ignore[method-assign]
        for name in ("call_later", "call_at"):
            setattr(loop, name, self._noting(getattr(loop, name)))

    def pending_timers(self, loop: asyncio.AbstractEventLoop) -> list[tuple[str, Site | None]]:
        """Describe the timers of *loop* that are neither cancelled nor due, each with its place."""
        now = loop_clock(loop)()
        timers = [(ref(), what, site) for ref, what, site in list(self._timers.values())]
        return [
            (f"{what} due in {timer.when() - now:.3g} s", site)
            for timer, what, site in timers
            if timer is not None and not timer.cancelled() and timer.when() > now + _AT_ONCE
        ]

    @contextlib.contextmanager
    def watch_process(self) -> Generator[None, None, None]:
        """See every thread and child process that Python starts inside the block."""
        with (
            listening(threading.Thread, "start", before=self.note),
            listening(subprocess.Popen, "__init__", after=self._started),
        ):
            yield

    def _started(self, child: subprocess.Popen[Any], _args: object, _result: object) -> None:
        self.note_key(("child", child.pid))

    def _noting(
        self, arm: Callable[..., asyncio.TimerHandle]
    ) -> Callable[..., asyncio.TimerHandle]:
        @functools.wraps(arm)
        def noting(when: float, callback: Any, *args: Any, **options: Any) -> asyncio.TimerHandle:
            handle = arm(when, callback, *args, **options)
            if not hasattr(handle, "when"):
                return handle  # uvloop makes a delay of 0 a plain callback, which is due at once
            maker = inspect.currentframe()
            if is_asyncio(None if maker is None else maker.f_back):
                return handle  # of a sleep or a timeout: it goes with the task that waits
            key = id(handle)
            gone = weakref.ref(handle, lambda _: self._timers.pop(key, None))
            what = str(getattr(callback, "__qualname__", callback))
            self._timers[key] = gone, what, _place()
            return handle

        return noting


def _place() -> Site | None:
    return call_site(inspect.currentframe(), skip=_QUIET)
