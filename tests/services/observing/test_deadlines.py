"""Deadlines: the time that a caller still waits is inherited, and shows in the telemetry."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Mapping
from typing import Any

import pytest

import suptree as st
from suptree.services import Tracer
from suptree.telemetry import Event, Span
from suptree.testing import wait_until

WORK = Span("app.work", metadata={"at": "where"}, doc="One piece of work.")

pytestmark = pytest.mark.suptree_loop("virtual")


@pytest.fixture(params=["tracer", "propagator"])
def inherited(request: pytest.FixtureRequest, runtime: st.Runtime) -> st.Runtime:
    """The runtime with deadlines that travel, by either of what carries them."""
    if request.param == "tracer":
        Tracer().install(runtime)
    else:
        runtime.propagator = st.ContextPropagator()
    runtime.telemetry.strict = True
    return runtime


@pytest.fixture
def left(runtime: st.Runtime) -> dict[str, tuple[float | None, float | None]]:
    """By place: the time that was left when its span began, and when it ended."""
    seen: dict[str, tuple[float | None, float | None]] = {}

    def note(event: Event, numbers: Mapping[str, float], facts: Mapping[str, object]) -> None:
        at, now = str(facts["at"]), numbers.get("time_left_s")
        began = seen.get(at, (now, None))[0]
        seen[at] = (began, None if event == WORK.started else now)

    runtime.telemetry.attach("left", "app.work.*", note)
    return seen


class Back(st.GenServer):
    """The last on the way; hands on to a task."""

    def _span(self, at: str) -> Any:
        return self._process.runtime.telemetry.span(WORK, {"at": at})

    @st.call
    async def ask(self, tasks: st.Pid[Any]) -> None:
        with self._span("second call"):
            await asyncio.sleep(0.5)
            task = await st.TaskSupervisor.async_(tasks, self._task, self._span)
            await task

    @staticmethod
    async def _task(span: Callable[[str], Any]) -> None:
        with span("task"):
            await asyncio.sleep(0.25)

    @st.call
    def arm(self) -> None:
        self.send_after(0.1, "timer")

    @st.cast
    def note(self) -> None:
        with self._span("cast"):
            pass

    def handle_info(self, message: object) -> None:
        with self._span(str(message)):
            pass


class Front(st.GenServer):
    """The first on the way; would wait for a minute."""

    @st.call
    async def ask(self, back: st.Pid[Back], tasks: st.Pid[Any]) -> None:
        with self._process.runtime.telemetry.span(WORK, {"at": "first call"}):
            await asyncio.sleep(0.25)
            await Back.ask.within(60.0)(back, tasks)


async def test_the_time_left_is_inherited_from_call_to_call_to_task_and_shows_in_each_span(
    inherited, left
):
    tasks = await st.TaskSupervisor.start_link()
    front, back = await Front.start_link(), await Back.start_link()

    await Front.ask.within(2.0)(front, back, tasks)

    assert left == {
        "first call": (pytest.approx(2.0), pytest.approx(1.0)),
        "second call": (pytest.approx(1.75), pytest.approx(1.0)),
        "task": (pytest.approx(1.25), pytest.approx(1.0)),
    }


async def test_work_that_nobody_waits_for_any_more_has_none_left(inherited, left):
    tasks = await st.TaskSupervisor.start_link()
    front, back = await Front.start_link(), await Back.start_link()

    with contextlib.suppress(st.CallTimeoutError):
        await Front.ask.within(0.9)(front, back, tasks)
    await wait_until(lambda: left.get("task", (None, None))[1] is not None)

    assert left["first call"] == (pytest.approx(0.9), 0.0)
    assert left["task"] == (pytest.approx(0.15), 0.0)


async def test_a_cast_a_timer_and_a_call_without_a_limit_have_no_time_left(inherited, left):
    tasks = await st.TaskSupervisor.start_link()
    front, back = await Front.start_link(), await Back.start_link()

    await Back.arm.within(2.0)(back)
    Back.note(back)
    await asyncio.sleep(0.2)
    await Front.ask.within(None)(front, back, tasks)

    assert left["cast"] == left["timer"] == left["first call"] == (None, None)
    assert left["second call"] == (pytest.approx(60.0), pytest.approx(59.25))


async def test_deadlines_that_stay_where_they_are_do_not_show(runtime, left):
    tracer = Tracer(deadlines=False)
    tracer.install(runtime)
    tasks = await st.TaskSupervisor.start_link()
    front, back = await Front.start_link(), await Back.start_link()

    await Front.ask.within(2.0)(front, back, tasks)

    assert left["first call"] == left["task"] == (None, None)
