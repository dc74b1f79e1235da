"""`ConfigServer`: holds the configuration of a running system, and changes it all or not at all.

It begins with a `Configuration` that was loaded before anything started.  `reload` reads
the same sources again, in a thread.  If anything is wrong with them, or if a setting would
change that is `Fixed`, nothing changes and who asked is told all of it.  Otherwise the new
value holds, and each subscriber gets a `ConfigChanged` for each section that it asked for.

Reading sends no message: `ConfigServer.current(Settings)` looks into a table.  When the
server is started again it begins with what held last, if it has a table to `keep` that in,
else with the same value as at first, and reads the sources anew at once; subscriptions end
with it, so a subscriber starts after it and with it (`rest_for_one`), or monitors it.

>>> configuration = load_configuration(Settings, file="app.toml")
>>> server = await ConfigServer.start_link(configuration)
>>> await ConfigServer.subscribe(server, "scheduler")       # in a process
>>> await ConfigServer.reload(server)
(Change(path='scheduler.tick', old=0.5, new=0.25, ...),)
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, MutableMapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, TypeVar

import msgspec

from suptree.core import ReplyTo, Table, check_delay, find_runtime
from suptree.errors import BadArgumentError, NotInProcessError
from suptree.otp import Continue, GenServer, NoReply, call
from suptree.services.configuration.errors import (
    ConfigurationError,
    ConfigurationFixedError,
    ConfigurationInvalidError,
    ConfigurationSchemaError,
    UnknownSectionError,
)
from suptree.services.configuration.events import RELOAD_APPLIED, RELOAD_REFUSED
from suptree.services.configuration.load import load_again
from suptree.services.configuration.problems import Problem, Source
from suptree.services.configuration.value import (
    Change,
    Configuration,
    Sources,
    diff_configurations,
)
from suptree.services.parts.checks import check_text
from suptree.services.parts.subscribers import Subscribers

__all__ = ["ConfigChanged", "ConfigServer", "ConfigStats"]

S = TypeVar("S", bound=msgspec.Struct)

_CURRENT: Final = "current"
_SPACE: Final = "configuration"


@dataclass(frozen=True, slots=True)
class ConfigChanged:
    """What a subscriber gets.

    Attributes:
        section: The path that it subscribed to; "" is everything.
        old: What was there: a Struct, or a value.
        new: What is there now; ABSENT if it is not there any more.
        changed_paths: The dotted paths of the settings in it that differ.
    """

    section: str
    old: Any
    new: Any
    changed_paths: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class ConfigStats:
    """What a server has done since it started.

    Attributes:
        applied: Reloads that hold, those that changed nothing included.
        refused: Reloads that were refused.
        changes: Settings changed, by all of them.
        told: Messages sent to subscribers.
        lost: Messages that the full mailbox of a subscriber rejected.
        subscribers: Processes that are subscribed.
        last_refusal: Why the last reload was refused; None since one was applied.
    """

    applied: int
    refused: int
    changes: int
    told: int
    lost: int
    subscribers: int
    last_refusal: str | None


@dataclass(frozen=True, slots=True)
class _Read:
    """The task's message: what came of reading."""

    outcome: Configuration[Any] | ConfigurationError


