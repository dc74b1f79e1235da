"""What runtimes hold, and who made it: processes, timers, monitors, names.

A `Ledger` sees every runtime that is opened while it watches, by wrapping
`Runtime.attach` and the three functions that make monitors, timers and names;
processes it hears of by telemetry.  A runtime that was closed must be empty; one
that was not is a leak with everything in it.
"""

from __future__ import annotations

import asyncio
import contextlib
import functools
from collections.abc import Callable, Generator
from typing import Any

from suptree.core import Process, Runtime
from suptree.telemetry import Event
from suptree.testing.leaks import Leak
from suptree.testing.sites import Sites

__all__ = ["Ledger"]


class Ledger:
    """Remembers the runtimes of one test.

    Args:
        sites: Where to note who made what.
    """

    def __init__(self, sites: Sites) -> None:
        self._sites = sites
        self._runtimes: list[Runtime] = []
        self._patched: set[tuple[type, str]] = set()
        self._restore = contextlib.ExitStack()

    @contextlib.contextmanager
    def watch(self) -> Generator[None, None, None]:
        """See every runtime that is opened inside the block."""
        with self._restore:
            self._wrap(Runtime, "attach", self._opened)
            self._wrap(Runtime, "monitor", self._monitored)
            yield

    def leaks(self) -> list[Leak]:
        """Return what runtimes still hold although they were closed, or were never closed."""
        return [leak for runtime in self._runtimes for leak in self.leaks_of(runtime)]

    def tasks(self) -> set[asyncio.Task[Any]]:
        """Return the tasks that belong to processes: what is said of those covers them."""
        processes = [one for runtime in self._runtimes for one in runtime.processes.values()]
        return {process.task for process in processes if process.task is not None}

    def leaks_of(self, runtime: Runtime, *, after_close: bool = True) -> list[Leak]:
        """Return what *runtime* holds; its guests, which are tasks of the host, apart.

        Args:
            after_close: Whether it should be closed by now.
        """
        found: list[Leak] = []
        if after_close and not runtime.closed:
            found.append(Leak("process", f"{runtime!r} was never closed", self._sites.of(runtime)))
        living = [one for one in runtime.processes.values() if one.body.kind != "guest"]
        for process in living:
            found.append(Leak("process", _describe(process), self._sites.of(process.pid)))
        for process in runtime.processes.values():
            found += self._held(process)
        if runtime.closed:
            found += [Leak("name", f"{name!r} in closed {runtime!r}") for name in runtime.names]
        return found

    def _held(self, process: Process) -> list[Leak]:
        who, runtime = f"{process.pid!r} {process.label}", process.runtime
        found = [
            Leak("timer", f"{timer!r} of {who}", self._sites.of_key(_key(runtime, timer)))
            for timer in process.timers or ()
        ]
        for ref, monitor in (process.watching or {}).items():
            what = f"{ref!r} of {who} on {monitor.target.pid!r}"
            found.append(Leak("monitor", what, self._sites.of_key(_key(runtime, ref))))
        if process.name is not None:
            site = self._sites.of_key(_key(runtime, process.name))
            found.append(Leak("name", f"{process.name!r} of {who}", site))
        return found

    # -- watching ------------------------------------------------------------------------

    def _opened(self, runtime: Runtime, _args: object, _result: object) -> None:
        self._runtimes.append(runtime)
        self._sites.note(runtime)
        id_ = f"suptree.testing {id(self)}"
        if id_ not in [one.id for one in runtime.telemetry.attachments()]:
            runtime.telemetry.attach(id_, "suptree.process.started", self._started)
        self._wrap(type(runtime.ticker), "send_after", self._armed)
        self._wrap(type(runtime.names), "register", self._registered)

    def _started(self, _event: Event, _numbers: object, facts: Any) -> None:
        self._sites.note(facts["pid"])

    def _monitored(self, runtime: Runtime, _args: object, ref: object) -> None:
        self._sites.note_key(_key(runtime, ref))

    def _armed(self, _ticker: object, args: Any, timer: object) -> None:
        owner = args[0]
        if owner is not None:
            self._sites.note_key(_key(owner.runtime, timer))

    def _registered(self, _names: object, args: Any, _result: object) -> None:
        name, process = args
        self._sites.note_key(_key(process.runtime, name))

    def _wrap(self, owner: type, name: str, after: Callable[[Any, Any, Any], object]) -> None:
        """Call *after* with self and the result whenever a method has returned."""
        if (owner, name) in self._patched:
            return
        self._patched.add((owner, name))
        method = getattr(owner, name)

        @functools.wraps(method)
        def wrapped(self: Any, *args: Any, **options: Any) -> Any:
            result = method(self, *args, **options)
            after(self, args, result)
            return result

        inherited = name not in vars(owner)  # putting it there for good would hide what it inherits
        setattr(owner, name, wrapped)
        if inherited:
            self._restore.callback(delattr, owner, name)
        else:
            self._restore.callback(setattr, owner, name, method)


def _key(runtime: Runtime, thing: object) -> tuple[int, str]:
    # A Ref takes no weak reference; what it prints is unique in its runtime.
    return id(runtime), repr(thing)


def _describe(process: Process) -> str:
    return f"{process.pid!r} {process.label} ({process.state.name.lower()}, {len(process.mailbox)} messages)"
