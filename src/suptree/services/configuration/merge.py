"""From assignments to one value of the schema: later ones win, and everything wrong is found.

Pure: no file, no environment, no clock.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final, cast

import msgspec

from suptree.services.configuration.convert import NotTheTypeError, from_text, to_type
from suptree.services.configuration.layers import Assignment, Layer, Present, Removed, shown
from suptree.services.configuration.problems import DEFAULT, Path, Problem, Source, dotted
from suptree.services.configuration.schema import Items, Named, Node, Section, Setting

__all__ = ["Entry", "Merge"]


@dataclass(frozen=True, slots=True)
class Entry:
    """One setting as it is.

    Attributes:
        path: Its dotted path.
        value: What it is; None for a section that is not there.
        source: Who said so.
        fixed: Whether it cannot change while the system runs.
        secret: Whether it is shown as `***`.
    """

    path: str
    value: Any
    source: Source
    fixed: bool
    secret: bool


class Merge:
    """Puts layers over one another: `add` each, then `finish`.

    Attributes:
        value: The value of the schema; None if there are problems.
        entries: Each setting by its dotted path, in the order of the schema.
        problems: Everything that is wrong.
    """

    __slots__ = ("_below", "_given", "_schema", "entries", "problems", "value")

    def __init__(self, schema: Section) -> None:
        self.problems: list[Problem] = []
        self.entries: dict[str, Entry] = {}
        self.value: Any = None
        self._schema = schema
        self._given: dict[Path, tuple[Any, Source]] = {}
        self._below: dict[Path, dict[str | int, None]] = {}  # the steps that lead on from a path

    def add(self, layer: Layer) -> None:
        """Put *layer* over those that were added before."""
        for one in layer:
            match one:
                case Assignment():
                    self._assign(one)
                case Present():
                    self._open(one.path)
                case Removed():
                    self._remove(one)
                case Problem():
                    self.problems.append(one)

    def spelled(self, path: Path, name: str) -> str:
        """How a free name below *path* is spelled so far, in any letters; in small ones if it is new."""
        name = name.casefold()
        known = (*self._below.get(path, ()), *_names_by_default(self._schema, path))
        return next((str(one) for one in known if str(one).casefold() == name), name)

    def finish(self) -> None:
        """Make the value."""
        value = self._section(self._schema, (), None)
        self.value = None if self.problems else value

    # -- what the sources say ----------------------------------------------------------------

    def _assign(self, one: Assignment) -> None:
        try:
            if one.text:
                value = from_text(cast("str", one.raw), one.node.type)
            else:
                value = to_type(one.raw, one.node.type)
        except NotTheTypeError as why:
            got = shown(one.raw, one.node.secret)
            text = f"must be {why.expected}; got {got}."
            self.problems.append(
                Problem("wrong", dotted(one.path), text, one.source, why.expected, got)
            )
            value = _BAD
        self._put(one.path, value, one.source)

    def _remove(self, one: Removed) -> None:
        self._forget(one.path)
        self._put(one.path, None if one.none else _NEW, one.source)

    def _put(self, path: Path, value: object, source: Source) -> None:
        self._open(path[:-1])
        self._below[path[:-1]][path[-1]] = None
        self._given[path] = value, source

    def _open(self, path: Path) -> None:
        """The section at *path* is there, and so are those around it."""
        for length in range(len(path) + 1):
            here = path[:length]
            if self._given.get(here, (_BAD,))[0] is None:
                del self._given[here]  # it was None
            self._below.setdefault(here, {})
            if length:
                self._below[here[:-1]][here[-1]] = None

    def _forget(self, path: Path) -> None:
        for step in self._below.pop(path, {}):
            self._forget((*path, step))
            self._given.pop((*path, step), None)

    # -- the value -----------------------------------------------------------------------------

    def _node(self, node: Node, path: Path, base: Any) -> Any:
        """The value at *path*; *base* is the default, which may be NODEFAULT."""
        if isinstance(node, Setting):
            value, source = self._given.get(path, (base, DEFAULT))
            self._enter(path, value, source, node)
            return value
        given = self._given.get(path)
        if given is not None and given[0] is None:
            self._enter(path, None, given[1], node)
            return None
        if base is None and given is None and path not in self._below:
            self._enter(path, None, DEFAULT, node)
            return None
        match node:
            case Section():
                return self._section(node, path, base)
            case Named():
                return self._named(node, path, base)
            case Items():
                return self._items(node, path, base, given is not None)

    def _section(self, section: Section, path: Path, base: Any) -> Any:
        before = len(self.problems)
        values: dict[str, Any] = {}
        for name, field in section.fields.items():
            here = (*path, name)
            default = field.default
            if isinstance(base, msgspec.Struct):
                default = getattr(base, field.attribute)
            if default is msgspec.NODEFAULT and self._is_missing(field.node, here):
                self.problems.append(_missing(here))
            else:
                values[field.attribute] = self._node(field.node, here, default)
        if len(self.problems) > before or any(value is _BAD for value in values.values()):
            return _BAD
        try:
            return section.struct(**values)
        except Exception as why:  # the check in its __post_init__, which is the user's code
            self.problems.append(self._refused(path, why))
            return _BAD

    def _is_missing(self, node: Node, path: Path) -> bool:
        if path in self._given or path in self._below:
            return False
        return not isinstance(node, Section) or node.optional

    def _named(self, node: Named, path: Path, base: Any) -> Any:
        defaults: dict[Any, Any] = {}
        if isinstance(base, Mapping):
            defaults = dict(base)  # pyright: ignore[reportUnknownArgumentType]
        names = [*defaults, *(name for name in self._below.get(path, ()) if name not in defaults)]
        return {
            name: self._section(node.element, (*path, name), defaults.get(name)) for name in names
        }

    def _items(self, node: Items, path: Path, base: Any, given: bool) -> Any:
        if given:
            steps = self._below.get(path, {})
            items = [self._section(node.element, (*path, step), None) for step in steps]
        else:
            defaults = () if base is msgspec.NODEFAULT else base
            items = [
                self._section(node.element, (*path, index), one)
                for index, one in enumerate(defaults)
            ]
        return tuple(items) if node.container is tuple else items

    def _enter(self, path: Path, value: object, source: Source, node: Node) -> None:
        name = dotted(path)
        self.entries[name] = Entry(name, value, source, node.fixed, node.secret)

    def _refused(self, path: Path, why: Exception) -> Problem:
        """The section's own check says no: its sources are those of its settings, not defaults."""
        prefix = dotted(path)
        sources = {
            str(entry.source): entry.source
            for name, entry in self.entries.items()
            if (not prefix or name.startswith(f"{prefix}.")) and entry.source is not DEFAULT
        }
        source = next(iter(sources.values()), DEFAULT)
        said = str(why) if isinstance(why, ValueError | TypeError) else repr(why)
        return Problem("refused", prefix, f"is refused: {said}", source)


class _Marker:
    __slots__ = ()


_BAD: Final = _Marker()  # in the place of a value that was refused
_NEW: Final = _Marker()  # a list begins anew here


def _names_by_default(schema: Section, path: Path) -> list[str]:
    """The names that the default of a dict of sections has."""
    node: Node = schema
    base: Any = msgspec.NODEFAULT
    for step in path:
        if isinstance(node, Section):
            field = node.fields[str(step)]
            if isinstance(base, msgspec.Struct):
                base = getattr(base, field.attribute)
            else:
                base = field.default
            node = field.node
        elif isinstance(node, Named):
            node, base = node.element, msgspec.NODEFAULT
    return list(base) if isinstance(base, dict) else []  # pyright: ignore[reportUnknownVariableType, reportUnknownArgumentType]


def _missing(path: Path) -> Problem:
    return Problem(
        "missing", dotted(path), "must be set; no source sets it, and it has no default."
    )
