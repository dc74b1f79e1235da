"""Read a configuration: defaults, then a TOML file, then the environment, then code.

Each setting remembers who set it.  Nothing is guessed and nothing is passed over: a key
that the schema does not know is refused, with the near name and the line or variable; and
all that is wrong is told at once.

>>> class Scheduler(msgspec.Struct, frozen=True):
...     tick: Annotated[float, msgspec.Meta(gt=0)] = 0.5
>>> class Settings(msgspec.Struct, frozen=True):
...     scheduler: Scheduler = Scheduler()
>>> configuration = load_configuration(Settings, environ={"SUPTREE_SCHEDULER__TICK": "0.25"})
>>> configuration.value.scheduler.tick, str(configuration.entries["scheduler.tick"].source)
(0.25, 'SUPTREE_SCHEDULER__TICK')
>>> print(check_configuration(Settings, environ={}, overrides={"scheduler.tikc": 1})[0])
code: scheduler.tikc is not a setting, did you mean 'tick'?

Variables are `PREFIX_SECTION__NAME`.  Those with a double underscore are all ours.  Of the
others, those that name a field of the schema itself, or nearly; the rest belongs to
somebody else and is listed in `Configuration.ignored`.  The text of a variable becomes the
type of its setting: numbers, `true` and `false`, dates; lists, and what else has parts, are
JSON.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, Final, TypeVar

import msgspec

from suptree.services.configuration.errors import ConfigurationInvalidError
from suptree.services.configuration.layers import (
    Layer,
    code_layer,
    environment_layer,
    file_layer,
    ignored_variables,
)
from suptree.services.configuration.merge import Merge
from suptree.services.configuration.problems import Problem, Source
from suptree.services.configuration.schema import Section, section_of
from suptree.services.configuration.value import Configuration, Sources

__all__ = ["PREFIX", "check_configuration", "load_again", "load_configuration"]

S = TypeVar("S", bound=msgspec.Struct)

PREFIX: Final = "SUPTREE"
_NOTHING: Final[Mapping[str, object]] = MappingProxyType({})


def load_configuration(
    schema: type[S],
    *,
    file: str | os.PathLike[str] | None = None,
    environ: Mapping[str, str] | None = None,
    prefix: str = PREFIX,
    overrides: Mapping[str, object] | msgspec.Struct = _NOTHING,
) -> Configuration[S]:
    """Read and check a configuration.

    Args:
        schema: A frozen msgspec Struct of sections and settings, with their defaults.
        file: A TOML file; None: there is none.
        environ: The variables; None: those of this program.  Give `{}` for none.
        prefix: How the names of its variables begin.
        overrides: What code says, which goes over everything: tables, dotted paths
            (``{"scheduler.tick": 0.1}``), or a Struct, of which each field counts as said.

    Raises:
        ConfigurationInvalidError: With all that is wrong.
        ConfigurationSchemaError: The schema cannot be used.
    """
    return load_again(_sources(schema, file, environ, prefix, overrides))


def check_configuration(
    schema: type[msgspec.Struct],
    *,
    file: str | os.PathLike[str] | None = None,
    environ: Mapping[str, str] | None = None,
    prefix: str = PREFIX,
    overrides: Mapping[str, object] | msgspec.Struct = _NOTHING,
) -> tuple[Problem, ...]:
    """All that `load_configuration` would refuse; () when it would not.

    Raises:
        ConfigurationSchemaError: The schema cannot be used.
    """
    sources = _sources(schema, file, environ, prefix, overrides)
    return tuple(_read(section_of(schema), sources).problems)


def load_again(sources: Sources[S]) -> Configuration[S]:
    """Read what `load_configuration` read, as it is now; raises as `load_configuration` does."""
    section = section_of(sources.schema)
    merged = _read(section, sources)
    if merged.problems:
        raise ConfigurationInvalidError(merged.problems)
    ignored = ignored_variables(section, _variables(sources), sources.prefix)
    return Configuration(merged.value, merged.entries, sources, section, ignored)


def _sources(
    schema: type[S],
    file: str | os.PathLike[str] | None,
    environ: Mapping[str, str] | None,
    prefix: str,
    overrides: Mapping[str, object] | msgspec.Struct,
) -> Sources[S]:
    if not prefix or not prefix.replace("_", "").isalnum() or prefix.endswith("_"):
        raise ValueError(
            f"load: prefix must be letters, digits and underscores, such as {PREFIX!r}; got {prefix!r}."
        )
    given = None if environ is None else dict(environ)
    return Sources(schema, None if file is None else os.fspath(file), given, prefix, overrides)


def _read(section: Section, sources: Sources[Any]) -> Merge:
    merged = Merge(section)
    if sources.file is not None:
        merged.add(_file(section, sources.file))
    variables = _variables(sources)
    merged.add(environment_layer(section, variables, sources.prefix, merged.spelled))
    merged.add(code_layer(section, sources.overrides))
    merged.finish()
    return merged


def _variables(sources: Sources[Any]) -> Mapping[str, str]:
    return os.environ if sources.environ is None else sources.environ


def _file(section: Section, name: str) -> Layer:
    try:
        with open(name, encoding="utf-8", newline="") as file:
            text = file.read()
    except (OSError, UnicodeDecodeError) as why:
        reason = why.strerror if isinstance(why, OSError) else str(why)
        text = f"must be a file that can be read; got an error: {reason}."
        yield Problem("unreadable", "", text, Source("file", name))
        return
    yield from file_layer(section, text, name)
