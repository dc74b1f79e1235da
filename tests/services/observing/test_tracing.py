"""Tracer: ids of spans, their nesting, and how they reach other processes."""

from __future__ import annotations

import asyncio
import contextvars
import gc
import logging
import weakref
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import pytest

import suptree as st
from suptree.services.observing import SpanContext, Tracer, TracerInstalledError, tracing
from suptree.services.observing.events import SPAN_DESCRIBED, SPAN_LINKED, SPAN_NOTED
from suptree.telemetry import Event, Span, TelemetryBus
from suptree.testing import wait_down, wait_until

OUTER = Span("app.outer", doc="Around.")
INNER = Span("app.inner", metadata={"at": "where"}, doc="Within.")
TENANT: contextvars.ContextVar[str] = contextvars.ContextVar("tenant")


@dataclass
class Seen:
    """What a bus emitted, in order."""

    events: list[tuple[str, Mapping[str, float], Mapping[str, object]]] = field(
        default_factory=list
    )

    def __call__(
        self, event: Event, numbers: Mapping[str, float], facts: Mapping[str, object]
    ) -> None:
        self.events.append((event.name, numbers, facts))

    def started(self, name: str) -> list[Mapping[str, object]]:
        """The metadata of each start of the span *name*."""
        return [facts for event, _, facts in self.events if event == f"{name}.start"]

    def only(self, name: str) -> Mapping[str, object]:
        """The metadata of the only start of the span *name*."""
        (facts,) = self.started(name)
        return facts


@pytest.fixture
def seen() -> Seen:
    return Seen()


@pytest.fixture
def tracer() -> Tracer:
    return Tracer(seed=7)


@pytest.fixture
def traced(runtime: st.Runtime, tracer: Tracer, seen: Seen) -> Iterator[st.Runtime]:
    """The runtime with the tracer, and a strict bus that `seen` listens to."""
    tracer.install(runtime)
    runtime.telemetry.strict = True
    runtime.telemetry.attach("seen", "app.*", seen)
    yield runtime
    tracer.uninstall()


class Worker(st.GenServer):
    """Opens a span in each of its handlers."""

    def __init__(self, next_one: st.Pid[Worker] | None = None) -> None:
        self.next_one = next_one

    def _span(self, at: str) -> Any:
        return self._process.runtime.telemetry.span(INNER, {"at": at})

    @st.call
    def work(self) -> None:
        with self._span("call"):
            pass

    @st.call
    async def slow(self) -> None:
        with self._span("slow"):
            await asyncio.sleep(0.01)

    @st.call
    async def through(self) -> None:
        assert self.next_one is not None
        with self._span("through"):
            await Worker.work(self.next_one)

    @st.cast
    def note(self) -> None:
        with self._span("cast"):
            pass

    @st.call
    def arm(self) -> None:
        with self._span("arm"):
            self.send_after(0.01, "timer")

    @st.call
    def begin_task(self) -> None:
        with self._span("begin"):
            self.start_task(self._task())

    async def _task(self) -> None:
        await asyncio.sleep(0.01)
        with self._span("owned task"):
            pass

    @st.call
    async def asks_task(self) -> None:
        with self._span("asks"):
            await st.Task.async_(self._in_task, self._process.runtime)

    @staticmethod
    def _in_task(runtime: st.Runtime) -> None:
        with runtime.telemetry.span(INNER, {"at": "task"}):
            pass

    @st.call
    def fail(self) -> None:
        with self._span("fail"):
            raise ZeroDivisionError

    def handle_info(self, message: object) -> None:
        with self._span(str(message)):
            pass


def at(seen: Seen, where: str) -> Mapping[str, object]:
    (facts,) = [facts for facts in seen.started("app.inner") if facts["at"] == where]
    return facts


# -- ids and nesting ----------------------------------------------------------------------


async def test_the_three_events_of_a_span_carry_the_same_ids(traced, seen):
    with traced.telemetry.span(OUTER):
        pass
    with pytest.raises(KeyError), traced.telemetry.span(OUTER):
        raise KeyError

    (_, _, started), (_, _, stopped), (_, _, again), (name, _, failed) = seen.events
    assert started == stopped
    assert name == "app.outer.exception"
    assert {**again, "error": failed["error"]} == failed
    assert started["trace_id"] != again["trace_id"]


