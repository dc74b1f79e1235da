"""`Reconfigurer`: passes settings that have changed on to the services, while they run.

It stands last in the tree of `System`, so that nothing restarts with it, and everything
that it talks to is there.  It subscribes to the `ConfigServer`; services know neither of the
two.  Each service is told in a task of its own: one that is stuck keeps no other waiting,
and is tried again until it has answered.

A service that is down is not waited for: it reads the settings that hold when it starts
(`Live`).  When this process starts again it passes on everything, since it cannot know what
changed meanwhile.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from suptree.core import ReplyTo, find_runtime
from suptree.errors import (
    CallTimeoutError,
    MailboxFullError,
    NoProcessError,
    NoTableError,
    ServerExitError,
    SuptreeError,
)
from suptree.otp import Continue, GenServer, NoReply, ServerRef, call
from suptree.services import ConfigChanged, ConfigServer
from suptree.system.events import SETTINGS_DELAYED, SETTINGS_PASSED_ON, SETTINGS_REFUSED
from suptree.system.live import Live
from suptree.system.settings import SystemSettings

__all__ = ["Reconfigurer", "ReconfigurerStats"]

FIRST_WAIT: Final = 0.1
LONGEST_WAIT: Final = 5.0


@dataclass(frozen=True, slots=True)
class ReconfigurerStats:
    """What was passed on since it started.

    Attributes:
        passed_on: Times that a service took settings.
        delayed: Tries that a service did not answer in time.
        refused: Times that a service said no, and goes on with what it had.
        down: Times that a service was not there: it reads the settings when it starts.
        behind: Services that are being told now.
    """

    passed_on: int
    delayed: int
    refused: int
    down: int
    behind: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class _Told:
    """The task's message: a service has been told, or need not be."""

    service: str


class Reconfigurer(GenServer):
    """See the module text.

    Args:
        configuration: The `ConfigServer`.
        services: What is live, by name.
        names: The registered names of those services.
    """

    def __init__(
        self,
        configuration: ServerRef[ConfigServer],
        services: Mapping[str, Live],
        names: Mapping[str, str],
    ) -> None:
        self._configuration = configuration
        self._services = dict(services)
        self._names = dict(names)
        # Being told now, and whether the settings have changed since they were read for that.
        self._behind: dict[str, bool] = {}
        self._waiting: list[ReplyTo] = []
        self._passed_on = self._delayed = self._refused = self._down = 0

    def init(self) -> Continue:
        """Catch up, once the supervisor has gone on."""
        return Continue(None)

    async def handle_continue(self, argument: None) -> None:
        """Subscribe, and pass on what nobody was there to pass on."""
        await ConfigServer.subscribe(self._configuration)
        for service in self._services:
            self._pass_on(service)

    @call(timeout=30.0)
    def settled(self) -> NoReply | None:
        """Wait until every service that runs goes by the settings that hold now."""
        if not self._behind:
            return None
        self._waiting = [one for one in self._waiting if not one.done()]
        self._waiting.append(self.sender)
        return NoReply()

    @call
    def stats(self) -> ReconfigurerStats:
        """What was passed on since it started."""
        return ReconfigurerStats(
            self._passed_on, self._delayed, self._refused, self._down, tuple(self._behind)
        )

    def handle_info(self, message: object) -> None:
        """Settings have changed, or a service has been told."""
        match message:
            case ConfigChanged(old=old, new=new):
                for service, live in self._services.items():
                    if live.options(old) != live.options(new):
                        self._pass_on(service)
            case _Told(service):
                if self._behind.pop(service):
                    self._pass_on(service)
                elif not self._behind:
                    self._tell_settled()
            case _:
                super().handle_info(message)

    # -- inside --------------------------------------------------------------------------

    def _pass_on(self, service: str) -> None:
        if service in self._behind:
            self._behind[service] = True
            return
        self._behind[service] = False
        self.start_task(self._tell(service), name=f"settings of {service}")

    async def _tell(self, service: str) -> None:
        """Until it has answered; runs beside this server."""
        runtime = find_runtime("Reconfigurer")
        began, attempts, wait = runtime.now(), 1, FIRST_WAIT
        while (trouble := await self._trouble(service, began, attempts)) is not None:
            self._delayed += 1
            numbers = {"attempts_count": attempts, "retry_after_s": wait}
            facts = {"service": service, "error": str(trouble)}
            runtime.telemetry.emit(SETTINGS_DELAYED, numbers, facts)
            await asyncio.sleep(wait)
            attempts, wait = attempts + 1, min(2 * wait, LONGEST_WAIT)
        self.send_after(0.0, _Told(service))  # a timer: no bound of our mailbox drops it

    async def _trouble(self, service: str, began: float, attempts: int) -> SuptreeError | None:
        """Tell a service what holds now; why it has to be told again."""
        runtime = find_runtime("Reconfigurer")
        facts = {"service": service}
        try:
            # Read here, not when it changed: what was changed twice is told once.
            self._behind[service] = False
            settings: Any = ConfigServer.current(SystemSettings).value
            await self._services[service].reconfigure(self._names[service], settings)
        except (CallTimeoutError, MailboxFullError) as error:
            return error
        except (NoProcessError, ServerExitError, NoTableError):
            self._down += 1  # it, or the server of settings, with which everything starts again
        except (SuptreeError, ValueError, TypeError) as error:
            self._refused += 1
            runtime.telemetry.emit(SETTINGS_REFUSED, {"count": 1}, {**facts, "error": str(error)})
        else:
            self._passed_on += 1
            numbers = {"duration_s": runtime.now() - began, "attempts_count": attempts}
            runtime.telemetry.emit(SETTINGS_PASSED_ON, numbers, facts)
        return None

    def _tell_settled(self) -> None:
        waiting, self._waiting = self._waiting, []
        for sender in waiting:
            self.reply(sender, None)
