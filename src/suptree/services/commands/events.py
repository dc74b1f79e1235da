"""Telemetry declared by the commands: together, the record of everything that was run, and for whom."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from suptree.telemetry import Event

__all__ = [
    "COMMANDS_CHANGED",
    "COMMAND_ANSWERED",
    "COMMAND_CACHED",
    "COMMAND_CACHE_CLEARED",
    "COMMAND_FINISHED",
    "COMMAND_REFUSED",
    "COMMAND_REQUESTED",
    "COMMAND_STARTED",
    "GUARDIAN_LOST",
    "GUARDIAN_STARTED",
]

_WHAT: Final[Mapping[str, str]] = {
    "command": "its name",
    "args": "its arguments as one text; what is secret is ***",
}
_WHO: Final[Mapping[str, str]] = {"caller": "the process that asked for it, or None"}
_RUN: Final[Mapping[str, str]] = {
    "run": "the number of the run; calls that share one have the same"
}

COMMAND_REQUESTED: Final = Event(
    "suptree.command.requested",
    measurements={
        "limit_s": "seconds that it may take: the timeout, or what its caller's caller still waits"
    },
    metadata={
        **_WHAT,
        **_WHO,
        **_RUN,
        "env": "the names of the variables that the caller gave",
        "shared": "whether it shares the run of an equal command",
    },
    doc="A command that is allowed was asked for, and its result is not in the cache.",
    optional={"time_left_s": "seconds that whoever asked still waits; under a deadline only"},
)
COMMAND_STARTED: Final = Event(
    "suptree.command.started",
    measurements={"waited_s": "seconds that it waited for its turn"},
    metadata={**_WHAT, **_RUN},
    doc="A run has begun.",
)
COMMAND_FINISHED: Final = Event(
    "suptree.command.finished",
    measurements={
        "duration_s": "seconds from its start until nothing of it was left",
        "stdout_bytes": "bytes of output that it wrote",
        "stderr_bytes": "bytes of errors that it wrote",
        "swept_count": "processes that it had left behind, and that were ended",
        "left_count": "processes that could not be ended",
    },
    metadata={
        **_WHAT,
        **_RUN,
        "how": "exited, stopped, overflowed, failed or lost; see RunOutcome",
        "exit_code": "its exit code, or None",
        "signal": "the signal that ended it, or None",
        "why": "in words, if it failed or was lost",
    },
    doc="A run is over.",
)
COMMAND_ANSWERED: Final = Event(
    "suptree.command.answered",
    measurements={"waited_s": "seconds from the request"},
    metadata={
        **_WHAT,
        **_WHO,
        **_RUN,
        "answer": "result, timeout, abandoned, or the class of another error",
    },
    doc="A caller has its result or its error, or waits no longer.",
)
COMMAND_REFUSED: Final = Event(
    "suptree.command.refused",
    measurements={"running_count": "commands that run", "queued_count": "commands that wait"},
    metadata={**_WHAT, **_WHO, "why": "the class of the error"},
    doc="A command was not run: it is not allowed, or not so, or there are too many.",
)
COMMAND_CACHED: Final = Event(
    "suptree.command.cached",
    measurements={"age_s": "seconds since that run ended"},
    metadata={**_WHAT, **_WHO},
    doc="A call was answered from the cache.",
)
COMMAND_CACHE_CLEARED: Final = Event(
    "suptree.command.cache.cleared",
    measurements={"cleared_count": "results that were forgotten"},
    doc="The cache was cleared.",
)
COMMANDS_CHANGED: Final = Event(
    "suptree.command.rules.changed",
    measurements={"allowed_count": "commands that are allowed now"},
    metadata={"allowed": "names that were allowed", "forbidden": "names that were forbidden"},
    doc="Which commands are allowed was changed at run time.",
)
GUARDIAN_STARTED: Final = Event(
    "suptree.command.guardian.started",
    measurements={"count": "always 1"},
    metadata={"os_pid": "its process id"},
    doc="The OS process that guards the commands was started.",
)
GUARDIAN_LOST: Final = Event(
    "suptree.command.guardian.lost",
    measurements={"count": "always 1"},
    metadata={"os_pid": "its process id", "why": "ended, or does not answer"},
    doc="The guardian is gone, and every command with it; the next command gets a new one.",
)
