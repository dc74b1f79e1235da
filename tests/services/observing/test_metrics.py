"""Metrics: numbers that are true, driven both ways, with bounded memory."""

from __future__ import annotations

import enum
import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as hs

import suptree as st
from suptree.services.observing import Metric, MetricError, MetricKind, Metrics, platform_metrics
from suptree.services.observing.metrics_table import MetricsTable, MetricSummary
from suptree.services.observing.tags import OTHER
from suptree.telemetry import Event, Span, TelemetryBus
from suptree.testing import wait_down, wait_restarted

SENT = Event(
    "app.mail.sent",
    measurements={"size_bytes": "bytes", "waiting_len": "mails that wait"},
    metadata={"queue": "which", "error": "what went wrong, or None"},
    doc="A mail went out.",
)
JOB = Span("app.job.run", metadata={"kind": "which"}, doc="One job.")


def table(*metrics: Metric, **options: Any) -> MetricsTable:
    return MetricsTable(metrics, **options)


def send(
    table: MetricsTable, size: Any = 1, waiting: Any = 0, queue: Any = "q", error: Any = None
) -> None:
    table.hear(SENT, {"size_bytes": size, "waiting_len": waiting}, {"queue": queue, "error": error})


# -- the four kinds -----------------------------------------------------------------------------


def test_a_counter_counts_events_by_their_tags():
    kept = table(Metric.counter(SENT, tags=("queue",)))
    for queue in ("fast", "slow", "fast"):
        send(kept, queue=queue)

    snapshot = kept.snapshot()
    assert snapshot.get("app.mail.sent", queue="fast") == 2
    assert snapshot.get("app.mail.sent", queue="slow") == 1
    assert snapshot.get("app.mail.sent", queue="none") is None


def test_a_sum_adds_up_and_does_not_fall():
    kept = table(Metric.sum(SENT, "size_bytes", scale=0.001, name="mail.kilobytes"))
    for size in (1000, 500, -4000):
        send(kept, size)

    assert kept.snapshot().get("mail.kilobytes") == 1.5
    assert kept.snapshot().refused == 1


def test_a_sum_that_may_fall_goes_both_ways():
    kept = table(Metric.sum(SENT, "size_bytes", monotonic=False))
    for change in (5, -3, -4):
        send(kept, change)

    assert kept.snapshot().get("app.mail.sent.size_bytes") == -2


def test_a_last_value_goes_up_and_down():
    kept = table(Metric.last_value(SENT, "waiting_len"))
    seen = []
    for waiting in (3, 9, 0):
        send(kept, waiting=waiting)
        seen.append(kept.snapshot().get("app.mail.sent.waiting_len"))

    assert seen == [3, 9, 0]


def test_a_distribution_knows_its_percentiles_and_buckets():
    kept = table(Metric.distribution(SENT, "size_bytes", buckets=(10, 50, 1000)))
    for size in range(1, 101):
        send(kept, size)

    summary = kept.snapshot().get("app.mail.sent.size_bytes")
    assert isinstance(summary, MetricSummary)
    assert (summary.count, summary.total, summary.least, summary.largest) == (100, 5050, 1, 100)
    assert summary.p50 == pytest.approx(50, rel=0.02)
    assert summary.p90 == pytest.approx(90, rel=0.02)
    assert summary.p99 == pytest.approx(99, rel=0.02)
    assert summary.buckets == ((10, 10), (50, 50), (1000, 100))


@given(sizes=hs.lists(hs.integers(0, 10**9), min_size=1, max_size=60))
def test_every_kind_does_as_plain_python_would(sizes):
    kept = table(
        Metric.counter(SENT),
        Metric.sum(SENT, "size_bytes", name="sum"),
        Metric.last_value(SENT, "size_bytes", name="last"),
        Metric.distribution(SENT, "size_bytes", name="spread", buckets=(100, 10_000)),
    )
    for size in sizes:
        send(kept, size)

    snapshot = kept.snapshot()
    spread = snapshot.get("spread")
    assert isinstance(spread, MetricSummary)
    assert snapshot.get("app.mail.sent") == len(sizes)
    assert snapshot.get("sum") == sum(sizes)
    assert snapshot.get("last") == sizes[-1]
    assert (spread.count, spread.total) == (len(sizes), sum(sizes))
    assert spread.buckets == tuple((b, sum(s <= b for s in sizes)) for b in (100, 10_000))
    exact = sorted(sizes)[math.ceil(0.9 * len(sizes)) - 1]
    assert spread.p90 == pytest.approx(exact, rel=0.011, abs=1e-9)


