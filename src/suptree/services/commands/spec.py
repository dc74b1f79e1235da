"""What a command is, and under which rule it may run.  Pure.

A `Command` is what a caller asks for.  A `CommandRule` is what the author of the system
has allowed: which arguments, which environment, where, with how much of the machine.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any, Final, Literal

from suptree.services.commands.errors import ArgumentsNotAllowedError
from suptree.services.commands.policy import (
    ArgumentPatterns,
    ArgumentPolicy,
    ExactArguments,
    is_policy,
)
from suptree.services.parts.checks import check_count, check_name, check_number
from suptree.services.parts.secret import REDACTED, Secret

__all__ = [
    "ALLOWED_COMMANDS",
    "Command",
    "CommandLimits",
    "CommandRule",
    "Word",
    "make_command",
    "redacted",
]

Word = str | Secret[str]
"""An argument, or the value of a variable; a `Secret` is shown nowhere."""

MEGABYTE: Final = 1024 * 1024
_PATH: Final = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
_PLAIN: Final[Mapping[str, str]] = MappingProxyType({"PATH": _PATH, "LANG": "C.UTF-8"})
"""The whole environment of a command, unless its rule adds to it."""

_MOST_BYTES: Final = 128 * 1024  # of one command line; the system's own limit of one word
_SECRET_OPTION: Final = re.compile(
    r"-{1,2}(?:[\w-]*(?:password|passwd|secret|token|api[-_]?key|credential)[\w-]*)", re.IGNORECASE
)


@dataclass(frozen=True, slots=True, kw_only=True)
class CommandLimits:
    """How much of the machine each process of a command may take; None: what this program may.

    Attributes:
        cpu_s: Whole seconds of processor time; then it gets SIGXCPU, and a second later SIGKILL.
        memory_bytes: Address space; more of it is refused to it.
        open_files: Descriptors that it has open at once.
        file_bytes: The size of a file that it writes; then it gets SIGXFSZ.
        processes: Processes of its user, all programs together; no limit for root.
        core_bytes: The size of a core dump.
        nice: So much is added to its niceness, 0 to 19.
    """

    cpu_s: int | None = 60
    memory_bytes: int | None = 1024 * MEGABYTE
    open_files: int | None = 256
    file_bytes: int | None = 64 * MEGABYTE
    processes: int | None = None
    core_bytes: int | None = 0
    nice: int = 0

    def __post_init__(self) -> None:
        who = "CommandLimits"
        for name, least in _LEAST.items():
            check_count(who, name, getattr(self, name), least=least, optional=True)
        check_count(who, "nice", self.nice, least=0)
        if self.nice > 19:
            raise ValueError(f"{who}: nice must be 19 or less; got {self.nice!r}.")

    def as_resources(self) -> dict[str, int]:
        """The limits that are set, by the system's names."""
        named = {kind: getattr(self, name) for name, kind in _RESOURCES.items()}
        return {kind: value for kind, value in named.items() if value is not None}


