"""What the sources say, as assignments of raw values to paths, in the order in which they win.

Each source is read against the schema, so that a key which it does not know is found
here, with its place.  Nothing is converted yet.
"""

from __future__ import annotations

import tomllib
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Final, TypeAlias, cast

import msgspec

from suptree.near import did_you_mean, near
from suptree.services.configuration.problems import CODE, Path, Problem, Source, dotted
from suptree.services.configuration.schema import Items, Named, Node, Section, Setting
from suptree.services.configuration.toml_lines import lines_of
from suptree.services.parts.secret import REDACTED

__all__ = [
    "Assignment",
    "Layer",
    "Present",
    "Removed",
    "code_layer",
    "environment_layer",
    "file_layer",
    "ignored_variables",
    "shown",
]

SHOWN_LEN: Final = 80


@dataclass(frozen=True, slots=True)
class Assignment:
    """A source gives *raw* to the setting at *path*.

    Attributes:
        text: Whether it is the text of a variable, which may become a number.
    """

    path: Path
    node: Setting
    raw: object
    source: Source
    text: bool = False


@dataclass(frozen=True, slots=True)
class Present:
    """A source writes the section at *path*, perhaps with nothing in it."""

    path: Path


@dataclass(frozen=True, slots=True)
class Removed:
    """A source says that what earlier ones said below *path* does not hold.

    Attributes:
        none: Whether the section is None now; else a new list begins.
    """

    path: Path
    source: Source
    none: bool


Layer: TypeAlias = Iterator[Assignment | Present | Removed | Problem]


def file_layer(schema: Section, text: str, name: str) -> Layer:
    """What a TOML file says.

    Args:
        text: What is in it.
        name: What it is called.
    """
    try:
        values = tomllib.loads(text)
    except tomllib.TOMLDecodeError as why:
        where = Source("file", name)
        yield Problem("unreadable", "", f"must be TOML; got an error: {why}.", where)
        return
    lines = lines_of(text)

    def place(path: Path) -> Source:
        while path and path not in lines:
            path = path[:-1]
        return Source("file", name, lines.get(path, 0))

    yield from _walk(schema, values, (), place)


def code_layer(schema: Section, values: Mapping[str, object] | msgspec.Struct) -> Layer:
    """What code says: tables in tables, dotted paths, or Structs, of which every field counts."""
    nested: object = values
    if isinstance(values, Mapping):
        nested = _unfolded(values)
    yield from _walk(schema, nested, (), lambda path: CODE)


def environment_layer(
    schema: Section,
    variables: Mapping[str, str],
    prefix: str,
    spelled: Callable[[Path, str], str],
) -> Layer:
    """What variables say: `PREFIX_SECTION__NAME`; see `load_configuration` for which are ours.

    Args:
        schema: The schema.
        variables: All of them.
        prefix: How those begin that are ours.
        spelled: How a free name below a path is spelled by the sources before, if one of them
            has it in other letters; variables are in capitals.
    """
    for variable in sorted(variables):
        rest = variable.removeprefix(f"{prefix}_")
        if not variable.startswith(f"{prefix}_") or not rest:
            continue
        steps = rest.split("__")
        if len(steps) == 1 and not _is_ours(schema, rest):
            continue
        source = Source("environment", variable)
        yield from _variable(schema, steps, variables[variable], source, spelled)


def ignored_variables(schema: Section, variables: Iterable[str], prefix: str) -> tuple[str, ...]:
    """Variables that begin with the prefix and are not configuration."""
    return tuple(
        variable
        for variable in sorted(variables)
        if variable.startswith(f"{prefix}_")
        and "__" not in (rest := variable.removeprefix(f"{prefix}_"))
        and not _is_ours(schema, rest)
    )


def _is_ours(schema: Section, rest: str) -> bool:
    """Whether a variable without `__` means configuration: it is a field, or nearly one."""
    return near(rest, map(_as_variable, schema.fields)) is not None


