"""`ALLOWED_COMMANDS`: what may be run unless somebody says otherwise."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from suptree.services.commands.policy import ArgumentPatterns, ExactArguments
from suptree.services.commands.spec import CommandRule

__all__ = ["ALLOWED_COMMANDS"]

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
"""Looking at the machine, and nothing that changes it."""
