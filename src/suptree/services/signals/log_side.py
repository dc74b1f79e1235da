"""The side of a bus for its log: `SignalBus.replay`."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from sys import float_info
from typing import Final

from suptree.otp import ServerRef, call, cast
from suptree.services.parts.checks import is_text
from suptree.services.signals import events
from suptree.services.signals.bus_state import PAGE, BusState
from suptree.services.signals.errors import ReplayPointError, SignalOptionsError
from suptree.services.signals.paths import SignalPath
from suptree.services.signals.subscription import check_count
from suptree.services.signals.values import LoggedSignal

__all__ = ["Replaying"]

_LARGEST: Final = float_info.max


@dataclass(frozen=True, slots=True)
class _Point:
    """From where to where the log is read."""

    after: int
    last: int


class Replaying(BusState):
    """Reading the log: the bus gives pages, the reader looks through them."""

    __front__ = "SignalBus"

    @staticmethod
    async def replay(
        bus: ServerRef[Replaying],
        path: str = "**",
        *,
        since: str | datetime | float | None = None,
        limit: int | None = None,
    ) -> list[LoggedSignal]:
        """Read signals from the log, oldest first.

        The bus gives pages of 1000, and the caller looks through them.  What is published
        meanwhile is not among them.

        Args:
            bus: A pid or a name.
            path: The types, see `paths`.
            since: The id of a signal: those after it.  A time (with a time zone, or in seconds
                since 1970): those published then or later.  None: all.
            limit: So many at most; None: all.

        Raises:
            ReplayPointError: The signal of that id is not in the log.
            SignalPathError: The path is not written like one.
            SignalOptionsError: *since* or *limit* is not as said here.
        """
        who = "SignalBus.replay"
        wanted = SignalPath(path)
        if limit is not None:
            check_count(who, "limit", limit, 1)
        point = await Replaying._point(bus, _since(who, since))
        after, last = point.after, point.last
        fits: dict[str, bool] = {}
        found: list[LoggedSignal] = []
        read = 0
        while after < last:
            page = await Replaying._page(bus, after, last)
            for entry in page:
                read += 1
                type = entry.signal.type
                fit = fits.get(type)
                if fit is None:
                    fit = fits[type] = wanted.matches(type)
                if fit:
                    found.append(entry)
                    if len(found) == limit:
                        break
            if not page or len(found) == limit:
                break
            after = page[-1].seq
        Replaying._replayed(bus, path, read, len(found))
        return found

    @call(raises=ReplayPointError)
    def _point(self, since: str | float | None) -> _Point:
        log = self.log
        fresh = log.fresh_from(self.now())
        if isinstance(since, str):
            seq = log.seq_of(since)
            if seq is None or seq < fresh:
                raise ReplayPointError(since, log.id_at(fresh))
            return _Point(seq, log.last)
        after = 0 if since is None else log.seq_before(since)
        return _Point(max(after, fresh - 1), log.last)

    @call
    def _page(self, after: int, last: int) -> list[LoggedSignal]:
        return self.log.page(after, PAGE, last)

    @cast
    def _replayed(self, path: str, read: int, found: int) -> None:
        self._process.runtime.telemetry.emit(
            events.REPLAYED,
            {"read_count": read, "found_count": found},
            {"bus": self.label, "path": path},
        )


def _since(who: str, since: object) -> str | float | None:
    if since is None or (isinstance(since, str) and is_text(since)):
        return since
    if isinstance(since, datetime) and since.utcoffset() is not None:
        return since.timestamp()
    if isinstance(since, (int, float)) and not isinstance(since, bool) and abs(since) <= _LARGEST:
        return float(since)
    raise SignalOptionsError(
        who, "since", "an id, a datetime with a time zone, or seconds since 1970", since
    )
