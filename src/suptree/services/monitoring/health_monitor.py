"""`HealthMonitor`: looks at everything that is registered, and says how the system is.

Checks run beside it, many at once (`max_concurrency`), each with its timeout; those that
hung the last time have at most half of the places, so that they delay nobody else.
First looks are spread by a random delay, and then come on a grid of their own.

A watched process that dies is dead at once.  One that was watched by its name is looked
at again as soon as somebody has the name; one that was watched by its pid is shown, and
counts, for `keep_dead` seconds, and is then forgotten.

What is given as `checks` is there after every restart.  What is registered later is too
if a `table` keeps it (that of a `StateOwner`, which starts first).

>>> import asyncio, suptree as st
>>> from suptree.services import Health, HealthCheck, HealthMonitor
>>> async def main():
...     async with st.Runtime() as rt:
...         checks = [HealthCheck("disk", lambda: Health.DEGRADED, critical=False)]
...         health = await HealthMonitor.start_link(checks)
...         await HealthMonitor.register_agent(health, "worker", rt.spawn(st.receive))
...         await HealthMonitor.force_health_check_all(health)
...         print(await HealthMonitor.verdict(health))
>>> asyncio.run(main())
Verdict(health=<Health.DEGRADED: 'degraded'>, reasons=('disk is degraded: its check said so',))
"""

from __future__ import annotations

from collections import Counter, deque
from sys import maxsize
from typing import Any

from suptree.core import (
    Pid,
)
from suptree.errors import CrossRuntimeError
from suptree.otp import NoReply, ServerRef, call
from suptree.services.monitoring.checks import (
    CheckRecord,
    CheckStatus,
    Function,
    HealthCheck,
    HealthStats,
)
from suptree.services.monitoring.entries import Forced
from suptree.services.monitoring.errors import (
    TooManyChecksError,
    UnknownCheckError,
    wrong,
)
from suptree.services.monitoring.looking import Looking
from suptree.services.monitoring.verdict import Verdict
from suptree.services.monitoring.watch import Target
from suptree.services.parts.checks import check_count, check_name, check_process
from suptree.services.parts.owners import stranger

__all__ = ["HealthMonitor"]


