"""Which telemetry events a run of the suite emitted, and which of the declared ones it did not.

A whole run (`make test`) fails when a declared event was emitted by no test: an event that
nobody has seen is a promise of the reference page that nobody has kept.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from importlib import import_module
from pathlib import Path
from pkgutil import walk_packages
from typing import Any

import suptree
from suptree.telemetry import Event, Span
from suptree.telemetry.bus import Slot

__all__ = ["EventLedger", "declared_events", "is_whole"]


class EventLedger:
    """Remembers the names of the events that reached a handler."""

    def __init__(self) -> None:
        self.seen: set[str] = set()
        self._emit = Slot.emit

    def open(self) -> None:
        """Begin to remember."""
        seen, emit = self.seen, self._emit

        def noted(
            slot: Slot, measurements: Mapping[str, float], metadata: Mapping[str, object]
        ) -> None:
            seen.add(slot.event.name)
            emit(slot, measurements, metadata)

        Slot.emit = noted  # type: ignore[assignment, method-assign]

    def close(self) -> None:
        """Put the bus back as it was."""
        Slot.emit = self._emit  # type: ignore[method-assign]

    def missing(self, declared: Iterable[str]) -> list[str]:
        """Those of *declared* that no handler got, sorted."""
        return sorted(set(declared) - self.seen)


def declared_events() -> set[str]:
    """The names of all events that suptree declares, those of its spans included."""
    return {
        name
        for module in walk_packages(suptree.__path__, "suptree.")
        if not module.name.endswith("__main__")
        for value in vars(import_module(module.name)).values()
        for name in _names(value)
    }


def _names(value: Any) -> list[str]:
    if isinstance(value, Event):
        return [value.name]
    return [event.name for event in value.events()] if isinstance(value, Span) else []


def is_whole(paths: Iterable[str], root: Path, *, narrowed: bool) -> bool:
    """Whether a run over *paths* is one of the whole suite, nothing deselected by hand."""
    return not narrowed and {(root / path).resolve() for path in paths} == {root / "tests"}