def _variable(
    schema: Section,
    steps: list[str],
    text: str,
    source: Source,
    spelled: Callable[[Path, str], str],
) -> Layer:
    node: Node = schema
    path: Path = ()
    for index, step in enumerate(steps):
        match node:
            case Section():
                named = {_as_variable(name): name for name in node.fields}
                name = named.get(step.casefold())
                if name is None:
                    yield _unknown((*path, step.casefold()), step.casefold(), named, source)
                    return
                path, node = (*path, name), node.fields[name].node
            case Named():
                path, node = (*path, spelled(path, step)), node.element
            case Setting() | Items():
                below = "__".join(steps[index:])
                text_ = f"has nothing below it; got {below!r}. Take that away from the name."
                yield Problem("unknown", dotted(path), text_, source)
                return
    match node:
        case Setting():
            yield Assignment(path, node, text, source, text=True)
        case Items():
            try:
                decoded = msgspec.json.decode(text)
            except msgspec.DecodeError:
                yield _wrong(path, node, "a list, as JSON", text, source)
                return
            yield from _walk(node, decoded, path, lambda path: source)
        case Section() | Named():
            expected = f"set field by field, such as {source.where}__{_example(node)}"
            yield _wrong(path, node, expected, text, source)


def _walk(node: Node, raw: object, path: Path, place: Callable[[Path], Source]) -> Layer:
    if isinstance(node, Setting):
        yield Assignment(path, node, raw, place(path))
        return
    if raw is None and node.optional:
        yield Removed(path, place(path), none=True)
        return
    if isinstance(raw, msgspec.Struct):
        raw = _as_table(raw)
    if isinstance(node, Items):
        if not isinstance(raw, list | tuple):
            yield _wrong(path, node, "a list of tables", raw, place(path))
            return
        yield Removed(path, place(path), none=False)
        for index, one in enumerate(cast("list[object]", raw)):
            yield from _walk(node.element, one, (*path, index), place)
        return
    if not isinstance(raw, Mapping):
        yield _wrong(path, node, "a table", raw, place(path))
        return
    yield Present(path)
    for key, value in cast("Mapping[object, object]", raw).items():
        name = str(key)
        below = (*path, name)
        if isinstance(node, Named):
            yield from _walk(node.element, value, below, place)
        elif name in node.fields:
            yield from _walk(node.fields[name].node, value, below, place)
        else:
            yield _unknown(below, name, node.fields, place(below))


def _unfolded(values: Mapping[str, object]) -> dict[str, object]:
    """``{"a.b": 1}`` as ``{"a": {"b": 1}}``; later keys win over earlier ones."""
    nested: dict[str, object] = {}
    for key, value in values.items():
        *above, last = key.split(".")
        inner = nested
        for step in above:
            found = inner.get(step)
            if isinstance(found, msgspec.Struct):
                found = _as_table(found)
            inner[step] = copy = (
                dict(cast("dict[str, object]", found)) if isinstance(found, Mapping) else {}
            )
            inner = copy
        inner[last] = value
    return nested


def _as_table(struct: msgspec.Struct) -> dict[str, object]:
    fields = msgspec.structs.fields(struct)
    return {field.encode_name: getattr(struct, field.name) for field in fields}


def _as_variable(name: str) -> str:
    return name.casefold().replace("-", "_")


def _example(node: Section | Named) -> str:
    if isinstance(node, Named):
        return f"NAME__{_example(node.element)}"
    return next((_as_variable(name).upper() for name in node.fields), "NAME")


def _unknown(path: Path, name: str, known: Iterable[str], source: Source) -> Problem:
    known = tuple(known)
    text = f"is not a setting{did_you_mean(name, known)}"
    return Problem("unknown", dotted(path), text, source, near=near(name, known))


def _wrong(path: Path, node: Node, expected: str, raw: object, source: Source) -> Problem:
    got = shown(raw, node.secret)
    text = f"must be {expected}; got {got}."
    return Problem("wrong", dotted(path), text, source, expected, got)


def shown(raw: object, secret: bool) -> str:
    """*raw* for a message, cut short; not at all if it may hold a secret."""
    if secret:
        return REDACTED
    text = repr(raw)
    return text if len(text) <= SHOWN_LEN else f"{text[:SHOWN_LEN]}..."
