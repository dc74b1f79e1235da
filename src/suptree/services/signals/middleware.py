"""`Middleware`: what a bus has done to every signal, in the turn of whoever publishes it.

Before publishing, in the order of declaration: `before(signal)` looks at a signal, changes
it by returning another one, or stops it by returning `Halt(reason)`.  After it, in reverse
order: `after(signal, receipt)` sees what became of it.  Both may be async, and have
*budget* seconds each.  One that raises, overruns or returns nonsense is skipped and
reported; if it is *required*, the signal is halted.  The bus itself runs none of this.

>>> def stamp(signal: Signal) -> Signal:
...     return replace(signal, extensions={**signal.extensions, "tenant": "ada"})
>>> Middleware("stamp", before=stamp).budget
0.1
"""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass
from typing import Any, TypeAlias

from suptree.core import safe_text
from suptree.services.parts.checks import checked_all
from suptree.services.signals.errors import SignalOptionsError
from suptree.services.signals.signal import Signal
from suptree.services.signals.subscription import check_seconds
from suptree.services.signals.values import SignalFault, SignalReceipt

__all__ = ["After", "Before", "Halt", "Middleware", "check_middleware", "run_after", "run_before"]


@dataclass(frozen=True, slots=True)
class Halt:
    """What `before` returns to stop a signal: it is not published, and the publisher is told why."""

    reason: str


Before: TypeAlias = Callable[[Signal], "Signal | Halt | Awaitable[Signal | Halt | None] | None"]
After: TypeAlias = Callable[[Signal, SignalReceipt], object]


@dataclass(frozen=True, slots=True)
class Middleware:
    """One thing that is done to every signal.

    Attributes:
        name: Unique in its bus; names it in reports.
        before: Returns the signal to publish, None for the one it got, or `Halt(reason)`.
        after: Called with the published signal and its receipt; the result is not looked at.
        budget: Seconds that each may take.  An async one is cancelled then; a plain function
            cannot be, so it is found out afterwards.
        required: Whether a signal is halted when `before` fails; otherwise it goes on unchanged.
    """

    name: str
    before: Before | None = None
    after: After | None = None
    budget: float = 0.1
    required: bool = False

    def __post_init__(self) -> None:
        if not isinstance(self.name, str) or not self.name:
            raise SignalOptionsError("Middleware", "name", "a string, not empty", self.name)
        who = f"Middleware {self.name!r}"
        for option in ("before", "after"):
            function = getattr(self, option)
            if function is not None and not callable(function):
                raise SignalOptionsError(who, option, "a function", function)
        if self.before is None and self.after is None:
            raise SignalOptionsError(who, "before or after", "given", None)
        check_seconds(who, "budget", self.budget)


def check_middleware(who: str, given: Iterable[Middleware]) -> tuple[Middleware, ...]:
    """Refuse what is no middleware, and a name that is there twice."""
    chain = checked_all(who, "middleware", given, Middleware)
    names: set[str] = set()
    for one in chain:
        if one.name in names:
            raise SignalOptionsError(who, "names of middleware", "unique", one.name)
        names.add(one.name)
    return chain


async def run_before(
    chain: tuple[Middleware, ...],
    signal: Signal,
    faults: list[SignalFault],
    now: Callable[[], float],
) -> Signal | Halt:
    """Put *signal* through the chain; what fails is added to *faults*."""
    for one in chain:
        if one.before is None:
            continue
        result, problem = await _within_budget(one, now, one.before, signal)
        if problem is None and not (result is None or isinstance(result, (Signal, Halt))):
            problem = f"returned a {type(result).__name__}, not a Signal, a Halt or None"
        if problem is not None:
            faults.append(SignalFault("middleware", one.name, problem))
            if one.required:
                return Halt(f"middleware {one.name!r} is required and {problem}")
        elif isinstance(result, Halt):
            return result
        elif result is not None:
            signal = result
    return signal


async def run_after(
    chain: tuple[Middleware, ...],
    receipt: SignalReceipt,
    faults: list[SignalFault],
    now: Callable[[], float],
) -> None:
    """Show *receipt* to the chain, the last one first; what fails is added to *faults*."""
    for one in reversed(chain):
        if one.after is not None:
            _, problem = await _within_budget(one, now, one.after, receipt.signal, receipt)
            if problem is not None:
                faults.append(SignalFault("middleware", one.name, problem))


async def _within_budget(
    one: Middleware, now: Callable[[], float], function: Callable[..., Any], *args: object
) -> tuple[Any, str | None]:
    """What *function* returned, and what is wrong about that."""
    result: Any = None
    began = now()
    limit = asyncio.timeout(None)
    try:
        result = function(*args)
        if inspect.isawaitable(result):
            async with limit:
                limit.reschedule(began + one.budget)
                result = await result
    except Exception as error:  # users' code: whatever it raises is its own affair
        if not limit.expired():
            return None, f"raised {type(error).__name__}: {safe_text(error, 200)}"
    if limit.expired() or now() - began > one.budget:
        return None, f"overran its {one.budget:g} s"
    return result, None
