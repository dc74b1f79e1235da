"""What the census says about one file: every kind of input is a row, never an error."""

from __future__ import annotations

import os
import warnings
from pathlib import Path

import pytest

from examples.code_census.survey import (
    Row,
    Status,
    analyse,
    analyse_source,
    plain_survey,
    quiet_parser,
)

SAMPLE = b"""\
import os.path, sys
from collections import deque
from . import sibling


class Stack:
    def push(self, item):
        if item and self.ok or item is None:
            return [x for x in item if x]

        async def inner():
            async for _ in item:
                pass


def choose(value):
    match value:
        case 1:
            return "one"
        case _:
            return "many"
"""


def test_a_good_file_is_counted() -> None:
    row = analyse_source("pkg/stack.py", SAMPLE)

    assert row == Row(
        path="pkg/stack.py",
        status=Status.OK,
        bytes=len(SAMPLE),
        lines=21,
        functions=3,
        classes=1,
        imports=("collections", "os", "sys"),
        complexity=6 + 2 + 2,
        hardest="Stack.push:7",
        hardest_complexity=6,
    )


@pytest.mark.parametrize(
    ("body", "complexity"),
    [
        ("pass", 1),
        ("if a: pass\n elif b: pass\n else: pass", 3),
        ("while a: pass", 2),
        ("for a in b: pass", 2),
        ("try: pass\n except A: pass\n except B: pass", 3),
        ("with a: pass", 1),
        ("return a and b and c", 3),
        ("return a if b else c", 2),
        ("return {x: y for x in a if x if y}", 4),
        ("return lambda: a or b", 2),
        ("match a:\n  case 1: pass\n  case 2: pass\n  case _: pass", 3),
        ("match a:\n  case 1: pass\n  case _ if b: pass", 3),
    ],
)
def test_complexity_is_one_plus_the_decisions(body: str, complexity: int) -> None:
    source = f"def f():\n {body}\n".encode()

    row = analyse_source("f.py", source)

    assert (row.status, row.hardest_complexity, row.complexity) == (
        Status.OK,
        complexity,
        complexity,
    )


@pytest.mark.parametrize(
    ("source", "status", "message"),
    [
        (b"def f(:\n", Status.SYNTAX_ERROR, "line 1: "),
        (b"x = 1\nprint 'two'\n", Status.SYNTAX_ERROR, "line 2: "),
        (b"x = " + b"9" * 5000, Status.SYNTAX_ERROR, ""),
        (b"\x7fELF\0\0\0", Status.NOT_TEXT, "null bytes"),
        (b"x = '\xff'\n", Status.NOT_TEXT, ""),
        (b"# coding: klingon\n", Status.NOT_TEXT, "klingon"),
        (b"# coding: rot13\nk = 1\n", Status.NOT_TEXT, "rot13"),
        (b"# coding: ascii\nx = '\xc3\xa9'\n", Status.NOT_TEXT, "ascii"),
        (b"x = " + b"-" * 100_000 + b"1\n", Status.TOO_DEEP, "nested"),
        (b"x = " + b"1+" * 200_000 + b"1\n", Status.TOO_DEEP, "nested"),
        (b"x = " + b"(" * 1000 + b")" * 1000, Status.SYNTAX_ERROR, "line 1: "),
    ],
)
def test_a_bad_file_is_named_with_its_reason(source: bytes, status: Status, message: str) -> None:
    row = analyse_source("bad.py", source)

    assert row.status is status
    assert message in row.message
    assert row.message
    assert row.bytes == len(source)
    assert row.functions == row.complexity == 0


@pytest.mark.parametrize(
    ("source", "lines"),
    [(b"", 0), (b"\n", 1), (b"x = 1", 1), (b"x = 1\r\ny = 2\r\n", 2), (b"\xef\xbb\xbfx = 1\n", 1)],
)
def test_lines_count_a_last_one_without_a_line_break(source: bytes, lines: int) -> None:
    row = analyse_source("lines.py", source)

    assert (row.status, row.lines) == (Status.OK, lines)


def test_a_coding_cookie_is_obeyed() -> None:
    row = analyse_source("latin.py", "# coding: latin-1\nprix = '€'\n".encode("cp1252"))

    assert row.status is Status.OK


def test_what_cannot_be_opened_is_unreadable(tmp_path: Path) -> None:
    (tmp_path / "dangling.py").symlink_to("nowhere.py")
    os.mkfifo(tmp_path / "pipe.py")
    (tmp_path / "folder.py").mkdir()

    rows = [analyse(tmp_path, name) for name in ("dangling.py", "pipe.py", "folder.py")]

    assert {row.status for row in rows} == {Status.UNREADABLE}
    assert [row.message for row in rows] == [
        "No such file or directory",
        "not a regular file",
        "not a regular file",
    ]


def test_a_line_is_the_row_and_the_row_is_the_line() -> None:
    row = analyse_source("naïve\udcff\n.py", SAMPLE)

    line = row.to_line()

    assert Row.from_line(line) == row
    assert Row.from_line(line).to_line() == line
    assert line.isascii()
    assert "\n" not in line
    assert list(line) == list(analyse_source("naïve\udcff\n.py", SAMPLE).to_line())


@pytest.mark.parametrize("line", ["", "{", '{"path": "a.py"', "[]", '{"path": "a.py"}', "17"])
def test_what_is_not_a_whole_row_is_refused(line: str) -> None:
    with pytest.raises(ValueError):
        Row.from_line(line)


def test_a_row_torn_anywhere_is_refused() -> None:
    line = analyse_source("a.py", SAMPLE).to_line()

    for length in range(len(line)):
        with pytest.raises(ValueError):
            Row.from_line(line[:length])


def test_parser_warnings_neither_show_nor_change_the_row(tmp_path: Path) -> None:
    (tmp_path / "loud.py").write_bytes(b"x = '\\d'\nassert (1, 'always')\nx is 1\n")

    with warnings.catch_warnings(record=True) as heard:
        warnings.simplefilter("always")
        lines = plain_survey(tmp_path, ["loud.py"])
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        strict_lines = plain_survey(tmp_path, ["loud.py"])

    assert heard == []
    assert lines == strict_lines
    assert Row.from_line(lines[0]).status is Status.OK


def test_quiet_parser_leaves_other_warnings_alone() -> None:
    with quiet_parser(), pytest.warns(UserWarning, match="heard"):
        warnings.warn("heard", UserWarning, stacklevel=1)
