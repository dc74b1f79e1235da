"""`with_recovery`: in the caller, what the policy says, and nothing is left behind."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from functools import partial
from typing import Any

import pytest

import suptree as st
from suptree.services import (
    BreakerConfig,
    BreakerOpenError,
    CircuitBreakers,
    CompensationFailedError,
    ErrorContext,
    ErrorHandler,
    ErrorPolicy,
    ErrorReport,
    NotAsyncError,
    RetryPolicy,
    with_recovery,
)
from suptree.testing import wait_down

pytestmark = pytest.mark.suptree_loop("virtual")  # they count seconds, exactly

EVEN = ErrorHandler(retry=RetryPolicy.exponential(first=0.1, cap=5.0, jitter=0.0, max_attempts=4))


class Bank:
    """Fails with each of these, then pays."""

    def __init__(self, *errors: Exception) -> None:
        self.errors = list(errors)
        self.asked = 0

    async def __call__(self) -> str:
        self.asked += 1
        if self.errors:
            raise self.errors.pop(0)
        return "paid"


class Steps:
    """Fallback and compensation that write down their reports."""

    def __init__(self) -> None:
        self.did: list[str] = []
        self.reports: list[ErrorReport] = []

    def step(self, name: str, raises: Exception | None = None) -> Callable[[Any], Awaitable[Any]]:
        async def function(report: ErrorReport) -> str:
            self.did.append(name)
            self.reports.append(report)
            if raises is not None:
                raise raises
            return name

        return function


@pytest.fixture
def steps() -> Steps:
    return Steps()


def heard(runtime: st.Runtime) -> list[tuple[str, dict[str, Any]]]:
    events: list[tuple[str, dict[str, Any]]] = []

    def hear(event: Any, numbers: Any, facts: Any) -> None:
        events.append((event.name.rpartition(".")[2], {**numbers, **facts}))

    runtime.telemetry.attach("test", "suptree.recovery.*", hear)
    return events


# -- the table --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("strategy", "asked", "did", "gives"),
    [
        ("retry", 4, ["undo", "fall"], "fall"),
        ("propagate", 1, [], None),
        ("circuit_break", 1, ["fall"], "fall"),
        ("compensate", 1, ["undo"], None),
        ("fallback", 1, ["fall"], "fall"),
    ],
)
async def test_a_strategy_decides_whether_it_is_retried_undone_and_replaced(
    runtime, steps, strategy, asked, did, gives
):
    bank = Bank(*[OSError("away")] * 9)

    async def through(operation: Callable[[], Awaitable[Any]]) -> Any:
        return await operation()

    pay = ErrorHandler(breaker=through).with_recovery(
        bank, strategy=strategy, fallback=steps.step("fall"), compensation=steps.step("undo")
    )
    if gives is None:
        with pytest.raises(OSError, match="away"):
            await pay
    else:
        assert await pay == gives

    assert (bank.asked, steps.did) == (asked, did)


@pytest.mark.parametrize("strategy", ["retry", "propagate"])
async def test_without_a_fallback_the_error_is_raised_as_it_is(runtime, strategy):
    error = KeyError("x")

    with pytest.raises(KeyError) as caught:
        await with_recovery(Bank(*[error] * 9), strategy=strategy)

    assert caught.value is error


async def test_what_succeeds_is_called_once_and_nothing_else_is(runtime, steps):
    bank = Bank()

    value = await with_recovery(bank, fallback=steps.step("fall"), compensation=steps.step("undo"))

    assert (value, bank.asked, steps.did) == ("paid", 1, [])


@pytest.mark.parametrize(
    ("strategy", "field"),
    [("fallback", "fallback"), ("compensate", "compensation"), ("circuit_break", "breaker")],
)
async def test_a_strategy_that_is_asked_for_without_what_it_needs_is_refused_before_anything(
    runtime, strategy, field
):
    bank = Bank()

    with pytest.raises(st.BadArgumentError, match=f"{field} must be given"):
        await with_recovery(bank, strategy=strategy)

    assert bank.asked == 0


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"category": "transiet"}, "category must be .*did you mean 'transient'"),
        ({"strategy": "retyr"}, "strategy must be .*did you mean 'retry'"),
        ({"fallback": 5}, "fallback must be a function"),
        ({"compensation": "undo"}, "compensation must be a function"),
        ({"name": ""}, "name must be"),
    ],
)
async def test_a_wrong_argument_says_what_would_be_right(runtime, given, said):
    with pytest.raises(st.BadArgumentError, match=said):
        await with_recovery(Bank(), **given)


@pytest.mark.parametrize("given", [{"policy": {}}, {"retry": 3}, {"breaker": "bank"}], ids=repr)
def test_a_handler_that_will_not_do_is_refused(given):
    (field,) = given
    with pytest.raises(st.BadArgumentError, match=f"ErrorHandler: {field} must be"):
        ErrorHandler(**given)


# -- retries ------------------------------------------------------------------------------------------


async def test_waits_double_and_three_retries_are_all(runtime):
    bank, began = Bank(*[ConnectionError()] * 9), runtime.now()

    with pytest.raises(ConnectionError):
        await EVEN.with_recovery(bank)

    assert bank.asked == 4
    assert runtime.now() - began == pytest.approx(0.1 + 0.2 + 0.4)


async def test_no_wait_ends_after_the_total_time_of_the_policy(runtime):
    bank, began = Bank(*[ConnectionError()] * 9), runtime.now()
    retry = RetryPolicy.fixed(delay=1.0, max_attempts=9, total_time=2.5)

    with pytest.raises(ConnectionError):
        await ErrorHandler(retry=retry).with_recovery(bank)

    assert (bank.asked, runtime.now() - began) == (3, 2.0)


async def test_an_error_of_another_kind_ends_the_retries(runtime):
    bank = Bank(TimeoutError(), TimeoutError(), ValueError("no such account"))

    with pytest.raises(ValueError, match="no such account"):
        await with_recovery(bank)

    assert bank.asked == 3


async def test_a_category_that_is_given_holds_for_every_error(runtime):
    bank = Bank(KeyError("x"), ValueError("y"))

    assert await with_recovery(bank, category="transient") == "paid"
    assert bank.asked == 3


async def test_a_rule_of_ones_own_makes_an_error_worth_another_attempt(runtime):
    handler = ErrorHandler(policy=ErrorPolicy().extended({KeyError: "transient"}))

    assert await handler.with_recovery(Bank(KeyError("x"))) == "paid"


async def test_an_attempt_that_takes_too_long_is_ended_and_tried_again(runtime):
    handler = ErrorHandler(retry=RetryPolicy.fixed(delay=1.0, attempt_timeout=2.0))
    takes = [1000.0, 1.0]

    async def slow() -> float:
        await asyncio.sleep(takes[0])
        return takes[0]

    async def quicker() -> float:
        try:
            return await slow()
        finally:
            takes.pop(0)

    assert await handler.with_recovery(quicker) == 1.0


async def test_no_wait_ends_after_the_deadline_of_who_waits_for_the_caller(runtime):
    class Shop(st.GenServer):
        @st.call(raises=ConnectionError)
        async def buy(self) -> float:
            bank, began = Bank(*[ConnectionError()] * 9), runtime.now()
            retry = RetryPolicy.fixed(delay=4.0, max_attempts=9)
            try:
                await ErrorHandler(retry=retry).with_recovery(bank)
            except ConnectionError:
                return runtime.now() - began
            raise AssertionError

    runtime.propagator = st.ContextPropagator()
    shop = await Shop.start_link()

    assert await Shop.buy(shop) == 4.0  # the call has 5 s


async def test_what_is_cancelled_ends_at_once_and_is_neither_undone_nor_replaced(runtime, steps):
    async def work() -> str:
        return await with_recovery(
            partial(asyncio.sleep, 1000.0, "slept"),
            fallback=steps.step("fall"),
            compensation=steps.step("undo"),
        )

    task = asyncio.ensure_future(work())
    await asyncio.sleep(1.0)
    task.cancel()

    with pytest.raises(asyncio.CancelledError):
        await task
    assert steps.did == []


async def test_a_function_that_is_not_async_is_the_callers_mistake_and_never_retried(runtime):
    asked: list[int] = []

    with pytest.raises(NotAsyncError):
        await with_recovery(lambda: asked.append(1))  # type: ignore[arg-type, return-value, func-returns-value]

    assert asked == [1]


# -- compensation and fallback ---------------------------------------------------------------------------


async def test_a_compensation_that_fails_is_told_beside_the_first_error_and_runs_once(
    runtime, steps
):
    error, failure = OSError("full"), KeyError("no such booking")

    with pytest.raises(CompensationFailedError) as caught:
        await with_recovery(
            Bank(error),
            compensation=steps.step("undo", raises=failure),
            fallback=steps.step("fall"),
            name="pay",
        )

    assert (caught.value.error, caught.value.compensation) == (error, failure)
    assert isinstance(caught.value, st.SuptreeError)
    assert "pay failed, and so did its compensation" in str(caught.value)
    assert steps.did == ["undo"]


async def test_either_error_of_a_failed_compensation_can_be_taken_by_its_class(runtime, steps):
    taken: list[str] = []

    try:
        await with_recovery(Bank(OSError("full")), compensation=steps.step("x", KeyError("y")))
    except* OSError:
        taken.append("operation")
    except* KeyError:
        taken.append("compensation")

    assert taken == ["operation", "compensation"]


async def test_what_a_fallback_raises_has_the_first_error_as_its_context(runtime, steps):
    error = MemoryError()

    with pytest.raises(KeyError) as caught:
        await with_recovery(Bank(error), fallback=steps.step("fall", raises=KeyError("x")))

    assert caught.value.__context__ is error


# -- what is told -------------------------------------------------------------------------------------


async def test_a_report_and_a_note_say_all_that_is_known(runtime, steps):
    errors = [ConnectionError("away") for _ in range(4)]

    with ErrorContext.open("order", correlation_id="order-7") as context:
        ErrorContext.note("asked the bank", cents=250)
        with pytest.raises(ConnectionError) as caught:
            await EVEN.with_recovery(Bank(*errors), compensation=steps.step("undo"), name="pay")

    (report,) = steps.reports
    assert (report.operation, report.category, report.strategy) == ("pay", "transient", "retry")
    assert (report.error, report.retries) == (errors[3], 3)
    assert report.duration_s == pytest.approx(0.7)
    assert report.context is not None
    assert report.context.operation_id == context.operation_id
    assert caught.value.__notes__ == [
        "recovery of pay: transient, retry, after 3 retries, 0.7 s; in 'order' "
        f"({context.operation_id} of order-7) after asked the bank (cents=250)"
    ]


async def test_an_error_that_is_raised_again_and_again_does_not_grow(runtime):
    error = KeyError("the same")

    for _ in range(100):
        with pytest.raises(KeyError):
            await with_recovery(Bank(error))

    assert len(error.__notes__) == 16


async def test_everything_that_happens_is_told(runtime, steps):
    events = heard(runtime)
    with ErrorContext.open("order", correlation_id="order-7") as context:
        await EVEN.with_recovery(Bank(error := TimeoutError()), name="a")
    await with_recovery(Bank(MemoryError()), fallback=steps.step("fall"), name="b")
    with pytest.raises(OSError, match="full"):
        await with_recovery(Bank(OSError("full")), compensation=steps.step("undo"), name="c")
    with pytest.raises(CompensationFailedError):
        await with_recovery(Bank(OSError()), compensation=steps.step("undo", KeyError()), name="d")

    told = [(name, facts["operation"]) for name, facts in events]
    assert told == [
        ("retried", "a"),
        ("succeeded", "a"),
        ("fell_back", "b"),
        ("compensated", "c"),
        ("failed", "c"),
        ("compensated", "d"),
        ("failed", "d"),
    ]
    assert events[0][1] == {
        "operation": "a",
        "category": "transient",
        "strategy": "retry",
        "error": error,
        "operation_id": context.operation_id,
        "correlation_id": "order-7",
        "duration_s": 0.0,
        "retries_count": 0,
        "delay_s": 0.1,
    }
    assert events[1][1] == {"operation": "a", "retries_count": 1, "duration_s": 0.1}
    assert events[3][1]["failure"] is None
    assert isinstance(events[5][1]["failure"], KeyError)


# -- breakers, and whose state is whose ----------------------------------------------------------------


async def test_every_attempt_goes_through_the_breaker_and_one_that_is_open_falls_back(
    runtime, steps
):
    config = BreakerConfig(failure_threshold=2, reset_timeout=30.0)
    breakers = await CircuitBreakers.start_link({"bank": config})
    handler = ErrorHandler(breaker=partial(CircuitBreakers.run, breakers, "bank"), retry=EVEN.retry)
    bank = Bank(*[ConnectionError()] * 9)

    with pytest.raises(BreakerOpenError):  # the third attempt is none
        await handler.with_recovery(bank)
    open_too = handler.with_recovery(bank, strategy="circuit_break", fallback=steps.step("fall"))

    assert await open_too == "fall"
    assert bank.asked == 2


async def test_nothing_is_kept_by_whoever_recovers_first_and_the_breaker_outlives_the_caller(
    runtime,
):
    """The seed kept this state in a table owned by whichever process touched it first."""
    config = BreakerConfig(failure_threshold=2, reset_timeout=30.0)
    breakers = await CircuitBreakers.start_link({"bank": config})
    handler = ErrorHandler(breaker=partial(CircuitBreakers.run, breakers, "bank"))
    before = runtime.alive(), runtime.registered(), dict(runtime.tables)

    async def caller() -> None:
        with pytest.raises(BreakerOpenError):
            await handler.with_recovery(Bank(*[ConnectionError()] * 9))
        assert dict(runtime.tables) == before[2]

    await wait_down(st.spawn(caller))

    assert (runtime.alive(), runtime.registered(), dict(runtime.tables)) == before
    bank = Bank()
    with pytest.raises(BreakerOpenError):
        await handler.with_recovery(bank)
    assert bank.asked == 0
