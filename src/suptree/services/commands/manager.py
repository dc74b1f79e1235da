"""`SystemCommandManager`: programs of the operating system, run by rule, bounded, and ended for certain.

    commands              one_for_all
    ├── guardian          owns the guardian: the OS process that starts all commands
    ├── runs              a process for each command that runs
    └── commands.server   what may run, what runs, who waits, what is still known

Only what is allowed runs, with the arguments that its rule allows, in an environment and a
directory that its rule says, never through a shell.  A result is good for a while, and equal
commands at the same time are one run.  A command ends with the last caller that waits for
it: when its time is over, when that caller is cancelled or dies, when the manager or the
program does; and with it ends whatever it has started.

>>> import asyncio, suptree as st
>>> from suptree.services import CommandRule, ExactArguments, SystemCommandManager
>>> ECHO = CommandRule(arguments=ExactArguments(("hello",)))
>>> async def main():
...     async with st.Runtime():
...         await SystemCommandManager.child(name="commands", allowed={"echo": ECHO}).start_link()
...         result = await SystemCommandManager.execute("commands", "echo", ["hello"])
...         return result.text, result.exit_code
>>> asyncio.run(main())
('hello\\n', 0)
"""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Mapping, Sequence
from functools import partial
from typing import Any, Final

import psutil  # type: ignore[import-untyped]

from suptree.core import Pid, current_process, time_left
from suptree.errors import CallTimeoutError
from suptree.otp import ChildSpec, ServerStart, Supervisor, TaskSupervisor, child
from suptree.services.commands.allowed import ALLOWED_COMMANDS
from suptree.services.commands.errors import (
    ArgumentsNotAllowedError,
    CommandError,
    CommandTimeoutError,
)
from suptree.services.commands.flights import Request, Ticket
from suptree.services.commands.guardian_server import CommandGuardian
from suptree.services.commands.outcome import CommandResult, CommandStats, MemoryReading
from suptree.services.commands.server import CommandServer, Family, Terms
from suptree.services.commands.settings import CommandOptions, HeldOptions
from suptree.services.commands.spec import Command, CommandRule, make_command
from suptree.services.commands.words import Word
from suptree.services.parts.checks import bad_argument, check_name, check_number
from suptree.services.parts.plain import is_mapping

__all__ = ["SystemCommandManager"]

_EXECUTE: Final = "SystemCommandManager.execute"
_UPDATE: Final = "SystemCommandManager.update_allowed_commands"


