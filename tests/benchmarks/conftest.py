"""A workload silences the log of its program for good: a test gives it back."""

from __future__ import annotations

import logging
from collections.abc import Iterator

import pytest


@pytest.fixture(autouse=True)
def log_as_before() -> Iterator[None]:
    """The level and the propagation of suptree's log, and of the others that contestants use."""
    logs = [logging.getLogger(name) for name in ("suptree", "benchmarks.plain")]
    before = [(log, log.level, log.propagate) for log in logs]
    yield
    for log, level, propagate in before:
        log.setLevel(level)
        log.propagate = propagate
