"""Declarations of telemetry events: name, measurements with units, metadata, meaning.

Each floor declares its events once, as constants in its `events.py`; that
declaration is the documentation (`table`), the check in tests (`problems`) and
the key to emit with.  A name is public for ever, so it is refused when it is
not written as all the others are.

>>> EXITED = Event(
...     "suptree.process.exited",
...     measurements={"lifetime_s": "seconds from spawn to death"},
...     metadata={"pid": "who", "reason": "why"},
...     doc="A process has ended and everything it held is released.",
... )
>>> EXITED
<Event suptree.process.exited>
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Final

__all__ = ["HANDLER_FAILED", "SPAN_CONTEXT", "Event", "Span", "table"]

_NAME = re.compile(r"[a-z][a-z0-9_]*(\.[a-z][a-z0-9_]*)+")
_KEY = re.compile(r"[a-z][a-z0-9_]*")


def _nothing() -> Mapping[str, str]:
    return {}


@dataclass(frozen=True, slots=True, repr=False)
class Event:
    """One kind of telemetry event.  Two declarations of one name are equal.

    Args:
        name: Dotted, lower case, the past tense last: `suptree.process.exited`.
        measurements: Each number that comes with it, with its unit in words.
            Durations end in `_s` or `_ns`, sizes in `_bytes` or `_len`.
        metadata: Each fact that comes with it, with its meaning.
        doc: One sentence: when it is emitted.
        optional: Measurements and facts that come with it only at times.

    Raises:
        ValueError: A name is not written in that way.
    """

    name: str
    measurements: Mapping[str, str] = field(default_factory=_nothing, compare=False)
    metadata: Mapping[str, str] = field(default_factory=_nothing, compare=False)
    doc: str = field(default="", compare=False)
    optional: Mapping[str, str] = field(default_factory=_nothing, compare=False)

    def __post_init__(self) -> None:
        if not _NAME.fullmatch(self.name):
            raise ValueError(
                f"Event: name must be lower-case words joined by dots; got {self.name!r}. "
                "Write it like 'suptree.process.exited'."
            )
        for key in (*self.measurements, *self.metadata, *self.optional):
            if not _KEY.fullmatch(key):
                raise ValueError(
                    f"Event {self.name}: a key must be one lower-case word; got {key!r}. "
                    "Write it like 'queue_len'."
                )
        object.__setattr__(self, "measurements", MappingProxyType(dict(self.measurements)))
        object.__setattr__(self, "metadata", MappingProxyType(dict(self.metadata)))
        object.__setattr__(self, "optional", MappingProxyType(dict(self.optional)))

    def problems(
        self, measurements: Mapping[str, object], metadata: Mapping[str, object]
    ) -> list[str]:
        """Compare what is about to be emitted with the declaration; [] when they agree."""
        return [
            f"{kind} {key!r} is {trouble}"
            for kind, declared, given in (
                ("measurement", self.measurements, measurements),
                ("metadata", self.metadata, metadata),
            )
            for trouble, keys in (
                ("missing", declared.keys() - given.keys()),
                ("not declared", given.keys() - declared.keys() - self.optional.keys()),
            )
            for key in sorted(keys)
        ]

    def __repr__(self) -> str:
        return f"<Event {self.name}>"


SPAN_CONTEXT: Final[Mapping[str, str]] = MappingProxyType(
    {
        "time_left_s": "seconds that whoever asked still waits; under a deadline only",
        "trace_id": "32 hexadecimal digits; this and the next three under a tracer only",
        "span_id": "16 hexadecimal digits",
        "parent_span_id": "that of the span around it, in whatever process, or None",
        "trace_sampled": "whether the trace is one of those to be exported",
    }
)
"""What every event of a span may carry."""


@dataclass(frozen=True, slots=True, repr=False)
class Span:
    """Something that takes time: three events, `start`, then `stop` or `exception`.

    Each may carry what is in `SPAN_CONTEXT` too.

    Args:
        name: Dotted, without the last word: `suptree.job.run`.
        metadata: Facts known at the start; all three events carry them.
        stop: Facts that the body adds before it ends; `stop` alone carries them.
        doc: One sentence: what is measured.
    """

    name: str
    metadata: Mapping[str, str] = field(default_factory=_nothing, compare=False)
    stop: Mapping[str, str] = field(default_factory=_nothing, compare=False)
    doc: str = field(default="", compare=False)
    started: Event = field(init=False, compare=False)
    stopped: Event = field(init=False, compare=False)
    failed: Event = field(init=False, compare=False)

    def __post_init__(self) -> None:
        took = {"duration_ns": "nanoseconds by the clock of the bus"}
        why = {"error": "the exception, live: keep its text, not the object"}
        for attribute, word, numbers, facts, what in (
            ("started", "start", {}, {}, "Begins."),
            ("stopped", "stop", took, self.stop, "Ends."),
            ("failed", "exception", took, why, "Fails."),
        ):
            event = Event(
                f"{self.name}.{word}",
                numbers,
                {**self.metadata, **facts},
                f"{self.doc} {what}",
                SPAN_CONTEXT,
            )
            object.__setattr__(self, attribute, event)

    def events(self) -> tuple[Event, Event, Event]:
        """Return the three events in the order start, stop, exception."""
        return self.started, self.stopped, self.failed

    def __repr__(self) -> str:
        return f"<Span {self.name}>"


HANDLER_FAILED = Event(
    "suptree.telemetry.handler_failed",
    measurements={"count": "always 1"},
    metadata={
        "handler_id": "the id it was attached with; it is detached now",
        "event": "name of the event that it was called with",
        "error": "the exception, live: keep its text, not the object",
    },
    doc="A telemetry handler raised and was detached; the emitter went on.",
)


def table(events: Iterable[Event | Span]) -> str:
    """Render declarations as the Markdown table of the reference, in the order given."""
    lines = ["| event | when | measurements | metadata |", "|---|---|---|---|"]
    for declared in events:
        for event in declared.events() if isinstance(declared, Span) else (declared,):
            lines.append(
                f"| `{event.name}` | {event.doc.strip()} "
                f"| {_cell(event.measurements)} | {_cell(event.metadata)} |"
            )
    return "\n".join(lines) + "\n"


def _cell(keys: Mapping[str, str]) -> str:
    return "; ".join(f"`{key}`: {meaning}" for key, meaning in keys.items()) or "none"
