"""`Roster`: owns the tables of a monitor supervisor, and does nothing else, so that they outlive the rest.

Two tables: what is watched, by target, and the settings that every monitor is started
with.  Whoever starts or ends a watch writes it here, without a message; whoever starts
again finds here what to go on with.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from suptree.core import Table
from suptree.errors import NoTableError
from suptree.otp import GenServer
from suptree.services.monitoring.errors import NoMonitorsError
from suptree.services.monitoring.watch import HealthSink, Target, Watch

__all__ = ["MonitorSettings", "Roster", "forget_watch", "index_of", "settings_of", "watches_of"]


@dataclass(frozen=True, slots=True)
class MonitorSettings:
    """What every monitor of one supervisor is started with."""

    sink: HealthSink | None
    write_timeout: float


class Roster(GenServer):
    """Owns the tables.

    Args:
        monitors: The name of the monitor supervisor.
        settings: Of its monitors.
        watches: What is watched from the start, and again if this process is lost.
    """

    def __init__(
        self, monitors: str, settings: MonitorSettings, watches: Mapping[Target, Watch]
    ) -> None:
        table: Table[str, MonitorSettings] = Table(f"{monitors}.settings")
        table["settings"] = settings
        kept: Table[Target, Watch] = Table(f"{monitors}.watches", access="public")
        kept.update(watches)
        self._tables = table, kept


def index_of(monitors: str) -> str:
    """The name of the registry in which monitors are found by what they watch."""
    return f"{monitors}.index"


def watches_of(monitors: str) -> Table[Target, Watch]:
    """What is watched.  NoMonitorsError if there is no such supervisor."""
    try:
        return Table.lookup(f"{monitors}.watches")
    except NoTableError:
        raise NoMonitorsError(monitors) from None


def settings_of(monitors: str) -> MonitorSettings:
    """What monitors are started with.  NoMonitorsError if there is no such supervisor."""
    try:
        settings: MonitorSettings = Table.lookup(f"{monitors}.settings")["settings"]
    except NoTableError:
        raise NoMonitorsError(monitors) from None
    return settings


def forget_watch(monitors: str, watch: Watch) -> None:
    """*watch* is over, unless another one has taken its place; no error if the roster is gone too."""
    try:
        kept = watches_of(monitors)
    except NoMonitorsError:
        return
    if kept.get(watch.target) is watch:
        del kept[watch.target]