class SystemCommandManager(Supervisor):
    """The tree of one manager, and the client of all; *manager* is everywhere its name.

    Args:
        name: Its registered name.
        allowed: The rules of the commands that may be run, by name; default: `uptime`, `ps`,
            `free`, `df`, `iostat` and `vmstat`, with arguments that only look.
        options: Its bounds.
    """

    strategy = "one_for_all"

    def __init__(
        self, name: str, allowed: Mapping[str, CommandRule], options: CommandOptions
    ) -> None:
        self._name = name
        self._allowed = allowed
        self._options = HeldOptions(options)

    def children(self) -> Sequence[ChildSpec[Any]]:
        """The guardian, the runs, and the server, which ends first."""
        # Two of them have no names: that of one which was killed would be held until its commands
        # are gone, and its successor could not start.
        find = partial(_family, self._name)
        server = child(CommandServer, self._allowed, self._options, find)
        return [
            child(CommandGuardian).with_(id="guardian", shutdown=10.0),
            TaskSupervisor.child().with_(id="runs"),
            server.with_(name=_server(self._name)),
        ]

    @classmethod
    def child(  # type: ignore[override]  # pyright: ignore[reportIncompatibleMethodOverride]
        cls,
        *,
        name: str = "commands",
        allowed: Mapping[str, CommandRule] | None = None,
        max_concurrency: int = 5,
        max_queued: int = 100,
        timeout: float = 10.0,
        cache_ttl: float = 30.0,
        cache_entries: int = 256,
        cache_bytes: int = 16 * 1024 * 1024,
    ) -> ChildSpec[Any]:
        """The child spec of a manager.

        Args:
            name: Its registered name.
            allowed: See the class; these take the place of the default.
            max_concurrency: So many commands may run at once.
            max_queued: So many may wait for their turn; one more is refused.
            timeout: Seconds that a command may take, the wait for its turn included.
            cache_ttl: Seconds for which a result is good, if its rule does not say.
            cache_entries: So many results are kept at most.
            cache_bytes: So much output in all of them together.

        Raises:
            BadArgumentError: A value will not do.
        """
        check_name("SystemCommandManager", "name", name)
        options = CommandOptions(
            max_concurrency=max_concurrency,
            max_queued=max_queued,
            timeout=timeout,
            cache_ttl=cache_ttl,
            cache_entries=cache_entries,
            cache_bytes=cache_bytes,
        )
        rules = _rules("SystemCommandManager", ALLOWED_COMMANDS if allowed is None else allowed)
        start = ServerStart(cls, (name, rules, options), {})  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
        return ChildSpec(start=start, name=name, type="supervisor", modules=(cls,))

    # -- commands ---------------------------------------------------------------------------

    @staticmethod
    async def execute(
        manager: str,
        name: str,
        args: Sequence[Word] = (),
        *,
        timeout: float | None = None,
        cache_ttl: float | None = None,
        use_cache: bool = True,
        stdin: bytes | None = None,
        env: Mapping[str, Word] | None = None,
    ) -> CommandResult:
        """Run a command, or have the result of an equal one that is still good.

        An exit code other than 0 is a result; only results with 0 are kept.  When this raises
        or is cancelled, the command is ended unless others wait for it too.

        Args:
            manager: The manager's name.
            name: The command, by the name under which it is allowed.
            args: Its arguments; a `Secret` is given to it, and shown to nobody.
            timeout: Seconds that it may take, the wait for its turn included; None: as the
                manager says.  Less if whoever waits for the caller waits less (`time_left`).
            cache_ttl: The result may be so many seconds old; None: as its rule or the manager says.
            use_cache: Whether it may be one of an earlier run, or of one under way, at all.
            stdin: What it reads, if its rule allows that; None: nothing.
            env: Variables for it, as far as its rule allows them.

        Raises:
            CommandNotAllowedError: No rule allows the command.
            ArgumentsNotAllowedError: Its rule does not allow these arguments, variables or input.
            TooManyCommandsError: Too many run, and too many wait.
            CommandTimeoutError: Its time was over; has what was written until then.
            CommandLaunchError: It could not be started.
            CommandOutputError: It wrote more than its rule allows.
            CommandLostError: It was ended by somebody else.
            BadArgumentError: This could be no command.

        Emits: `suptree.command.requested`, `.started`, `.finished`, `.answered`, `.cached`, `.refused`.
        """
        check_number(_EXECUTE, "timeout", timeout, above=0, optional=True)
        check_number(_EXECUTE, "cache_ttl", cache_ttl, least=0, optional=True)
        command = make_command(_EXECUTE, name, args, stdin, env)
        server = _server(manager)
        terms: object = await CommandServer.terms(server, command)
        while isinstance(terms, Terms):
            _check(server, command, terms.rule)
            ttl = _ttl(terms, cache_ttl) if use_cache else 0.0
            request = _request(command, terms, timeout, ttl)
            terms = await _ask(server, request)
        if isinstance(terms, CommandResult):
            return terms
        assert isinstance(terms, CommandError)
        raise terms

    @staticmethod
    async def clear_cache(manager: str) -> int:
        """Forget all results; how many there were."""
        return await CommandServer.clear_cache(_server(manager))

    @staticmethod
    async def update_allowed_commands(
        manager: str,
        *,
        allow: Mapping[str, CommandRule] | None = None,
        forbid: Collection[str] = (),
    ) -> tuple[str, ...]:
        """Allow commands, or under other rules, and forbid others; what is allowed then.

        Results of these commands are forgotten, and those that wait for their turn are refused
        if they are forbidden now; those that run go on.  After a restart of the manager what
        was declared is allowed again.

        Raises:
            CommandNotAllowedError: One that is to be forbidden is not allowed; nothing is changed.
            BadArgumentError: A rule or a name will not do.
        """
        rules = _rules(_UPDATE, {} if allow is None else allow)
        given: Any = forbid
        if isinstance(given, str) or not isinstance(given, Collection):
            hint = f"Write [{given!r}]." if isinstance(given, str) else "Write ['df']."
            raise bad_argument(_UPDATE, "forbid", "a list of names", given, hint)
        for name in forbid:
            check_name(_UPDATE, "forbid", name)
        answer: tuple[str, ...] | CommandError
        answer = await CommandServer.update(_server(manager), rules, tuple(forbid))
        if isinstance(answer, CommandError):
            raise answer
        return answer

    @staticmethod
    async def reconfigure(
        manager: str,
        *,
        max_concurrency: int | None = None,
        max_queued: int | None = None,
        timeout: float | None = None,
        cache_ttl: float | None = None,
        cache_entries: int | None = None,
        cache_bytes: int | None = None,
    ) -> None:
        """Go by other bounds from now on, after a restart too; what is not given stays as it is.

        What runs and what waits goes on: a smaller bound holds for what comes.  See `child`.

        Raises:
            BadArgumentError: One of them is out of bounds; nothing was changed.
        """
        given = {
            "max_concurrency": max_concurrency,
            "max_queued": max_queued,
            "timeout": timeout,
            "cache_ttl": cache_ttl,
            "cache_entries": cache_entries,
            "cache_bytes": cache_bytes,
        }
        changes: dict[str, Any] = {
            name: value for name, value in given.items() if value is not None
        }
        CommandOptions(**changes)  # each of them is checked by itself
        await CommandServer.reconfigure(_server(manager), changes)

    @staticmethod
    async def stats(manager: str) -> CommandStats:
        """What there is now, and the totals since it started."""
        return await CommandServer.stats(_server(manager))

    # -- the machine ------------------------------------------------------------------------

    @staticmethod
    def load_average() -> tuple[float, float, float]:
        """How many processes ran or waited to run, on average over 1, 5 and 15 minutes.

        Read from the system, without a command.
        """
        one, five, fifteen = psutil.getloadavg()
        return float(one), float(five), float(fifteen)

    @staticmethod
    def memory_info() -> MemoryReading:
        """The memory of the machine, now.  Read from the system, without a command."""
        memory, swap = psutil.virtual_memory(), psutil.swap_memory()
        return MemoryReading(
            int(memory.total),
            int(memory.available),
            int(memory.used),
            float(memory.percent),
            int(swap.total),
            int(swap.used),
        )