async def test_ids_are_written_as_w3c_and_opentelemetry_write_them(traced, seen, tracer):
    with traced.telemetry.span(OUTER):
        current = tracer.current()

    facts = seen.only("app.outer")
    assert len(str(facts["trace_id"])) == 32
    assert len(str(facts["span_id"])) == 16
    assert facts["parent_span_id"] is None
    assert facts["trace_sampled"] is True
    assert current == SpanContext(str(facts["trace_id"]), str(facts["span_id"]))


async def test_nesting_keeps_the_trace_id_and_names_the_parent(traced, seen, tracer):
    with traced.telemetry.span(OUTER), traced.telemetry.span(INNER, {"at": "here"}):
        pass

    outer, inner = seen.only("app.outer"), seen.only("app.inner")
    assert inner["trace_id"] == outer["trace_id"]
    assert inner["parent_span_id"] == outer["span_id"]
    assert inner["span_id"] != outer["span_id"]
    assert tracer.current() is None


async def test_siblings_have_the_same_parent(traced, seen):
    with traced.telemetry.span(OUTER):
        for _ in range(2):
            with traced.telemetry.span(INNER, {"at": "here"}):
                pass

    outer = seen.only("app.outer")
    first, second = seen.started("app.inner")
    assert first["parent_span_id"] == second["parent_span_id"] == outer["span_id"]


async def test_a_span_that_nobody_listens_to_is_still_the_parent_of_those_within(traced, tracer):
    quiet, heard = Span("other.quiet", doc="Nobody."), Seen()
    traced.telemetry.attach("heard", "app.inner.*", heard)
    with traced.telemetry.span(quiet):
        outer = tracer.current()
        with traced.telemetry.span(INNER, {"at": "here"}):
            pass

    assert outer is not None
    assert heard.only("app.inner")["parent_span_id"] == outer.span_id


@pytest.mark.parametrize("seed", [1, 2, 3, 4])
async def test_spans_that_end_in_any_order_leave_none_behind(traced, tracer, seed):
    import random

    rng = random.Random(seed)
    for _ in range(200):
        spans = [traced.telemetry.span(OUTER) for _ in range(rng.randint(1, 6))]
        begun = []
        for span in spans:
            span.__enter__()
            begun.append((span, tracer.current()))
        rng.shuffle(begun)
        alive = {context for _, context in begun}
        for span, context in begun:
            span.__exit__(None, None, None)
            alive.discard(context)
            assert tracer.current() in alive | {None}
            assert bool(alive) == (tracer.current() is not None)


class Ended(BaseException):
    """Something that is no Exception."""


@pytest.mark.parametrize(
    "error", [ValueError(), asyncio.CancelledError(), Ended(), st.ProcessExit("asked")]
)
async def test_an_exception_a_cancel_and_an_exit_mark_the_span_as_failed(
    traced, seen, tracer, error
):
    with pytest.raises(type(error)), traced.telemetry.span(OUTER):
        raise error

    assert [name for name, _, _ in seen.events] == ["app.outer.start", "app.outer.exception"]
    assert seen.events[-1][2]["error"] is error
    assert tracer.current() is None


async def test_the_span_of_a_handler_whose_process_is_killed_is_marked_as_failed(traced, seen):
    pid = await Worker.start()
    asked = Worker.slow.send_request(pid)
    await wait_until(lambda: bool(seen.started("app.inner")))

    st.exit(pid, st.KILL)
    await wait_down(pid)
    with pytest.raises(st.ServerExitError):
        await asked

    assert seen.events[-1][0] == "app.inner.exception"
    assert isinstance(seen.events[-1][2]["error"], asyncio.CancelledError)


# -- from process to process ------------------------------------------------------------------


async def test_a_call_brings_the_span_along_directly_and_queued(traced, seen):
    pid = await Worker.start()
    with traced.telemetry.span(OUTER):
        for _ in range(3):  # the first one queues, the others may be direct
            await Worker.work(pid)
        await Worker.slow(pid)

    outer = seen.only("app.outer")
    assert len(seen.started("app.inner")) == 4
    for inner in seen.started("app.inner"):
        assert inner["trace_id"] == outer["trace_id"]
        assert inner["parent_span_id"] == outer["span_id"]


