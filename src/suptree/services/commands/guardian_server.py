"""`CommandGuardian`: the process that owns the guardian, and starts it when it is needed.

Runs ask it for the guardian.  When that is gone, or does not answer, the next one who
asks gets a new one.  When this process ends, so do the guardian and all commands.
"""

from __future__ import annotations

from collections.abc import Awaitable
from dataclasses import dataclass
from typing import Any, Literal

from suptree.otp import GenServer, call, cast
from suptree.services.commands.events import GUARDIAN_LOST, GUARDIAN_STARTED
from suptree.services.commands.runner import GuardianProcess

__all__ = ["CommandGuardian"]


@dataclass(frozen=True, slots=True)
class _Gone:
    guardian: GuardianProcess


class CommandGuardian(GenServer):
    """See the module text."""

    def __init__(self) -> None:
        self._telemetry = self._process.runtime.telemetry
        self._guardian: GuardianProcess | None = None
        self.own(self, CommandGuardian._let_go)

    @call
    def guardian(self) -> Any:
        """The guardian, started if there is none; or an OSError: why there is none."""
        if self._guardian is None:
            try:
                guardian = GuardianProcess()
            except OSError as error:
                return error
            self._guardian = guardian
            guardian.on_end(lambda: self._tell(_Gone(guardian)))
            self._telemetry.emit(GUARDIAN_STARTED, {"count": 1}, {"os_pid": guardian.pid})
        return self._guardian

    @cast
    def mute(self, guardian: GuardianProcess) -> None:
        """It does not answer: have done with it."""
        if guardian is self._guardian:
            guardian.kill()
            self._lost(guardian, "does not answer")

    def handle_info(self, message: object) -> None:
        """It has ended by itself, or by the hand of somebody."""
        if isinstance(message, _Gone):
            if message.guardian is self._guardian:
                self._lost(message.guardian, "ended")
            return
        super().handle_info(message)

    def _lost(self, guardian: GuardianProcess, why: Literal["ended", "does not answer"]) -> None:
        self._guardian = None
        facts = {"os_pid": guardian.pid, "why": why}
        self._telemetry.emit(GUARDIAN_LOST, {"count": 1}, facts)
        self.start_task(guardian.close(), name="the end of a guardian")

    def _tell(self, message: object) -> None:
        self._process.runtime.send(self.pid, message)

    def _let_go(self) -> Awaitable[None] | None:
        guardian, self._guardian = self._guardian, None
        return None if guardian is None else guardian.close()
