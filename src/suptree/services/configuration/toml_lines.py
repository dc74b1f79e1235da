"""On which line each key of a TOML text stands: what `tomllib` reads, but does not tell.

The text has been read by `tomllib` before, so it is valid; this goes over it once more
and keeps places only.

>>> lines_of('[pools.http]\\nsize = 4\\nhosts = [\\n  "a",\\n]\\n')[("pools", "http", "size")]
2
"""

from __future__ import annotations

import re
import tomllib
from typing import Final

from suptree.services.configuration.problems import Path

__all__ = ["lines_of"]

_SPACE: Final = re.compile(r"(?:[ \t\r\n]|#[^\n]*)*")
_BLANK: Final = re.compile(r"[ \t]*")
_KEY_PART: Final = re.compile(r"""[A-Za-z0-9_-]+|"(?:[^"\\]|\\.)*"|'[^']*'""")
_STRING: Final = re.compile(
    r'"""(?:[^"\\]|\\[\s\S]|"{1,2}(?!"))*"{3,5}'
    r"|'''[\s\S]*?'{3,5}"
    r'|"(?:[^"\\]|\\.)*"'
    r"|'[^']*'"
)
_SCALAR: Final = re.compile(r"[^,\]}\r\n#]*")


def lines_of(text: str) -> dict[Path, int]:
    """The line, from 1, of each key, table and element of an array.

    Args:
        text: Valid TOML.
    """
    return _Places(text.replace("\r\n", "\n")).lines


class _Places:
    def __init__(self, text: str) -> None:
        self.text = text
        self.lines: dict[Path, int] = {}
        self._at = 0
        self._line, self._counted = 1, 0
        self._lengths: dict[Path, int] = {}  # of arrays of tables
        table: Path = ()
        while self._skip(_SPACE):
            if text.startswith("[", self._at):
                table = self._header()
            else:
                self._pair(table)

    def _header(self) -> Path:
        doubled = self.text.startswith("[[", self._at)
        line = self._here()
        self._at += 2 if doubled else 1
        key = self._key()
        self._at += 2 if doubled else 1
        path = self._last((), key[:-1])
        if doubled:
            array = (*path, key[-1])
            index = self._lengths[array] = self._lengths.get(array, -1) + 1
            path = (*array, index)
        else:
            path = self._last(path, key[-1:])
        self._note(path, line)
        return path

    def _last(self, path: Path, key: tuple[str, ...]) -> Path:
        """*key* below *path*; an array of tables on the way means its last one."""
        for step in key:
            path = (*path, step)
            if path in self._lengths:
                path = (*path, self._lengths[path])
        return path

    def _pair(self, table: Path) -> None:
        line = self._here()
        path = (*table, *self._key())
        self._note(path, line)
        self._at += 1  # "="
        self._value(path)

    def _key(self) -> tuple[str, ...]:
        parts: list[str] = []
        while True:
            self._skip(_BLANK)
            part = self._take(_KEY_PART)
            parts.append(_spelled(part))
            self._skip(_BLANK)
            if not self.text.startswith(".", self._at):
                return tuple(parts)
            self._at += 1

    def _value(self, path: Path) -> None:
        self._skip(_SPACE)
        opening = self.text[self._at]
        if opening == "[":
            self._at += 1
            index = 0
            while self._more("]"):
                self._note((*path, index), self._here())
                self._value((*path, index))
                index += 1
        elif opening == "{":
            self._at += 1
            while self._more("}"):
                self._pair(path)
        elif opening in "\"'":
            self._take(_STRING)
        else:
            self._take(_SCALAR)

    def _more(self, closing: str) -> bool:
        """Whether an array or inline table has another element; goes to it, or past the end."""
        self._skip(_SPACE)
        if self.text.startswith(",", self._at):
            self._at += 1
            self._skip(_SPACE)
        if self.text.startswith(closing, self._at):
            self._at += 1
            return False
        return True

    def _note(self, path: Path, line: int) -> None:
        for length in range(1, len(path) + 1):
            self.lines.setdefault(path[:length], line)

    def _here(self) -> int:
        self._line += self.text.count("\n", self._counted, self._at)
        self._counted = self._at
        return self._line

    def _skip(self, pattern: re.Pattern[str]) -> bool:
        self._take(pattern)
        return self._at < len(self.text)

    def _take(self, pattern: re.Pattern[str]) -> str:
        match = pattern.match(self.text, self._at)
        assert match is not None, f"{pattern.pattern} at {self._at}"
        self._at = match.end()
        return match[0]


def _spelled(part: str) -> str:
    if part[0] == "'":
        return part[1:-1]
    if part[0] == '"':
        (key,) = tomllib.loads(f"{part} = 0")
        return key
    return part
