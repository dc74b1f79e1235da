"""The file of rows: exactly one line for each path, whatever came before."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from examples.code_census.rowfile import RowFile, sort_rows
from examples.code_census.survey import Row, Status

GOOD = Row(path="a.py", status=Status.OK, lines=3)
BAD = Row(path="b.py", status=Status.SYNTAX_ERROR, message="line 1: invalid syntax")


def test_a_path_is_written_once(tmp_path: Path) -> None:
    rows = RowFile(tmp_path / "rows.jsonl")

    assert rows.add(GOOD)
    assert not rows.add(GOOD)
    rows.close()
    assert rows.path.read_text() == GOOD.to_line() + "\n"


def test_a_successor_knows_what_its_predecessor_wrote(tmp_path: Path) -> None:
    first = RowFile(tmp_path / "rows.jsonl")
    first.add(GOOD)
    first.add(BAD)
    first.close()

    second = RowFile(tmp_path / "rows.jsonl")

    assert second.done == {"a.py", "b.py"}
    assert second.failed == 1
    assert not second.add(BAD)
    second.close()


def test_a_line_torn_anywhere_is_cut_off_and_can_be_written_again(tmp_path: Path) -> None:
    whole = BAD.to_line()
    path = tmp_path / "rows.jsonl"

    for length in range(1, len(whole) + 1):
        path.write_text(GOOD.to_line() + "\n" + whole[:length])
        rows = RowFile(path)
        assert rows.done == {"a.py"}
        assert rows.add(BAD)
        rows.close()

        assert path.read_text() == f"{GOOD.to_line()}\n{whole}\n"


def test_a_bad_line_in_the_middle_is_refused_with_its_place(tmp_path: Path) -> None:
    path = tmp_path / "rows.jsonl"
    path.write_text(f"{GOOD.to_line()}\nhello\n{BAD.to_line()}\n")

    with pytest.raises(ValueError, match=r"rows\.jsonl:2: not a census row"):
        RowFile(path)


def test_a_short_write_is_an_error_and_its_line_is_not_counted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rows = RowFile(tmp_path / "rows.jsonl")
    write = os.write
    monkeypatch.setattr(os, "write", lambda fd, data: write(fd, data[:10]))

    with pytest.raises(OSError, match="only 10 of"):
        rows.add(GOOD)
    monkeypatch.undo()
    rows.close()

    successor = RowFile(rows.path)
    assert successor.done == set()
    assert successor.add(GOOD)
    successor.close()


def test_closing_twice_is_fine(tmp_path: Path) -> None:
    rows = RowFile(tmp_path / "rows.jsonl")

    rows.close()
    rows.close()


def test_sorting_keeps_every_line_and_leaves_no_draft(tmp_path: Path) -> None:
    rows = RowFile(tmp_path / "rows.jsonl")
    rows.add(BAD)
    rows.add(GOOD)
    rows.close()

    lines = sort_rows(rows.path)

    assert lines == sorted([GOOD.to_line(), BAD.to_line()])
    assert rows.path.read_text().splitlines() == sorted([GOOD.to_line(), BAD.to_line()])
    assert list(tmp_path.iterdir()) == [rows.path]
