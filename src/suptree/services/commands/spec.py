"""What a command is, and under which rule it may run.  Pure.

A `Command` is what a caller asks for.  A `CommandRule` is what the author of the system
has allowed: which arguments, which environment, where, with how much of the machine.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any, Final, Literal

from suptree.errors import BadArgumentError
from suptree.services.commands.errors import ArgumentsNotAllowedError
from suptree.services.commands.limits import MEGABYTE, CommandLimits
from suptree.services.commands.policy import ArgumentPolicy, ExactArguments, is_policy
from suptree.services.commands.words import (
    Word,
    check_names,
    check_variables,
    check_word,
    plain,
    redacted,
)
from suptree.services.parts.checks import bad_argument, check_count, check_name, check_number

__all__ = ["Command", "CommandRule", "make_command"]

_PATH: Final = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
_PLAIN: Final[Mapping[str, str]] = MappingProxyType({"PATH": _PATH, "LANG": "C.UTF-8"})
"""The whole environment of a command, unless its rule adds to it."""

_MOST_BYTES: Final = 128 * 1024  # of one command line; the system's own limit of one word


@dataclass(frozen=True, slots=True, kw_only=True)
class CommandRule:
    """How a command may be run; the name of the command is the key that it stands under.

    Attributes:
        arguments: Which it may have; default: none.
        path: The absolute path of its program; None: it is looked for in
            `/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin`.
        cwd: Where it runs; an absolute path.
        env: Variables beside PATH and LANG, which are all that it has otherwise.
        env_from_caller: Names of the variables that a caller may give.
        stdin: Whether a caller may give it something to read.
        limits: How much of the machine it may take.
        max_output: Bytes of its output that are kept, and as many of its errors.
        overflow: What becomes of more: "truncate" reads and drops it; "kill" ends the command.
        grace: Seconds between SIGTERM and SIGKILL when it is to end.
        cache_ttl: Seconds for which its result is good; None: as the manager says.

    Raises:
        BadArgumentError: A field will not do.
    """

    arguments: ArgumentPolicy = field(default_factory=ExactArguments)
    path: str | None = None
    cwd: str = "/"
    env: Mapping[str, Word] = field(default_factory=dict[str, Word], hash=False)
    env_from_caller: Collection[str] = ()
    stdin: bool = False
    limits: CommandLimits = field(default_factory=CommandLimits)
    max_output: int = MEGABYTE
    overflow: Literal["truncate", "kill"] = "truncate"
    grace: float = 0.5
    cache_ttl: float | None = None

    def __post_init__(self) -> None:
        who = "CommandRule"
        given: Any = self
        if not is_policy(given.arguments):
            wanted = "ExactArguments, ArgumentPatterns or AnyArguments"
            raise bad_argument(who, "arguments", wanted, given.arguments)
        for name in ("path", "cwd"):
            value = getattr(given, name)
            if not (name == "path" and value is None):
                check_name(who, name, value)
                if not value.startswith("/") or "\0" in value:
                    raise bad_argument(who, name, "an absolute path", value)
        object.__setattr__(self, "env", MappingProxyType(check_variables(who, given.env)))
        object.__setattr__(self, "env_from_caller", check_names(who, given.env_from_caller))
        if not isinstance(given.limits, CommandLimits):
            raise bad_argument(who, "limits", "CommandLimits", given.limits)
        if not isinstance(given.stdin, bool):
            raise bad_argument(who, "stdin", "a bool", given.stdin)
        check_count(who, "max_output", given.max_output, least=0)
        if given.overflow not in ("truncate", "kill"):
            raise bad_argument(who, "overflow", "'truncate' or 'kill'", given.overflow)
        check_number(who, "grace", given.grace, least=0, most=60)
        check_number(who, "cache_ttl", given.cache_ttl, least=0, optional=True)

    def check(self, command: Command) -> None:
        """Whether *command* is within this rule.

        Raises:
            ArgumentsNotAllowedError: It is not; says what would be.
        """
        name = command.name
        if not self.arguments.allows(tuple(plain(word) for word in command.args)):
            raise ArgumentsNotAllowedError(name, "arguments", command.shown, str(self.arguments))
        foreign = sorted(set(command.variables) - set(self.env_from_caller))
        if foreign:
            allowed = ", ".join(sorted(self.env_from_caller)) or "none"
            raise ArgumentsNotAllowedError(name, "variables", tuple(foreign), allowed)
        if command.stdin is not None and not self.stdin:
            size = f"{len(command.stdin)} bytes"
            raise ArgumentsNotAllowedError(name, "stdin", (size,), "nothing to read")

    def request(self, command: Command) -> dict[str, Any]:
        """What the guardian is told, all secrets revealed."""
        env = {**_PLAIN, **self.env, **command.variables}
        return {
            "argv": [self.path or command.name, *map(plain, command.args)],
            "path": self.path,
            "env": {name: plain(value) for name, value in env.items()},
            "cwd": self.cwd,
            "limits": self.limits.as_resources(),
            "nice": self.limits.nice,
        }


@dataclass(frozen=True, slots=True)
class Command:
    """What is asked for; equal commands give equal results, for as long as the cache says.

    Attributes:
        name: By which it is allowed.
        args: Its arguments.
        stdin: What it reads; None: nothing.
        env: Variables and their values.
    """

    name: str
    args: tuple[Word, ...] = ()
    stdin: bytes | None = field(default=None, repr=False)
    env: tuple[tuple[str, Word], ...] = field(default=(), repr=False)

    @property
    def variables(self) -> dict[str, Word]:
        """Its variables by name."""
        return dict(self.env)

    @property
    def shown(self) -> tuple[str, ...]:
        """Its arguments as anybody may see them."""
        return redacted(self.args)

    def __str__(self) -> str:
        return " ".join((self.name, *self.shown))[:200]

    def __repr__(self) -> str:
        return f"Command({self.name!r}, {self.shown!r})"


def make_command(
    who: str,
    name: str,
    args: Sequence[Word],
    stdin: bytes | None,
    env: Mapping[str, Word] | None,
) -> Command:
    """The command, if it is one at all; whether it is allowed is the rule's to say.

    Raises:
        BadArgumentError: A word or a name that no program could be given.
    """
    check_name(who, "name", name)
    given: Any = args
    if isinstance(given, (str, bytes)) or not isinstance(given, Sequence):
        advice = "There is no shell that would split it: write ['-h', '/var']."
        raise bad_argument(who, "args", "a list of strings", redacted((given,))[0], advice)
    words = tuple(check_word(who, "args", one) for one in args)
    data: Any = stdin
    if data is not None and not isinstance(data, bytes):
        kind = f"a {type(data).__name__}"  # and not the text: it may be a secret
        raise BadArgumentError(who, "stdin", "bytes or None", kind)
    variables = check_variables(who, env)
    size = sum(len(plain(word)) for word in (*words, *variables.values(), *variables, name))
    if size > _MOST_BYTES or "\0" in name:
        field, wanted = f"the words of {name[:80]!r}", f"without NUL, and {_MOST_BYTES} characters"
        wanted += " together at most"
        raise BadArgumentError(who, field, wanted, str(size), "Give it more on stdin.")
    return Command(name, words, data, tuple(sorted(variables.items(), key=lambda one: one[0])))
