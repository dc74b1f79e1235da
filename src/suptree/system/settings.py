"""`SystemSettings`: everything that can be set about a `System`, with its defaults.

In a file each section is a table, in the environment `SUPTREE_COORDINATION__BUFFER=500`.
What is `Fixed` holds from the start to the end; all of it is, as yet.

>>> load_configuration(SystemSettings, overrides={"agents.max_children": 10}).value.agents
AgentSettings(max_children=10, max_restarts=1000, max_seconds=5.0)
"""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec

from suptree.services import Fixed

__all__ = [
    "AgentSettings",
    "CoordinationSettings",
    "DeadLetterSettings",
    "HealthSettings",
    "LimitSettings",
    "SchedulerSettings",
    "SignalSettings",
    "SupervisionSettings",
    "SystemSettings",
    "TaskPoolSettings",
    "TaskSettings",
]

Count = Annotated[int, msgspec.Meta(ge=1)]
Seconds = Annotated[float, msgspec.Meta(gt=0)]


class SupervisionSettings(msgspec.Struct, frozen=True):
    """How often supervisors restart what is under them before they give up."""

    max_restarts: Fixed[Annotated[int, msgspec.Meta(ge=0)]] = 3
    max_seconds: Fixed[Seconds] = 5.0


class TaskSettings(msgspec.Struct, frozen=True):
    """The tasks of the services."""

    max_children: Fixed[Count | None] = None


class TaskPoolSettings(msgspec.Struct, frozen=True):
    """The task pools; what each has is declared."""

    max_pools: Fixed[Count] = 100


class SchedulerSettings(msgspec.Struct, frozen=True):
    """Every timer of the platform."""

    max_jobs: Fixed[Count] = 1_000_000
    clock_check: Fixed[Seconds] = 30.0


class CoordinationSettings(msgspec.Struct, frozen=True):
    """Messages between agents; see `LanePolicy` and `CoordinationManager`."""

    buffer: Fixed[Annotated[int, msgspec.Meta(ge=0)]] = 100
    overflow: Fixed[Literal["reject", "drop_oldest", "wait"]] = "reject"
    ack_timeout: Fixed[Seconds] = 5.0
    expires: Fixed[Seconds] = 60.0
    lanes: Fixed[Count] = 100_000
    idle_after: Fixed[Seconds] = 60.0
    history: Fixed[Annotated[int, msgspec.Meta(ge=0)]] = 10_000


class DeadLetterSettings(msgspec.Struct, frozen=True):
    """What could not be delivered."""

    limit: Fixed[Count] = 10_000
    max_age: Fixed[Seconds] = 86_400.0


class SignalSettings(msgspec.Struct, frozen=True):
    """The signal bus."""

    log_entries: Fixed[Annotated[int, msgspec.Meta(ge=0)]] = 100_000
    max_subscriptions: Fixed[Count] = 100_000


class LimitSettings(msgspec.Struct, frozen=True):
    """Rate limits."""

    max_keys: Fixed[Count] = 10_000
    max_waiting: Fixed[Count] = 1_000


class HealthSettings(msgspec.Struct, frozen=True):
    """The health of the whole system."""

    max_concurrent: Fixed[Count] = 64
    history: Fixed[Count] = 20


class AgentSettings(msgspec.Struct, frozen=True):
    """The supervisor of agents.

    It allows many restarts, as Jido's does: one that gives up starts again without agents, and
    a few that crash must not take the others along.
    """

    max_children: Fixed[Count | None] = None
    max_restarts: Fixed[Annotated[int, msgspec.Meta(ge=0)]] = 1000
    max_seconds: Fixed[Seconds] = 5.0


class SystemSettings(msgspec.Struct, frozen=True):
    """All sections."""

    supervision: SupervisionSettings = SupervisionSettings()
    tasks: TaskSettings = TaskSettings()
    task_pools: TaskPoolSettings = TaskPoolSettings()
    scheduler: SchedulerSettings = SchedulerSettings()
    coordination: CoordinationSettings = CoordinationSettings()
    dead_letters: DeadLetterSettings = DeadLetterSettings()
    signals: SignalSettings = SignalSettings()
    limits: LimitSettings = LimitSettings()
    health: HealthSettings = HealthSettings()
    agents: AgentSettings = AgentSettings()
