"""Reading a registry: plain function calls in whoever asks, on the tables of the registry.

No message and no waiting, whatever the registry is doing.  While it is not running there
are no tables, and that is an error which says so.
"""

from __future__ import annotations

from typing import Any

from suptree.core import Pid, Runtime, find_runtime, safe_repr, whereis
from suptree.otp import ServerRef
from suptree.services.agent_registry.criteria import Criteria
from suptree.services.agent_registry.entry import AgentEntry
from suptree.services.agent_registry.errors import AgentRegistryNotRunningError, CriteriaError
from suptree.services.agent_registry.events import QUERY_ANSWERED
from suptree.services.agent_registry.tables import AgentTables, Answer
from suptree.services.parts.checks import check_name

__all__ = ["AgentView", "check_criteria", "table_name", "view_of"]


class AgentView:
    """What readers have of a registry."""

    __slots__ = ("_answered", "_pid", "queries", "scans", "tables")

    def __init__(self, pid: Pid[Any], tables: AgentTables) -> None:
        self.tables = tables
        self.queries = 0
        self.scans = 0
        self._pid = pid
        self._answered = pid.runtime.telemetry.slot(QUERY_ANSWERED)

    def answer(self, criteria: Criteria) -> Answer:
        """Query, and tell who listens."""
        check_criteria(criteria)
        runtime: Runtime = self._pid.runtime
        self.queries += 1
        listened = bool(self._answered.handlers)
        started = runtime.now() if listened else 0.0
        answer = self.tables.query(criteria)
        self.scans += answer.plan == "scan"
        if listened:
            self._answered.emit(
                {
                    "duration_s": runtime.now() - started,
                    "results_count": len(answer.found),
                    "examined_count": answer.examined,
                },
                {"registry": self._pid, "criteria": str(criteria), "plan": answer.plan},
            )
        return answer

    def find(self, id: str) -> AgentEntry | None:
        """The entry of a live agent."""
        check_name("AgentRegistry", "id", id)
        entry = self.tables.get(id)
        return entry if entry is not None and entry.pid.is_alive() else None


def check_criteria(criteria: object) -> None:
    """Refuse what was not made by `where`.

    Raises:
        CriteriaError: It was not.
    """
    if not isinstance(criteria, Criteria):
        raise CriteriaError(
            "AgentRegistry.query: criteria must be made by where(...); "
            f"got {safe_repr(criteria, 200)}. Write where('capability') == 'chat'."
        )


def table_name(pid: Pid[Any]) -> str:
    """The name of the table by which the registry *pid* is read."""
    return f"agent_registry.{pid.id}"


def view_of(registry: ServerRef[Any]) -> AgentView:
    """What there is to read of *registry*.

    Raises:
        AgentRegistryNotRunningError: There is no such registry, or it is being restarted.
    """
    if isinstance(registry, Pid):
        pid: Pid[Any] | None = registry
    elif isinstance(registry, str):
        pid = whereis(registry)
    else:
        pid = registry.whereis(find_runtime("AgentRegistry"))
    table = None
    if pid is not None and pid.is_alive():
        table = pid.runtime.tables.get(table_name(pid))
    if table is None:
        raise AgentRegistryNotRunningError(registry)
    view: AgentView = table["view"]
    return view