_LEAST: Final[Mapping[str, int]] = MappingProxyType(
    {
        "cpu_s": 1,
        "memory_bytes": MEGABYTE,
        "open_files": 8,
        "file_bytes": 0,
        "processes": 1,
        "core_bytes": 0,
    }
)
_RESOURCES: Final[Mapping[str, str]] = MappingProxyType(
    {
        "cpu_s": "cpu",
        "memory_bytes": "as",
        "open_files": "nofile",
        "file_bytes": "fsize",
        "processes": "nproc",
        "core_bytes": "core",
    }
)


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
        ValueError: A field will not do.
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
            raise ValueError(
                f"{who}: arguments must be ExactArguments, ArgumentPatterns or AnyArguments; "
                f"got {given.arguments!r}."
            )
        for name in ("path", "cwd"):
            value = getattr(given, name)
            if not (name == "path" and value is None):
                check_name(who, name, value)
                if not value.startswith("/") or "\0" in value:
                    raise ValueError(f"{who}: {name} must be an absolute path; got {value!r}.")
        object.__setattr__(self, "env", MappingProxyType(_variables(who, given.env)))
        object.__setattr__(self, "env_from_caller", _names(who, given.env_from_caller))
        if not isinstance(given.limits, CommandLimits):
            raise ValueError(f"{who}: limits must be CommandLimits; got {given.limits!r}.")
        if not isinstance(given.stdin, bool):
            raise ValueError(f"{who}: stdin must be a bool; got {given.stdin!r}.")
        check_count(who, "max_output", given.max_output, least=0)
        if given.overflow not in ("truncate", "kill"):
            raise ValueError(
                f"{who}: overflow must be 'truncate' or 'kill'; got {given.overflow!r}."
            )
        check_number(who, "grace", given.grace, least=0, most=60)
        check_number(who, "cache_ttl", given.cache_ttl, least=0, optional=True)

    def check(self, command: Command) -> None:
        """Whether *command* is within this rule.

        Raises:
            ArgumentsNotAllowedError: It is not; says what would be.
        """
        name = command.name
        if not self.arguments.allows(tuple(_plain(word) for word in command.args)):
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
            "argv": [self.path or command.name, *map(_plain, command.args)],
            "path": self.path,
            "env": {name: _plain(value) for name, value in env.items()},
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
        ValueError: A word or a name that no program could be given.
    """
    check_name(who, "name", name)
    given: Any = args
    if isinstance(given, (str, bytes)) or not isinstance(given, Sequence):
        raise ValueError(
            f"{who}: args must be a list of strings; got {redacted((given,))[0]!r}. "
            "There is no shell that would split it: write ['-h', '/var']."
        )
    words = tuple(_word(who, "args", one) for one in args)
    data: Any = stdin
    if data is not None and not isinstance(data, bytes):
        raise ValueError(f"{who}: stdin must be bytes or None; got a {type(data).__name__}.")
    variables = _variables(who, env)
    size = sum(len(_plain(word)) for word in (*words, *variables.values(), *variables, name))
    if size > _MOST_BYTES or "\0" in name:
        raise ValueError(
            f"{who}: the words of {name[:80]!r} must be without NUL, and {_MOST_BYTES} characters "
            f"together at most; got {size}. Give it more on stdin."
        )
    return Command(name, words, data, tuple(sorted(variables.items(), key=lambda one: one[0])))


def redacted(args: Sequence[Any]) -> tuple[str, ...]:
    """Arguments as anybody may see them: no `Secret`, and no value of an option named like one."""
    shown: list[str] = []
    hide_next = False
    for word in args:
        text = str(word)
        option, equals, _ = text.partition("=")
        is_secret = _SECRET_OPTION.fullmatch(option) is not None
        if hide_next and not text.startswith("-"):
            text = REDACTED
        elif is_secret and equals:
            text = f"{option}={REDACTED}"
        hide_next = is_secret and not equals
        shown.append(text)
    return tuple(shown)


def _plain(word: Word) -> str:
    return word.reveal() if isinstance(word, Secret) else word


def _word(who: str, field: str, word: Any) -> Word:
    text: Any = word.reveal() if isinstance(word, Secret) else word
    if not isinstance(text, str) or "\0" in text:
        raise ValueError(
            f"{who}: {field} must be strings without NUL, or Secrets of such; "
            f"got {redacted((word,))[0]!r}."
        )
    return word  # type: ignore[no-any-return]


def _variables(who: str, env: Any) -> dict[str, Word]:
    if env is None:
        return {}
    if not isinstance(env, Mapping):
        raise ValueError(f"{who}: env must be a mapping of names to strings; got {env!r}.")
    _names(who, tuple(env))
    return {name: _word(who, f"env[{name!r}]", value) for name, value in env.items()}


def _names(who: str, names: Any) -> frozenset[str]:
    if isinstance(names, str) or not isinstance(names, Collection):
        raise ValueError(f"{who}: names of variables must be a list; got {names!r}.")
    for name in names:
        if not isinstance(name, str) or not re.fullmatch(r"[A-Za-z_][A-Za-z0-9_]*", name):
            raise ValueError(f"{who}: the name of a variable must be a word; got {name!r}.")
    return frozenset(names)


_PS_FIELD: Final = (
    r"(?:pid|ppid|pgid|sid|user|uid|comm|args|pcpu|%cpu|pmem|%mem|rss|vsz|etimes?|time|stat|state"
    r"|nlwp|ni|pri|psr|start|lstart|tty|wchan)=?"
)

ALLOWED_COMMANDS: Final[Mapping[str, CommandRule]] = MappingProxyType(
    {
        "uptime": CommandRule(arguments=ExactArguments((), ("-p",), ("-s",), ("--pretty",))),
        # No `e` of BSD and no field `environ`: they show the environments of other processes.
        "ps": CommandRule(
            arguments=ArgumentPatterns(
                "-[AaefFljLNTwH]{1,8}o?",
                "a?u?x(?:ww?)?|aux(?:ww?)?",
                rf"(?:--format=|-o)?{_PS_FIELD}(?:,{_PS_FIELD})*",
                "-o",
                rf"--sort=[+-]?{_PS_FIELD}",
                "--p?pid=[0-9,]{1,200}",
                "--no-headers",
            )
        ),
        "free": CommandRule(
            arguments=ArgumentPatterns(
                "-[bkmghtwl]{1,8}", "--(?:bytes|kilo|mega|giga|kibi|mebi|gibi|human|si|total|wide)"
            )
        ),
        "df": CommandRule(
            arguments=ArgumentPatterns(
                "-[ahHiklPT]{1,8}", "/.{0,4096}", "--(?:total|local|si|inodes|output(?:=[a-z,]+)?)"
            )
        ),
        "iostat": CommandRule(
            arguments=ArgumentPatterns("-[cdhkmNtxyz]{1,8}", "-o", "JSON", "[0-9]{1,4}")
        ),
        "vmstat": CommandRule(
            arguments=ArgumentPatterns("-[adDfimnstw]{1,8}", "-S", "[kKmM]", "[0-9]{1,4}")
        ),
    }
)
"""What may be run unless somebody says otherwise: looking at the machine, and nothing that changes it."""
