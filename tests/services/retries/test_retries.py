"""`retry` and `RetryService`: tried again in the caller, as a policy and a budget say."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

import suptree as st
from suptree.services import (
    BreakerConfig,
    BreakerOpenError,
    CircuitBreakers,
    MemoryStore,
    NotAsyncError,
    RejectedAnswerError,
    RetriesExhaustedError,
    RetryBudget,
    RetryPolicy,
    RetryService,
    StateOwner,
    TooManyRetryPoliciesError,
    UnknownRetryPolicyError,
    retry,
)
from suptree.testing import turn, wait_down, wait_mailbox_empty, wait_restarted

pytestmark = pytest.mark.suptree_loop("virtual")  # they count seconds, exactly

POLICY = RetryPolicy.exponential(first=1.0, jitter=0, max_attempts=4, total_time=None)


class Remote:
    """Answers with what it is given, one after the other; errors are raised."""

    def __init__(self, *answers: Any, takes: float = 0.0) -> None:
        self.answers = list(answers)
        self.takes = takes
        self.asked_at: list[float] = []

    async def ask(self, *args: Any, **kwargs: Any) -> Any:
        self.asked_at.append(now())
        await asyncio.sleep(self.takes)
        answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        if isinstance(answer, Exception):
            raise answer
        return (answer, *args, kwargs) if args or kwargs else answer


def now() -> float:
    return asyncio.get_running_loop().time()


def away(times: int) -> list[Exception]:
    return [ConnectionError(f"away {number}") for number in range(1, times + 1)]


async def service(policy: RetryPolicy = POLICY, **options: Any) -> st.Pid[RetryService]:
    return await RetryService.start_link({"bank": policy}, **options)


# -- retry ----------------------------------------------------------------------------------


async def test_what_succeeds_at_once_is_tried_once(runtime):
    remote = Remote(7)

    assert await retry(POLICY, remote.ask, 1, a=2) == (7, 1, {"a": 2})
    assert len(remote.asked_at) == 1


async def test_it_is_tried_again_after_the_waits_of_the_policy(runtime):
    remote = Remote(*away(3), "back")
    start = now()

    assert await retry(POLICY, remote.ask) == "back"
    assert [at - start for at in remote.asked_at] == pytest.approx([0, 1, 3, 7])


async def test_when_no_attempt_is_left_the_last_error_is_the_cause(runtime):
    remote = Remote(*away(9))

    with pytest.raises(
        RetriesExhaustedError, match="4 attempts in 7 s failed, and there"
    ) as caught:
        await retry(POLICY, remote.ask)

    error = caught.value
    assert (error.attempts, error.elapsed, error.why) == (4, pytest.approx(7.0), "attempts")
    assert error.__cause__ is error.last
    assert str(error.last) == "away 4"


async def test_an_error_that_is_not_retried_is_raised_as_it_is_at_once(runtime):
    remote = Remote(ConnectionError(), ValueError("wrong"))

    with pytest.raises(ValueError, match="wrong"):
        await retry(POLICY, remote.ask)

    assert len(remote.asked_at) == 2


async def test_no_attempt_begins_after_the_total_time(runtime):
    remote = Remote(*away(9), takes=1.0)
    policy = RetryPolicy.fixed(delay=1.0, max_attempts=None, total_time=5.5)

    with pytest.raises(RetriesExhaustedError) as caught:
        await retry(policy, remote.ask)

    assert (caught.value.why, caught.value.attempts) == ("total_time", 3)


async def test_an_attempt_that_takes_too_long_is_cancelled_and_tried_again(runtime):
    remote = Remote("late", takes=60.0)
    policy = RetryPolicy.fixed(delay=1.0, max_attempts=2, attempt_timeout=2.0)

    with pytest.raises(RetriesExhaustedError) as caught:
        await retry(policy, remote.ask)

    assert isinstance(caught.value.last, TimeoutError)
    assert caught.value.elapsed == pytest.approx(5.0)


async def test_a_wait_can_be_cancelled(runtime):
    remote = Remote(*away(9))
    start = now()

    with pytest.raises(TimeoutError):
        async with asyncio.timeout(2.0):
            await retry(RetryPolicy.fixed(delay=60.0), remote.ask)

    assert now() - start == pytest.approx(2.0)


class Shop(st.GenServer):
    """Asks a remote on behalf of its caller."""

    def __init__(self, remote: Remote, retries: Any = None) -> None:
        self.remote = remote
        self.retries = retries

    @st.call
    async def buy(self) -> Any:
        try:
            if self.retries is not None:
                return await RetryService.run(self.retries, "bank", self.remote.ask)
            return await retry(POLICY, self.remote.ask)
        except RetriesExhaustedError as error:
            return error.why, now()


async def test_no_wait_ends_after_the_deadline_of_the_caller(runtime):
    runtime.propagator = st.ContextPropagator()
    remote = Remote(*away(9))
    shop = await Shop.start_link(remote)
    start = now()

    why, at = await Shop.buy.within(3.0)(shop)

    assert (why, len(remote.asked_at)) == ("deadline", 2)  # at 0 and 1; the third would be at 3
    assert at - start == pytest.approx(1.0)  # it does not wait for what nobody would hear


async def test_without_a_deadline_it_goes_on(runtime):
    runtime.propagator = st.ContextPropagator()
    shop = await Shop.start_link(Remote(*away(9)))

    assert (await Shop.buy.within(None)(shop))[0] == "attempts"


# -- the service -----------------------------------------------------------------------------


async def test_a_configured_policy_is_the_one_that_is_used(runtime):
    """Gap: the original stored policies and never consulted them."""
    retries = await service(RetryPolicy.fixed(delay=3.0, max_attempts=3))
    remote = Remote(*away(2), "back")
    start = now()

    assert await RetryService.run(retries, "bank", remote.ask) == "back"
    assert [at - start for at in remote.asked_at] == pytest.approx([0, 3, 6])
    await RetryService.configure(retries, "bank", RetryPolicy.fixed(delay=0.5, max_attempts=9))
    remote = Remote(*away(2), "back")
    start = now()
    await RetryService.run(retries, "bank", remote.ask)
    assert [at - start for at in remote.asked_at] == pytest.approx([0, 0.5, 1.0])


async def test_the_budget_ends_retries_across_all_policies(runtime):
    """Gap: the original stored a budget of 10 and never consulted it."""
    retries = await RetryService.start_link(
        {"bank": RetryPolicy.immediate(max_attempts=4), "mail": RetryPolicy.immediate()},
        budget=RetryBudget(capacity=4, per_success=0.5, per_second=0),
    )
    whys, attempts = [], []
    for name in ("bank", "bank", "mail"):
        with pytest.raises(RetriesExhaustedError) as caught:
            await RetryService.run(retries, name, Remote(*away(9)).ask)
        whys.append(caught.value.why)
        attempts.append(caught.value.attempts)

    assert (whys, attempts) == (["attempts", "budget", "budget"], [4, 2, 1])
    stats = await RetryService.stats(retries)
    assert (stats.budget_left, stats.budget_refused) == (0.0, 2)


async def test_successes_and_time_fill_the_budget_again(runtime):
    retries = await service(
        RetryPolicy.immediate(), budget=RetryBudget(capacity=1, per_success=0.5, per_second=0.1)
    )

    async def left() -> float:
        return (await RetryService.stats(retries)).budget_left

    await RetryService.run(retries, "bank", Remote(ConnectionError(), 1).ask)
    assert await left() == pytest.approx(0.5)
    await RetryService.run(retries, "bank", Remote(1).ask)
    assert await left() == pytest.approx(1.0)
    with pytest.raises(ValueError):
        await RetryService.run(retries, "bank", Remote(ConnectionError(), ValueError()).ask)
    assert await left() == pytest.approx(0.0)
    await asyncio.sleep(5.0)
    assert await left() == pytest.approx(0.5)


async def test_a_returned_error_is_no_success(runtime):
    """Gap: the original told a success when an error was returned."""
    retries = await service(RetryPolicy.immediate(max_attempts=3))
    told = []
    runtime.telemetry.strict = True
    runtime.telemetry.attach(
        "test", "suptree.retry.run.*", lambda event, numbers, facts: told.append(event.name)
    )
    run = RetryService.checked(retries, "bank", lambda status: status >= 500)

    assert await run(Remote(503, 500, 200).ask) == 200
    with pytest.raises(RetriesExhaustedError) as caught:
        await run(Remote(503).ask)

    assert isinstance(caught.value.last, RejectedAnswerError)
    assert caught.value.last.answer == 503
    assert told == ["suptree.retry.run.succeeded", "suptree.retry.run.failed"]
    stats = (await RetryService.stats(retries)).policies["bank"]
    assert (stats.succeeded, stats.failed) == (1, 1)


async def test_a_retried_probe_of_a_half_open_breaker_comes_to_an_end(runtime):
    """Gap: the half-open branch of the original called itself without end."""
    retries = await service(
        RetryPolicy.fixed(
            delay=5.0,
            max_attempts=4,
            retry_on=(ConnectionError, BreakerOpenError),
        )
    )
    breakers = await CircuitBreakers.start_link(
        {"bank": BreakerConfig(failure_threshold=1, reset_timeout=10.0, success_threshold=1)}
    )
    remote = Remote(*away(9))

    with pytest.raises(RetriesExhaustedError) as caught:
        await RetryService.run(retries, "bank", CircuitBreakers.run, breakers, "bank", remote.ask)

    assert caught.value.attempts == 4
    assert len(remote.asked_at) == 2  # at 0, and the probe at 10
    good = Remote("back")
    await asyncio.sleep(10.0)
    assert (
        await RetryService.run(retries, "bank", CircuitBreakers.run, breakers, "bank", good.ask)
        == "back"
    )


async def test_what_is_tried_runs_in_its_caller(runtime):
    retries = await service()

    async def who() -> Any:
        return st.current()

    assert await RetryService.run(retries, "bank", who) == st.current()


async def test_the_service_respects_the_deadline_of_the_caller(runtime):
    runtime.propagator = st.ContextPropagator()
    retries = await service()
    shop = await Shop.start_link(Remote(*away(9)), retries)

    assert (await Shop.buy.within(3.0)(shop))[0] == "deadline"


async def test_the_statistics_go_both_ways(runtime):
    retries = await service()
    running = st.Task.async_(RetryService.run, retries, "bank", Remote(ConnectionError(), 1).ask)
    await turn()
    await wait_mailbox_empty(retries)
    assert (await RetryService.stats(retries)).policies["bank"].running == 1
    assert await running == 1
    victim = st.spawn(RetryService.run, retries, "bank", asyncio.sleep, 1e6)
    await turn()
    st.exit(victim, st.KILL)
    await wait_down(victim)
    with pytest.raises(KeyError):
        await RetryService.run(retries, "bank", Remote(KeyError()).ask)

    stats = (await RetryService.stats(retries)).policies["bank"]

    assert (stats.running, stats.succeeded, stats.failed, stats.cancelled) == (0, 1, 1, 1)
    assert (stats.attempts, stats.retries) == (4, 1)


async def test_runs_of_a_removed_policy_do_not_count_for_its_successor(runtime):
    retries = await service()
    go = asyncio.Event()
    running = st.Task.async_(RetryService.run, retries, "bank", go.wait)
    await turn()
    assert await RetryService.remove(retries, "bank")
    assert not await RetryService.remove(retries, "bank")
    await RetryService.configure(retries, "bank", POLICY)
    go.set()
    await running

    stats = (await RetryService.stats(retries)).policies["bank"]
    assert (stats.running, stats.succeeded) == (0, 0)


async def test_without_the_service_nothing_more_is_tried(runtime):
    retries = await RetryService.start({"bank": POLICY})

    async def fail() -> None:
        await RetryService.stop(retries)
        raise ConnectionError("away")

    with pytest.raises(RetriesExhaustedError, match="the budget for retries is spent") as caught:
        await RetryService.run(retries, "bank", fail)
    assert str(caught.value.last) == "away"


async def test_every_step_is_told(runtime):
    told = []
    runtime.telemetry.strict = True
    runtime.telemetry.attach(
        "test",
        "suptree.retry.*",
        lambda event, numbers, facts: told.append(
            (event.name.removeprefix("suptree.retry."), *numbers.values(), facts.get("why"))
        ),
    )
    retries = await service()
    await RetryService.run(retries, "bank", Remote(ConnectionError(), 1).ask)
    with pytest.raises(RetriesExhaustedError):
        await RetryService.run(retries, "bank", Remote(*away(9)).ask)
    with pytest.raises(ValueError):
        await retry(POLICY, Remote(ValueError()).ask)
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.5):
            await retry(POLICY, Remote(*away(9)).ask)
    await RetryService.configure(retries, "mail", POLICY)

    assert told == [
        ("attempt.scheduled", 1, 1.0, None),
        ("run.succeeded", 2, 1.0, None),
        ("attempt.scheduled", 1, 1.0, None),
        ("attempt.scheduled", 2, 2.0, None),
        ("attempt.scheduled", 3, 4.0, None),
        ("run.failed", 4, 7.0, "attempts"),
        ("run.failed", 1, 0.0, "not_retried"),
        ("attempt.scheduled", 1, 1.0, None),
        ("run.cancelled", 1, 0.5, None),
        ("policy.configured", 2, None),
    ]


# -- configuration ------------------------------------------------------------------------------


async def test_an_unknown_policy_is_told_with_the_one_that_was_meant(runtime):
    retries = await service()

    with pytest.raises(UnknownRetryPolicyError, match="got 'bnak', did you mean 'bank'"):
        await RetryService.run(retries, "bnak", Remote(1).ask)


async def test_more_policies_than_the_bound_are_refused(runtime):
    retries = await service(max_policies=1)

    with pytest.raises(TooManyRetryPoliciesError, match="at most 1 policies"):
        await RetryService.configure(retries, "mail", POLICY)
    await RetryService.configure(retries, "bank", POLICY)


@pytest.mark.parametrize(
    ("name", "policy", "says"), [("", POLICY, "name must be"), ("x", 3, "must be a RetryPolicy")]
)
async def test_a_bad_name_or_policy_is_refused_before_the_service_hears_of_it(
    runtime, name, policy, says
):
    retries = await service()

    with pytest.raises(ValueError, match=says):
        await RetryService.configure(retries, name, policy)
    with pytest.raises(st.StartError, match=says):
        await RetryService.start({name: policy})
    assert retries.is_alive()


async def test_a_restart_brings_the_policies_back(runtime):
    await StateOwner.start_link()
    spec = st.child(RetryService, {"bank": POLICY}, store=MemoryStore())
    tree = await st.Supervisor.start_link(
        [spec.with_(id="retries", name="retries")], strategy="one_for_one"
    )
    mail = RetryPolicy.linear(retry_on=(OSError,))
    await RetryService.configure("retries", "mail", mail)
    await RetryService.configure("retries", "post", mail)
    await RetryService.remove("retries", "post")
    old = st.whereis("retries")
    st.exit(old, st.KILL)
    await wait_restarted(tree, "retries", old)

    assert await RetryService.policies("retries") == {"bank": POLICY, "mail": mail}


async def test_a_function_that_is_not_async_says_so_and_is_not_tried_again(runtime):
    calls: list[int] = []
    policy = RetryPolicy.fixed(delay=1.0, retry_on=(Exception,))

    with pytest.raises(NotAsyncError, match=r"^retry: function must be async"):
        await retry(policy, calls.append, 1)

    assert calls == [1]
