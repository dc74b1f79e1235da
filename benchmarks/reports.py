"""Crash reports in the Python contestants: none, or all built and dropped, as on the BEAM's side."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager

NOTHING = logging.CRITICAL + 1


class NullHandler(logging.Handler):
    """Builds the text of each record, counts it, and drops it."""

    def __init__(self) -> None:
        super().__init__()
        self.built = 0

    def emit(self, record: logging.LogRecord) -> None:
        self.format(record)
        self.built += 1


def no_reports(logger: str) -> None:
    """Log nothing from now on."""
    logging.getLogger(logger).setLevel(NOTHING)


@contextmanager
def built_reports(logger: str) -> Iterator[NullHandler]:
    """Within the block every report is built."""
    log, handler = logging.getLogger(logger), NullHandler()
    log.propagate = False
    log.addHandler(handler)
    log.setLevel(logging.ERROR)
    try:
        yield handler
    finally:
        log.removeHandler(handler)
        no_reports(logger)