async def _family(manager: str) -> Family:
    """Who stands beside the server; as long as it lives, for they start and end together."""
    children = {info.id: info.pid for info in await Supervisor.which_children(manager)}
    runs, guardian = children["runs"], children["guardian"]
    assert isinstance(runs, Pid)
    assert isinstance(guardian, Pid)
    return Family(runs, guardian)


def _server(manager: object) -> str:
    if not isinstance(manager, str):
        advice = "Give it one with SystemCommandManager.child(name=...)."
        raise bad_argument(
            "SystemCommandManager", "manager", "its registered name", manager, advice
        )
    return f"{manager}.server"


def _check(server: str, command: Command, rule: CommandRule) -> None:
    """Whether the rule allows it; checked here, in the caller, for the patterns are the author's."""
    try:
        rule.check(command)
    except ArgumentsNotAllowedError as error:
        caller = current_process()
        CommandServer.not_so(server, command, None if caller is None else caller.pid, error)
        raise


def _ttl(terms: Terms, given: float | None) -> float:
    if given is not None:
        return given
    by_rule = terms.rule.cache_ttl
    return terms.options.cache_ttl if by_rule is None else by_rule


def _request(command: Command, terms: Terms, timeout: float | None, ttl: float) -> Request:
    limit = terms.options.timeout if timeout is None else timeout
    left = time_left()
    return Request(
        ticket=Ticket(),
        command=command,
        rule=terms.rule,
        limit=limit if left is None else min(limit, left),
        time_left=left,
        ttl=ttl,
    )


async def _ask(server: str, request: Request) -> object:
    """The answer; or that the caller's caller waits no longer, which may come first."""
    try:
        answer: object = await CommandServer.execute(server, request)
    except asyncio.CancelledError:
        CommandServer.leave(server, request.ticket)
        raise
    except CallTimeoutError:
        CommandServer.leave(server, request.ticket)
        return CommandTimeoutError(request.command.name, request.limit, began=True, gone=False)
    return answer


def _rules(who: str, rules: Any) -> dict[str, CommandRule]:
    if not is_mapping(rules):
        raise bad_argument(who, "commands", "a mapping of names to rules", rules)
    checked: dict[str, CommandRule] = {}
    for name, rule in rules.items():
        check_name(who, "name", name)
        if not isinstance(rule, CommandRule):
            raise bad_argument(who, f"rule of {name!r}", "a CommandRule", rule)
        checked[name] = rule
    return checked
