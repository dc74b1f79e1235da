"""A configuration as people and programs read it: each setting, its value and its source."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from suptree.services.configuration.convert import plain
from suptree.services.configuration.merge import Entry
from suptree.services.configuration.secret import REDACTED
from suptree.services.configuration.value import Configuration

__all__ = ["as_json", "as_lines"]


def as_lines(configuration: Configuration[Any]) -> Iterator[str]:
    """One line for each setting: path, value as JSON, source; secrets are `***`."""
    rows = [(path, _text(one), one) for path, one in configuration.entries.items()]
    widest = max((len(path) for path, _, _ in rows), default=0)
    value_width = max((min(len(text), 40) for _, text, _ in rows), default=0)
    for path, text, one in rows:
        fixed = "  (fixed)" if one.fixed else ""
        yield f"{path.ljust(widest)}  {text.ljust(value_width)}  {one.source}{fixed}"


def as_json(configuration: Configuration[Any]) -> dict[str, dict[str, Any]]:
    """Each setting by its path: `value`, `source`, `line` (0 for none) and `fixed`; secrets are `***`."""
    return {
        path: {
            "value": _value(one),
            "kind": one.source.kind,
            "source": one.source.where,
            "line": one.source.line,
            "fixed": one.fixed,
        }
        for path, one in configuration.entries.items()
    }


def _text(entry: Entry) -> str:
    return REDACTED if entry.secret else json.dumps(_value(entry), ensure_ascii=False)


def _value(entry: Entry) -> Any:
    return REDACTED if entry.secret else plain(entry.value)
