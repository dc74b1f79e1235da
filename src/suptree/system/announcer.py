"""`Announcer`: says to the readiness board which services of a tree are up.

The last of the services to start, so everything that it looks for is there.  It watches
each process; the board itself learns of a death, and the announcer of the successor: it
looks for the name again, after `FIRST` seconds, then more and more rarely, up to `LONGEST`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final, NamedTuple

from suptree.core import Down, Ref, find_runtime, monitor
from suptree.otp import Continue, GenServer, ServerRef
from suptree.services import ReadinessBoard

__all__ = ["Announcer"]

FIRST: Final = 0.01
LONGEST: Final = 1.0


class _LookAgain(NamedTuple):
    service: str
    wait: float


class Announcer(GenServer):
    """See the module text.

    Args:
        board: The board.
        services: The registered name of each service.
    """

    def __init__(self, board: ServerRef[ReadinessBoard], services: Mapping[str, str]) -> None:
        self._board = board
        self._services = dict(services)
        self._watched: dict[Ref, str] = {}

    def init(self) -> Continue:
        """Look for everything, once the supervisor has gone on."""
        return Continue("look")

    async def handle_continue(self, argument: Any) -> None:
        """Announce what is there."""
        for service in self._services:
            await self._look(service, FIRST)

    async def handle_info(self, message: object) -> None:
        """A service has ended, or may be there again."""
        match message:
            case Down(ref=ref):
                service = self._watched.pop(ref)
                await self._look(service, FIRST)
            case _LookAgain(service, wait):
                await self._look(service, wait)
            case _:
                super().handle_info(message)

    async def _look(self, service: str, wait: float) -> None:
        runtime = find_runtime("Announcer")
        pid = runtime.whereis(self._services[service])
        if pid is None or runtime.info(pid).state == "init":  # it has its name before it is up
            self.send_after(wait, _LookAgain(service, min(2 * wait, LONGEST)))
            return
        self._watched[monitor(pid)] = service
        await ReadinessBoard.ready(self._board, service, pid=pid)