def test_the_duration_of_a_span_is_a_distribution_in_seconds():
    kept = table(
        Metric.distribution(
            JOB.stopped, "duration_ns", scale=1e-9, name="job.duration_s", tags=("kind",)
        )
    )
    bus = TelemetryBus(strict=True)
    bus.attach_many("metrics", kept.events(), kept.hear)
    with bus.span(JOB, {"kind": "x"}):
        pass

    summary = kept.snapshot().get("job.duration_s", kind="x")
    assert isinstance(summary, MetricSummary)
    assert summary.count == 1
    assert 0 <= summary.largest < 1


# -- bounds and refusals ------------------------------------------------------------------------------


def test_cardinality_is_bounded_and_totals_stay_true():
    kept = table(Metric.counter(SENT, tags=("queue",)), max_series=3)
    for number in range(10):
        send(kept, queue=f"queue {number}")
        send(kept, queue="queue 0")

    snapshot = kept.snapshot()
    assert len(snapshot.series) == 4
    assert snapshot.get("app.mail.sent", queue="queue 0") == 11
    assert snapshot.get("app.mail.sent", queue=OTHER) == 7
    assert snapshot.overflow == 7
    assert sum(one.value for one in snapshot.series) == 20


@pytest.mark.parametrize(
    "size",
    [None, "3", float("nan"), float("inf"), -1, pytest.param(10**400, id="beyond every float")],
)
def test_what_is_no_number_is_refused_and_counted(size):
    kept = table(Metric.distribution(SENT, "size_bytes"))
    send(kept, size)

    assert kept.snapshot().series == ()
    assert kept.snapshot().refused == 1


class Colour(enum.Enum):
    """A tag."""

    RED = 1


class Unprintable:
    """A tag whose text raises."""

    def __repr__(self) -> str:
        raise RuntimeError


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ("fast", "fast"),
        ("x" * 1000, "x" * 200),
        (None, ""),
        (5, "5"),
        (Colour.RED, "RED"),
        (ValueError("secret"), "ValueError"),
        ([1, 2], "[1, 2]"),
    ],
)
def test_a_tag_is_a_short_text(value, text):
    kept = table(Metric.counter(SENT, tags=("error",)))
    send(kept, error=value)

    assert kept.snapshot().get("app.mail.sent", error=text) == 1


def test_a_tag_whose_text_raises_does_not_hurt_the_emitter():
    kept = table(Metric.counter(SENT, tags=("error",)))
    send(kept, error=Unprintable())

    assert len(kept.snapshot().series) == 1


@pytest.mark.parametrize(
    ("make", "text"),
    [
        (lambda: Metric.sum(SENT, "size_byte"), "did you mean 'size_bytes'?"),
        (lambda: Metric.counter(SENT, tags=("que",)), "did you mean 'queue'?"),
        (lambda: Metric.counter(SENT, name="Mail Sent"), "lower-case words"),
        (lambda: Metric.sum(SENT, "size_bytes", scale=0), "scale must be finite"),
        (lambda: Metric.sum(JOB, "duration_ns"), "`stopped` or `failed` of a Span"),
        (lambda: Metric.counter(7), "an Event or its name"),
        (lambda: Metric.distribution(SENT, "size_bytes", buckets=(2, 1)), "bounds that rise"),
        (lambda: Metric.distribution(SENT, "size_bytes", buckets=(1, math.inf)), "finite bounds"),
        (lambda: table(Metric.counter(SENT), Metric.counter(SENT)), "used once"),
    ],
)
def test_a_metric_that_could_never_work_is_refused(make, text):
    with pytest.raises(MetricError, match="must be") as refused:
        make()
    assert text in str(refused.value)
    assert isinstance(refused.value, ValueError)


def test_one_tag_may_be_given_as_a_string():
    assert Metric.counter(SENT, tags="queue").tags == ("queue",)


