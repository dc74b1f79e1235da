"""Prometheus: what the real client renders, and what a real scrape gets."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from typing import Any

import httpx
import pytest
from prometheus_client.openmetrics.parser import text_string_to_metric_families as parse_openmetrics
from prometheus_client.parser import text_string_to_metric_families

import suptree as st
from suptree.export import PrometheusEndpoint, render_prometheus
from suptree.services import Metric, Metrics, MetricsSnapshot
from suptree.telemetry import Event
from suptree.testing import wait_down, wait_restarted

SENT = Event(
    "app.mail.sent",
    measurements={"size_bytes": "bytes", "waiting_len": "mails that wait"},
    metadata={"queue": "which"},
    doc="A mail went out.",
)
METRICS = [
    Metric.counter(SENT, tags=("queue",)),
    Metric.sum(SENT, "size_bytes", name="app.mail.sent_bytes"),
    Metric.sum(SENT, "waiting_len", name="app.mail.drift", monotonic=False),
    Metric.last_value(SENT, "waiting_len"),
    Metric.distribution(SENT, "size_bytes", name="app.mail.size_bytes"),
    Metric.distribution(SENT, "size_bytes", name="app.mail.spread_bytes", buckets=(10, 100)),
]


@pytest.fixture
async def metrics(runtime: st.Runtime) -> st.Pid[Metrics]:
    pid = await Metrics.start_link(METRICS)
    for size, queue in ((5, "fast"), (50, "slow"), (500, 'with "quotes"\n')):
        runtime.telemetry.emit(SENT, {"size_bytes": size, "waiting_len": size}, {"queue": queue})
    return pid


def values(text: str, parse: Any = text_string_to_metric_families) -> dict[tuple[str, ...], float]:
    """Every sample by its name and the values of its labels."""
    return {
        (sample.name, *sample.labels.values()): sample.value
        for family in parse(text)
        for sample in family.samples
    }


EXPECTED = {
    ("app_mail_sent_total", "fast"): 1,
    ("app_mail_sent_total", 'with "quotes"\n'): 1,
    ("app_mail_sent_bytes_total",): 555,
    ("app_mail_drift",): 555,
    ("app_mail_sent_waiting_len",): 500,
    ("app_mail_size_bytes_count",): 3,
    ("app_mail_size_bytes_sum",): 555,
    ("app_mail_spread_bytes_bucket", "10.0"): 1,
    ("app_mail_spread_bytes_bucket", "100.0"): 2,
    ("app_mail_spread_bytes_bucket", "+Inf"): 3,
    ("app_mail_spread_bytes_count",): 3,
    ("suptree_metrics_overflow_total",): 0,
    ("suptree_metrics_refused_total",): 0,
}


@pytest.mark.parametrize(
    ("accept", "parse"),
    [
        ("", text_string_to_metric_families),
        ("application/openmetrics-text; version=1.0.0", parse_openmetrics),
    ],
)
async def test_what_is_rendered_is_what_the_real_parser_reads(metrics, accept, parse):
    body, content_type = render_prometheus(await Metrics.snapshot(metrics), accept)

    found = values(body.decode(), parse)
    assert {key: found[key] for key in EXPECTED} == EXPECTED
    assert found["app_mail_size_bytes", "0.5"] == pytest.approx(50, rel=0.01)
    assert found["app_mail_size_bytes", "0.99"] == pytest.approx(500, rel=0.01)
    assert content_type.startswith(accept.partition(";")[0] or "text/plain")


def test_metrics_without_a_number_are_announced_with_their_type():
    body, _ = render_prometheus(MetricsSnapshot(tuple(METRICS), (), 0, 0))

    types = {family.name: family.type for family in text_string_to_metric_families(body.decode())}
    assert types["app_mail_sent"] == "counter"
    assert types["app_mail_drift"] == "gauge"
    assert types["app_mail_size_bytes"] == "summary"
    assert types["app_mail_spread_bytes"] == "histogram"


def test_two_names_that_become_the_same_stay_two():
    first = Metric.counter("app.mail_sent")
    second = Metric.counter("app.mail.sent")
    body, _ = render_prometheus(MetricsSnapshot((first, second), (), 0, 0))

    names = [family.name for family in text_string_to_metric_families(body.decode())]
    assert names[:2] == ["app_mail_sent", "app_mail_sent_2"]


# -- over HTTP -------------------------------------------------------------------------------

real = pytest.mark.suptree_loop("asyncio")


@pytest.fixture
async def url(metrics: st.Pid[Metrics]) -> str:
    endpoint = await PrometheusEndpoint.start_link(metrics, port=0)
    host, port = await PrometheusEndpoint.address(endpoint)
    return f"http://{host}:{port}"


@real
async def test_a_real_scrape_gets_the_metrics(url):
    async with httpx.AsyncClient() as client:
        answers = await asyncio.gather(*(client.get(f"{url}/metrics") for _ in range(5)))

    for answer in answers:
        assert answer.status_code == 200
        assert answer.headers["content-type"].startswith("text/plain; version=")
        found = values(answer.text)
        assert {key: found[key] for key in EXPECTED} == EXPECTED


@real
async def test_a_scrape_that_wants_openmetrics_gets_it(url):
    async with httpx.AsyncClient() as client:
        answer = await client.get(
            f"{url}/metrics?name=x", headers={"Accept": "application/openmetrics-text"}
        )

    assert answer.headers["content-type"].startswith("application/openmetrics-text")
    assert answer.text.endswith("# EOF\n")


@real
@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("HEAD", "/metrics", 200),
        ("POST", "/metrics", 405),
        ("GET", "/", 404),
        ("GET", "/metrics/more", 404),
    ],
)
async def test_other_requests_are_answered_as_http_says(url, method, path, status):
    async with httpx.AsyncClient() as client:
        answer = await client.request(method, url + path)

    assert answer.status_code == status
    if method == "HEAD":
        assert int(answer.headers["content-length"]) > 100
        assert answer.content == b""


@real
@pytest.mark.parametrize(
    "sent", [b"garbage\r\n\r\n", b"GET /metrics\r\n\r\n", b"x" * 20_000, b"GET / HTTP/1.1"]
)
async def test_what_is_no_request_is_refused_and_the_endpoint_lives_on(url, sent):
    host, port = url.removeprefix("http://").split(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    writer.write(sent)
    writer.write_eof()
    try:
        answer = await reader.read()
    except ConnectionResetError:  # it did not read all of what was too much
        answer = b""
    writer.close()

    assert answer == b"" or answer.startswith(b"HTTP/1.1 400 ")
    async with httpx.AsyncClient() as client:
        assert (await client.get(f"{url}/metrics")).status_code == 200


@real
async def test_while_the_metrics_are_gone_a_scrape_is_told_to_come_back(runtime):
    endpoint = await PrometheusEndpoint.start_link("metrics", port=0)
    host, port = await PrometheusEndpoint.address(endpoint)
    async with httpx.AsyncClient() as client:
        before = await client.get(f"http://{host}:{port}/metrics")
        await st.child(Metrics, METRICS).with_(name="metrics").start_link()
        after = await client.get(f"http://{host}:{port}/metrics")

    assert (before.status_code, before.headers["retry-after"]) == (503, "1")
    assert after.status_code == 200


@real
async def test_it_listens_on_loopback_and_gives_the_port_back_when_it_is_killed(metrics):
    endpoint = await PrometheusEndpoint.start(metrics, port=0)
    host, port = await PrometheusEndpoint.address(endpoint)
    assert host == "127.0.0.1"

    st.exit(endpoint, st.KILL)
    await wait_down(endpoint)

    again = await PrometheusEndpoint.start_link(metrics, port=port)
    assert await PrometheusEndpoint.address(again) == (host, port)


@real
async def test_a_port_that_is_taken_does_not_start(metrics, url):
    port = int(url.rpartition(":")[2])
    with pytest.raises(st.StartError, match="OSError"):
        await PrometheusEndpoint.start(metrics, port=port)


@real
async def test_after_a_restart_it_is_scraped_as_before(metrics, runtime):
    supervisor = await st.Supervisor.start_link(
        [st.child(PrometheusEndpoint, metrics, port=0).with_(id="p", name="p")],
        strategy="one_for_one",
    )
    first = st.whereis("p")
    st.exit("p", st.KILL)
    again = await wait_restarted(supervisor, "p", first)
    host, port = await PrometheusEndpoint.address(again)
    async with httpx.AsyncClient() as client:
        assert (await client.get(f"http://{host}:{port}/metrics")).status_code == 200


@real
async def test_too_many_connections_at_once_are_refused(url):
    host, port = url.removeprefix("http://").split(":")
    idle = [await asyncio.open_connection(host, int(port)) for _ in range(16)]
    await asyncio.sleep(0.05)
    with pytest.raises(httpx.TransportError):
        async with httpx.AsyncClient() as client:
            await client.get(f"{url}/metrics")
    for _, writer in idle:
        writer.close()
        await writer.wait_closed()


# -- the extra -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "library", "extra"),
    [
        ("PrometheusEndpoint", "prometheus_client", "prometheus"),
        ("OtelTraces", "opentelemetry", "otel"),
    ],
)
def test_without_its_extra_an_exporter_says_what_to_install(name, library, extra):
    code = (
        f"import sys; sys.modules[{library!r}] = None\n"
        "import suptree.export as export\n"
        "try:\n"
        f"    export.{name}\n"
        "except export.MissingExtraError as error:\n"
        "    assert isinstance(error, ImportError)\n"
        "    print(error)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)

    assert f"pip install suptree[{extra}]" in done.stdout


def test_importing_the_face_opens_no_extra():
    code = (
        "import sys, suptree.export\n"
        "assert not {'prometheus_client', 'opentelemetry'} & set(sys.modules)\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_a_name_that_is_none_is_no_attribute():
    import suptree.export as export

    with pytest.raises(AttributeError, match="no attribute 'Nothing'"):
        _ = export.Nothing
