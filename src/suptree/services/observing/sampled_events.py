"""`SampledEvents`: events that are emitted once per interval, or many at a time.

A server; its clients are emitters that would else flood whoever listens.  All are casts:
emitting never waits.  What it holds is emitted when it ends in order, and
lost if it is killed; after a restart it batches as it was told to, and remembers no key.

`emit_if` needs no server.

>>> DISK_FULL = Event("app.disk.filled", metadata={"path": "which"}, doc="A disk is full.")
>>> SampledEvents.emit_once_per(
...     "events", DISK_FULL, 60.0, {}, {"path": "/var"}, key="/var")     # doctest: +SKIP
>>> SampledEvents.batch("events", SENT, {"size_bytes": 120}, {})           # doctest: +SKIP
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Mapping
from dataclasses import dataclass

from suptree.otp import GenServer, ServerRef, call, cast
from suptree.services.observing.batching import Batch, Batched, Batches
from suptree.services.observing.once import OncePer
from suptree.services.parts.alarm import Alarm
from suptree.services.parts.checks import check_hashable, check_kind, check_number
from suptree.telemetry import Event, TelemetryBus

__all__ = ["SampledEvents", "SampledEventsStats", "emit_if"]


def emit_if(
    bus: TelemetryBus,
    condition: bool | Callable[[], bool],
    event: Event,
    make: Callable[[], tuple[Mapping[str, float], Mapping[str, object]]],
) -> bool:
    """Emit *event* if somebody listens and *condition* holds; say whether it was emitted.

    Args:
        condition: A truth, or a function that is asked only if somebody listens.
        make: Gives measurements and metadata; called only if they are needed.
    """
    slot = bus.slot(event)
    if not slot.handlers or not (condition() if callable(condition) else condition):
        return False
    slot.emit(*make())
    return True


@dataclass(frozen=True, slots=True)
class SampledEventsStats:
    """What a `SampledEvents` did.

    Attributes:
        emitted: Events emitted, a batch being one.
        suppressed: Not emitted, because one of their kind was within the interval.
        keys: Keys remembered now.
        evicted: Keys forgotten early for want of room.
        batched: Events that went into batches.
        held: Of those, in batches that are open now.
        early: Batches closed early because too many were open.
        refused: Intervals that are too long, and measurements that are no numbers.
    """

    emitted: int
    suppressed: int
    keys: int
    evicted: int
    batched: int
    held: int
    early: int
    refused: int


class SampledEvents(GenServer):
    """See the module text.

    Args:
        batches: How to batch which event; those not named go by `Batch()`.
        max_keys: How many keys are remembered at once.
        forget_after: The longest interval of `emit_once_per`, in seconds; default: 300.
    """

    trap_exit = True  # so that `terminate` runs, and what is held is emitted

    def __init__(
        self,
        *,
        batches: Mapping[Event, Batch] | None = None,
        max_keys: int = 10_000,
        forget_after: float = 300.0,
    ) -> None:
        self._once = OncePer(max_keys=max_keys, forget_after=forget_after)
        self._forget_after = forget_after
        self._batches = Batches(batches)
        self._emitted = self._batched = self._refused = 0
        self._alarm = Alarm(self)

    # -- clients --------------------------------------------------------------------------

    @staticmethod
    def emit_once_per(
        server: ServerRef[SampledEvents],
        event: Event,
        interval: float,
        measurements: Mapping[str, float],
        metadata: Mapping[str, object],
        *,
        key: Hashable = None,
    ) -> None:
        """Emit *event*, unless one with the same *key* was emitted within *interval* seconds.

        Returns at once.  With an interval that is longer than `forget_after` it is emitted,
        and counted in `refused`.

        Raises:
            ValueError: An argument is not what it should be; nothing was sent.
        """
        who = "SampledEvents.emit_once_per"
        check_number(who, "interval", interval, above=0)
        check_hashable(who, "key", key)
        emission = _emission(who, event, measurements, metadata)
        SampledEvents._emit_once_per(server, emission, interval, key)

    @staticmethod
    def batch(
        server: ServerRef[SampledEvents],
        event: Event,
        measurements: Mapping[str, float],
        metadata: Mapping[str, object],
    ) -> None:
        """Add *event* to its batch, which is emitted as `batched_event(event)` when it is full or due.

        Returns at once.

        Raises:
            ValueError: An argument is not what it should be; nothing was sent.
        """
        emission = _emission("SampledEvents.batch", event, measurements, metadata)
        SampledEvents._batch(server, emission)

    @call
    def flush(self) -> None:
        """Emit what is held, now."""
        self._emit(self._batches.flush())

    @call
    def stats(self) -> SampledEventsStats:
        """What was done so far."""
        self._once.forget(self._now())
        return SampledEventsStats(
            emitted=self._emitted,
            suppressed=self._once.suppressed,
            keys=len(self._once),
            evicted=self._once.evicted,
            batched=self._batched,
            held=self._batches.held_count(),
            early=self._batches.early,
            refused=self._refused + self._batches.refused,
        )

    # -- requests of the functions above ------------------------------------------------

    @cast
    def _emit_once_per(self, emission: Batched, interval: float, key: Hashable) -> None:
        if interval > self._forget_after:
            self._refused += 1
        elif not self._once.is_first((emission[0].name, key), interval, self._now()):
            return
        self._emit([emission])

    @cast
    def _batch(self, emission: Batched) -> None:
        self._batched += 1
        now = self._now()
        self._emit(self._batches.add(*emission, now))
        self._alarm.arm(self._batches.next_due(), now)

    def handle_info(self, message: object) -> None:
        """The timer: a batch may be due."""
        if self._alarm.rang(message):
            now = self._now()
            self._emit(self._batches.due(now))
            self._alarm.arm(self._batches.next_due(), now)

    def terminate(self, reason: object) -> None:
        """Nothing that is held is lost when it ends in order."""
        self._emit(self._batches.flush())

    def _emit(self, events: Iterable[Batched]) -> None:
        bus = self._process.runtime.telemetry
        for event, numbers, facts in events:
            self._emitted += 1
            bus.emit(event, numbers, facts)

    def _now(self) -> float:
        return self._process.runtime.now()


def _emission(
    who: str, event: Event, measurements: Mapping[str, float], metadata: Mapping[str, object]
) -> Batched:
    """What is to be emitted, as it is now: none of the emitter's code runs in the server's turn."""
    check_kind(who, "event", event, Event, "an Event", "Declare it with Event(...).")
    check_kind(who, "measurements", measurements, Mapping, "a mapping, name -> number")
    check_kind(who, "metadata", metadata, Mapping, "a mapping")
    return event, dict(measurements), dict(metadata)
