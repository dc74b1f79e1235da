"""Errors of the commands.

CommandError                      .command
├── CommandNotAllowedError        nobody has allowed it
├── ArgumentsNotAllowedError      it is allowed, but not so          .what .given .allowed
├── TooManyCommandsError          so many run, and so many wait      .running .queued
├── CommandLaunchError            it could not be started            .step .errno
├── CommandTimeoutError           it took too long, and was ended    .timeout .began .stdout .stderr .gone
├── CommandOutputError            it wrote too much, and was ended   .max_output .stdout .stderr
└── CommandLostError              nobody knows how it ended          .why
"""

from __future__ import annotations

import errno as errnos
from collections.abc import Iterable
from typing import Literal

from suptree.errors import SuptreeError
from suptree.near import did_you_mean

__all__ = [
    "ArgumentsNotAllowedError",
    "CommandError",
    "CommandLaunchError",
    "CommandLostError",
    "CommandNotAllowedError",
    "CommandOutputError",
    "CommandTimeoutError",
    "TooManyCommandsError",
]


class CommandError(SuptreeError):
    """Base of what `SystemCommandManager` raises; *command* is the name of the command."""

    command: str


class CommandNotAllowedError(CommandError):
    """No rule allows a command of that name."""

    def __init__(self, command: str, known: Iterable[str] = ()) -> None:
        super().__init__(command)
        self.command = command
        self._hint = did_you_mean(command, known)

    def __str__(self) -> str:
        return (
            f"commands: name must be an allowed command; got {self.command!r}{self._hint} "
            "Allow it with a CommandRule, if it is to be run at all."
        )


class ArgumentsNotAllowedError(CommandError):
    """Its rule does not allow what it was to be given.

    Attributes:
        what: "arguments", "variables" (of the environment) or "stdin".
        given: What was given; secrets are not shown.
        allowed: What would do, in words.
    """

    def __init__(
        self,
        command: str,
        what: Literal["arguments", "variables", "stdin"],
        given: tuple[str, ...],
        allowed: str,
    ) -> None:
        super().__init__(command, what, given, allowed)
        self.command = command
        self.what: Literal["arguments", "variables", "stdin"] = what
        self.given = given
        self.allowed = allowed

    def __str__(self) -> str:
        given = repr(list(self.given))
        shown = given if len(given) <= 300 else f"{given[:300]}…"
        return (
            f"command {self.command!r}: {self.what} must be {self.allowed}; got {shown}. "
            "Nothing was run. Change the command, or its CommandRule."
        )


class TooManyCommandsError(CommandError):
    """As many run, and as many wait, as there may be.

    Attributes:
        running: How many run.
        queued: How many wait.
    """

    def __init__(self, command: str, running: int, queued: int) -> None:
        super().__init__(command, running, queued)
        self.command = command
        self.running = running
        self.queued = queued

    def __str__(self) -> str:
        return (
            f"command {self.command!r}: {self.running} commands run and {self.queued} wait, which "
            "is all. Nothing was run: try later, or raise max_concurrency or max_queued."
        )


class CommandLaunchError(CommandError):
    """It could not be started; nothing of it ran.

    Attributes:
        step: What failed: "exec" (its program), "cwd", "limits", "guardian", ...
        errno: The system's number; 0: there is none.
    """

    def __init__(self, command: str, step: str, errno: int, text: str) -> None:
        super().__init__(command, step, errno, text)
        self.command = command
        self.step = step
        self.errno = errno
        self._text = text

    def __str__(self) -> str:
        name = errnos.errorcode.get(self.errno, "")
        what = {
            "exec": "its program could not be started",
            "cwd": "its directory could not be entered",
        }.get(self.step, f"it could not be started ({self.step})")
        return f"command {self.command!r}: {what}: {name or self._text}. Nothing of it ran."


class CommandTimeoutError(CommandError):
    """It took longer than it may have, or than whoever asked still waits.

    Attributes:
        timeout: Seconds that there were, from when it was asked for.
        began: Whether it had begun; else it waited for its turn all the time.
        stdout: What it had written until then.
        stderr: The same of its errors.
        gone: Whether it is known that nothing of it is left.  False: others wait for it still,
            or it is being ended while the caller's caller waits no longer.
    """

    def __init__(
        self,
        command: str,
        timeout: float,
        *,
        began: bool,
        stdout: bytes = b"",
        stderr: bytes = b"",
        gone: bool = True,
    ) -> None:
        super().__init__(command, timeout)
        self.command = command
        self.timeout = timeout
        self.began = began
        self.stdout = stdout
        self.stderr = stderr
        self.gone = gone

    def __str__(self) -> str:
        if not self.began:
            return (
                f"command {self.command!r}: its turn did not come within {self.timeout:g} s. "
                "Nothing was run: try later, or raise max_concurrency."
            )
        wrote = f"{len(self.stdout)} bytes of output and {len(self.stderr)} of errors"
        end = "It was ended with all that it had started." if self.gone else "It is not ended yet."
        return (
            f"command {self.command!r}: not done within {self.timeout:g} s; it had written {wrote}. "
            f"{end} Raise the timeout, or ask for less."
        )


class CommandOutputError(CommandError):
    """It wrote more than its rule allows, and was ended for that.

    Attributes:
        max_output: Bytes that it may write, of output and of errors each.
        stdout: What was kept of its output.
        stderr: The same of its errors.
    """

    def __init__(self, command: str, max_output: int, stdout: bytes, stderr: bytes) -> None:
        super().__init__(command, max_output)
        self.command = command
        self.max_output = max_output
        self.stdout = stdout
        self.stderr = stderr

    def __str__(self) -> str:
        return (
            f"command {self.command!r}: it wrote more than {self.max_output} bytes and was ended. "
            "Raise max_output of its rule, or let overflow be 'truncate'."
        )


class CommandLostError(CommandError):
    """It was ended, or the process that guarded it was, before it had come to its own end.

    Attributes:
        why: What happened, in words.
    """

    def __init__(self, command: str, why: str) -> None:
        super().__init__(command, why)
        self.command = command
        self.why = why

    def __str__(self) -> str:
        return f"command {self.command!r}: {self.why}. What it had done until then is done."