async def test_a_chain_of_calls_is_one_trace(traced, seen):
    end = await Worker.start()
    middle = await Worker.start(end)
    with traced.telemetry.span(OUTER):
        await Worker.through(middle)

    outer, through, call = seen.only("app.outer"), at(seen, "through"), at(seen, "call")
    assert outer["trace_id"] == through["trace_id"] == call["trace_id"]
    assert through["parent_span_id"] == outer["span_id"]
    assert call["parent_span_id"] == through["span_id"]


@pytest.mark.parametrize("sends", [Worker.note, lambda pid: st.send(pid, "cast")])
async def test_a_cast_and_a_message_bring_it_along_after_the_span_has_ended(traced, seen, sends):
    pid = await Worker.start()
    with traced.telemetry.span(OUTER):
        sends(pid)
    await Worker.work(pid)

    assert at(seen, "cast")["parent_span_id"] == seen.only("app.outer")["span_id"]
    assert at(seen, "call")["parent_span_id"] is None


async def test_a_timer_brings_the_span_along_that_started_it(traced, seen):
    pid = await Worker.start()
    await Worker.arm(pid)
    await asyncio.sleep(0.02)

    armed, fired = at(seen, "arm"), at(seen, "timer")
    assert fired["trace_id"] == armed["trace_id"]
    assert fired["parent_span_id"] == armed["span_id"]


async def test_tasks_owned_and_awaited_bring_it_along(traced, seen):
    pid = await Worker.start()
    await Worker.begin_task(pid)
    await Worker.asks_task(pid)
    await asyncio.sleep(0.02)

    assert at(seen, "owned task")["parent_span_id"] == at(seen, "begin")["span_id"]
    assert at(seen, "task")["parent_span_id"] == at(seen, "asks")["span_id"]


async def test_after_the_message_the_process_has_no_span(traced, seen):
    pid = await Worker.start()
    with traced.telemetry.span(OUTER):
        await Worker.work(pid)
        await Worker.slow(pid)
    await Worker.work(pid)

    assert seen.started("app.inner")[-1]["parent_span_id"] is None


async def test_a_server_that_is_started_inside_a_span_outlives_it_and_has_none(traced, seen):
    class Ticks(Worker):
        def __init__(self) -> None:
            super().__init__()
            self.send_interval(0.01, "tick of its own")

    with traced.telemetry.span(OUTER):
        await Ticks.start_link()
    await asyncio.sleep(0.015)

    assert at(seen, "tick of its own")["parent_span_id"] is None
    assert at(seen, "tick of its own")["trace_id"] != seen.only("app.outer")["trace_id"]


async def test_cross_process_propagation_by_hand_use_makes_a_context_current(traced, seen, tracer):
    def work(context: SpanContext | None) -> None:
        with tracer.use(context), traced.telemetry.span(INNER, {"at": "spawned"}):
            pass

    with traced.telemetry.span(OUTER):
        pid = traced.spawn(work, tracer.current())
    await wait_down(pid)

    assert at(seen, "spawned")["parent_span_id"] == seen.only("app.outer")["span_id"]


async def test_use_none_begins_a_trace_of_its_own(traced, seen, tracer):
    with traced.telemetry.span(OUTER):
        with tracer.use(None), traced.telemetry.span(INNER, {"at": "apart"}):
            pass
        assert tracer.current() is not None

    assert at(seen, "apart")["parent_span_id"] is None
    assert at(seen, "apart")["trace_id"] != seen.only("app.outer")["trace_id"]


async def test_a_plain_process_that_receives_within_a_span_is_never_left_in_an_ended_one(
    traced, seen, tracer
):
    async def loop() -> None:
        for number in range(3):
            with traced.telemetry.span(INNER, {"at": f"loop {number}"}):
                await st.receive(str)
        await st.receive(str)
        with traced.telemetry.span(INNER, {"at": "after"}):
            pass

    pid = traced.spawn(loop)
    with traced.telemetry.span(OUTER):
        st.send(pid, "traced")
    for _ in range(3):
        st.send(pid, "not traced")
    await wait_down(pid)

    assert at(seen, "after")["parent_span_id"] is None


async def test_the_variables_of_a_tracer_travel_too(runtime):
    class Reads(st.GenServer):
        @st.call
        def tenant(self) -> str:
            return TENANT.get("nobody")

    tracer = Tracer(TENANT)
    tracer.install(runtime)
    pid = await Reads.start()
    TENANT.set("ada")

    assert await Reads.tenant(pid) == "ada"
    tracer.uninstall()
    assert await Reads.tenant(pid) == "nobody"


