"""`SystemSettings`: everything that can be set about a `System`, with its defaults.

In a file each section is a table, in the environment `SUPTREE_COORDINATION__BUFFER=500`.
What is `Fixed` holds from the start of the program to its end; everything else is live: after
`System.reload` the services go by it.  A bound that gets smaller throws nothing away: it
holds for what comes, unless the section says otherwise.

>>> load_configuration(SystemSettings, overrides={"agents.max_children": 10}).value.agents
AgentSettings(max_children=10, max_restarts=1000, max_seconds=5.0)
"""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec

from suptree.services import Fixed, FlagValue

__all__ = [
    "AgentSettings",
    "BreakerSettings",
    "BulkheadSettings",
    "CacheSettings",
    "CommandSettings",
    "CoordinationSettings",
    "DeadLetterSettings",
    "HealthSettings",
    "LimitSettings",
    "MetricSettings",
    "ResourceSettings",
    "RetrySettings",
    "SchedulerSettings",
    "SignalSettings",
    "SupervisionSettings",
    "SystemSettings",
    "TaskPoolSettings",
    "TaskSettings",
]

# Bounded on both sides: a service goes by these, and must neither spin nor wait for ever.
Count = Annotated[int, msgspec.Meta(ge=1, le=1_000_000_000)]
CountFrom0 = Annotated[int, msgspec.Meta(ge=0, le=1_000_000_000)]
Seconds = Annotated[float, msgspec.Meta(ge=0.001, le=1e9)]


class SupervisionSettings(msgspec.Struct, frozen=True):
    """How often supervisors restart what is under them before they give up.

    Fixed, as in OTP: it is a part of what a supervisor is, and judges by it what was before.
    """

    max_restarts: Fixed[CountFrom0] = 3
    max_seconds: Fixed[Seconds] = 5.0


class TaskSettings(msgspec.Struct, frozen=True):
    """The tasks of the services.  Fixed, as every option of a supervisor."""

    max_children: Fixed[Count | None] = None


class MetricSettings(msgspec.Struct, frozen=True):
    """The metrics: `max_series` for each, see `Metrics`.  Live; series that are there stay."""

    max_series: Count = 1000


class ResourceSettings(msgspec.Struct, frozen=True):
    """The resource manager: how many may wait for resources.  Live; who waits goes on waiting."""

    max_waiting: CountFrom0 = 10_000


class BreakerSettings(msgspec.Struct, frozen=True):
    """Circuit breakers: how many there may be.  Live; those that are there stay."""

    max_breakers: Count = 1000


class RetrySettings(msgspec.Struct, frozen=True):
    """The retry policies, and the budget of all retries; see `RetryBudget`.

    Live: what is left of the budget stays, up to the new capacity.
    """

    max_policies: Count = 1000
    capacity: Annotated[float, msgspec.Meta(ge=1, le=1e9)] = 10.0
    per_success: Annotated[float, msgspec.Meta(ge=0, le=1e9)] = 0.1
    per_second: Annotated[float, msgspec.Meta(ge=0, le=1e9)] = 0.1


class LimitSettings(msgspec.Struct, frozen=True):
    """Rate limits; see `RateLimiter`.

    Live: who waits goes on waiting, and no key in use is forgotten.  Another `cleanup_interval`
    holds from the next clean-up on.
    """

    max_keys: Count = 10_000
    max_waiting: Count = 1_000
    max_limiters: Count = 1_000
    cleanup_interval: Seconds = 300.0


class BulkheadSettings(msgspec.Struct, frozen=True):
    """Bulkheads: how many there may be.  Live; those that are there stay."""

    max_bulkheads: Count = 1000


class CacheSettings(msgspec.Struct, frozen=True):
    """The cache of the system; see `Cache`.

    Live: values for which there is no room any more go, those used longest ago first.  Another
    `default_ttl` holds for what is put from then on.
    """

    max_entries: Count = 100_000
    default_ttl: Seconds = 300.0
    cleanup_interval: Seconds = 60.0
    max_waiting: Count = 10_000


