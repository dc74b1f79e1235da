"""The process behind `AgentRegistry`: what it keeps, and how it handles requests.

It owns the table of the entries, watches whoever is in it, and is the only one that
writes.  Its clients, and everything that reads, are in `registry.py`.
"""

from __future__ import annotations

from dataclasses import dataclass

from suptree.clock import wall_clock
from suptree.core import Down, Pid, Table, TableTransfer, safe_repr, whereis
from suptree.errors import BadArgumentError
from suptree.otp import GenServer, call
from suptree.services.agent_registry import events
from suptree.services.agent_registry.entry import AgentEntry
from suptree.services.agent_registry.errors import AgentBatchError, AgentRegistryError
from suptree.services.agent_registry.keeper import AgentKeeper
from suptree.services.agent_registry.operations import (
    AgentBatchFailure,
    AgentBatchResult,
    OnError,
    Operation,
    Register,
    Replace,
    Unregister,
    Update,
)
from suptree.services.agent_registry.schema import AgentSchema
from suptree.services.agent_registry.tables import AgentTables, Change
from suptree.services.agent_registry.view import AgentView, table_name
from suptree.services.parts.checks import check_kind, check_name
from suptree.services.parts.owners import Owners, stranger
from suptree.telemetry import Event

__all__ = ["AgentRegistryServer", "AgentRegistryStats"]


@dataclass(frozen=True, slots=True)
class AgentRegistryStats:
    """What a registry has done since it started.

    Attributes:
        agents: Registered now.
        registered, updated, unregistered, died, refused: How often each happened.
        queries: Queries answered; *scans* of them looked at every agent.
    """

    agents: int
    registered: int
    updated: int
    unregistered: int
    died: int
    refused: int
    queries: int
    scans: int


