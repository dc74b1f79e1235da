"""`Keeper`: starts the monitors that the roster knows and nobody runs; and how one is started."""

from __future__ import annotations

from typing import Any

from suptree.core import Pid
from suptree.errors import AlreadyStartedError
from suptree.otp import Continue, DynamicSupervisor, GenServer, child, via
from suptree.services.monitoring.agent_monitor import AgentMonitor
from suptree.services.monitoring.roster import index_of, settings_of, watches_of
from suptree.services.monitoring.watch import Watch

__all__ = ["Keeper", "agents_of", "start_monitor"]


class Keeper(GenServer):
    """Starts the monitors that the roster knows and nobody runs: after a restart of their supervisor."""

    def __init__(self, monitors: str) -> None:
        self._monitors = monitors

    def init(self) -> Continue:
        """Answer the supervisor first."""
        return Continue(None)

    async def handle_continue(self, argument: object) -> None:
        """One after another; those that run already are left alone."""
        for target, watch in list(watches_of(self._monitors).items()):
            if watches_of(self._monitors).get(target) is watch:
                await start_monitor(self._monitors, watch)


async def start_monitor(monitors: str, watch: Watch) -> Pid[AgentMonitor]:
    """The monitor of that watch, started if there is none."""
    settings = settings_of(monitors)
    spec = child(
        AgentMonitor,
        watch,
        sink=settings.sink,
        write_timeout=settings.write_timeout,
        home=monitors,
    ).with_(name=via(index_of(monitors), watch.target))
    try:
        return await DynamicSupervisor.start_child(agents_of(monitors), spec)
    except AlreadyStartedError as already:
        pid: Any = already.pid
        return pid  # type: ignore[no-any-return]


def agents_of(monitors: str) -> str:
    """The name of the supervisor of its monitors."""
    return f"{monitors}.agents"