class SignalSettings(msgspec.Struct, frozen=True):
    """The signal bus.

    Live: subscriptions, dead letters and publishers that wait stay.  From a log that is too
    long two signals leave for each that comes.
    """

    log_entries: CountFrom0 = 100_000
    max_subscriptions: Count = 100_000
    max_dead_letters: Count = 10_000
    max_blocked: CountFrom0 = 1000


class SchedulerSettings(msgspec.Struct, frozen=True):
    """Every timer of the platform.  Live; jobs that are there stay."""

    max_jobs: Count = 1_000_000
    clock_check: Seconds = 30.0


class CommandSettings(msgspec.Struct, frozen=True):
    """Commands of the operating system; see `SystemCommandManager`.

    Live: what runs and what waits goes on, and results for which there is no room are forgotten.
    """

    max_concurrency: Count = 5
    max_queued: CountFrom0 = 100
    timeout: Seconds = 10.0
    cache_ttl: Annotated[float, msgspec.Meta(ge=0, le=1e9)] = 30.0
    cache_entries: CountFrom0 = 256
    cache_bytes: CountFrom0 = 16_777_216


class TaskPoolSettings(msgspec.Struct, frozen=True):
    """Task pools: how many there may be.  Live; those that are there stay."""

    max_pools: Count = 100


class CoordinationSettings(msgspec.Struct, frozen=True):
    """Messages between agents; see `LanePolicy` and `CoordinationManager`.

    Live: messages that wait go on waiting.  The one that a receiver has keeps its
    `ack_timeout`, and each its `expires`; a breaker keeps its state, and counts anew.
    `attempts` is how often a message is given to a receiver that dies over it.
    """

    buffer: CountFrom0 = 100
    overflow: Literal["reject", "drop_oldest", "wait"] = "reject"
    ack_timeout: Seconds = 5.0
    expires: Seconds = 60.0
    attempts: Count = 3
    breaker_failures: Count = 5
    breaker_reset: Seconds = 30.0
    max_lanes: Count = 100_000
    idle_after: Seconds = 60.0
    history: CountFrom0 = 10_000


class DeadLetterSettings(msgspec.Struct, frozen=True):
    """What could not be delivered.

    Live: a smaller `max_letters` throws no letter away, each new one pushes one out.  Another
    `max_age` holds for all letters: what is older goes, and is counted.
    """

    max_letters: Count = 10_000
    max_age: Seconds = 86_400.0


class HealthSettings(msgspec.Struct, frozen=True):
    """The health of the whole system.  Live; of a history that is too long the oldest looks go."""

    max_concurrency: Count = 64
    max_checks: Count = 10_000
    history: Count = 20


class AgentSettings(msgspec.Struct, frozen=True):
    """The supervisor of agents.  Fixed, as every option of a supervisor.

    It allows many restarts, as Jido's does: one that gives up starts again without agents, and
    a few that crash must not take the others along.
    """

    max_children: Fixed[Count | None] = None
    max_restarts: Fixed[CountFrom0] = 1000
    max_seconds: Fixed[Seconds] = 5.0


class SystemSettings(msgspec.Struct, frozen=True):
    """All sections; `flags` is how far declared feature flags are on, by name.  Live."""

    supervision: SupervisionSettings = SupervisionSettings()
    tasks: TaskSettings = TaskSettings()
    metrics: MetricSettings = MetricSettings()
    resources: ResourceSettings = ResourceSettings()
    breakers: BreakerSettings = BreakerSettings()
    retries: RetrySettings = RetrySettings()
    limits: LimitSettings = LimitSettings()
    bulkheads: BulkheadSettings = BulkheadSettings()
    cache: CacheSettings = CacheSettings()
    flags: dict[str, FlagValue] = {}
    signals: SignalSettings = SignalSettings()
    scheduler: SchedulerSettings = SchedulerSettings()
    commands: CommandSettings = CommandSettings()
    coordination: CoordinationSettings = CoordinationSettings()
    dead_letters: DeadLetterSettings = DeadLetterSettings()
    task_pools: TaskPoolSettings = TaskPoolSettings()
    health: HealthSettings = HealthSettings()
    agents: AgentSettings = AgentSettings()
