"""`Breaker`: the machine of a circuit breaker.  It decides; it has no clock, and calls nobody.

    closed      calls go through; their outcomes are counted in a sliding window
    open        calls are refused, until `reset_timeout` is over
    half open   a few calls at once go through, as probes: one failure opens it again,
                `success_threshold` successes close it

Ask `permit`, make the call, then tell `record` how it went, or `release` the permit when
there is nothing to tell.  Each gives back the `Transition` that it caused, if any.  A
permit belongs to the state in which it was given: what a call of an earlier time tells is
dropped, and a second `record` for the same probe too.

A probe that tells nothing for `probe_timeout` seconds has failed; so a lost caller never
holds a breaker half open.

>>> breaker = Breaker(BreakerConfig(failure_threshold=2, reset_timeout=30.0))
>>> for second in (0.0, 1.0):
...     permit = breaker.permit(second).permit
...     transition = breaker.record(permit, CallOutcome.FAILURE, second)
>>> transition.after, breaker.permit(11.0).retry_after
(<BreakerState.OPEN: 'open'>, 20.0)
>>> breaker.permit(31.0).transition.after
<BreakerState.HALF_OPEN: 'half_open'>
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from enum import StrEnum
from typing import Final, NamedTuple

from suptree.services.parts.checks import check_classes, check_count, check_number
from suptree.services.parts.window import CallOutcome, Counts, CountWindow, TimeWindow, Window

__all__ = [
    "Admission",
    "Breaker",
    "BreakerConfig",
    "BreakerState",
    "Permit",
    "Transition",
    "TransitionReason",
]


class BreakerState(StrEnum):
    """Whether calls go through."""

    CLOSED = "closed"
    OPEN = "open"
    HALF_OPEN = "half_open"


CLOSED: Final = BreakerState.CLOSED
OPEN: Final = BreakerState.OPEN
HALF_OPEN: Final = BreakerState.HALF_OPEN


class TransitionReason(StrEnum):
    """Why a breaker changed its state."""

    FAILURES = "failures"
    FAILURE_RATE = "failure_rate"
    SLOW_RATE = "slow_rate"
    RESET_TIMEOUT = "reset_timeout"
    PROBE_FAILED = "probe_failed"
    PROBE_TIMEOUT = "probe_timeout"
    PROBES_SUCCEEDED = "probes_succeeded"
    BY_HAND = "by_hand"


@dataclass(frozen=True, slots=True, kw_only=True)
class BreakerConfig:
    """What a breaker counts, when it opens, and how it closes again.

    Attributes:
        failure_threshold: It opens at that many failures in the window; None: only the rates count.
        failure_rate: It opens at that part of failed calls, above 0 to 1; None: only the number counts.
        minimum_calls: The rates mean nothing with fewer calls in the window than that.
        window_s: How far the window looks back; see `TimeWindow` for how exact it is.
        window_calls: Count the last so many calls instead of some seconds.
        reset_timeout: Seconds from opening to the first probe.
        probes: How many probes may be under way at once.
        success_threshold: How many probes have to succeed before it closes.
        probe_timeout: Seconds after which a probe that told nothing has failed.
        slow_after: Seconds from which on a call counts as slow, whatever its outcome; None: none does.
            A slow probe has failed.
        slow_rate: It opens at that part of slow calls, above 0 to 1.
        call_timeout: Seconds that a protected call may take; then it is cancelled, and has failed.
            None: as long as it takes.
        counts: Errors that are failures.  Any other says that the one who was called
            answered, so it is a success.
        ignores: Errors that count neither way, though a class of `counts` says so.

    Raises:
        ValueError: A field is out of bounds, or nothing would open it.
    """

    failure_threshold: int | None = 5
    failure_rate: float | None = None
    minimum_calls: int = 10
    window_s: float = 60.0
    window_calls: int | None = None
    reset_timeout: float = 60.0
    probes: int = 1
    success_threshold: int = 3
    probe_timeout: float = 60.0
    slow_after: float | None = None
    slow_rate: float = 0.5
    call_timeout: float | None = None
    counts: tuple[type[Exception], ...] = (Exception,)
    ignores: tuple[type[Exception], ...] = ()

    def __post_init__(self) -> None:
        who = "BreakerConfig"
        check_count(who, "failure_threshold", self.failure_threshold, optional=True)
        check_number(who, "failure_rate", self.failure_rate, above=0, most=1, optional=True)
        check_count(who, "minimum_calls", self.minimum_calls)
        check_number(who, "window_s", self.window_s, above=0)
        check_count(who, "window_calls", self.window_calls, optional=True)
        check_number(who, "reset_timeout", self.reset_timeout, above=0)
        check_count(who, "probes", self.probes)
        check_count(who, "success_threshold", self.success_threshold)
        check_number(who, "probe_timeout", self.probe_timeout, above=0)
        check_number(who, "slow_after", self.slow_after, above=0, optional=True)
        check_number(who, "slow_rate", self.slow_rate, above=0, most=1)
        check_number(who, "call_timeout", self.call_timeout, above=0, optional=True)
        check_classes(who, "counts", self.counts)
        check_classes(who, "ignores", self.ignores)
        if self.failure_threshold is None and self.failure_rate is None and self.slow_after is None:
            raise ValueError(
                f"{who}: failure_threshold, failure_rate or slow_after must be given; got none of "
                "them. Nothing would open the breaker."
            )
        if self.window_calls is not None:
            for field in ("failure_threshold", "minimum_calls"):
                needed = getattr(self, field)
                by_number = field == "failure_threshold"
                matters = by_number or self.failure_rate is not None or self.slow_after is not None
                if matters and needed is not None and needed > self.window_calls:
                    raise ValueError(
                        f"{who}: {field} must be at most window_calls ({self.window_calls}); got "
                        f"{needed}. So many calls are never in the window."
                    )

    def outcome_of(self, error: BaseException | None) -> CallOutcome:
        """How a call counts that ended with *error*, or without one."""
        if error is None:
            return CallOutcome.SUCCESS
        if not isinstance(error, Exception) or isinstance(error, self.ignores):
            return CallOutcome.IGNORED  # cancelled, or this process ends: nobody else's fault
        return CallOutcome.FAILURE if isinstance(error, self.counts) else CallOutcome.SUCCESS


class Permit(NamedTuple):
    """Leave for one call: the time of the breaker it belongs to, and its number as a probe (0: none)."""

    epoch: int
    probe: int

    @property
    def is_probe(self) -> bool:
        """Whether the breaker waits for the outcome of this call."""
        return self.probe > 0


@dataclass(frozen=True, slots=True)
class Transition:
    """A change of state.

    Attributes:
        before: The state that was left.
        after: The state now.
        reason: Why.
        at: When, on the clock of whoever asked.
        counts: What was in the window.
    """

    before: BreakerState
    after: BreakerState
    reason: TransitionReason
    at: float
    counts: Counts


class Admission(NamedTuple):
    """The answer to `permit`.

    Attributes:
        permit: Leave for one call; None: refused.
        retry_after: Seconds until a probe may go through.  0.0 with a permit; None: nobody knows,
            since it was opened by hand, or probes are under way.
        transition: The change of state that asking has caused, if any.
    """

    permit: Permit | None
    retry_after: float | None
    transition: Transition | None


class Breaker:
    """One breaker.

    Args:
        config: When it opens and closes; default: `BreakerConfig()`.
        epoch: Permits of earlier epochs mean nothing to it; for one that takes another's place.

    Attributes:
        config: What it was made with.
        state: The state that it was left in; `look` first brings it up to date.
        epoch: Grows with each change of state; the permits of an earlier one count no more.
        counts_late: Outcomes that came too late to count: the state had changed meanwhile.
    """

    __slots__ = (
        "_admitted",
        "_last_probe",
        "_probes",
        "_reopens_at",
        "_successes",
        "_window",
        "config",
        "counts_late",
        "epoch",
        "state",
    )

    def __init__(self, config: BreakerConfig | None = None, *, epoch: int = 0) -> None:
        self.config = config or BreakerConfig()
        self.state: BreakerState = CLOSED
        self.counts_late = 0
        self._window = _window_of(self.config)
        self.epoch = epoch
        self._admitted = Admission(Permit(epoch, 0), 0.0, None)  # one for all calls of this epoch
        self._reopens_at = math.inf
        self._probes: dict[int, float] = {}  # under way: number -> since when
        self._last_probe = 0
        self._successes = 0

    # -- around a call -----------------------------------------------------------------------

    def permit(self, now: float) -> Admission:
        """Ask for leave to make one call."""
        if self.state is CLOSED:
            return self._admitted
        transition = self.look(now)
        if self.state is HALF_OPEN and len(self._probes) < self.config.probes:
            self._last_probe += 1
            self._probes[self._last_probe] = now
            return Admission(Permit(self.epoch, self._last_probe), 0.0, transition)
        return Admission(None, self.retry_after(now), transition)

    def record(
        self, permit: Permit, outcome: CallOutcome, now: float, duration: float = 0.0
    ) -> Transition | None:
        """Tell how the call of *permit* went.

        Args:
            permit: From `permit`.
            outcome: How it ended.
            now: When it ended.
            duration: Seconds that it took; for `slow_after`.
        """
        if permit.epoch != self.epoch:
            self.counts_late += 1
            return None
        slow_after = self.config.slow_after
        slow = slow_after is not None and duration >= slow_after
        if permit.probe:
            return self._record_probe(permit, outcome, now, slow)
        self._window.record(outcome, now, slow)
        if outcome is CallOutcome.SUCCESS and not slow:
            return self._opened_by_rate(now)
        if outcome is CallOutcome.IGNORED:
            return None
        return self._opened_by_number(now) or self._opened_by_rate(now)

    def release(self, permit: Permit) -> None:
        """Give *permit* back: nothing is known about its call.  Its place is free for another probe."""
        if permit.epoch == self.epoch:
            self._probes.pop(permit.probe, None)

    def look(self, now: float) -> Transition | None:
        """Do what time alone does: an open breaker whose time is over lets probes through."""
        if self.state is OPEN and now >= self._reopens_at:
            return self._enter(HALF_OPEN, TransitionReason.RESET_TIMEOUT, now)
        if self.state is HALF_OPEN and self._probes:
            oldest = min(self._probes.values())
            if now - oldest >= self.config.probe_timeout:
                return self._enter(OPEN, TransitionReason.PROBE_TIMEOUT, now)
        return None

    # -- by hand -----------------------------------------------------------------------------

    def open(self, now: float) -> Transition | None:
        """Refuse every call until `close` or `reset`; None if it was open like that already."""
        if self.state is OPEN and self._reopens_at == math.inf:
            return None
        transition = self._enter(OPEN, TransitionReason.BY_HAND, now)
        self._reopens_at = math.inf
        return transition

    def close(self, now: float) -> Transition | None:
        """Let every call through, with an empty window; None if it was closed already."""
        if self.state is CLOSED:
            return None
        return self._enter(CLOSED, TransitionReason.BY_HAND, now)

    def reset(self, now: float) -> Transition | None:
        """Be as new: closed, with an empty window, and deaf to calls that are under way."""
        if self.state is not CLOSED:
            return self._enter(CLOSED, TransitionReason.BY_HAND, now)
        self._begin_epoch()
        return None

    def configure(self, config: BreakerConfig) -> None:
        """Go by *config* from now on: the state stays, the window is empty, probes start anew."""
        self.config = config
        self._window = _window_of(config)
        self._probes.clear()
        self._successes = 0
        self._begin_epoch()

    # -- looking -------------------------------------------------------------------------------

    def retry_after(self, now: float) -> float | None:
        """Seconds until a probe may go through; 0.0: now; None: nobody knows."""
        match self.state:
            case BreakerState.CLOSED:
                return 0.0
            case BreakerState.OPEN:
                return None if self._reopens_at == math.inf else max(0.0, self._reopens_at - now)
            case BreakerState.HALF_OPEN:
                return 0.0 if len(self._probes) < self.config.probes else None

    def counts(self, now: float) -> Counts:
        """What is in the window; it is empty after each change to closed."""
        return self._window.counts(now)

    @property
    def probes_under_way(self) -> int:
        """How many probes have told nothing yet."""
        return len(self._probes)

    @property
    def held_open(self) -> bool:
        """Whether it was opened by hand, and stays so."""
        return self.state is OPEN and self._reopens_at == math.inf

    def __repr__(self) -> str:
        return f"<Breaker {self.state}>"

    # -- inside --------------------------------------------------------------------------------

    def _record_probe(
        self, permit: Permit, outcome: CallOutcome, now: float, slow: bool
    ) -> Transition | None:
        if self._probes.pop(permit.probe, None) is None:
            self.counts_late += 1  # released before, or told twice
            return None
        if outcome is CallOutcome.IGNORED:
            return None
        if outcome is CallOutcome.FAILURE or slow:
            return self._enter(OPEN, TransitionReason.PROBE_FAILED, now)
        self._successes += 1
        if self._successes < self.config.success_threshold:
            return None
        return self._enter(CLOSED, TransitionReason.PROBES_SUCCEEDED, now)

    def _opened_by_number(self, now: float) -> Transition | None:
        threshold = self.config.failure_threshold
        if threshold is None or self._window.failures < threshold:
            return None
        return self._enter(OPEN, TransitionReason.FAILURES, now)

    def _opened_by_rate(self, now: float) -> Transition | None:
        config, window = self.config, self._window
        if config.failure_rate is None and config.slow_after is None:
            return None
        calls = window.successes + window.failures
        if calls < config.minimum_calls:
            return None
        # Divided, not multiplied: 7 of 100 are 0.07, and 0.07 * 100 is more than 7.
        if config.failure_rate is not None and window.failures / calls >= config.failure_rate:
            return self._enter(OPEN, TransitionReason.FAILURE_RATE, now)
        if config.slow_after is not None and window.slow / calls >= config.slow_rate:
            return self._enter(OPEN, TransitionReason.SLOW_RATE, now)
        return None

    def _enter(self, after: BreakerState, reason: TransitionReason, now: float) -> Transition:
        transition = Transition(self.state, after, reason, now, self._window.counts(now))
        self.state = after
        self._reopens_at = now + self.config.reset_timeout if after is OPEN else math.inf
        self._probes.clear()
        self._successes = 0
        if after is CLOSED:
            self._begin_epoch()
        else:
            self.epoch += 1
        return transition

    def _begin_epoch(self) -> None:
        self.epoch += 1
        self._admitted = Admission(Permit(self.epoch, 0), 0.0, None)
        self._window.clear()


def _window_of(config: BreakerConfig) -> Window:
    if config.window_calls is not None:
        return CountWindow(config.window_calls)
    return TimeWindow(config.window_s)
