"""Commands: programs of the operating system, run by rule, bounded, and ended with all that they start.

`manager.py` is the tree and the client, `server.py` decides, `run.py` is the process of one
command, `runner.py` starts the guardian; what runs inside that is in `guard`.
"""

from suptree.services.commands.allowed import ALLOWED_COMMANDS
from suptree.services.commands.errors import (
    ArgumentsNotAllowedError,
    CommandError,
    CommandLaunchError,
    CommandLostError,
    CommandNotAllowedError,
    CommandOutputError,
    CommandTimeoutError,
    TooManyCommandsError,
)
from suptree.services.commands.limits import CommandLimits
from suptree.services.commands.manager import SystemCommandManager
from suptree.services.commands.outcome import CommandResult, CommandStats, MemoryReading
from suptree.services.commands.policy import AnyArguments, ArgumentPatterns, ExactArguments
from suptree.services.commands.spec import CommandRule

__all__ = [
    "ALLOWED_COMMANDS",
    "AnyArguments",
    "ArgumentPatterns",
    "ArgumentsNotAllowedError",
    "CommandError",
    "CommandLaunchError",
    "CommandLimits",
    "CommandLostError",
    "CommandNotAllowedError",
    "CommandOutputError",
    "CommandResult",
    "CommandRule",
    "CommandStats",
    "CommandTimeoutError",
    "ExactArguments",
    "MemoryReading",
    "SystemCommandManager",
    "TooManyCommandsError",
]
