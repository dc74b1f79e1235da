"""Metrics for Prometheus: rendered by prometheus-client, and served over HTTP.

`PrometheusEndpoint` is a server for a tree, beside the `Metrics` that it shows.  It listens on
the loopback address unless told otherwise, answers GET and HEAD of one path, one request for
each connection, and nothing else: whoever needs more puts a web server in front.

A counter becomes a counter, a sum that never falls too; one that may fall, and a last
value, a gauge; a distribution a summary with its percentiles, or a histogram if it has buckets.
Dots in names become underscores.

>>> st.child(PrometheusEndpoint, "metrics", port=9464).with_(name="prometheus")  # doctest: +SKIP
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Iterator, Mapping
from http import HTTPStatus
from typing import Final

from suptree.errors import CallTimeoutError, NoProcessError, ServerExitError
from suptree.export.errors import MissingExtraError
from suptree.otp import GenServer, ServerRef, call
from suptree.services import Metric, MetricKind, Metrics, MetricsSnapshot, MetricSummary

try:
    from prometheus_client import CollectorRegistry
    from prometheus_client.exposition import choose_encoder
    from prometheus_client.metrics_core import Metric as Family
except ImportError as error:
    raise MissingExtraError(
        "suptree.export.prometheus", "prometheus-client", "prometheus"
    ) from error

__all__ = ["PrometheusEndpoint", "render_prometheus"]

REQUEST_LIMIT: Final = 8192  # bytes of a request line, and of all headers
REQUEST_TIMEOUT: Final = 5.0
ANSWER_TIMEOUT: Final = 30.0
CONNECTIONS_AT_MOST: Final = 16
_NOT_IN_NAMES = re.compile(r"[^a-zA-Z0-9_]")


def render_prometheus(snapshot: MetricsSnapshot, accept: str = "") -> tuple[bytes, str]:
    """What a scrape is answered with.

    Args:
        snapshot: Of a `Metrics`.
        accept: The `Accept` header: OpenMetrics for whoever asks for it, else Prometheus' text.

    Returns:
        The body, and its content type.
    """
    registry = CollectorRegistry(auto_describe=False)
    registry.register(_Collector(snapshot))
    encode, content_type = choose_encoder(accept)
    body: bytes = encode(registry)
    return body, content_type


class _Collector:
    """The snapshot as prometheus-client wants it."""

    def __init__(self, snapshot: MetricsSnapshot) -> None:
        self._snapshot = snapshot

    def collect(self) -> Iterator[Family]:
        families: dict[str, Family] = {}
        by_metric: dict[str, Family] = {}
        for metric in self._snapshot.metrics:
            name = _free_name(metric.name, families)
            family = Family(name, metric.doc or metric.name, _type_of(metric))
            families[name] = by_metric[metric.name] = family
        for series in self._snapshot.series:
            family = by_metric[series.metric.name]
            tags = {_NOT_IN_NAMES.sub("_", key): value for key, value in series.tags.items()}
            _add(family, tags, series.value)
        yield from families.values()
        for name, count in (
            ("suptree_metrics_overflow", self._snapshot.overflow),
            ("suptree_metrics_refused", self._snapshot.refused),
        ):
            if name not in families:
                family = Family(
                    name, "Numbers that suptree could not keep apart, or not use.", "counter"
                )
                family.add_sample(f"{name}_total", {}, float(count))
                yield family


def _free_name(name: str, taken: Mapping[str, Family]) -> str:
    """The name with underscores; numbered if that makes it the same as another one."""
    plain = free = _NOT_IN_NAMES.sub("_", name).removesuffix("_total")
    number = 2
    while free in taken:
        free = f"{plain}_{number}"
        number += 1
    return free


def _type_of(metric: Metric) -> str:
    match metric.kind:
        case MetricKind.COUNTER:
            return "counter"
        case MetricKind.SUM:
            return "counter" if metric.monotonic else "gauge"
        case MetricKind.LAST_VALUE:
            return "gauge"
        case MetricKind.DISTRIBUTION:
            return "histogram" if metric.buckets else "summary"


def _add(family: Family, tags: Mapping[str, str], value: float | MetricSummary) -> None:
    name = family.name
    if not isinstance(value, MetricSummary):
        family.add_sample(f"{name}_total" if family.type == "counter" else name, dict(tags), value)
        return
    if value.buckets:
        for bound, count in value.buckets:
            family.add_sample(f"{name}_bucket", {**tags, "le": repr(bound)}, float(count))
        family.add_sample(f"{name}_bucket", {**tags, "le": "+Inf"}, float(value.count))
    else:
        for quantile, number in (
            ("0.5", value.p50),
            ("0.9", value.p90),
            ("0.95", value.p95),
            ("0.99", value.p99),
        ):
            family.add_sample(name, {**tags, "quantile": quantile}, number)
    family.add_sample(f"{name}_count", dict(tags), float(value.count))
    family.add_sample(f"{name}_sum", dict(tags), value.total)


class PrometheusEndpoint(GenServer):
    """See the module text.

    Args:
        metrics: The `Metrics` to show: a pid, a name, or `via(...)`.
        host: Where to listen; default: this machine alone.
        port: 0 takes a free one, which `address` tells.
        path: What is asked for.

    Raises:
        OSError: The address is taken.
    """

    def __init__(
        self,
        metrics: ServerRef[Metrics],
        *,
        host: str = "127.0.0.1",
        port: int = 9464,
        path: str = "/metrics",
    ) -> None:
        self._metrics = metrics
        self._host, self._port, self._path = host, port, path
        self._connections = 0

    async def init(self) -> None:
        """Listen."""
        server = await asyncio.start_server(
            self._connected, self._host, self._port, limit=REQUEST_LIMIT
        )
        self.own(server, lambda server: server.close())
        self._host, self._port = server.sockets[0].getsockname()[:2]

    @call
    def address(self) -> tuple[str, int]:
        """Where it listens: host and port."""
        return self._host, self._port

    def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if self._connections < CONNECTIONS_AT_MOST and self._process.is_alive():
            self._connections += 1
            self.start_task(self._serve(reader, writer), name="scrape")
        else:
            writer.transport.abort()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            async with asyncio.timeout(REQUEST_TIMEOUT):
                request = await _read_request(reader)
            answer = (
                _status(HTTPStatus.BAD_REQUEST) if request is None else await self._answer(*request)
            )
            async with asyncio.timeout(ANSWER_TIMEOUT):
                writer.write(answer)
                await writer.drain()
                writer.close()
                await writer.wait_closed()
        except (TimeoutError, ConnectionError):
            pass  # a client that sends nothing or does not read: its own loss
        finally:
            self._connections -= 1
            writer.transport.abort()

    async def _answer(self, method: str, path: str, headers: Mapping[str, str]) -> bytes:
        if path.partition("?")[0] != self._path:
            return _status(HTTPStatus.NOT_FOUND)
        if method not in ("GET", "HEAD"):
            return _status(HTTPStatus.METHOD_NOT_ALLOWED, "Allow: GET, HEAD\r\n")
        try:
            snapshot = await Metrics.snapshot.within(REQUEST_TIMEOUT)(self._metrics)
        except (NoProcessError, CallTimeoutError, ServerExitError):
            return _status(HTTPStatus.SERVICE_UNAVAILABLE, "Retry-After: 1\r\n")
        body, content_type = render_prometheus(snapshot, headers.get("accept", ""))
        return _response(HTTPStatus.OK, body, content_type, head=method == "HEAD")


async def _read_request(reader: asyncio.StreamReader) -> tuple[str, str, dict[str, str]] | None:
    """Method, path and headers; None if that is no request."""
    try:
        text = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
    except (asyncio.IncompleteReadError, asyncio.LimitOverrunError):
        return None
    first, *lines = text.split("\r\n")
    words = first.split(" ")
    if len(words) != 3 or not words[2].startswith("HTTP/1."):
        return None
    headers: dict[str, str] = {}
    for line in lines:
        key, colon, value = line.partition(":")
        if colon:
            headers[key.strip().lower()] = value.strip()
    return words[0], words[1], headers


def _status(status: HTTPStatus, more: str = "") -> bytes:
    body = f"{status.value} {status.phrase}\n".encode()
    return _response(status, body, "text/plain; charset=utf-8", more=more)


def _response(
    status: HTTPStatus, body: bytes, content_type: str, *, head: bool = False, more: str = ""
) -> bytes:
    top = (
        f"HTTP/1.1 {status.value} {status.phrase}\r\nContent-Type: {content_type}\r\n"
        f"Content-Length: {len(body)}\r\n{more}Connection: close\r\n\r\n"
    )
    return top.encode() + (b"" if head else body)
