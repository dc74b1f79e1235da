"""`TaskPoolServer`: the process behind `TaskPoolManager`; its requests and its pools.

It runs nobody's code: `places.py` says who has a place and who waits, and the supervisors of the
pools are started and stopped by processes beside it, so that it never waits for one.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Any, Final

from suptree.core import Down, Pid, monitor, spawn_link
from suptree.errors import SuptreeError
from suptree.otp import ChildSpec, DynamicSupervisor, GenServer, NoReply, ServerRef, call, cast
from suptree.services.parts.checks import check_count, check_kind, check_name, checked_by_name
from suptree.services.parts.owners import stranger
from suptree.services.parts.plain import from_plain
from suptree.services.parts.store import Store, checked_store
from suptree.services.task_pools.config import DEFAULT_POOLS, TaskPoolConfig
from suptree.services.task_pools.errors import (
    TaskPoolError,
    TaskPoolExistsError,
    TaskPoolFullError,
    TooManyTaskPoolsError,
    UnknownTaskPoolError,
)
from suptree.services.task_pools.job import Job
from suptree.services.task_pools.places import Places
from suptree.services.task_pools.pool import Pool
from suptree.services.task_pools.starting import (
    open_pool,
    pool_spec,
    start_pool,
    stop_pool,
    wait_gone,
)
from suptree.services.task_pools.status import TaskPoolStats, TaskPoolStatus
from suptree.services.task_pools.telling import Teller

__all__ = ["SPACE", "TaskPoolServer", "check_pool"]

SPACE: Final = "task_pools"


class TaskPoolServer(GenServer):
    """The handlers of `TaskPoolManager`, which see."""

    __front__ = "TaskPoolManager"

    def __init__(
        self,
        pools: Mapping[str, TaskPoolConfig] | None = None,
        *,
        supervisor: ServerRef[Any] | None = None,
        store: Store | None = None,
        max_pools: int = 100,
    ) -> None:
        check_count("TaskPoolManager", "max_pools", max_pools)
        own = checked_by_name("TaskPoolManager", "pools", pools, "TaskPoolConfig")
        self._configs = {**DEFAULT_POOLS, **own}
        for name, config in self._configs.items():
            check_pool("TaskPoolManager", name, config)
        self._supervisor = supervisor
        self._store = checked_store("TaskPoolManager", store)
        self._limit = max_pools
        self._prefix: str | None = None
        self._tell = Teller(self._process.runtime)
        self._places = Places(self, self._tell, self._freed)
        self._pools: dict[str, Pool] = {}
        self._supervisors: dict[Pid[Any], Pool] = {}

    async def init(self) -> None:
        """Start the pools: the default ones, the declared ones, and those that are stored."""
        if self._supervisor is None:
            self._supervisor = await DynamicSupervisor.start_link()
        elif self._process.name is not None:
            self._prefix = self._process.name
            await wait_gone(self._process.runtime, f"{self._prefix}.")
        if self._store is not None:
            for name, data in (await self._store.load(SPACE)).items():
                self._configs[name] = from_plain(TaskPoolConfig, data)
        for name, config in self._configs.items():
            pool = self._pools[name] = Pool(name, config)
            self._set_up(pool, await start_pool(self._supervisor, self._spec(pool)))

    @call
    def all(self) -> dict[str, TaskPoolStatus]:
        """How all of them stand, by name."""
        return {name: pool.status() for name, pool in self._pools.items()}

    @call
    def stats(self) -> TaskPoolStats:
        """The service as a whole."""
        pools = self._pools.values()
        return TaskPoolStats(
            pools=len(self._pools),
            running=sum(len(pool.running) for pool in pools),
            waiting=sum(len(pool.line) for pool in pools),
            owners=self._places.owners(),
            released=self._places.released,
        )

    # -- requests of the functions above ---------------------------------------------------------------

    @call(timeout=None)
    def _enter(self, name: str, job: Job, resident: bool) -> Pid[Any] | SuptreeError | NoReply:
        pool = self._pools.get(name)
        if pool is None:
            return UnknownTaskPoolError(name, self._pools)
        foreign = None if job.owner is None else self._foreign(job.owner)
        if foreign is not None:
            return foreign
        pool.submitted += 1
        match pool.entry(job.owner, resident=resident):
            case "place":
                assert pool.supervisor is not None
                self._places.give(pool, job)
                return pool.supervisor
            case "line":
                timeout = None if resident else pool.config.wait_timeout
                self._places.wait(pool, job, self.sender, timeout)
                return NoReply()
            case why:
                pool.rejected += 1
                self._tell.rejected(pool, why)
                return TaskPoolFullError(name, why, pool.config.max_concurrency, len(pool.line))

    @cast
    def _began(self, job: Job, pid: Pid[Any]) -> None:
        self._places.watch(job, pid)

    @cast
    def _leave(self, job: Job) -> None:
        self._places.drop(job)

    @call
    def _status(self, name: str) -> TaskPoolStatus | TaskPoolError:
        pool = self._pools.get(name)
        return UnknownTaskPoolError(name, self._pools) if pool is None else pool.status()

    @call(timeout=None)
    def _create(
        self, name: str, config: TaskPoolConfig
    ) -> tuple[SuptreeError | None, Store | None] | NoReply:
        if name in self._pools:
            return TaskPoolExistsError(name), None
        if len(self._pools) >= self._limit:
            return TooManyTaskPoolsError(name, self._limit), None
        pool = self._pools[name] = Pool(name, config)
        pool.opening.append(self.sender)
        failed = partial(TaskPoolServer._failed, self.pid, pool)
        spawn_link(open_pool, self._supervisor, self._spec(pool), failed)
        return NoReply()

    @call
    def _update(
        self, name: str, config: TaskPoolConfig
    ) -> tuple[TaskPoolError | None, Store | None]:
        pool = self._pools.get(name)
        if pool is None:
            return UnknownTaskPoolError(name, self._pools), None
        pool.config = config
        self._tell.changed(pool, len(self._pools))
        self._places.admit(pool)
        return None, self._store

    @call
    def _reconfigure(self, max_pools: int | None) -> None:
        self._limit = max_pools or self._limit

    @call(timeout=None)
    def _close(self, name: str) -> tuple[bool, Store | None] | NoReply:
        pool = self._pools.get(name)
        if pool is None:
            return False, self._store
        if pool.closing is None:
            pool.closing = []
            for job in list(pool.line):
                self._places.refuse(job, "closed")
            if pool.supervisor is not None:
                self._stop(pool.supervisor)
        pool.closing.append(self.sender)
        return NoReply()

    @cast
    def _failed(self, pool: Pool, error: SuptreeError) -> None:
        """It could not be started: there is no such pool."""
        if self._pools.get(pool.name) is pool:
            del self._pools[pool.name]
        for job in list(pool.line):
            self._places.refuse(job, "closed")
        for reply_to in pool.opening:
            self.reply(reply_to, (error, None))
        for reply_to in pool.closing or ():
            self.reply(reply_to, (False, self._store))

    @cast
    def _up(self, pool: Pool, pid: Pid[Any]) -> None:
        if self._pools.get(pool.name) is not pool:
            self._stop(pid)
        elif pool.supervisor != pid:
            self._set_up(pool, pid)
            self._opened(pool)

    def handle_info(self, message: object) -> None:
        """The end of a task, of a caller or of a pool's supervisor; the time of a job is over."""
        if isinstance(message, Down):
            pool = self._supervisors.get(message.process)  # type: ignore[arg-type]
            if pool is not None and pool.ref == message.ref:
                self._down(pool)
                return
        self._places.heard(message)

    # -- inside: the pools -----------------------------------------------------------------------------------

    def _spec(self, pool: Pool) -> ChildSpec[Any]:
        registered = None if self._prefix is None else f"{self._prefix}.{pool.name}"
        tell = partial(TaskPoolServer._up, self.pid, pool)
        return pool_spec(registered, f"task pool {pool.name}", tell)

    def _set_up(self, pool: Pool, pid: Pid[Any]) -> None:
        if pool.supervisor is not None:  # it has died so early that its Down is still to come
            self._supervisors.pop(pool.supervisor, None)
        pool.supervisor = pid
        pool.ref = monitor(pid)
        self._supervisors[pid] = pool

    def _opened(self, pool: Pool) -> None:
        if pool.closing is not None:
            assert pool.supervisor is not None
            self._stop(pool.supervisor)
        elif pool.opening:
            self._tell.changed(pool, len(self._pools))
        else:
            self._tell.restarted(pool)
        opening, pool.opening = pool.opening, []
        for reply_to in opening:
            self.reply(reply_to, (None, self._store))
        self._places.admit(pool)

    def _down(self, pool: Pool) -> None:
        """Its supervisor has ended; if the pool is not closed, supervision brings another."""
        assert pool.supervisor is not None
        del self._supervisors[pool.supervisor]
        pool.supervisor = pool.ref = None
        self._freed(pool)

    def _freed(self, pool: Pool) -> None:
        """A place is free, or its supervisor gone: somebody comes in, or it is closed at last."""
        self._places.admit(pool)
        if pool.closing is None or pool.supervisor is not None or pool.running:
            return
        if self._pools.get(pool.name) is not pool:
            return
        del self._pools[pool.name]
        self._tell.closed(pool, len(self._pools))
        for reply_to in pool.closing:
            self.reply(reply_to, (True, self._store))

    def _foreign(self, owner: Pid[Any]) -> SuptreeError | None:
        runtime = self._process.runtime
        return None if owner.runtime is runtime else stranger("TaskPoolManager", owner)

    def _stop(self, pid: Pid[Any]) -> None:
        assert self._supervisor is not None
        spawn_link(stop_pool, self._supervisor, pid)


def check_pool(who: str, name: object, config: object) -> None:
    """Refuse what is no name, or no configuration.

    Raises:
        BadArgumentError: It will not do.
    """
    check_name(who, "pool", name)
    check_kind(who, f"config of {name!r}", config, TaskPoolConfig, "a TaskPoolConfig")
