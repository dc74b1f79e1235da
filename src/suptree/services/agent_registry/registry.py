"""`AgentRegistry`: which agents there are, what they can do, how they are; and who fits.

A process owns the entries, watches every agent and takes it out when it ends.  It alone
writes; reading and querying are plain function calls in the caller, without a message.
It refuses metadata without the required fields, an id that a live process holds, and the
dead.  An id whose process has ended never blocks the one that was started in its place.

>>> import asyncio, suptree as st
>>> from suptree.services import AgentRegistry, where
>>> async def main():
...     async with st.Runtime():
...         agents = await AgentRegistry.start_link()
...         await AgentRegistry.register(agents, "ada", {
...             "capability": ["chat", "code"], "health_status": "healthy",
...             "node": "n1", "resources": {"memory_available": 512}})
...         wanted = (where("capability") == "code") & (where("resources.memory_available") >= 100)
...         return [agent.id for agent in AgentRegistry.query(agents, wanted)]
>>> asyncio.run(main())
['ada']

The entries go with the registry.  Start its agents after it under rest_for_one, so that
they register again; or use `AgentRegistry.tree`, and they stay registered.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Final

from suptree.core import Pid, current, safe_repr
from suptree.near import meant, near
from suptree.otp import ChildSpec, ServerRef, Supervisor, child
from suptree.services.agent_registry.criteria import Criteria
from suptree.services.agent_registry.entry import AgentEntry
from suptree.services.agent_registry.errors import AgentRegistryError
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
from suptree.services.agent_registry.planner import EVERYTHING
from suptree.services.agent_registry.schema import AgentSchema
from suptree.services.agent_registry.server import AgentRegistryServer
from suptree.services.agent_registry.view import check_criteria, view_of
from suptree.services.parts.checks import check_name, checked_items, is_text

__all__ = ["AgentRegistry"]

_MODES: Final = ("rollback", "stop", "continue")
_PART: Final = 200  # operations in one turn, where they need not be all or nothing


class AgentRegistry(AgentRegistryServer):
    """The registry; also the client of every one: `AgentRegistry.query(registry, criteria)`.

    `registry` is everywhere the name of a registry, its pid, or `via(...)`.

    Args:
        schema: What metadata must have, and what is indexed.
        max_agents: How many it holds at most.
        max_batch: How many operations one batch of mode 'rollback' has at most.
        keeper: The name of a live `AgentKeeper`, which has the entries over a restart.
    """

    # -- a tree of its own -----------------------------------------------------------------------

    @classmethod
    def tree(
        cls,
        *,
        name: str = "agents",
        schema: AgentSchema | None = None,
        max_restarts: int = 3,
        max_seconds: float = 5.0,
        **options: Any,
    ) -> ChildSpec[Any]:
        """The child spec of a registry with a keeper, so that agents stay registered if it crashes.

        Args:
            name: The name of the registry; its keeper is at '<name>.keeper', both under '<name>.sup'.
            schema: See the class.
            max_restarts: Of the two together, within *max_seconds*; more end the tree.
            max_seconds: See *max_restarts*.
            options: As for the class.
        """
        keeper = f"{name}.keeper"
        registry = cls.child(schema, keeper=keeper, **options)
        return Supervisor.child(
            [
                child(AgentKeeper).with_(id=keeper, name=keeper),
                registry.with_(id=name, name=name),
            ],
            strategy="rest_for_one",
            max_restarts=max_restarts,
            max_seconds=max_seconds,
            name=f"{name}.sup",
        )

    # -- writing: clients ----------------------------------------------------------------

    @staticmethod
    async def register(
        registry: ServerRef[AgentRegistry],
        id: str,
        metadata: Mapping[str, Any],
        *,
        pid: Pid[Any] | None = None,
    ) -> AgentEntry:
        """Register *pid*, by default the current process, as agent *id*.

        Returns:
            Its entry.

        Raises:
            AgentExistsError: A live process holds the id.
            AgentNotAliveError: *pid* has ended.
            AgentMetadataError: Fields are missing or wrong; it names them.
            AgentRegistryFullError: It holds max_agents.
        """
        operation = Register(id, current() if pid is None else pid, metadata)
        return await AgentRegistry.apply(registry, operation)

    @staticmethod
    async def update(
        registry: ServerRef[AgentRegistry], id: str, changes: Mapping[str, Any]
    ) -> AgentEntry:
        """Merge *changes* into the metadata, nested mappings key by key; all else is replaced.

        Raises:
            AgentNotFoundError, AgentMetadataError: It is as before.
        """
        return await AgentRegistry.apply(registry, Update(id, changes))

    @staticmethod
    async def replace(
        registry: ServerRef[AgentRegistry], id: str, metadata: Mapping[str, Any]
    ) -> AgentEntry:
        """Give the agent other metadata; raises as `update` does."""
        return await AgentRegistry.apply(registry, Replace(id, metadata))

    @staticmethod
    async def unregister(registry: ServerRef[AgentRegistry], id: str) -> AgentEntry:
        """Take the agent out; returns what its entry was.

        Raises:
            AgentNotFoundError: It is not there.
        """
        return await AgentRegistry.apply(registry, Unregister(id))

    @staticmethod
    async def batch(
        registry: ServerRef[AgentRegistry],
        operations: Iterable[Operation],
        *,
        on_error: OnError = "rollback",
    ) -> AgentBatchResult:
        """Do many operations in order.

        Args:
            registry: Which one.
            operations: What to do.
            on_error: 'rollback': all in one turn of the registry, or nothing, and no reader
                sees a part of it.  'stop': what comes after the first failure is skipped.
                'continue': each for itself.

        Raises:
            AgentBatchError: Mode 'rollback', and one was refused: nothing was done.
            AgentRegistryError: A wrong mode or too many operations: nothing was done.
        """
        if not is_text(on_error) or on_error not in _MODES:
            hint = meant(near(on_error, _MODES) if is_text(on_error) else None)
            raise AgentRegistryError(
                f"AgentRegistry.batch: on_error must be 'rollback', 'stop' or 'continue'; "
                f"got {safe_repr(on_error, 200)}{hint}"
            )
        wanted = "several operations"
        waiting = checked_items(
            "AgentRegistry.batch", "operations", operations, wanted, _anything, may_be_empty=True
        )
        if on_error == "rollback":
            return await AgentRegistry.apply_all(registry, waiting)
        done: list[AgentEntry] = []
        failed: list[AgentBatchFailure] = []
        for start in range(0, len(waiting), _PART):
            part = waiting[start : start + _PART]
            result = await AgentRegistry.apply_each(registry, part, on_error == "stop")
            done += result.done
            failed += [
                AgentBatchFailure(start + f.index, f.operation, f.error) for f in result.failed
            ]
            if result.failed and on_error == "stop":
                skipped = (*result.skipped, *waiting[start + _PART :])
                return AgentBatchResult(tuple(done), tuple(failed), skipped)
        return AgentBatchResult(tuple(done), tuple(failed))

    # -- reading: in the caller, without a message -----------------------------------------

    @staticmethod
    def lookup(registry: ServerRef[AgentRegistry], id: str) -> AgentEntry:
        """The entry of a live agent.

        Raises:
            AgentNotFoundError: There is none.
            AgentRegistryNotRunningError: The registry is not there, as for everything below.
        """
        check_name("AgentRegistry", "id", id)
        return view_of(registry).tables.living(id)

    @staticmethod
    def whereis(registry: ServerRef[AgentRegistry], id: str) -> Pid[Any] | None:
        """The process of a live agent, or None."""
        entry = view_of(registry).find(id)
        return None if entry is None else entry.pid

    @staticmethod
    def query(
        registry: ServerRef[AgentRegistry], criteria: Criteria = EVERYTHING
    ) -> list[AgentEntry]:
        """The live agents that *criteria* are about, in the order in which they registered.

        Indexed attributes lead straight to them; without one every agent is looked at.
        """
        return view_of(registry).answer(criteria).found

    @staticmethod
    def explain(registry: ServerRef[AgentRegistry], criteria: Criteria) -> str:
        """How a query is answered: the index, or 'scan', and how many agents it looks at."""
        check_criteria(criteria)
        answer = view_of(registry).tables.query(criteria)
        return f"{answer.plan}: {answer.examined} examined, {len(answer.found)} found"

    @staticmethod
    def count(registry: ServerRef[AgentRegistry], criteria: Criteria | None = None) -> int:
        """How many live agents there are, or match."""
        return len(view_of(registry).answer(EVERYTHING if criteria is None else criteria).found)

    @staticmethod
    def indexed_attributes(registry: ServerRef[AgentRegistry]) -> tuple[str, ...]:
        """The paths by which a query need not look at everybody."""
        return view_of(registry).tables.schema.paths()


def _anything(_: object) -> bool:
    """What is no operation is refused in its turn, as one that is."""
    return True