def test_no_series_at_all_is_refused():
    with pytest.raises(ValueError, match="max_series must be a whole number, 1 or more"):
        table(Metric.counter(SENT), max_series=0)


# -- the server -----------------------------------------------------------------------------------------


def listening(runtime: st.Runtime) -> int:
    """How many `Metrics` listen to the bus."""
    ids = [one.id for one in runtime.telemetry.attachments()]
    return sum(id.startswith("suptree.metrics") for id in ids)


async def test_metrics_listen_from_their_start_until_they_are_killed(runtime):
    metrics = await Metrics.start([Metric.counter(SENT)])
    runtime.telemetry.emit(SENT, {"size_bytes": 1, "waiting_len": 0}, {"queue": "q", "error": None})
    assert (await Metrics.snapshot(metrics)).get("app.mail.sent") == 1

    st.exit(metrics, st.KILL)
    await wait_down(metrics)

    assert listening(runtime) == 0


async def test_after_a_restart_the_same_metrics_count_from_zero(runtime):
    supervisor = await st.Supervisor.start_link(
        [st.child(Metrics, [Metric.counter(SENT)]).with_(id="metrics", name="metrics")],
        strategy="one_for_one",
    )
    facts = {"queue": "q", "error": None}
    runtime.telemetry.emit(SENT, {"size_bytes": 1, "waiting_len": 0}, facts)
    first = st.whereis("metrics")
    st.exit("metrics", st.KILL)
    await wait_restarted(supervisor, "metrics", first)
    assert (await Metrics.snapshot("metrics")).get("app.mail.sent") is None

    runtime.telemetry.emit(SENT, {"size_bytes": 1, "waiting_len": 0}, facts)
    assert (await Metrics.snapshot("metrics")).get("app.mail.sent") == 1
    assert listening(runtime) == 1


async def test_two_servers_of_metrics_do_not_disturb_each_other(runtime):
    one = await Metrics.start_link([Metric.counter(SENT)])
    two = await Metrics.start_link([Metric.counter(SENT)])
    facts = {"queue": "q", "error": None}
    runtime.telemetry.emit(SENT, {"size_bytes": 1, "waiting_len": 0}, facts)
    await Metrics.reset(one)

    assert (await Metrics.snapshot(one)).get("app.mail.sent") is None
    assert (await Metrics.snapshot(two)).get("app.mail.sent") == 1


async def test_metrics_that_are_declared_wrongly_do_not_start_and_leave_nothing(runtime):
    with pytest.raises(st.StartError):
        await Metrics.start([Metric.counter(SENT), Metric.counter(SENT)])

    assert listening(runtime) == 0


class Fragile(st.GenServer):
    """Breaks."""

    @st.cast
    def touch(self) -> None:
        raise RuntimeError


async def test_what_every_platform_has_is_counted_out_of_the_box(runtime):
    metrics = await Metrics.start_link()
    supervisor = await st.Supervisor.start_link(
        [st.child(Fragile).with_(id="vase", name="vase")], strategy="one_for_one"
    )
    first = st.whereis("vase")
    Fragile.touch("vase")
    await wait_restarted(supervisor, "vase", first)

    snapshot = await Metrics.snapshot(metrics)
    assert snapshot.get("suptree.process.crashed", label="Fragile") == 1
    assert snapshot.get("suptree.supervisor.child.restarted", id="vase") == 1
    assert snapshot.get("suptree.process.exited") == 1
    alive = snapshot.get("suptree.processes.alive_count")
    assert isinstance(alive, float)
    assert alive >= 3


def test_the_metrics_of_the_platform_are_of_events_that_exist():
    from suptree.core import events as core
    from suptree.otp import events as otp
    from suptree.telemetry import HANDLER_FAILED

    declared = {HANDLER_FAILED.name: HANDLER_FAILED}
    for module in (core, otp):
        declared |= {one.name: one for one in vars(module).values() if isinstance(one, Event)}

    for metric in platform_metrics():
        event = declared[metric.event]
        assert set(metric.tags) <= set(event.metadata)
        assert metric.kind is MetricKind.COUNTER or metric.measurement in event.measurements
