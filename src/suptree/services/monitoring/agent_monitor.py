"""`AgentMonitor`: one process that watches one process, or whoever has one name.

It monitors before it looks, looks at once, and then every interval.  A look never blocks
it: it answers while one hangs.  Health goes to a `HealthSink` on change only.

A pid that has died is written down as dead, once, and the monitor ends normally.  A name
that nobody has is dead until its next process is there, which is looked for with a
back-off; after `rebind_within` seconds the monitor ends.  Stopping the monitor says
nothing about what it watched: its health stays as it was written.

Usually `MonitorSupervisor` starts it.  By itself:

>>> import asyncio, suptree as st
>>> from suptree.services import AgentMonitor, Watch
>>> async def main():
...     async with st.Runtime() as rt:
...         agent = rt.spawn(st.receive)
...         monitor = await AgentMonitor.start_link(Watch(agent))
...         return (await AgentMonitor.force_check(monitor)).health
>>> asyncio.run(main())
<Health.HEALTHY: 'healthy'>
"""

from __future__ import annotations

from suptree.core import NOPROC, NORMAL, Down, Exit, Pid, find_runtime
from suptree.otp import NoReply, Registry, Stop, call
from suptree.services.monitoring.events import MONITOR_STARTED, MONITOR_STOPPED
from suptree.services.monitoring.following import CheckDue, FindDue, Following
from suptree.services.monitoring.health import Health
from suptree.services.monitoring.jobs import JobNews
from suptree.services.monitoring.roster import forget_watch, index_of
from suptree.services.monitoring.watch import MonitorStatus
from suptree.services.monitoring.writer import Rewrite

__all__ = ["AgentMonitor"]


class AgentMonitor(Following, restart="transient", shutdown=5.0):
    """Watches what *watch* says.

    Args:
        watch: What, and how.
        sink: Where the health is written; None: it is only kept here.
        write_timeout: Seconds that the sink has for a write.
        home: The name of the `MonitorSupervisor` that it belongs to, if any.
    """

    trap_exit = True

    def init(self) -> None:
        """Monitor first, then look."""
        self._tell(MONITOR_STARTED, {"interval_s": self._watch.interval})
        target = self._watch.target
        if isinstance(target, Pid):
            self._bind(target)  # dead already: its Down comes at once
        else:
            self._lost_at = find_runtime("AgentMonitor").now()
            if not self._find():
                self._lost(None, NOPROC)
        self._publish()

    # -- requests ------------------------------------------------------------------------

    @call
    def status(self) -> MonitorStatus:
        """What it knows; it answers while a check hangs too."""
        return self._status()

    @call(timeout=None)  # the check ends in time
    def force_check(self) -> NoReply | MonitorStatus:
        """Look now, or share the look that is under way; returns what is known after it."""
        if self._agent is None and not (self._watch.by_name and self._find()):
            return self._status()
        self._waiters.append(self.sender)
        self._look()
        self._publish()
        return NoReply()

    # -- messages ------------------------------------------------------------------------

    def handle_info(self, message: object) -> Stop | None:
        """A look is due or has ended, or the agent has."""
        match message:
            case Down(ref=ref, reason=reason) if ref == self._ref:
                self._died(reason)
            case JobNews():
                self._told(message)
            case CheckDue():
                self._timer = None
                self._look()
            case FindDue():
                self._timer = None
                self._find_again()
            case Rewrite() if self._writer is not None:
                self._writer.again()
            case Exit(reason=reason):
                return None if reason is NORMAL else Stop(reason)
            case Down():  # of a process that had the name before
                return None
            case _:
                super().handle_info(message)
                return None
        self._publish()
        return self._end()

    def terminate(self, reason: object) -> None:
        """Say goodbye; the health stays as it was written, and the timers go with the process."""
        if self._home is not None and reason is NORMAL:
            forget_watch(self._home, self._watch)
        health = {"health": self._track.health, "reason": reason}
        self._tell(MONITOR_STOPPED, {"checks_count": self._checks}, health)

    def _end(self) -> Stop | None:
        """The normal end of a monitor that has nothing left to watch and nothing to write."""
        written = self._writer is None or self._writer.is_over(Health.DEAD)
        return Stop(NORMAL) if self._ending and written else None

    def _publish(self) -> None:
        """Put the status where everybody reads it without a message."""
        if self._home is not None:
            Registry.update_value(
                index_of(self._home), self._watch.target, lambda _: self._status()
            )
