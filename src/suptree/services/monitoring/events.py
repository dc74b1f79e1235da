"""Telemetry declared by the monitors of agents and by the health monitor."""

from __future__ import annotations

from typing import Final

from suptree.telemetry import Event

__all__ = [
    "AGENT_DIED",
    "AGENT_HEALTH_CHANGED",
    "CHECK_ABANDONED",
    "CHECK_FINISHED",
    "CHECK_SUSPENDED",
    "MONITOR_REBOUND",
    "MONITOR_STARTED",
    "MONITOR_STOPPED",
    "SINK_WRITE_FAILED",
    "VERDICT_CHANGED",
]

CHECK_FINISHED: Final = Event(
    "suptree.health.check.finished",
    measurements={"duration_s": "seconds that it took; its timeout, if it was not in time"},
    metadata={
        "monitor": "pid of the monitor that looked",
        "subject": "what was looked at: a pid, a name, or the name of a check",
        "status": "what it found: a Health",
        "reason": "why it is not healthy",
    },
    doc="A health check has ended, or its time was over.",
)
CHECK_ABANDONED: Final = Event(
    "suptree.health.check.abandoned",
    measurements={"abandoned_count": "abandoned ones of this monitor, this one included"},
    metadata={"monitor": "pid of the monitor", "subject": "what was looked at"},
    doc="A check, or a write of health, went on after it was cancelled, and is left alone.",
)
CHECK_SUSPENDED: Final = Event(
    "suptree.health.check.suspended",
    measurements={
        "failures_count": "failures in a row",
        "pause_s": "seconds until it is tried again",
    },
    metadata={"monitor": "pid of the monitor", "subject": "name of the check", "reason": "why"},
    doc="A check failed so often that it is tried again only after a pause.",
)
AGENT_DIED: Final = Event(
    "suptree.health.agent.died",
    measurements={"deaths_count": "deaths that this monitor has seen of it, this one included"},
    metadata={
        "monitor": "pid of the monitor",
        "subject": "what it watches: a pid, a name, or the name of a check",
        "pid": "the process that ended; None if there was none",
        "reason": "the exit reason",
    },
    doc="A watched process has ended.",
)
AGENT_HEALTH_CHANGED: Final = Event(
    "suptree.health.agent.changed",
    measurements={"changes_count": "changes that this monitor has seen, this one included"},
    metadata={
        "monitor": "pid of the monitor",
        "subject": "what it watches",
        "health": "what it is now",
        "previous": "what it was",
        "reason": "why it is not healthy",
    },
    doc="The health of something watched has changed, after the looks that it takes.",
)
VERDICT_CHANGED: Final = Event(
    "suptree.health.verdict.changed",
    measurements={"checks_count": "checks that it is made from"},
    metadata={
        "monitor": "pid of the health monitor",
        "health": "the verdict now",
        "previous": "what it was",
        "reasons": "what is not healthy, the worst first",
    },
    doc="The verdict about the whole system has changed.",
)
MONITOR_STARTED: Final = Event(
    "suptree.monitor.started",
    measurements={"interval_s": "seconds between two looks"},
    metadata={"monitor": "its pid", "subject": "what it watches"},
    doc="The monitor of one agent has begun.",
)
MONITOR_STOPPED: Final = Event(
    "suptree.monitor.stopped",
    measurements={"checks_count": "checks in its life"},
    metadata={
        "monitor": "its pid",
        "subject": "what it watched",
        "health": "what it leaves behind as it was",
        "reason": "the exit reason of the monitor",
    },
    doc="The monitor of one agent ends; what it watches may go on.",
)
MONITOR_REBOUND: Final = Event(
    "suptree.monitor.rebound",
    measurements={"gap_s": "seconds without a process of that name"},
    metadata={"monitor": "its pid", "subject": "the name", "pid": "the process that has it now"},
    doc="A monitor that watches a name has found the next process of that name.",
)
SINK_WRITE_FAILED: Final = Event(
    "suptree.monitor.write.failed",
    measurements={"failures_count": "failed writes of this monitor, this one included"},
    metadata={"monitor": "its pid", "subject": "what it watches", "error": "what was wrong"},
    doc="A change of health could not be written; it is tried again.",
)
