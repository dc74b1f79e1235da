"""Readiness and liveness of services, from what they say of themselves and what they need.  Pure.

A service is *ready* when it says so itself and everything that it needs is ready.  It is
*live* while the process that speaks for it lives; what never spoke is not live yet.

>>> state = Readiness(Dependencies({"api": ["db"], "db": []}))
>>> state.say("api", Word(ready=True))
()
>>> state.of("api").reasons
('api -> db: has said nothing yet',)
>>> state.say("db", Word(ready=True))
('db', 'api')
>>> state.of("api").ready
True
"""

from __future__ import annotations

from dataclasses import dataclass

from suptree.services.dependencies.graph import Dependencies

__all__ = ["Readiness", "ServiceReadiness", "SystemReadiness", "Word"]


@dataclass(frozen=True, slots=True)
class Word:
    """What a service has said last, or what its death says for it.

    Attributes:
        ready: Whether it can serve, as far as it depends on itself.
        reason: Why not.
        live: Whether the process that said so lives.
    """

    ready: bool
    reason: str = ""
    live: bool = True


@dataclass(frozen=True, slots=True)
class ServiceReadiness:
    """One service.

    Attributes:
        name: Which.
        ready: It and everything that it needs are ready.
        live: The process that speaks for it lives.
        reasons: Why it is not ready: each the path to a service that is not, and what that said.
    """

    name: str
    ready: bool
    live: bool
    reasons: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class SystemReadiness:
    """All services together.

    Attributes:
        ready: All of them are.
        live: All of them are.
        services: Each, in start order.
        reasons: One line for each service that is not ready by itself.
    """

    ready: bool
    live: bool
    services: tuple[ServiceReadiness, ...]
    reasons: tuple[str, ...] = ()


_SILENT = Word(ready=False, reason="has said nothing yet", live=False)


class Readiness:
    """What all services have said, and what follows.

    A word costs as much as there are services that need the one that said it.
    """

    __slots__ = ("_graph", "_ready", "_words")

    def __init__(self, graph: Dependencies) -> None:
        self._graph = graph
        self._words: dict[str, Word] = {}
        self._ready: set[str] = set()

    def say(self, service: str, word: Word) -> tuple[str, ...]:
        """Take down what *service* says; returns those that became, or ceased to be, ready.

        Raises:
            UnknownServiceError: It is not declared.
        """
        self._words[self._graph.known(service, "ReadinessBoard")] = word
        return tuple(
            name for name in (service, *self._graph.all_needed_by(service)) if self._turned(name)
        )

    def _turned(self, name: str) -> bool:
        """Whether the readiness of one changed; what it needs has been looked at before."""
        ready = self._word(name).ready and self._ready.issuperset(self._graph.needs(name))
        if ready == (name in self._ready):
            return False
        (self._ready.add if ready else self._ready.discard)(name)
        return True

    @property
    def ready_count(self) -> int:
        """How many services are ready."""
        return len(self._ready)

    def is_ready(self, service: str) -> bool:
        """Whether the service and all that it needs are ready."""
        return self._graph.known(service, "ReadinessBoard") in self._ready

    def of(self, service: str) -> ServiceReadiness:
        """One service, with the reasons if it is not ready."""
        ready = self.is_ready(service)
        reasons = () if ready else self._reasons(service)
        return ServiceReadiness(service, ready, self._word(service).live, reasons)

    def of_all(self) -> SystemReadiness:
        """Everything; the reasons are those services that are not ready by themselves."""
        services = tuple(self.of(name) for name in self._graph)
        return SystemReadiness(
            ready=len(self._ready) == len(self._graph),
            live=all(one.live for one in services),
            services=services,
            reasons=tuple(
                f"{name}: {self._word(name).reason}"
                for name in self._graph
                if not self._word(name).ready
            ),
        )

    def _word(self, service: str) -> Word:
        return self._words.get(service, _SILENT)

    def _reasons(self, service: str) -> tuple[str, ...]:
        """One line for each service below that is not ready by itself: a shortest path, and its word."""
        paths: dict[str, str] = {service: service}
        waves = [service]
        for name in waves:
            for needed in self._graph.needs(name):
                if needed not in paths and needed not in self._ready:
                    paths[needed] = f"{paths[name]} -> {needed}"
                    waves.append(needed)
        return tuple(
            f"{paths[name]}: {self._word(name).reason}"
            for name in waves
            if not self._word(name).ready
        )