class AgentRegistryServer(GenServer):
    """The entries and their owners; see `AgentRegistry` for the arguments."""

    __front__ = "AgentRegistry"

    call_raises = (BadArgumentError, AgentRegistryError)

    def __init__(
        self,
        schema: AgentSchema | None = None,
        *,
        max_agents: int = 100_000,
        max_batch: int = 1_000,
        keeper: str | None = None,
    ) -> None:
        for field, value in (("max_agents", max_agents), ("max_batch", max_batch)):
            if not isinstance(value, int) or isinstance(value, bool) or value < 1:
                raise AgentRegistryError(
                    f"AgentRegistry: {field} must be an int of at least 1; got {value!r}."
                )
        if schema is not None:
            wanted = "None or an AgentSchema"
            check_kind("AgentRegistry", "schema", schema, AgentSchema, wanted)
        if keeper is not None:
            check_name("AgentRegistry", "keeper", keeper)
        self.schema = AgentSchema() if schema is None else schema
        self.max_agents = max_agents
        self.max_batch = max_batch
        self.keeper = keeper
        self.owners: Owners[str] = Owners()
        self.counts = dict.fromkeys(("registered", "updated", "unregistered", "died", "refused"), 0)

    async def init(self) -> None:
        """Take what the keeper has of the registry before this one, or begin with nothing."""
        entries = await self._entries()
        self.tables = AgentTables(entries, self.schema, self.max_agents)
        self.view = AgentView(self.pid, self.tables)
        directory: Table[str, AgentView] = Table(table_name(self.pid))
        directory["view"] = self.view
        for entry in entries.values():
            self.owners.add(entry.pid, entry.id)

    async def _entries(self) -> Table[str, AgentEntry]:
        if self.keeper is None:
            return Table()
        keeper = whereis(self.keeper)
        if keeper is None:
            raise AgentRegistryError(
                f"AgentRegistry: keeper must be the name of a live AgentKeeper; got {self.keeper!r}. "
                "Start it first, as AgentRegistry.tree does."
            )
        table = await AgentKeeper.take(keeper)
        if table is None:
            return Table(heir=keeper)
        table.set_heir(keeper)
        return table

    # -- handlers ----------------------------------------------------------------------------

    @call
    def apply(self, operation: Operation) -> AgentEntry:
        """Do one operation; returns the entry that it wrote or took out."""
        change = self._decided(operation)
        self._commit(change)
        return change.entry

    @call
    def apply_all(self, operations: tuple[Operation, ...]) -> AgentBatchResult:
        """Do all of them or none; `batch` in mode 'rollback'."""
        _check_operations(operations)
        if len(operations) > self.max_batch:
            raise AgentRegistryError(
                f"AgentRegistry.batch: a batch of mode 'rollback' must have at most "
                f"{self.max_batch} operations; got {len(operations)}. Split it, or use 'stop'."
            )
        checked = [_checked(operation) for operation in operations]
        try:
            changes = self.tables.decide_all(checked, wall_clock())
        except AgentBatchError as error:
            self._refused(error.operation, error.error)
            self._ended("rollback", 0, 1, len(operations) - 1)
            raise
        for change in changes:
            self._commit(change)
        self._ended("rollback", len(changes), 0, 0)
        return AgentBatchResult(tuple(change.entry for change in changes))

    @call
    def apply_each(self, operations: tuple[Operation, ...], stop: bool) -> AgentBatchResult:
        """Do each for itself; `batch` in the other modes."""
        _check_operations(operations)
        done: list[AgentEntry] = []
        failed: list[AgentBatchFailure] = []
        for index, operation in enumerate(operations):
            if failed and stop:
                break
            try:
                change = self._decided(operation)
            except AgentRegistryError as error:
                failed.append(AgentBatchFailure(index, operation, error.with_traceback(None)))
            else:
                self._commit(change)
                done.append(change.entry)
        skipped = operations[len(done) + len(failed) :]
        self._ended("stop" if stop else "continue", len(done), len(failed), len(skipped))
        return AgentBatchResult(tuple(done), tuple(failed), skipped)

    @call
    def stats(self) -> AgentRegistryStats:
        """What it has done since it started."""
        return AgentRegistryStats(
            agents=len(self.tables.entries),
            queries=self.view.queries,
            scans=self.view.scans,
            **self.counts,
        )

    def handle_info(self, message: object) -> None:
        """An agent has ended: what it was registered under goes."""
        if isinstance(message, Down):
            for id in self.owners.gone(message):
                self._died(id, message)
        elif not isinstance(message, TableTransfer):  # which init has waited for
            super().handle_info(message)

    # -- private ---------------------------------------------------------------------------

    def _decided(self, operation: Operation) -> Change:
        """What it would change; raised, and counted, if it is refused."""
        try:
            return self.tables.decide(_checked(operation), wall_clock())
        except AgentRegistryError as error:
            self._refused(operation, error)
            raise

    def _commit(self, change: Change) -> None:
        self.tables.commit(change)
        before, entry = change.before, change.entry
        facts: dict[str, object] = {"agent_id": entry.id, "agent": entry.pid}
        match change.operation:
            case Register():
                # A dead one that held the id is still watched: its end is told when it comes.
                self.owners.add(entry.pid, entry.id)
                self.counts["registered"] += 1
                facts["replaced"] = None if before is None else before.pid
                self._emit(events.AGENT_REGISTERED, facts)
            case Unregister():
                self.owners.discard(entry.pid, entry.id)
                self.counts["unregistered"] += 1
                self._emit(events.AGENT_UNREGISTERED, facts)
            case Update() | Replace():
                assert before is not None
                self.counts["updated"] += 1
                facts |= {"before": before.metadata, "after": entry.metadata}
                self._emit(events.AGENT_UPDATED, facts)

    def _died(self, id: str, down: Down) -> None:
        assert isinstance(down.process, Pid)
        entry = self.tables.remove(id, down.process)
        self.counts["died"] += 1
        facts = {"agent_id": id, "agent": down.process, "reason": down.reason}
        self._emit(events.AGENT_DIED, {**facts, "replaced": entry is None})

    def _emit(self, event: Event, facts: dict[str, object]) -> None:
        slot = self.pid.runtime.telemetry.slot(event)
        if slot.handlers:
            slot.emit({"agents_count": len(self.tables.entries)}, {"registry": self.pid, **facts})

    def _refused(self, operation: object, error: AgentRegistryError) -> None:
        self.counts["refused"] += 1
        slot = self.pid.runtime.telemetry.slot(events.OPERATION_REFUSED)
        if slot.handlers:
            facts = {"registry": self.pid, "operation": operation, "error": error}
            slot.emit({"count": 1}, facts)

    def _ended(self, mode: OnError, done: int, failed: int, skipped: int) -> None:
        slot = self.pid.runtime.telemetry.slot(events.BATCH_APPLIED)
        if slot.handlers:
            numbers = {"done_count": done, "failed_count": failed, "skipped_count": skipped}
            slot.emit(numbers, {"registry": self.pid, "on_error": mode})


def _check_operations(operations: object) -> None:
    # Not any iterable: a generator would run its maker's code in the turn of the registry.
    check_kind("AgentRegistry", "operations", operations, (tuple, list), "a tuple of operations")


def _checked(operation: object) -> Operation:
    if isinstance(operation, Register | Update | Replace | Unregister):
        # The keeper would give its entry to every registry to come, and none could watch it.
        foreign = isinstance(operation, Register) and stranger("AgentRegistry", operation.pid)
        if foreign:
            raise AgentRegistryError(str(foreign))
        return operation
    raise AgentRegistryError(
        "AgentRegistry: an operation must be a Register, Update, Replace or Unregister; "
        f"got {safe_repr(operation, 200)}."
    )
