"""`CommandLimits`: how much of the machine a command may take.  Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final

from suptree.services.parts.checks import bad_argument, check_count

__all__ = ["MEGABYTE", "CommandLimits"]

MEGABYTE: Final = 1024 * 1024


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
            raise bad_argument(who, "nice", "19 or less", self.nice)

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
