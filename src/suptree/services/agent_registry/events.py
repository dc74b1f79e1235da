"""Telemetry declared by the registry of agents."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from suptree.telemetry import Event

__all__ = [
    "AGENT_DIED",
    "AGENT_REGISTERED",
    "AGENT_UNREGISTERED",
    "AGENT_UPDATED",
    "BATCH_APPLIED",
    "OPERATION_REFUSED",
    "QUERY_ANSWERED",
]

_REGISTRY: Final[Mapping[str, str]] = {"registry": "pid of the registry"}
_AGENT: Final[Mapping[str, str]] = {**_REGISTRY, "agent_id": "its id", "agent": "its pid"}
_AGENTS: Final[Mapping[str, str]] = {"agents_count": "agents registered afterwards"}

AGENT_REGISTERED: Final = Event(
    "suptree.agent_registry.agent.registered",
    measurements=_AGENTS,
    metadata={**_AGENT, "replaced": "the dead pid that held the id until now, or None"},
    doc="An agent was registered.",
)
AGENT_UNREGISTERED: Final = Event(
    "suptree.agent_registry.agent.unregistered",
    measurements=_AGENTS,
    metadata=_AGENT,
    doc="An agent was taken out on request.",
)
AGENT_UPDATED: Final = Event(
    "suptree.agent_registry.agent.updated",
    measurements=_AGENTS,
    metadata={**_AGENT, "before": "its metadata until now", "after": "its metadata from now on"},
    doc="The metadata of an agent was changed.",
)
AGENT_DIED: Final = Event(
    "suptree.agent_registry.agent.died",
    measurements=_AGENTS,
    metadata={
        **_AGENT,
        "reason": "why its process ended",
        "replaced": "whether another process is registered under the id by now",
    },
    doc="The process of an agent ended (the seed's agent_down); its entry and index rows are gone.",
)
OPERATION_REFUSED: Final = Event(
    "suptree.agent_registry.operation.refused",
    measurements={"count": "always 1"},
    metadata={**_REGISTRY, "operation": "what was asked for", "error": "why it was refused"},
    doc="An operation, alone or of a batch, was refused; the registry is as before.",
)
BATCH_APPLIED: Final = Event(
    "suptree.agent_registry.batch.applied",
    measurements={
        "done_count": "operations that were done",
        "failed_count": "operations that were refused",
        "skipped_count": "operations that were not tried any more, or taken back",
    },
    metadata={**_REGISTRY, "on_error": "the mode: 'rollback', 'stop' or 'continue'"},
    doc="A batch has ended.",
)
QUERY_ANSWERED: Final = Event(
    "suptree.agent_registry.query.answered",
    measurements={
        "duration_s": "seconds by the clock of the runtime",
        "results_count": "agents found",
        "examined_count": "agents looked at",
    },
    metadata={**_REGISTRY, "criteria": "what was asked for", "plan": "the index used, or 'scan'"},
    doc="A query was answered in its caller.",
)
