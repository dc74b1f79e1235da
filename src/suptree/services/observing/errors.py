"""Errors of the services that observe.

SuptreeError
  ObservingError               something about telemetry, metrics or traces
    MetricError                a metric is declared wrongly; a ValueError too
    TracerInstalledError       the runtime, or the tracer, is taken
"""

from __future__ import annotations

from suptree.errors import SuptreeError
from suptree.near import meant

__all__ = ["MetricError", "ObservingError", "TracerInstalledError"]


class ObservingError(SuptreeError):
    """Base of the errors of this service."""


class MetricError(ObservingError, ValueError):
    """A metric is declared in a way that could never work.

    Attributes:
        metric: Its name.
        field: What is wrong.
        got: What it was given.
    """

    def __init__(
        self, metric: str, field: str, must_be: str, got: object, near: str | None = None
    ) -> None:
        self.metric = metric
        self.field = field
        self.got = got
        super().__init__(
            f"Metric {metric!r}: {field} must be {must_be}; got {got!r}{meant(near)} "
            "Correct the metric, or the declaration of the event."
        )


class TracerInstalledError(ObservingError):
    """A tracer cannot be installed: the place, or the tracer, is taken.

    Attributes:
        runtime: Name of the runtime in which it was to be installed.
        taken_by: What is there already.
        where: Name of the runtime in which that is.
    """

    def __init__(self, runtime: str, taken_by: str, where: str) -> None:
        self.runtime = runtime
        self.taken_by = taken_by
        self.where = where
        super().__init__(
            f"Tracer.install: runtime {runtime!r} must be free; got {taken_by} in {where!r} "
            "already. Take that one off first; the variables of a propagator can be given to "
            "the tracer: Tracer(variable, ...)."
        )
