"""Is it well?  Monitors of single processes, and the health of the whole system.

`health.py` and `verdict.py` decide, purely; `jobs.py` runs checks beside a server;
`agent_monitor.py` watches one process (`following.py` is how), `supervisor.py` has the clients of
a monitor for each; `health_monitor.py` looks at everything (`checklist.py`, `looking.py`) and gives a verdict.
"""

from suptree.services.monitoring.agent_monitor import AgentMonitor
from suptree.services.monitoring.checks import (
    CheckRecord,
    CheckStatus,
    HealthCheck,
    HealthStats,
)
from suptree.services.monitoring.errors import (
    MonitoringError,
    NoMonitorsError,
    NotMonitoredError,
    TooManyChecksError,
    UnknownCheckError,
    WatchError,
)
from suptree.services.monitoring.health import Finding, Health, Thresholds
from suptree.services.monitoring.health_monitor import HealthMonitor
from suptree.services.monitoring.supervisor import MonitorStats, MonitorSupervisor
from suptree.services.monitoring.verdict import Judged, Verdict, judge
from suptree.services.monitoring.watch import (
    HealthChange,
    HealthSink,
    MonitorStatus,
    Watch,
    answers,
)

__all__ = [
    "AgentMonitor",
    "CheckRecord",
    "CheckStatus",
    "Finding",
    "Health",
    "HealthChange",
    "HealthCheck",
    "HealthMonitor",
    "HealthSink",
    "HealthStats",
    "Judged",
    "MonitorStats",
    "MonitorStatus",
    "MonitorSupervisor",
    "MonitoringError",
    "NoMonitorsError",
    "NotMonitoredError",
    "Thresholds",
    "TooManyChecksError",
    "UnknownCheckError",
    "Verdict",
    "Watch",
    "WatchError",
    "answers",
    "judge",
]
