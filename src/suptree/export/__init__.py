"""Exporters: what telemetry tells, in the formats of others.  A face; each needs its extra.

| name | extra | what |
|---|---|---|
| `PrometheusEndpoint`, `render_prometheus` | `suptree[prometheus]` | metrics, over HTTP or as text |
| `OtelTraces`, `OtelMetrics`, `OtelLogs`, `OtelLogHandler` | `suptree[otel]` | OpenTelemetry |

Nothing is imported before one of its names is asked for; without its extra that raises
`MissingExtraError`.
"""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final

from suptree.export.errors import MissingExtraError

if TYPE_CHECKING:
    from suptree.export.otel import OtelLogHandler, OtelLogs, OtelMetrics, OtelTraces
    from suptree.export.prometheus import PrometheusEndpoint, render_prometheus

__all__ = [
    "MissingExtraError",
    "OtelLogHandler",
    "OtelLogs",
    "OtelMetrics",
    "OtelTraces",
    "PrometheusEndpoint",
    "render_prometheus",
]

_HOME: Final[Mapping[str, str]] = {
    "OtelLogHandler": "otel",
    "OtelLogs": "otel",
    "OtelMetrics": "otel",
    "OtelTraces": "otel",
    "PrometheusEndpoint": "prometheus",
    "render_prometheus": "prometheus",
}


def __getattr__(name: str) -> Any:
    home = _HOME.get(name)
    if home is None:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = globals()[name] = getattr(importlib.import_module(f"{__name__}.{home}"), name)
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
