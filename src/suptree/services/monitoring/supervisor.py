"""`MonitorSupervisor`: a monitor for each process that is to be watched.

    monitors                 rest_for_one
    ├── monitors.roster      what is watched; first, so that it outlives the others
    ├── monitors.index       a registry: the monitor of each target, and what it knows
    ├── monitors.agents      a dynamic supervisor of `AgentMonitor`s, transient
    └── monitors.keeper      starts what the roster says and is not there

If monitors crash so often that their supervisor gives up, it is started again and the
keeper starts all of them anew.  If the roster itself is lost, what is watched from the
start (`watch`) comes back, and what was added later must be added again.

Reading (status, list, count, stats) sends no message, so it never waits for a monitor.

>>> import asyncio, suptree as st
>>> from suptree.services import MonitorSupervisor
>>> async def main():
...     async with st.Runtime() as rt:
...         await MonitorSupervisor.child(name="monitors").start_link()
...         agent = rt.spawn(st.receive)
...         await MonitorSupervisor.start_monitoring("monitors", agent)
...         print(MonitorSupervisor.monitor_count("monitors"))
...         print((await MonitorSupervisor.force_health_check("monitors", agent)).health)
>>> asyncio.run(main())
1
healthy
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Any, Final

from suptree.core import Pid, find_runtime
from suptree.errors import (
    ChildNotFoundError,
    NoProcessError,
    RegistryError,
    ServerExitError,
    SuptreeError,
)
from suptree.otp import (
    ChildSpec,
    DynamicSupervisor,
    Registry,
    Supervisor,
    child,
)
from suptree.services.monitoring.agent_monitor import AgentMonitor
from suptree.services.monitoring.errors import (
    NoMonitorsError,
    NotMonitoredError,
    WatchError,
    wrong,
)
from suptree.services.monitoring.health import Health
from suptree.services.monitoring.keeper import Keeper, agents_of, start_monitor
from suptree.services.monitoring.roster import (
    MonitorSettings,
    Roster,
    forget_watch,
    index_of,
    watches_of,
)
from suptree.services.monitoring.watch import (
    Check,
    HealthSink,
    MonitorStatus,
    Target,
    Watch,
    check_seconds,
    check_target,
)
from suptree.services.parts.checks import is_text

__all__ = ["MonitorStats", "MonitorSupervisor"]

_AT_ONCE: Final = 100  # forced checks under way at a time


@dataclass(frozen=True, slots=True)
class MonitorStats:
    """The monitors that run, together.

    Attributes:
        monitors: How many there are.
        by_health: How many of what they watch are how.
        checks: Looks that were begun; the other counts are as in `MonitorStatus`.
    """

    monitors: int
    by_health: Mapping[Health, int]
    checks: int
    failures: int
    timeouts: int
    abandoned: int
    stuck: int
    changes: int
    flaps: int
    deaths: int
    rebinds: int
    writes: int
    write_failures: int


class MonitorSupervisor:
    """The client of monitor supervisors; `monitors` is everywhere the name of one."""

    @staticmethod
    def child(
        *,
        name: str = "monitors",
        sink: HealthSink | None = None,
        watch: Iterable[Watch] = (),
        write_timeout: float = 5.0,
        max_monitors: int | None = None,
        max_restarts: int = 100,
        max_seconds: float = 5.0,
    ) -> ChildSpec[Any]:
        """The child spec of a monitor supervisor.

        Args:
            name: Its registered name.
            sink: Where health is written on change; None: nowhere.
            watch: What is watched from the start, after every restart too: by name.
            write_timeout: Seconds that the sink has for a write.
            max_monitors: How many there may be; None: any number.
            max_restarts: Restarts of monitors allowed in *max_seconds*.
            max_seconds: See *max_restarts*.

        Raises:
            WatchError: A wrong value, or the same target twice.
            SupervisorOptionsError: A wrong limit.
        """
        if not is_text(name) or not name:
            raise wrong("MonitorSupervisor", "name", "a non-empty string", name)
        check_seconds(f"MonitorSupervisor {name!r}", "write_timeout", write_timeout)
        watches: dict[Target, Watch] = {}
        for one in watch:
            if not isinstance(one, Watch):
                raise wrong(
                    f"MonitorSupervisor {name!r}",
                    "watch",
                    "Watches",
                    one,
                    "Write Watch(target, check).",
                )
            if one.target in watches:
                got = f"{one.target!r} twice"
                raise WatchError(f"MonitorSupervisor {name!r}", "watch", "of one target each", got)
            watches[one.target] = one
        children: Sequence[ChildSpec[Any]] = (
            child(Roster, name, MonitorSettings(sink, write_timeout), watches).with_(
                name=f"{name}.roster"
            ),
            Registry.child(name=index_of(name)),
            DynamicSupervisor.child(
                name=agents_of(name),
                max_children=max_monitors,
                max_restarts=max_restarts,
                max_seconds=max_seconds,
            ),
            child(Keeper, name).with_(name=f"{name}.keeper"),
        )
        tree = Supervisor.child(children, strategy="rest_for_one", name=name)
        return tree.with_(modules=(MonitorSupervisor,))

    # -- starting and stopping -----------------------------------------------------------

    @staticmethod
    async def start_monitoring(
        monitors: str,
        target: Target,
        check: Check | None = None,
        *,
        interval: float = 30.0,
        timeout: float = 5.0,
        fall: int = 2,
        rise: int = 2,
        rebind_within: float | None = 60.0,
        jitter: float = 0.1,
    ) -> Pid[AgentMonitor]:
        """Have *target* watched; what is watched already goes on as it is.

        A process and its name are two targets: the one ends with the process, the other
        goes on with the next process of that name.

        Args:
            monitors: The monitor supervisor.
            target: A pid, a name, or `via(registry, key)`.
            check: Called with the process, beside the monitor; None asks it to answer.
            interval: Seconds between two looks; the first one comes at once.
            timeout: Seconds that a look may take.
            fall: Looks in a row that must be worse, to go down.
            rise: Looks in a row that must be better, to come up.
            rebind_within: Seconds that a name may be nobody's; None: any time.
            jitter: The random part of the interval, 0 to 1.

        Returns:
            The monitor.

        Raises:
            WatchError: A wrong value.
            NoMonitorsError: There is no such supervisor, or it is being restarted.
            MaxChildrenError: It has as many monitors as it may.
        """
        watch = Watch(target, check, interval, timeout, fall, rise, rebind_within, jitter)
        kept = watches_of(monitors)
        fresh = kept.insert_new(target, watch)
        try:
            return await start_monitor(monitors, kept[target])
        except NoProcessError:
            _take_back(monitors, fresh, watch)
            raise NoMonitorsError(monitors) from None
        except SuptreeError:
            _take_back(monitors, fresh, watch)
            raise

    @staticmethod
    async def stop_monitoring(monitors: str, target: Target) -> bool:
        """End the watch of *target*; its health stays as it was written.

        Returns:
            Whether it was watched.

        Raises:
            NoMonitorsError: There is no such supervisor.
        """
        check_target("MonitorSupervisor.stop_monitoring", target)
        found = watches_of(monitors).pop(target, None) is not None
        pid = _monitor_of(monitors, target)
        if pid is None:
            return found
        try:
            await DynamicSupervisor.terminate_child(agents_of(monitors), pid)
        except ChildNotFoundError:  # it has just ended by itself
            return found
        except NoProcessError:
            raise NoMonitorsError(monitors) from None
        return True

    # -- asking ----------------------------------------------------------------------------

    @staticmethod
    def list_monitored_agents(monitors: str) -> list[Target]:
        """What is watched, in the order in which the watches began.

        Raises:
            NoMonitorsError: There is no such supervisor.
        """
        return list(watches_of(monitors))

    @staticmethod
    def monitor_count(monitors: str) -> int:
        """How many monitors run.  NoMonitorsError without the supervisor."""
        return len(_statuses(monitors))

    @staticmethod
    def get_health_status(monitors: str, target: Target) -> MonitorStatus:
        """What the monitor of *target* knew after its last message.

        Raises:
            NotMonitoredError: Nothing watches it.
            NoMonitorsError: There is no such supervisor.
        """
        check_target("MonitorSupervisor.get_health_status", target)
        try:
            found = Registry.lookup(index_of(monitors), target)
        except RegistryError:
            raise NoMonitorsError(monitors) from None
        if not found or found[0][1] is None:
            raise NotMonitoredError(monitors, target)
        status: MonitorStatus = found[0][1]
        return status

    @staticmethod
    def get_all_health_statuses(monitors: str) -> dict[Target, MonitorStatus]:
        """What every monitor knew after its last message.  NoMonitorsError without the supervisor."""
        return _statuses(monitors)

    @staticmethod
    def stats(monitors: str) -> MonitorStats:
        """All monitors together.  NoMonitorsError without the supervisor."""
        statuses = _statuses(monitors).values()
        counts = {
            field.name: sum(getattr(one, field.name) for one in statuses)
            for field in fields(MonitorStats)
            if field.name not in ("monitors", "by_health")
        }
        by_health = Counter(one.health for one in statuses)
        return MonitorStats(monitors=len(statuses), by_health=dict(by_health), **counts)

    @staticmethod
    def health_check(monitors: str) -> bool:
        """Whether all of its own processes are there: a check for `HealthMonitor`."""
        runtime = find_runtime("MonitorSupervisor")
        parts = (monitors, f"{monitors}.roster", index_of(monitors), agents_of(monitors))
        return all(runtime.whereis(part) is not None for part in (*parts, f"{monitors}.keeper"))

    # -- looking now -------------------------------------------------------------------------

    @staticmethod
    async def force_health_check(monitors: str, target: Target) -> MonitorStatus:
        """Look at *target* now; returns what is known after the look, which ends in its time.

        Raises:
            NotMonitoredError: Nothing watches it, or its monitor ended meanwhile.
            NoMonitorsError: There is no such supervisor.
        """
        check_target("MonitorSupervisor.force_health_check", target)
        pid = _monitor_of(monitors, target)
        if pid is None:
            raise NotMonitoredError(monitors, target)
        try:
            return await AgentMonitor.force_check(pid)
        except (NoProcessError, ServerExitError):
            raise NotMonitoredError(monitors, target) from None

    @staticmethod
    async def force_health_check_all(monitors: str) -> dict[Target, MonitorStatus]:
        """Look at everything now, a hundred at a time; those whose monitor ends are left out.

        Raises:
            NoMonitorsError: There is no such supervisor.
        """
        found: dict[Target, MonitorStatus] = {}
        targets = list(_statuses(monitors))
        for begin in range(0, len(targets), _AT_ONCE):
            asked = [
                (target, AgentMonitor.force_check.send_request(pid))
                for target in targets[begin : begin + _AT_ONCE]
                if (pid := _monitor_of(monitors, target)) is not None
            ]
            for target, request in asked:
                await request.wait(None)
                if request.error is None:
                    found[target] = request.result()
        return found


def _take_back(monitors: str, fresh: bool, watch: Watch) -> None:
    if fresh:
        forget_watch(monitors, watch)


def _monitor_of(monitors: str, target: Target) -> Pid[AgentMonitor] | None:
    try:
        return Registry.whereis(index_of(monitors), target)
    except RegistryError:
        raise NoMonitorsError(monitors) from None


def _statuses(monitors: str) -> dict[Target, MonitorStatus]:
    try:
        entries = Registry.select(index_of(monitors))
    except RegistryError:
        raise NoMonitorsError(monitors) from None
    return {entry.key: entry.value for entry in entries if entry.value is not None}
