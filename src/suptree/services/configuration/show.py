"""Settings as people and programs read them: each with its value and its source."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

from suptree.services.configuration.convert import plain
from suptree.services.configuration.merge import Entry
from suptree.services.parts.secret import REDACTED

__all__ = ["as_json", "as_lines"]


def as_lines(entries: Mapping[str, Entry]) -> Iterator[str]:
    """One line for each setting: path, `live` or `fixed`, value as JSON, source; secrets are `***`."""
    rows = [(path, _text(one), one) for path, one in entries.items()]
    widest = max((len(path) for path, _, _ in rows), default=0)
    value_width = max((min(len(text), 40) for _, text, _ in rows), default=0)
    for path, text, one in rows:
        when = "fixed" if one.fixed else "live "
        yield f"{path.ljust(widest)}  {when}  {text.ljust(value_width)}  {one.source}"


def as_json(entries: Mapping[str, Entry]) -> dict[str, dict[str, Any]]:
    """Each setting by its path: `value`, `kind` and name of its source, `line` (0 for none), `fixed`."""
    return {
        path: {
            "value": _value(one),
            "kind": one.source.kind,
            "source": one.source.where,
            "line": one.source.line,
            "fixed": one.fixed,
        }
        for path, one in entries.items()
    }


def _text(entry: Entry) -> str:
    return REDACTED if entry.secret else json.dumps(_value(entry), ensure_ascii=False)


def _value(entry: Entry) -> Any:
    return REDACTED if entry.secret else plain(entry.value)
