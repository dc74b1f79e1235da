"""`AgentTables`: the entries and their indexes.  Decides what an operation changes, then changes it.

Pure but for whether a pid is alive.  To decide is to say what will be written or to raise;
to commit a decision cannot fail.  So a batch is all or nothing: every operation of it is
decided, each upon what those before it decided, before the first is committed.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from operator import attrgetter
from typing import Any, Final, assert_never

from suptree.core import EXITING, Pid, Table
from suptree.services.agent_registry.criteria import Criteria
from suptree.services.agent_registry.entry import AgentEntry
from suptree.services.agent_registry.errors import (
    AgentBatchError,
    AgentExistsError,
    AgentNotAliveError,
    AgentNotFoundError,
    AgentRegistryError,
    AgentRegistryFullError,
)
from suptree.services.agent_registry.matching import compiled
from suptree.services.agent_registry.operations import (
    Operation,
    Register,
    Replace,
    Unregister,
    Update,
)
from suptree.services.agent_registry.planner import EVERYTHING, plan
from suptree.services.agent_registry.schema import AgentSchema
from suptree.services.agent_registry.values import MISSING, merged

__all__ = ["AgentTables", "Answer", "Change"]


@dataclass(frozen=True, slots=True)
class Change:
    """What an operation makes of the entry of one id; None: there is none."""

    operation: Operation
    before: AgentEntry | None
    after: AgentEntry | None

    @property
    def entry(self) -> AgentEntry:
        """What was written, or taken out."""
        entry = self.after or self.before
        assert entry is not None
        return entry


@dataclass(frozen=True, slots=True)
class Answer:
    """What a query found, in the order of registration, and how."""

    found: list[AgentEntry]
    examined: int
    plan: str


class AgentTables:
    """Entries by id, with their indexes.

    Args:
        entries: Where they are kept; what is in it is indexed.
        schema: What is required and indexed.
        limit: How many there may be.
    """

    __slots__ = ("_everyone", "entries", "indexes", "limit", "number", "schema")

    def __init__(self, entries: Table[str, AgentEntry], schema: AgentSchema, limit: int) -> None:
        self.entries = entries
        self.schema = schema
        self.limit = limit
        self.indexes = schema.indexes()
        self.number = 0
        # The entries again, since a query goes through them faster than through a Table.
        self._everyone: dict[str, AgentEntry] = {}
        for entry in sorted(entries.values(), key=_NUMBER):
            self._index(entry)
            self.number = entry.number

    # -- changing ------------------------------------------------------------------------

    def decide(
        self,
        operation: Operation,
        now: float,
        overlay: Mapping[str, AgentEntry | None] | None = None,
    ) -> Change:
        """What *operation* would change, *overlay* being decided already.

        Raises:
            AgentRegistryError: It is refused.
        """
        overlay = {} if overlay is None else overlay
        found = overlay[operation.id] if operation.id in overlay else self.get(operation.id)
        match operation:
            case Register(id, pid, metadata):
                if found is not None and found.pid.is_alive():
                    raise AgentExistsError(id, found.pid)
                if not pid.is_alive():
                    raise AgentNotAliveError(id, pid)
                self.schema.check(id, metadata)
                if found is None and self._is_full(overlay):
                    raise AgentRegistryFullError(self.limit)
                self.number += 1
                return Change(operation, found, AgentEntry(id, pid, metadata, now, self.number))
            case Update(id, changes):
                return self._with_metadata(operation, found, merged, changes)
            case Replace(id, metadata):
                return self._with_metadata(operation, found, _replaced, metadata)
            case Unregister(id):
                return Change(operation, self._living(id, found), None)
        assert_never(operation)

    def decide_all(self, operations: Sequence[Operation], now: float) -> list[Change]:
        """The changes of all of them; the tables are untouched.

        Raises:
            AgentBatchError: One is refused.
        """
        overlay: dict[str, AgentEntry | None] = {}
        changes: list[Change] = []
        for index, operation in enumerate(operations):
            try:
                change = self.decide(operation, now, overlay)
            except AgentRegistryError as error:
                raise AgentBatchError(index, operation, error.with_traceback(None)) from None
            overlay[operation.id] = change.after
            changes.append(change)
        return changes

    def commit(self, change: Change) -> None:
        """Write what was decided."""
        before, after = change.before, change.after
        if before is not None:
            self._unindex(before)
            if after is None or after.number != before.number:
                del self._everyone[before.id]  # so that it comes last when it comes again
        if after is None:
            del self.entries[change.entry.id]
        else:
            self.entries[after.id] = after
            self._index(after)

    def remove(self, id: str, pid: Pid[Any]) -> AgentEntry | None:
        """Take *id* out if *pid* holds it, which has ended; what was taken out."""
        entry = self.entries.get(id)
        if entry is None or entry.pid is not pid:
            return None
        self._unindex(entry)
        del self.entries[id], self._everyone[id]
        return entry

    # -- reading -------------------------------------------------------------------------

    def get(self, id: str) -> AgentEntry | None:
        """The entry, even of one who has ended and whose end is not known here yet."""
        return self.entries.get(id)

    def living(self, id: str) -> AgentEntry:
        """The entry of a live agent.

        Raises:
            AgentNotFoundError: There is none.
        """
        return self._living(id, self.get(id))

    def query(self, criteria: Criteria) -> Answer:
        """The live agents that *criteria* are about."""
        everyone = self._everyone
        way = plan(criteria, self.indexes)
        if way is None or way.cost >= len(everyone):
            found = _living(everyone.values(), criteria)
            return Answer(found, len(everyone), "scan")
        found = _living(way.candidates(), way.rest)
        if len(found) > 1:  # each once, in the order of registration
            found = sorted({entry.number: entry for entry in found}.values(), key=_NUMBER)
        return Answer(found, way.cost, way.text)

    # -- inside --------------------------------------------------------------------------

    def _with_metadata(
        self,
        operation: Update | Replace,
        found: AgentEntry | None,
        change: Callable[[Mapping[str, Any], Mapping[str, Any]], Mapping[str, Any]],
        new: Mapping[str, Any],
    ) -> Change:
        entry = self._living(operation.id, found)
        metadata = change(entry.metadata, new)
        self.schema.check(entry.id, metadata)
        return Change(operation, entry, replace(entry, metadata=metadata))

    def _living(self, id: str, found: AgentEntry | None) -> AgentEntry:
        if found is None or not found.pid.is_alive():
            raise AgentNotFoundError(id, self.entries)
        return found

    def _is_full(self, overlay: Mapping[str, AgentEntry | None]) -> bool:
        size = len(self.entries)
        if size + len(overlay) >= self.limit:
            for id, entry in overlay.items():
                size += (entry is not None) - (id in self.entries)
        return size >= self.limit

    def _index(self, entry: AgentEntry) -> None:
        self._everyone[entry.id] = entry
        for path, several in self.indexes.items():
            value = entry.at(path)
            if value is not MISSING:
                for index in several:
                    index.add(value, entry)

    def _unindex(self, entry: AgentEntry) -> None:
        for path, several in self.indexes.items():
            value = entry.at(path)
            if value is not MISSING:
                for index in several:
                    index.remove(value, entry)


def _replaced(_old: Mapping[str, Any], new: Mapping[str, Any]) -> Mapping[str, Any]:
    return new


_NUMBER: Final = attrgetter("number")


def _living(entries: Iterable[AgentEntry], criteria: Criteria) -> list[AgentEntry]:
    """Those that live and are meant."""
    if criteria != EVERYTHING:
        entries = filter(compiled(criteria), entries)
    return [e for e in entries if (p := e.pid._process) is not None and p.state < EXITING]
