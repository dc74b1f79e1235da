"""Programs as plain text: a closed set of frozen dataclasses as JSON and back, and as Erlang terms.

A family writes its programs as dataclasses of ints, strings, bools and tuples of such, and gets both forms here.

>>> from dataclasses import dataclass
>>> @dataclass(frozen=True)
... class Die:
...     target: str
...     reasons: tuple[str, ...]
>>> to_term(Die("w1", ("boom",)))
"{die,'w1',['boom']}"
>>> Plain(Die).from_json(to_json(Die("w1", ("boom",))))
Die(target='w1', reasons=('boom',))
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import fields, is_dataclass, replace
from typing import Any

KIND = "_"
"""Where JSON has the name of a dataclass: no field is called so."""


class Plain:
    """Reads back what `to_json` wrote of the given kinds."""

    def __init__(self, *kinds: type) -> None:
        self._kinds = {kind.__name__: kind for kind in kinds}

    def from_json(self, text: str) -> Any:
        """The value that *text* stands for.

        Raises:
            ValueError: It is no JSON, or has an object of a kind that is not one of ours.
        """
        return self._unpack(json.loads(text))

    def _unpack(self, value: Any) -> Any:
        if isinstance(value, dict):
            if value.get(KIND) not in self._kinds:
                kinds = ", ".join(self._kinds)
                raise ValueError(f"{KIND!r} must be one of {kinds}; got {value.get(KIND)!r}.")
            body = {name: self._unpack(item) for name, item in value.items() if name != KIND}
            return self._kinds[value[KIND]](**body)
        return tuple(map(self._unpack, value)) if isinstance(value, list) else value


def to_json(value: object) -> str:
    """Render a program as one line of JSON."""
    return json.dumps(_pack(value), separators=(",", ":"))


def to_term(value: object) -> str:
    """Render a program as an Erlang term: a dataclass is a tuple led by its lower-case name, a string an atom."""
    if is_dataclass(value):
        inner = [to_term(getattr(value, field.name)) for field in fields(value)]
        return "{" + ",".join([type(value).__name__.lower(), *inner]) + "}"
    match value:
        case bool():
            return "true" if value else "false"
        case int():
            return str(value)
        case str():
            return f"'{value}'"
        case tuple():
            return "[" + ",".join(map(to_term, value)) + "]"
        case _:
            raise TypeError(f"to_term: value must be plain; got {type(value).__name__}.")


def _pack(value: object) -> Any:
    if is_dataclass(value):
        body = {field.name: _pack(getattr(value, field.name)) for field in fields(value)}
        return {KIND: type(value).__name__, **body}
    return [_pack(item) for item in value] if isinstance(value, tuple) else value


def smaller(value: Any) -> Iterator[Any]:
    """Yield *value* with one item of one of its tuples less: its own first, the last ones first, then those inside.

    >>> list(smaller((1, (2, 3))))
    [(1,), ((2, 3),), (1, (2,)), (1, (3,))]
    """
    if isinstance(value, tuple):
        for k in reversed(range(len(value))):
            yield value[:k] + value[k + 1 :]
        for k, item in enumerate(value):
            for less in smaller(item):
                yield (*value[:k], less, *value[k + 1 :])
    elif is_dataclass(value) and not isinstance(value, type):
        for field in fields(value):
            for less in smaller(getattr(value, field.name)):
                yield replace(value, **{field.name: less})