class HealthMonitor(Looking):
    """Checks, what they found, and the verdict.

    Args:
        checks: Those that are there from the start, and after every restart.
        table: Name of a public table that keeps what is registered later; None: a restart
            forgets it.
        max_concurrency: How many looks may run at a time.
        max_checks: How many checks there may be.
        history: How many looks are remembered of each.
        jitter: The part of its interval (0 to 1) within which a check is first looked at.
        keep_dead: Seconds that a process that died is still shown.
        max_dead: How many such are shown; the oldest goes first.
    """

    # -- registering ---------------------------------------------------------------------

    @staticmethod
    async def register_check(
        server: ServerRef[HealthMonitor], check: HealthCheck, *, owner: Pid[Any] | None = None
    ) -> None:
        """Look at *check* from now on; one of the same name is replaced, and its history forgotten.

        Args:
            server: The health monitor.
            check: What to look at, and how.
            owner: The process that it belongs to: the check goes when that ends.

        Raises:
            TooManyChecksError: There are `max_checks` already.
            WatchError: *check* is no `HealthCheck`; nothing was sent.
            ValueError: *owner* is no pid; nothing was sent.
        """
        given: object = check
        if not isinstance(given, HealthCheck):
            raise wrong(
                "HealthMonitor",
                "check",
                "a HealthCheck",
                given,
                "Write HealthCheck(name, function).",
            )
        check_process("HealthMonitor.register_check", "owner", owner, optional=True)
        await HealthMonitor._register(server, check, owner)

    @staticmethod
    async def register_agent(
        server: ServerRef[HealthMonitor],
        name: str,
        process: Target,
        check: Function | None = None,
        *,
        interval: float = 30.0,
        timeout: float = 5.0,
        critical: bool = True,
    ) -> None:
        """Watch a process, by its pid or by its name; see `register_check` and `HealthCheck`.

        Raises:
            WatchError: A wrong value.
            TooManyChecksError: There are `max_checks` already.
        """
        spec = HealthCheck(name, check, process, interval, timeout, critical)
        await HealthMonitor.register_check(server, spec)

    @call(raises=(TooManyChecksError, CrossRuntimeError))
    def _register(self, spec: HealthCheck, owner: Pid[Any] | None) -> None:
        # What is kept outlives this server: none that came after it could watch that process.
        foreign = stranger("HealthMonitor", spec.process, owner)
        if foreign is not None:
            raise foreign
        old = self._entries.get(spec.name)
        if old is None and len(self._entries) >= self._max_checks:
            raise TooManyChecksError(self._max_checks)
        if old is not None:
            self._remove(old)
        self._add(spec, owner)
        self._kept[spec.name] = spec, owner  # last: what cannot be added is not to come again
        self._judge()
        self._arm()

    @staticmethod
    async def unregister(server: ServerRef[HealthMonitor], name: str) -> bool:
        """Look at it no more, and forget it; says whether there was one."""
        check_name("HealthMonitor.unregister", "name", name)
        return await HealthMonitor._unregister(server, name)

    @call
    def _unregister(self, name: str) -> bool:
        entry = self._entries.get(name)
        if entry is None:
            return False
        self._remove(entry)
        self._judge()
        self._pump()
        return True

    # -- asking --------------------------------------------------------------------------

    @call
    def verdict(self) -> Verdict:
        """How the system is, and what is not healthy."""
        return self._judged()

    @staticmethod
    async def get_health_status(server: ServerRef[HealthMonitor], name: str) -> CheckStatus:
        """What is known of one check.  UnknownCheckError if there is none of that name."""
        check_name("HealthMonitor.get_health_status", "name", name)
        return await HealthMonitor._get_status(server, name)

    @call(raises=UnknownCheckError)
    def _get_status(self, name: str) -> CheckStatus:
        return self._status_of(self._known(name))

    @call
    def get_all_health_statuses(self) -> dict[str, CheckStatus]:
        """What is known of every check, in the order in which they were registered."""
        return {name: self._status_of(entry) for name, entry in self._entries.items()}

    @staticmethod
    async def get_history(server: ServerRef[HealthMonitor], name: str) -> list[CheckRecord]:
        """The last looks, oldest first.  UnknownCheckError if there is no such check."""
        check_name("HealthMonitor.get_history", "name", name)
        return await HealthMonitor._get_history(server, name)

    @call(raises=UnknownCheckError)
    def _get_history(self, name: str) -> list[CheckRecord]:
        return list(self._known(name).history)

    @call
    def stats(self) -> HealthStats:
        """What was done, and is under way."""
        return HealthStats(
            checks=len(self._entries),
            by_health=dict(Counter(one.track.health for one in self._entries.values())),
            dead=len(self._dead),
            running=self._jobs.running,
            waiting=self._queue.waiting,
            stuck=self._jobs.stuck,
            looks=self._looks,
            timeouts=self._timeouts,
            abandoned=self._jobs.abandoned,
            deaths=self._deaths,
            forgotten=self._forgotten,
            verdicts=self._verdicts,
        )

    # -- looking now ---------------------------------------------------------------------

    @staticmethod
    async def force_health_check(server: ServerRef[HealthMonitor], name: str) -> CheckStatus:
        """Look now, or share the look that is under way; returns what is known after it.

        Raises:
            UnknownCheckError: There is no such check, or it was unregistered meanwhile.
        """
        check_name("HealthMonitor.force_health_check", "name", name)
        return (await HealthMonitor._force(server, name))[name]

    @staticmethod
    async def force_health_check_all(server: ServerRef[HealthMonitor]) -> dict[str, CheckStatus]:
        """Look at everything now, as many at a time as may; returns what is known after it."""
        return await HealthMonitor._force(server, None)

    @call(timeout=None, raises=UnknownCheckError)  # every look ends in time
    def _force(self, name: str | None) -> dict[str, CheckStatus] | NoReply:
        entries = list(self._entries.values()) if name is None else [self._known(name)]
        wanted = [entry for entry in entries if not entry.gone]
        if not wanted:
            return self._statuses(name)
        forced = Forced(self.sender, {entry.number for entry in wanted}, name)
        for entry in wanted:
            entry.forced.append(forced)
        for entry in wanted:
            self._begin(entry)
        self._arm()
        return NoReply()

    # -- other settings ------------------------------------------------------------------

    @staticmethod
    async def reconfigure(
        server: ServerRef[HealthMonitor],
        *,
        max_concurrency: int | None = None,
        max_checks: int | None = None,
        history: int | None = None,
    ) -> None:
        """Go by other bounds from now on; what is not given stays as it is.

        No check is removed, and no look that is under way ends, where a bound gets smaller: it
        holds for what comes.  Of a history that is too long the oldest looks go.

        Raises:
            BadArgumentError: One of them is no whole number above 0; nothing was changed.
        """
        for name, value in (
            ("max_concurrency", max_concurrency),
            ("max_checks", max_checks),
            ("history", history),
        ):
            check_count("HealthMonitor.reconfigure", name, value, optional=True)
        await HealthMonitor._reconfigure(server, max_concurrency, max_checks, history)

    @call
    def _reconfigure(
        self, max_concurrency: int | None, max_checks: int | None, history: int | None
    ) -> None:
        self._max_checks = max_checks or self._max_checks
        if history is not None and history != self._history:
            self._history = history
            for entry in self._entries.values():
                entry.history = deque(entry.history, maxlen=min(history, maxsize))
        if max_concurrency is not None:
            self._queue.resize(max_concurrency)
            self._pump()
