"""What runtimes hold, and who made it: processes, timers, monitors, names.

A `Ledger` sees every runtime that is opened while it watches, by listening to
`Runtime.attach` and the three functions that make monitors, timers and names;
of processes it hears by telemetry.  A runtime that was closed must be empty; one
that was not is a leak with everything in it.  A test may open runtimes by the
thousand: those that were closed and are empty are let go of as others open.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Generator, Iterator
from typing import Any, Final

from suptree.core import Process, Runtime
from suptree.telemetry import Event
from suptree.testing.leaks import Leak
from suptree.testing.listening import listening
from suptree.testing.sites import Sites
from suptree.testing.stacks import Site

__all__ = ["Ledger"]

_PLACES: Final = 1000  # how many are kept at least before those of what is gone are dropped


class Ledger:
    """Remembers the runtimes of one test.

    Args:
        sites: Finds the line that made something.
    """

    def __init__(self, sites: Sites) -> None:
        self._sites = sites
        self._opened: dict[Runtime, _Places] = {}
        self._heard: set[tuple[type, str]] = set()
        self._watching = contextlib.ExitStack()

    @contextlib.contextmanager
    def watch(self) -> Generator[None, None, None]:
        """See every runtime that is opened inside the block."""
        with self._watching:
            self._listen(Runtime, "attach", self._open)
            self._listen(Runtime, "monitor", self._monitored)
            yield

    @contextlib.contextmanager
    def outliving(self) -> Generator[None, None, None]:
        """Runtimes that are opened inside the block outlive the test: they are not looked at."""
        opened, self._opened = self._opened, {}
        try:
            yield
        finally:
            self._opened = opened

    def leaks(self) -> list[Leak]:
        """Return what runtimes still hold although they were closed, or were never closed."""
        return [leak for runtime in list(self._opened) for leak in self.leaks_of(runtime)]

    def tasks(self) -> set[asyncio.Task[Any]]:
        """Return the tasks that belong to processes: what is said of those covers them."""
        processes = [one for runtime in self._opened for one in runtime.processes.values()]
        return {process.task for process in processes if process.task is not None}

    def leaks_of(self, runtime: Runtime, *, after_close: bool = True) -> list[Leak]:
        """Return what *runtime* holds; its guests, which are tasks of the host, apart.

        Args:
            after_close: Whether it should be closed by now.
        """
        found: list[Leak] = []
        places = self._opened.get(runtime) or _Places()
        if after_close and not runtime.closed:
            found.append(Leak("process", f"{runtime!r} was never closed", self._sites.of(runtime)))
        processes = list(runtime.processes.values())  # it may be at work in another thread
        living = [one for one in processes if one.body.kind != "guest"]
        for process in living:
            found.append(Leak("process", _describe(process), self._sites.of(process.pid)))
        for process in processes:
            who = f"{process.pid!r} {process.label}"
            for kind, thing, more in _held(process):
                found.append(Leak(kind, f"{thing!r} of {who}{more}", places.of(thing)))
        if runtime.closed:
            found += [Leak("name", f"{name!r} in closed {runtime!r}") for name in runtime.names]
        return found

    # -- watching ------------------------------------------------------------------------

    def _open(self, runtime: Runtime, _args: object, _result: object) -> None:
        for other in list(self._opened):
            if other.closed and not (other.processes or other.names.table):
                self._opened.pop(other, None)
        self._opened[runtime] = _Places()
        self._sites.note(runtime)
        id_ = f"suptree.testing {id(self)}"
        if id_ not in [one.id for one in runtime.telemetry.attachments()]:
            runtime.telemetry.attach(id_, "suptree.process.started", self._started)
        self._listen(type(runtime.ticker), "send_after", self._armed)
        self._listen(type(runtime.names), "register", self._registered)

    def _started(self, _event: Event, _numbers: object, facts: Any) -> None:
        self._sites.note(facts["pid"])

    def _monitored(self, runtime: Runtime, _args: object, ref: object) -> None:
        self._note(runtime, ref)

    def _armed(self, _ticker: object, args: tuple[Any, ...], timer: object) -> None:
        owner = args[0]
        if owner is not None:
            self._note(owner.runtime, timer)

    def _registered(self, _names: object, args: tuple[Any, ...], _result: object) -> None:
        name, process = args
        self._note(process.runtime, name)

    def _note(self, runtime: Runtime, thing: object) -> None:
        places = self._opened.get(runtime)
        if places is not None:
            places.note(thing, self._sites.place())
            if places.full:
                held = (_held(process) for process in list(runtime.processes.values()))
                places.keep(thing for things in held for _, thing, _ in things)

    def _listen(
        self, owner: type, name: str, after: Callable[[Any, tuple[Any, ...], Any], object]
    ) -> None:
        if (owner, name) not in self._heard:
            self._heard.add((owner, name))
            self._watching.enter_context(listening(owner, name, after=after))


class _Places:
    """Where the monitors, timers and names of one runtime were made; of those long gone no more."""

    def __init__(self) -> None:
        # By what they print, which is unique in a runtime: a Ref takes no weak reference.
        self._of: dict[str, Site | None] = {}
        self._limit = _PLACES

    @property
    def full(self) -> bool:
        return len(self._of) > self._limit

    def note(self, thing: object, place: Site | None) -> None:
        self._of[repr(thing)] = place

    def of(self, thing: object) -> Site | None:
        return self._of.get(repr(thing))

    def keep(self, things: Iterator[object]) -> None:
        """Drop the places of all but *things*; so far apart that a note costs little all in all."""
        self._of = {repr(thing): self.of(thing) for thing in things}
        self._limit = max(_PLACES, 2 * len(self._of))


def _held(process: Process) -> Iterator[tuple[str, object, str]]:
    """What a process holds: its kind, the thing itself, and what else is to be said of it."""
    for timer in list(process.timers or ()):
        yield "timer", timer, ""
    for ref, monitor in list((process.watching or {}).items()):
        yield "monitor", ref, f" on {monitor.target.pid!r}"
    if process.name is not None:
        yield "name", process.name, ""


def _describe(process: Process) -> str:
    return f"{process.pid!r} {process.label} ({process.state.name.lower()}, {len(process.mailbox)} messages)"
