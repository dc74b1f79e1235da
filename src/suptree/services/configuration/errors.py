"""What goes wrong with a configuration.

SuptreeError
└── ConfigurationError
    ├── ConfigurationSchemaError     the schema itself cannot be used
    ├── ConfigurationInvalidError    the sources do not fit the schema    .problems
    ├── ConfigurationFixedError      a reload would change what is fixed  .changes
    └── UnknownSectionError          no such section                      .section, .near
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from suptree.errors import SuptreeError
from suptree.near import did_you_mean, near
from suptree.services.configuration.problems import Problem

if TYPE_CHECKING:
    from suptree.services.configuration.value import Change

__all__ = [
    "ConfigurationError",
    "ConfigurationFixedError",
    "ConfigurationInvalidError",
    "ConfigurationSchemaError",
    "UnknownSectionError",
]


class ConfigurationError(SuptreeError):
    """Base of what is wrong with a configuration."""


class ConfigurationSchemaError(ConfigurationError):
    """The schema cannot be used; its author has to change it."""


class ConfigurationInvalidError(ConfigurationError):
    """The sources do not fit the schema.

    Attributes:
        problems: All of them, not only the first.
    """

    def __init__(self, problems: Sequence[Problem]) -> None:
        super().__init__(tuple(problems))
        self.problems = tuple(problems)

    def __str__(self) -> str:
        if len(self.problems) == 1:
            return f"configuration: {self.problems[0]}"
        lines = "".join(f"\n  {problem}" for problem in self.problems)
        return f"configuration: {len(self.problems)} problems:{lines}"


class ConfigurationFixedError(ConfigurationError):
    """A reload would change settings that are fixed while the system runs; nothing was changed.

    Attributes:
        changes: Those that are fixed, all of them.
    """

    def __init__(self, changes: Sequence[Change]) -> None:
        super().__init__(tuple(changes))
        self.changes = tuple(changes)

    def __str__(self) -> str:
        lines = "".join(f"\n  {change}" for change in self.changes)
        return (
            f"configuration: {len(self.changes)} fixed settings would change:{lines}\n"
            "Nothing was changed. Put them back, or restart the system."
        )


class UnknownSectionError(ConfigurationError):
    """The schema has no such section or setting."""

    def __init__(self, section: str, known: Iterable[str]) -> None:
        known = tuple(known)
        super().__init__(section, known)
        self.section = section
        self.known = known
        self.near = near(section, known)

    def __str__(self) -> str:
        hint = did_you_mean(self.section, self.known)
        return f"configuration: section must be one of the schema; got {self.section!r}{hint}"
