"""`Sampler`: a telemetry handler that passes a part of what it hears on to another one.

A value that whoever attaches it owns; no process, so that none can be down.  It is put
around a handler that would cost too much for every event, such as an exporter's.  A strategy that
raises loses nothing: the event is passed on, and counted in `failed`.

>>> from suptree.telemetry import Event, TelemetryBus
>>> HIT = Event("app.cache.hit", doc="Found.")
>>> bus, heard = TelemetryBus(), []
>>> sampler = Sampler(lambda event, numbers, facts: heard.append(event), default=RateLimited(2),
...                   clock=lambda: 0.0)
>>> bus.attach("exporter", "app.*", sampler)
>>> for _ in range(5):
...     bus.emit(HIT, {}, {})
>>> len(heard), sampler.stats()["app.cache.hit"].dropped
(2, 3)
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from random import Random
from typing import Final, TypeAlias

from suptree.clock import time_here
from suptree.services.observing.strategies import Always, Gate, Pool, Reservoir, SamplingStrategy
from suptree.telemetry import Event, Handler

__all__ = ["SampleStats", "Sampler"]

ALWAYS: Final = Always()
_log = logging.getLogger("suptree.telemetry")

Heard: TypeAlias = tuple[Event, Mapping[str, float], Mapping[str, object]]


@dataclass(frozen=True, slots=True)
class SampleStats:
    """What became of the events of one name: seen = kept + dropped + held, at every moment.

    Attributes:
        seen: Heard since the start, or the last `reset_stats`.
        kept: Passed on.
        dropped: Not passed on.
        held: In the reservoir, not passed on yet.
        failed: Of those passed on, how many because the strategy raised.
    """

    seen: int = 0
    kept: int = 0
    dropped: int = 0
    held: int = 0
    failed: int = 0

    @property
    def kept_part(self) -> float:
        """The part passed on, 0 to 1, of those decided about; 1.0 while there are none."""
        decided = self.kept + self.dropped
        return self.kept / decided if decided else 1.0


class Sampler:
    """See the module text.

    Args:
        handler: Hears what is kept.
        default: The strategy for events that have none of their own; each name is
            sampled by itself.
        events: Strategies by event, by name, or by prefix ("shop.*"; the longest one that fits).
        clock: Reads the time in seconds; default: the clock of the event loop that runs where the
            event is emitted, which is the runtime's, and real monotonic time where none runs.
        seed: Throws the same dice each time, for tests.
    """

    def __init__(
        self,
        handler: Handler,
        *,
        default: SamplingStrategy = ALWAYS,
        events: Mapping[Event | str, SamplingStrategy] | None = None,
        clock: Callable[[], float] | None = None,
        seed: int | None = None,
    ) -> None:
        self._handler = handler
        self._default = default
        self._clock = time_here if clock is None else clock
        self._dice = Random(seed)
        self._chosen: dict[str, SamplingStrategy] = {}
        self._streams: dict[str, _Stream] = {}
        for event, strategy in (events or {}).items():
            self.configure(event, strategy)

    def __call__(
        self, event: Event, measurements: Mapping[str, float], metadata: Mapping[str, object]
    ) -> None:
        """Hear one event, as a handler on the bus."""
        self.hear((event, measurements, metadata), self._clock())

    def hear(self, heard: Heard, now: float) -> None:
        """Hear one event at the moment *now*."""
        name = heard[0].name
        stream = self._streams.get(name)
        if stream is None:
            stream = self._streams[name] = _Stream(self._strategy_for(name), self._dice)
        for kept in stream.decide(heard, now):
            self._handler(*kept)

    def configure(self, event: Event | str, strategy: SamplingStrategy) -> None:
        """Sample *event*, or all below a prefix ("shop.*"), in that way from now on.

        The counts go on; what a reservoir held is passed on first.
        """
        pattern = event.name if isinstance(event, Event) else event
        self._chosen[pattern] = strategy
        for name, stream in self._streams.items():
            if _matches(pattern, name) and self._strategy_for(name) is strategy:
                for kept in stream.change(strategy, self._dice):
                    self._handler(*kept)

    def flush(self) -> None:
        """Pass on what reservoirs hold, now."""
        for stream in list(self._streams.values()):
            for kept in stream.flush():
                self._handler(*kept)

    def stats(self) -> Mapping[str, SampleStats]:
        """What became of the events, by name."""
        return {name: stream.stats() for name, stream in self._streams.items()}

    def reset_stats(self) -> None:
        """Count from 0 again; what is held counts as seen."""
        for stream in self._streams.values():
            stream.reset_stats()

    def _strategy_for(self, name: str) -> SamplingStrategy:
        fitting = [pattern for pattern in self._chosen if _matches(pattern, name)]
        return self._chosen[max(fitting, key=_precision)] if fitting else self._default


class _Stream:
    """The events of one name: what decides about them, and what became of them."""

    __slots__ = ("_dropped", "_failed", "_gate", "_kept", "_pool", "_seen")

    _gate: Gate | None
    _pool: Pool[Heard] | None

    def __init__(self, strategy: SamplingStrategy, dice: Random) -> None:
        self._seen = self._kept = self._dropped = self._failed = 0
        self._start(strategy, dice)

    def _start(self, strategy: SamplingStrategy, dice: Random) -> None:
        if isinstance(strategy, Reservoir):
            self._gate, self._pool = None, Pool(strategy, dice)
        else:
            self._gate, self._pool = strategy.start(dice), None

    def decide(self, heard: Heard, now: float) -> list[Heard]:
        """What is to be passed on now."""
        self._seen += 1
        if self._gate is not None:
            return [heard] if self._passes(self._gate, heard[0], now) else []
        assert self._pool is not None
        due = self.flush() if self._pool.is_over(now) else []
        if not self._pool.offer(heard, now):
            self._dropped += 1
        return due

    def _passes(self, gate: Gate, event: Event, now: float) -> bool:
        try:
            keep = gate.keep(now)
        except Exception as error:  # whatever a strategy of the user does, no event is lost
            self._failed += 1
            if self._failed == 1:
                _log.error("sampling of %s raised: kept", event.name, exc_info=error)
            keep = True
        if keep:
            self._kept += 1
        else:
            self._dropped += 1
        return keep

    def flush(self) -> list[Heard]:
        """What the reservoir holds."""
        held = [] if self._pool is None else self._pool.take()
        self._kept += len(held)
        return held

    def change(self, strategy: SamplingStrategy, dice: Random) -> list[Heard]:
        """Go on in another way; what was held is to be passed on."""
        held = self.flush()
        self._start(strategy, dice)
        return held

    def stats(self) -> SampleStats:
        held = 0 if self._pool is None else len(self._pool.held)
        return SampleStats(self._seen, self._kept, self._dropped, held, self._failed)

    def reset_stats(self) -> None:
        self._seen = 0 if self._pool is None else len(self._pool.held)
        self._kept = self._dropped = self._failed = 0


def _matches(pattern: str, name: str) -> bool:
    return name.startswith(pattern[:-1]) if pattern.endswith("*") else name == pattern


def _precision(pattern: str) -> tuple[bool, int]:
    return not pattern.endswith("*"), len(pattern)
