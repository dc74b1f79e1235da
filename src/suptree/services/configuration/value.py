"""`Configuration`: the value of a schema, with where each setting comes from; and `diff_configurations`."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any, Final, Generic, TypeVar, cast

import msgspec

from suptree.services.configuration.errors import UnknownSectionError
from suptree.services.configuration.merge import Entry
from suptree.services.configuration.schema import Items, Named, Node, Section, Setting
from suptree.services.configuration.show import as_json, as_lines

__all__ = ["ABSENT", "Change", "Configuration", "Sources", "diff_configurations"]

S_co = TypeVar("S_co", bound=msgspec.Struct, covariant=True)


class _Absent:
    def __repr__(self) -> str:
        return "ABSENT"

    def __bool__(self) -> bool:
        return False


ABSENT: Final = _Absent()
"""In the place of a setting that is not there: the section that it would be in is not."""


@dataclass(frozen=True, slots=True)
class Sources(Generic[S_co]):
    """Where a configuration is read from, and can be read from again.

    Attributes:
        schema: The Struct.
        file: The TOML file, or None.
        environ: The variables; None means those that the program has when it reads.
        prefix: How the names of its variables begin.
        overrides: What code says.
    """

    schema: type[S_co]
    file: str | None
    environ: Mapping[str, str] | None = field(repr=False)  # may hold secrets, as overrides may
    prefix: str
    overrides: Mapping[str, object] | msgspec.Struct = field(repr=False)


@dataclass(frozen=True, slots=True, eq=False)
class Configuration(Generic[S_co]):
    """A checked configuration; it does not change.

    Attributes:
        value: An instance of the schema.
        entries: Each setting by its dotted path, in the order of the schema.
        sources: Where it was read from.
        ignored: Variables that begin with the prefix, and were not taken for settings.
    """

    value: S_co
    entries: Mapping[str, Entry] = field(repr=False)
    sources: Sources[S_co]
    section: Section = field(repr=False)
    ignored: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        object.__setattr__(self, "entries", MappingProxyType(dict(self.entries)))

    def at(self, path: str) -> Any:
        """The section or setting at a dotted path; "" is everything.

        Returns:
            The value; ABSENT for one in a section that is not there.

        Raises:
            UnknownSectionError: The schema has no such path.

        >>> configuration.at("scheduler.tick")
        0.5
        """
        node: Node = self.section
        value: Any = self.value
        for step in path.split(".") if path else ():
            match node:
                case Section():
                    if step not in node.fields:
                        raise UnknownSectionError(path, self.paths())
                    found = node.fields[step]
                    node = found.node
                    value = getattr(value, found.attribute) if value else ABSENT
                case Named():
                    node = node.element
                    value = value.get(step, ABSENT) if value else ABSENT
                case Setting() | Items():
                    raise UnknownSectionError(path, self.paths())
        return value

    def paths(self) -> tuple[str, ...]:
        """Every path that `at` knows: sections and settings, dotted."""
        return tuple(dict.fromkeys((*_paths(self.section, ""), *self.entries)))

    def lines(self) -> Iterator[str]:
        """One line for each setting: path, `live` or `fixed`, value as JSON, source; secrets are `***`."""
        return as_lines(self.entries)

    def as_json(self) -> dict[str, dict[str, Any]]:
        """Each setting by its path, with its source, as JSON can hold it; secrets are `***`."""
        return as_json(self.entries)


@dataclass(frozen=True, slots=True)
class Change:
    """One setting that differs between two configurations.

    Attributes:
        path: Its dotted path.
        old: What it was; ABSENT if it was not there.
        new: What it is; ABSENT if it is not there any more.
        fixed: Whether it cannot change while the system runs.
        source: Where the new value comes from, or where the old one came from.
    """

    path: str
    old: Any
    new: Any
    fixed: bool
    source: str

    def __str__(self) -> str:
        return f"{self.path}: {self.old!r} -> {self.new!r} ({self.source})"


def diff_configurations(old: Configuration[Any], new: Configuration[Any]) -> tuple[Change, ...]:
    """The settings that differ, in the order of the schema; those that are gone come last."""
    changes: list[Change] = []
    for path in dict.fromkeys((*new.entries, *old.entries)):
        before, after = old.entries.get(path), new.entries.get(path)
        one = cast("Entry", after or before)
        was = ABSENT if before is None else before.value
        now = ABSENT if after is None else after.value
        if was != now:
            changes.append(Change(path, was, now, one.fixed, str(one.source)))
    return tuple(changes)


def _paths(node: Node, path: str) -> Iterator[str]:
    if path:
        yield path
    if isinstance(node, Section):
        for name, one in node.fields.items():
            yield from _paths(one.node, f"{path}.{name}" if path else name)
