"""What is done in the turn of the publisher: middleware, match functions, and the size for the log.

The bus hands out a `Door`, which says what there is to do; with nothing to do, publishing
is one call.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from suptree.core import Runtime, safe_text
from suptree.services.signals.codec import to_msgpack
from suptree.services.signals.events import FAULT
from suptree.services.signals.lane import Lane
from suptree.services.signals.middleware import Halt, Middleware, run_after, run_before
from suptree.services.signals.router import SignalRoute, SignalRouter
from suptree.services.signals.signal import Signal
from suptree.services.signals.values import SignalFault, SignalReceipt

__all__ = ["Door", "Taken", "Vetted", "show_after", "vet"]


@dataclass(frozen=True, slots=True)
class Door:
    """What stands between publishers and a bus.

    Attributes:
        middleware: In the order of declaration.
        router: That of the bus, for looking up match functions; only the bus changes it.
        measures: Whether the log is bounded by bytes.
        runtime: Where the bus lives.
        label: What the bus is called in telemetry.
    """

    middleware: tuple[Middleware, ...]
    router: SignalRouter[Lane]
    measures: bool
    runtime: Runtime
    label: str

    def is_open(self) -> bool:
        """Whether there is nothing to do before publishing."""
        return not (self.middleware or self.measures or self.router.has_matches())

    def report(self, signal: Signal, faults: list[SignalFault]) -> None:
        """Tell telemetry of *faults*."""
        slot = self.runtime.telemetry.slot(FAULT)
        if not slot.handlers:
            return
        for fault in faults:
            slot.emit(
                {"count": 1},
                {
                    "bus": self.label,
                    "type": signal.type,
                    "id": signal.id,
                    "where": fault.where,
                    "name": fault.name,
                    "problem": fault.problem,
                },
            )


@dataclass(frozen=True, slots=True)
class Vetted:
    """One signal that has been through the door.

    Attributes:
        signal: As it is to be published.
        accepted: The routes whose match functions want it.
        size: Its bytes; 0 if nobody measures.
        halted: Why it is not to be published; None if it is.
        faults: What failed.
    """

    signal: Signal
    accepted: frozenset[SignalRoute[Lane]] = frozenset()
    size: int = 0
    halted: str | None = None
    faults: tuple[SignalFault, ...] = ()


@dataclass(frozen=True, slots=True)
class Taken:
    """What the bus did with a batch: as much of it as makes one turn, or nothing yet.

    Attributes:
        receipts: For what was published, from the beginning of the batch.
        door: What has to be done before anything is; None if that is done.
    """

    receipts: tuple[SignalReceipt, ...] = ()
    door: Door | None = None


async def vet(door: Door, signal: Signal) -> Vetted:
    """Take *signal* through the door.

    Raises:
        SignalFormatError: The log is bounded by bytes, and the data cannot be measured.
    """
    faults: list[SignalFault] = []
    result = await run_before(door.middleware, signal, faults, _clock(door))
    if isinstance(result, Halt):
        door.report(signal, faults)
        return Vetted(signal, halted=result.reason, faults=tuple(faults))
    size = len(to_msgpack(result)) if door.measures else 0
    accepted = frozenset(
        route
        for route in door.router.routes(result.type)
        if route.match is not None and _wants(route, result, faults)
    )
    door.report(result, faults)
    return Vetted(result, accepted, size, None, tuple(faults))


async def show_after(door: Door, receipt: SignalReceipt) -> tuple[SignalFault, ...]:
    """Show *receipt* to the middleware; returns what failed."""
    faults: list[SignalFault] = []
    await run_after(door.middleware, receipt, faults, _clock(door))
    door.report(receipt.signal, faults)
    return tuple(faults)


def _wants(route: SignalRoute[Lane], signal: Signal, faults: list[SignalFault]) -> bool:
    assert route.match is not None
    try:
        return bool(route.match(signal))
    except Exception as error:  # users' code: whatever it raises is its own affair
        problem = f"raised {type(error).__name__}: {safe_text(error, 200)}"
        faults.append(SignalFault("match", route.targets[0].id, problem))
        return False


def _clock(door: Door) -> Callable[[], float]:
    return door.runtime.now