class ConfigServer(GenServer):
    """Holds the configuration of a running system.

    Args:
        configuration: What `load_configuration` gave; it is read again from the same sources.
        table: The name of the table that `current` looks into, unique in the runtime.
        load_timeout: Seconds that reading may take; then the reload is refused.
        check: Says what is wrong with a value that fits the schema; it runs in the thread that reads.
        keep: Name of a public table (of a `StateOwner`) in which what holds outlives the server;
            None: a restart begins with *configuration*.

    Raises:
        ValueError: *load_timeout* is not above 0.
        NoTableError: There is no table *keep*.
    """

    call_raises = (BadArgumentError,)

    def __init__(
        self,
        configuration: Configuration[Any],
        *,
        table: str = "configuration",
        load_timeout: float = 10.0,
        check: Callable[[Configuration[Any]], Iterable[Problem]] | None = None,
        keep: str | None = None,
    ) -> None:
        check_delay("ConfigServer", "load_timeout", load_timeout, above_zero=True)
        self._table: Table[str, Configuration[Any]] = Table(table)
        self._kept: MutableMapping[str, Configuration[Any]] = {}
        if keep is not None:
            self._kept = Table.lookup(keep).setdefault(_SPACE, {})
        self._hold(self._kept.get(_CURRENT, configuration))
        self._check = check
        self._load_timeout = load_timeout
        self._subscribers = Subscribers()
        self._asked: list[ReplyTo] = []  # wait for a reading that has not begun
        self._reading: list[ReplyTo] | None = None  # wait for the one that runs, if one does
        self._began = 0.0
        self._applied = self._refused = self._changes = 0
        self._last_refusal: str | None = None

    def init(self) -> Continue:
        """Catch up with what changed since the configuration was loaded."""
        return Continue(None)

    def handle_continue(self, argument: None) -> None:
        """Read the sources, though nobody asked."""
        self._read()

    # -- clients ---------------------------------------------------------------------------

    @staticmethod
    def current(schema: type[S], *, table: str = "configuration") -> Configuration[S]:
        """The configuration that holds now; sends no message.

        Args:
            schema: The class of its value.
            table: The server's.

        Raises:
            NoTableError: No such server runs.
            ConfigurationSchemaError: It holds a value of another class.
        """
        configuration: Configuration[Any] = Table.lookup(table)[_CURRENT]
        if not isinstance(configuration.value, schema):
            raise ConfigurationSchemaError(
                f"ConfigServer.current: schema must be {configuration.sources.schema.__name__}, "
                f"which the server holds; got {schema.__name__}."
            )
        return configuration

    @call(timeout=30.0)
    def reload(self) -> tuple[Change, ...] | NoReply:
        """Read the sources, and let them hold if they are right.

        Who asks while they are being read waits for another reading: what was written
        before the request is always seen.

        Returns:
            What changed.

        Raises:
            ConfigurationInvalidError: The sources are wrong; with all that is.
            ConfigurationFixedError: They change what is fixed; with all of that.
        """
        self._asked.append(self.sender)
        if self._reading is None:
            self._read()
        return NoReply()

    @call(raises=(UnknownSectionError, NotInProcessError))
    def subscribe(self, section: str = "") -> Configuration[Any]:
        """Have the caller told of each change in a section, until it ends or unsubscribes.

        Args:
            section: A dotted path of a section, or of one setting; "" is everything.

        Returns:
            The configuration that holds now: later changes will be told.

        Raises:
            UnknownSectionError: The schema has no such path.
            NotInProcessError: The caller is no process.
        """
        check_text("ConfigServer", "section", section)
        pid = self.sender.pid
        if pid is None:
            raise NotInProcessError("ConfigServer.subscribe: only a process subscribes.")
        configuration = self._table[_CURRENT]
        configuration.at(section)
        self._subscribers.add(pid, section)
        return configuration

    @call
    def unsubscribe(self, section: str = "") -> None:
        """End the caller's subscription to *section*; no error if there is none."""
        check_text("ConfigServer", "section", section)
        pid = self.sender.pid
        if pid is not None:
            self._subscribers.discard(pid, section)

    @call
    def stats(self) -> ConfigStats:
        """What it has done since it started."""
        return ConfigStats(
            self._applied,
            self._refused,
            self._changes,
            self._subscribers.told,
            self._subscribers.lost,
            len(self._subscribers),
            self._last_refusal,
        )

    # -- reading -----------------------------------------------------------------------------

    def handle_info(self, message: object) -> None:
        """What the reading task found, or the end of a subscriber."""
        if isinstance(message, _Read):
            self._judge(message.outcome)
        elif not self._subscribers.gone(message):
            super().handle_info(message)

    def _read(self) -> None:
        self._reading, self._asked = self._asked, []
        self._began = find_runtime("ConfigServer").now()
        self.start_task(self._load(self._table[_CURRENT]), name="read configuration")

    async def _load(self, current: Configuration[Any]) -> None:
        outcome: Configuration[Any] | ConfigurationError
        sources = current.sources
        try:
            async with asyncio.timeout(self._load_timeout):
                outcome = await asyncio.to_thread(_load_checked, sources, self._check)
        except ConfigurationError as error:
            outcome = error
        except TimeoutError:
            text = f"must be read within {self._load_timeout:g} s; got no end. Reload it later."
            where = Source("file", sources.file) if sources.file else None
            outcome = ConfigurationInvalidError([Problem("unreadable", "", text, where)])
        self.send_after(0.0, _Read(outcome))  # a timer: no bound of our mailbox drops it

    def _judge(self, outcome: Configuration[Any] | ConfigurationError) -> None:
        waiting, self._reading = self._reading or [], None
        changes: tuple[Change, ...] = ()
        if not isinstance(outcome, ConfigurationError):
            changes = diff_configurations(self._table[_CURRENT], outcome)
            fixed = [change for change in changes if change.fixed]
            if fixed:
                outcome = ConfigurationFixedError(fixed)
        if isinstance(outcome, ConfigurationError):
            self._refuse(outcome)
            for sender in waiting:
                self.reply_error(sender, outcome)
        else:
            self._apply(outcome, changes)
            for sender in waiting:
                self.reply(sender, changes)
        if self._asked:
            self._read()

    def _apply(self, new: Configuration[Any], changes: tuple[Change, ...]) -> None:
        old = self._table[_CURRENT]
        self._hold(new)
        told = sum(self._tell(section, old, new, changes) for section in self._subscribers.names())
        self._applied += 1
        self._changes += len(changes)
        self._last_refusal = None
        runtime = find_runtime("ConfigServer")
        numbers = {
            "duration_s": runtime.now() - self._began,
            "changes_count": len(changes),
            "told_len": told,
        }
        facts = {"paths": tuple(change.path for change in changes)}
        runtime.telemetry.emit(RELOAD_APPLIED, numbers, facts)

    def _hold(self, configuration: Configuration[Any]) -> None:
        self._table[_CURRENT] = self._kept[_CURRENT] = configuration

    def _tell(
        self,
        section: str,
        old: Configuration[Any],
        new: Configuration[Any],
        changes: tuple[Change, ...],
    ) -> int:
        paths = tuple(change.path for change in changes if _is_in(change.path, section))
        if not paths:
            return 0
        message = ConfigChanged(section, old.at(section), new.at(section), paths)
        return self._subscribers.tell(message, section)

    def _refuse(self, error: ConfigurationError) -> None:
        self._refused += 1
        self._last_refusal = str(error)
        if isinstance(error, ConfigurationFixedError):
            reason, problems = "fixed", [str(change) for change in error.changes]
        elif isinstance(error, ConfigurationInvalidError):
            reason, problems = "invalid", [str(problem) for problem in error.problems]
        else:
            reason, problems = "invalid", [str(error)]
        runtime = find_runtime("ConfigServer")
        numbers = {"duration_s": runtime.now() - self._began, "problems_count": len(problems)}
        facts = {"reason": reason, "problems": tuple(problems)}
        runtime.telemetry.emit(RELOAD_REFUSED, numbers, facts)


def _load_checked(
    sources: Sources[Any], check: Callable[[Configuration[Any]], Iterable[Problem]] | None
) -> Configuration[Any]:
    """Read and check; in a thread.

    Raises:
        ConfigurationInvalidError: With all that is wrong.
    """
    configuration = load_again(sources)
    problems: Sequence[Problem] = ()
    if check is not None:
        try:
            problems = tuple(check(configuration))
        except Exception as why:  # the user's code
            problems = (Problem("refused", "", f"the check must not fail; got {why!r}."),)
    if problems:
        raise ConfigurationInvalidError(problems)
    return configuration


def _is_in(path: str, section: str) -> bool:
    """Whether a setting is in a section, or is it."""
    return not section or path == section or path.startswith((f"{section}.", f"{section}["))
