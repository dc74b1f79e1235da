"""Values about configuration: where a setting comes from, and what is wrong with one."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal, TypeAlias

__all__ = ["CODE", "DEFAULT", "Path", "Problem", "Source", "dotted"]

Path: TypeAlias = tuple[str | int, ...]
"""Where a setting is: the names of its sections and its own; places in a list are numbers."""


def dotted(path: Path) -> str:
    """*path* as people write it.

    >>> dotted(("pools", "http", "hosts", 0))
    'pools.http.hosts[0]'
    """
    text = ""
    for step in path:
        if isinstance(step, int):
            text += f"[{step}]"
        else:
            plain = step.replace("_", "").replace("-", "").isalnum()
            text += ("." if text else "") + (step if plain else f'"{step}"')
    return text


@dataclass(frozen=True, slots=True)
class Source:
    """Where a setting comes from.

    Attributes:
        kind: Sources later in the order `default`, `file`, `environment`, `code` win.
        where: The file or the variable; "" for the other two.
        line: The line in the file, from 1; 0 if there is none to name.
    """

    kind: Literal["default", "file", "environment", "code"]
    where: str = ""
    line: int = 0

    def __str__(self) -> str:
        return f"{self.where}:{self.line}" if self.line else self.where or self.kind


DEFAULT: Final = Source("default")
CODE: Final = Source("code")


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing that is wrong.

    Attributes:
        kind: `unknown` (no such setting), `wrong` (not what it must be), `missing` (nobody
            sets it), `refused` (the section's own check says no), `unreadable` (the file).
        path: Which setting or section, dotted; "" for the file or the schema as a whole.
        text: What is wrong, and what it must be.
        source: Who says so; None when nobody sets it.
        expected: For a wrong one, what it must be.
        got: For a wrong one, what it is; `***` if it is secret.
        near: For an unknown one, the known name that looks most like it.
    """

    kind: Literal["unknown", "wrong", "missing", "refused", "unreadable"]
    path: str
    text: str
    source: Source | None = None
    expected: str = ""
    got: str = ""
    near: str | None = None

    def __str__(self) -> str:
        said = f"{self.path} {self.text}" if self.path else self.text
        return said if self.source is None else f"{self.source}: {said}"