async def test_a_long_line_of_casts_keeps_no_span_that_is_over(traced):
    class Relay(st.GenServer):
        @st.cast
        def pass_on(self, left: int) -> None:
            with self._process.runtime.telemetry.span(OUTER):
                if left:
                    Relay.pass_on(self.pid, left - 1)

    before = frames_alive()  # other tests have left some
    pid = await Relay.start()
    Relay.pass_on(pid, 1000)
    await asyncio.sleep(0.01)

    assert frames_alive() - before < 10


async def test_a_long_line_of_tasks_each_begun_by_the_one_before_keeps_no_span_that_is_over(traced):
    class Relay(st.GenServer):
        def __init__(self) -> None:
            self.alive: list[int] = []

        @st.call
        def begin(self) -> None:
            self.start_task(self._link(500))

        async def _link(self, left: int) -> None:
            with traced.telemetry.span(OUTER):
                if left:
                    self.start_task(self._link(left - 1))
                else:
                    await asyncio.sleep(0)
                    self.alive.append(frames_alive())

    before = frames_alive()
    pid = await Relay.start()
    await Relay.begin(pid)
    await wait_until(lambda: bool(pid._process.server.alive))  # type: ignore[attr-defined]

    assert pid._process.server.alive[0] - before < 10  # type: ignore[attr-defined]


def frames_alive() -> int:
    """How many spans, or what came with messages, are still kept."""
    gc.collect()
    return sum(type(one) is tracing._Frame for one in gc.get_objects())


async def test_a_process_that_ends_is_not_kept_by_its_spans(traced):
    async def body() -> None:
        traced.telemetry.span(OUTER).__enter__()
        await st.receive()

    pid = traced.spawn(body)
    await asyncio.sleep(0)
    process = weakref.ref(pid._process.body)  # type: ignore[attr-defined]
    st.send(pid, "end")
    await wait_down(pid)
    gc.collect()

    assert process() is None


# -- sampling ------------------------------------------------------------------------------------


def spans_of(tracer: Tracer, count: int = 1) -> Seen:
    bus, seen = TelemetryBus(strict=True), Seen()
    bus.tracer = tracer
    bus.attach("seen", "*", seen)
    for _ in range(count):
        with bus.span(OUTER), bus.span(INNER, {"at": "x"}):
            pass
    return seen


@pytest.mark.parametrize(("ratio", "sampled"), [(1.0, True), (0.0, False)])
def test_all_or_none_of_the_traces_are_sampled(ratio, sampled):
    seen = spans_of(Tracer(ratio=ratio))
    assert {facts["trace_sampled"] for _, _, facts in seen.events} == {sampled}


def test_a_ratio_samples_that_part_of_the_traces_and_whole_traces():
    seen = spans_of(Tracer(ratio=0.25, seed=3), 4000)

    traces: dict[object, set[object]] = {}
    for _, _, facts in seen.events:
        traces.setdefault(facts["trace_id"], set()).add(facts["trace_sampled"])
    assert all(len(decisions) == 1 for decisions in traces.values())
    assert sum(True in decisions for decisions in traces.values()) == pytest.approx(1000, rel=0.1)


@pytest.mark.parametrize("parent_sampled", [True, False])
def test_a_child_does_as_its_parent_did_unless_told_otherwise(parent_sampled):
    remote = SpanContext("a" * 32, "b" * 16, parent_sampled)
    for follow in (True, False):
        tracer = Tracer(ratio=0.0 if parent_sampled else 1.0, follow_parent=follow)
        with tracer.use(remote):
            seen = spans_of(tracer)
        assert seen.only("app.outer")["trace_sampled"] is (
            parent_sampled if follow else not parent_sampled
        )
        assert seen.only("app.outer")["parent_span_id"] == "b" * 16


@pytest.mark.parametrize("ratio", [-0.1, 1.1, float("nan")])
def test_a_ratio_that_is_none_is_refused(ratio):
    with pytest.raises(ValueError, match="ratio must be a finite number, 0 or more and 1 or less"):
        Tracer(ratio=ratio)


# -- what is told of a span -------------------------------------------------------------------------


