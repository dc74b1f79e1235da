"""`Live`: how settings reach a service, when it starts and while it runs.

One function makes the arguments of both, so they cannot differ.  A service that is started
again reads the settings that hold then: nothing is older after a restart than before it.

>>> LIVE["health"].options(SystemSettings())
{'max_concurrency': 64, 'max_checks': 10000, 'history': 20}
"""

from __future__ import annotations

import contextlib
import dataclasses
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, Final

import msgspec

from suptree.core import Process, Runtime, Slot
from suptree.errors import NoTableError
from suptree.otp import ChildSpec, StartOptions, child
from suptree.services import (
    BreakerConfig,
    Bulkheads,
    Cache,
    CircuitBreakers,
    ConfigServer,
    CoordinationManager,
    DeadLetterQueue,
    FeatureFlags,
    HealthMonitor,
    LanePolicy,
    Metrics,
    RateLimiter,
    ResourceManager,
    RetryBudget,
    RetryService,
    SchedulerManager,
    SignalBus,
    SystemCommandManager,
    TaskPoolManager,
)
from suptree.system.settings import SystemSettings

__all__ = ["LIVE", "Live"]

Options = Callable[[SystemSettings], dict[str, Any]]


@dataclass(frozen=True, slots=True)
class Live:
    """A service that settings can be changed of.

    Attributes:
        server: Its class, which has a client `reconfigure`.
        options: Settings -> arguments by name, of the class and of `reconfigure` alike.
    """

    server: Any
    options: Options

    def child(self, settings: SystemSettings, /, **others: Any) -> ChildSpec[Any]:
        """Its child spec, which reads the settings at each start.

        Args:
            settings: For while there is no `ConfigServer` to ask.
            others: Arguments of the class that no setting says.
        """
        spec: ChildSpec[Any] = child(self.server, **others)
        return dataclasses.replace(spec, start=_LiveStart(self, settings, others))

    async def reconfigure(self, service: str, settings: SystemSettings) -> None:
        """Have the service go by *settings*; raises what its `reconfigure` raises.

        Args:
            service: Its registered name.
            settings: All of them.
        """
        await self.server.reconfigure(service, **self.options(settings))


class _LiveStart:
    """The start function of a service with the settings that hold at each start."""

    __slots__ = ("_last", "_live", "_others", "label")

    def __init__(self, live: Live, settings: SystemSettings, others: Mapping[str, Any]) -> None:
        self.label: str = live.server.__qualname__
        self._live = live
        self._last = settings
        self._others = others

    def start(
        self,
        runtime: Runtime,
        parent: Process | None,
        options: StartOptions,
        extra: tuple[Any, ...] = (),
    ) -> Slot:
        """Make the process and run its init."""
        # Without a table the server of settings is down, and takes this service along when it
        # starts again: to fail here would only use up restarts.
        with contextlib.suppress(NoTableError):
            self._last = ConfigServer.current(SystemSettings).value
        arguments = self._live.options(self._last)
        spec: ChildSpec[Any] = child(self._live.server, **self._others, **arguments)
        return spec.start.start(runtime, parent, options, extra)


def _same_names(section: str) -> Options:
    """The fields of a section, under their names."""

    def options(settings: SystemSettings) -> dict[str, Any]:
        return msgspec.structs.asdict(getattr(settings, section))

    return options


def _retries(settings: SystemSettings) -> dict[str, Any]:
    retries = settings.retries
    budget = RetryBudget(
        capacity=retries.capacity,
        per_success=retries.per_success,
        per_second=retries.per_second,
    )
    return {"budget": budget, "max_policies": retries.max_policies}


def _coordination(settings: SystemSettings) -> dict[str, Any]:
    coordination = settings.coordination
    default = LanePolicy()
    breaker = default.breaker or BreakerConfig()
    policy = LanePolicy(
        buffer=coordination.buffer,
        overflow=coordination.overflow,
        ack_timeout=coordination.ack_timeout,
        expires=coordination.expires,
        retry=dataclasses.replace(default.retry, max_attempts=coordination.attempts),
        breaker=dataclasses.replace(
            breaker,
            failure_threshold=coordination.breaker_failures,
            reset_timeout=coordination.breaker_reset,
        ),
    )
    return {
        "policy": policy,
        "max_lanes": coordination.max_lanes,
        "idle_after": coordination.idle_after,
        "history": coordination.history,
    }


LIVE: Final[Mapping[str, Live]] = MappingProxyType(
    {
        "metrics": Live(Metrics, _same_names("metrics")),
        "resources": Live(ResourceManager, _same_names("resources")),
        "breakers": Live(CircuitBreakers, _same_names("breakers")),
        "retries": Live(RetryService, _retries),
        "limits": Live(RateLimiter, _same_names("limits")),
        "bulkheads": Live(Bulkheads, _same_names("bulkheads")),
        "cache": Live(Cache, _same_names("cache")),
        "flags": Live(FeatureFlags, lambda settings: {"settings": settings.flags}),
        "signals": Live(SignalBus, _same_names("signals")),
        "scheduler": Live(SchedulerManager, _same_names("scheduler")),
        "commands": Live(SystemCommandManager, _same_names("commands")),
        "coordination": Live(CoordinationManager, _coordination),
        "dead_letters": Live(DeadLetterQueue, _same_names("dead_letters")),
        "task_pools": Live(TaskPoolManager, _same_names("task_pools")),
        "health": Live(HealthMonitor, _same_names("health")),
    }
)
"""By the name of the service in the tree of `System`."""
