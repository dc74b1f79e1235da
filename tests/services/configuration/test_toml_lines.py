"""Lines of TOML keys: what the scanner says is where the key stands."""

from __future__ import annotations

import tomllib
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as some

from suptree.services.configuration.toml_lines import lines_of

TEXT = '''# a comment with [brackets] and "quotes"
title = "x"
a.b.c = 1

[pools.http]  # [not.this]
size = 4
"odd key" = { one = 1, 'two' = [1, 2] }
hosts = [
  "a",  # first
  "]",
  { name = "c" },
]
text = """
[no.header]
key = "no key" \\"""
"""
raw = \'\'\'
x = 1
\'\'\'
[[rules]]
name = "first"
[[rules]]
name = "second"
[rules.deep]
x = 1979-05-27T07:32:00
[[rules.inner]]
y = -inf
[a.d]
z = false
'''


@pytest.mark.parametrize(
    ("path", "line"),
    [
        (("title",), 2),
        (("a",), 3),
        (("a", "b", "c"), 3),
        (("pools",), 5),
        (("pools", "http"), 5),
        (("pools", "http", "size"), 6),
        (("pools", "http", "odd key", "one"), 7),
        (("pools", "http", "odd key", "two", 1), 7),
        (("pools", "http", "hosts"), 8),
        (("pools", "http", "hosts", 0), 9),
        (("pools", "http", "hosts", 1), 10),
        (("pools", "http", "hosts", 2, "name"), 11),
        (("pools", "http", "text"), 13),
        (("pools", "http", "raw"), 17),
        (("rules", 0), 20),
        (("rules", 1, "name"), 23),
        (("rules", 1, "deep", "x"), 25),
        (("rules", 1, "inner", 0, "y"), 27),
        (("a", "d", "z"), 29),
    ],
)
def test_a_key_has_the_line_on_which_it_is_written(path: tuple[Any, ...], line: int) -> None:
    tomllib.loads(TEXT)

    assert lines_of(TEXT)[path] == line


@pytest.mark.parametrize(
    "path", [("no",), ("no", "header"), ("pools", "http", "key"), ("rules", 2)]
)
def test_what_stands_in_strings_and_comments_is_no_key(path: tuple[Any, ...]) -> None:
    assert path not in lines_of(TEXT)


def test_windows_line_ends_count_once() -> None:
    assert lines_of("a = 1\r\n\r\nb = 2\r\n")[("b",)] == 3


KEYS = some.text("ab_-9", min_size=1, max_size=3)
STRINGS = some.text(some.sampled_from("ab[]{}=#\"'\\ ,.\n"), max_size=8)


def basic(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
    return f'"{escaped}"'


def multiline(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return f'"""\n{escaped}"""'


VALUES = some.recursive(
    some.integers().map(str)
    | some.sampled_from(["true", "1.5", "'lit # ['", "2020-01-01 10:00:00"])
    | STRINGS.map(basic)
    | STRINGS.map(multiline),
    lambda inner: some.lists(inner, max_size=3).map(
        lambda xs: "[\n" + ",\n# c ]\n".join(xs) + " ]"
    ),
    max_leaves=4,
)


@given(some.dictionaries(KEYS, some.dictionaries(KEYS, VALUES, max_size=4), max_size=4))
def test_every_key_of_any_document_is_found_on_its_line(tables: dict[str, dict[str, str]]) -> None:
    text, expected = "", {}
    for table, keys in tables.items():
        expected[(table,)] = text.count("\n") + 1
        text += f"[ {table} ] # {table} = 1\n"
        for key, value in keys.items():
            expected[(table, key)] = text.count("\n") + 1
            text += f"{basic(key)} = {value}\n\n"
    assert tomllib.loads(text).keys() == tables.keys()

    found = lines_of(text)

    assert {path: line for path, line in found.items() if isinstance(path[-1], str)} == expected
