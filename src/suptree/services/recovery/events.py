"""Telemetry declared by the recovery from errors."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from suptree.telemetry import Event

__all__ = [
    "RECOVERY_COMPENSATED",
    "RECOVERY_FAILED",
    "RECOVERY_FELL_BACK",
    "RECOVERY_RETRIED",
    "RECOVERY_SUCCEEDED",
]

_NUMBERS: Final[Mapping[str, str]] = {
    "duration_s": "seconds since the first attempt began",
    "retries_count": "attempts after the first one",
}
_FACTS: Final[Mapping[str, str]] = {
    "operation": "its name",
    "category": "of the error: transient, permanent, resource, validation or system",
    "strategy": "retry, propagate, circuit_break, compensate or fallback",
    "error": "the exception",
    "operation_id": "of the error context; None: there is none",
    "correlation_id": "of the error context; None: there is none",
}

RECOVERY_SUCCEEDED: Final = Event(
    "suptree.recovery.operation.succeeded",
    measurements=_NUMBERS,
    metadata={"operation": "its name"},
    doc="An operation gave its value.",
)
RECOVERY_RETRIED: Final = Event(
    "suptree.recovery.operation.retried",
    measurements={**_NUMBERS, "delay_s": "seconds until it is tried again"},
    metadata=_FACTS,
    doc="An attempt failed, and there will be another one.",
)
RECOVERY_FELL_BACK: Final = Event(
    "suptree.recovery.operation.fell_back",
    measurements=_NUMBERS,
    metadata=_FACTS,
    doc="An operation failed, and the fallback gave the value instead.",
)
RECOVERY_FAILED: Final = Event(
    "suptree.recovery.operation.failed",
    measurements=_NUMBERS,
    metadata=_FACTS,
    doc="An operation failed, and its error was raised.",
)
RECOVERY_COMPENSATED: Final = Event(
    "suptree.recovery.operation.compensated",
    measurements=_NUMBERS,
    metadata={**_FACTS, "failure": "the exception of the compensation; None: it went well"},
    doc="An operation failed, and what it had done was undone, or could not be.",
)