async def test_attributes_events_and_links_name_the_current_span(traced, seen, tracer):
    traced.telemetry.attach("told", "suptree.trace.*", seen)
    other = SpanContext("a" * 32, "b" * 16)
    with traced.telemetry.span(OUTER):
        tracer.add_attributes({"size": 3})
        tracer.record_event("retried", {"attempt": 2})
        tracer.link(other)

    outer = seen.only("app.outer")
    where = {"trace_id": outer["trace_id"], "span_id": outer["span_id"]}
    assert seen.events[1:-1] == [
        (SPAN_DESCRIBED.name, {"count": 1}, {**where, "attributes": {"size": 3}}),
        (
            SPAN_NOTED.name,
            {"count": 1},
            {**where, "name": "retried", "attributes": {"attempt": 2}},
        ),
        (
            SPAN_LINKED.name,
            {"count": 1},
            {**where, "linked_trace_id": "a" * 32, "linked_span_id": "b" * 16, "attributes": {}},
        ),
    ]


async def test_outside_a_span_there_is_nothing_to_tell(traced, seen, tracer):
    traced.telemetry.attach("told", "suptree.trace.*", seen)
    tracer.add_attributes({"size": 3})
    tracer.record_event("retried")
    tracer.link(SpanContext("a" * 32, "b" * 16))

    assert seen.events == []


# -- installing ---------------------------------------------------------------------------------------


async def test_a_runtime_with_a_propagator_is_refused(runtime, tracer):
    runtime.propagator = st.ContextPropagator()
    with pytest.raises(TracerInstalledError, match="Take that one off first"):
        tracer.install(runtime)
    assert runtime.telemetry.tracer is None


async def test_two_tracers_or_two_runtimes_are_refused(traced, tracer):
    with pytest.raises(TracerInstalledError) as refused:
        Tracer().install(traced)
    assert refused.value.taken_by == "another tracer"

    with pytest.raises(TracerInstalledError) as refused:
        tracer.install(traced)
    assert refused.value.taken_by == "this tracer"


async def test_an_uninstalled_tracer_leaves_spans_as_they_were(traced, seen, tracer):
    tracer.uninstall()
    tracer.uninstall()
    with traced.telemetry.span(OUTER):
        pass

    assert seen.only("app.outer") == {}
    assert traced.propagator is None


def test_a_tracer_that_raises_is_taken_off_and_the_span_goes_on(caplog):
    class Broken:
        def begin(self, span: Span) -> Any:
            raise RuntimeError("no ids today")

        def end(self, token: object) -> None:
            raise AssertionError

    bus, seen = TelemetryBus(), Seen()
    bus.tracer = Broken()
    bus.attach("seen", "*", seen)
    with caplog.at_level(logging.ERROR), bus.span(OUTER):
        pass

    assert [name for name, _, _ in seen.events] == ["app.outer.start", "app.outer.stop"]
    assert bus.tracer is None
    assert len(caplog.records) == 1


# -- contexts as text ------------------------------------------------------------------------------------

TRACE, SPAN = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"


@pytest.mark.parametrize(
    ("header", "context"),
    [
        (f"00-{TRACE}-{SPAN}-01", SpanContext(TRACE, SPAN)),
        (f" 00-{TRACE}-{SPAN}-00 ", SpanContext(TRACE, SPAN, sampled=False)),
        (f"00-{TRACE}-{SPAN}-03", SpanContext(TRACE, SPAN)),
        (f"cc-{TRACE}-{SPAN}-01-what-will-be", SpanContext(TRACE, SPAN)),
        (f"00-{TRACE}-{SPAN}-01-more", None),
        (f"ff-{TRACE}-{SPAN}-01", None),
        (f"00-{'0' * 32}-{SPAN}-01", None),
        (f"00-{TRACE}-{'0' * 16}-01", None),
        (f"00-{TRACE.upper()}-{SPAN}-01", None),
        (f"00-{TRACE[:-1]}-{SPAN}-01", None),
        ("", None),
        ("garbage", None),
    ],
)
def test_a_traceparent_header_is_read_as_w3c_says(header, context):
    assert SpanContext.from_traceparent(header) == context


@pytest.mark.parametrize("sampled", [True, False])
def test_what_is_written_is_read_back(sampled):
    context = SpanContext(TRACE, SPAN, sampled)
    assert SpanContext.from_traceparent(context.traceparent()) == context


@pytest.mark.parametrize(("trace", "span"), [("x", SPAN), (TRACE, "x"), (TRACE, "0" * 16)])
def test_ids_that_are_none_are_refused(trace, span):
    with pytest.raises(ValueError, match="hexadecimal digits, not all 0"):
        SpanContext(trace, span)
