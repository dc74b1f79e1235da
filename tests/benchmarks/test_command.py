"""The command: what it refuses before it measures, and that a page is written whole or not at all."""

from __future__ import annotations

import pytest

from benchmarks import __main__ as command
from benchmarks import record as records
from benchmarks.__main__ import main, write
from benchmarks.contest import Contest
from benchmarks.record import Record
from benchmarks.rows import ROWS


@pytest.fixture
def unmeasured(monkeypatch):
    """Measuring is a failure: what is refused is refused before."""
    monkeypatch.setattr(command, "measure", lambda options: pytest.fail("it measures"))


@pytest.mark.parametrize("given", ["0", "-1", "x", "1.5", ""])
def test_rounds_that_are_no_positive_number_are_refused(unmeasured, capsys, given):
    with pytest.raises(SystemExit):
        main(["--only", "call", f"--rounds={given}"])

    assert f"must be a whole number of at least 1; got {given!r}" in capsys.readouterr().err


@pytest.mark.parametrize("part", [["--only", "call"], ["--peers", "none"]])
def test_a_part_of_the_rows_or_none_of_the_peers_cannot_be_written(unmeasured, capsys, part):
    with pytest.raises(SystemExit):
        main([*part, "--write"])

    assert "the page is of one run" in capsys.readouterr().err


@pytest.mark.parametrize("part", [["--only", "call"], ["--peers", "none"]])
def test_a_part_is_printed_and_leaves_the_page_alone(monkeypatch, capsys, part):
    monkeypatch.setattr(
        command, "measure", lambda options: Record({}, samples={"call": {"suptree": [7.0]}})
    )
    monkeypatch.setattr(command, "write", lambda found: pytest.fail("it writes"))

    assert main(part) == 0
    assert "call" in capsys.readouterr().out


def test_each_round_is_said_once_whoever_takes_part():
    said: list[str] = []

    with Contest([], lambda line: None, said.append) as contest:
        contest.run(ROWS, 2)

    assert said == ["warming up", "round 1 of 2", "round 2 of 2"]


def test_a_log_gets_the_rounds_and_not_each_sample(capsys):
    command._tell("1  suptree: call 40000")
    command._say("round 1 of 2")

    assert capsys.readouterr().err == "benchmarks: round 1 of 2\n"


def test_a_record_that_renders_no_page_is_not_written(monkeypatch, tmp_path):
    path = tmp_path / "benchmarks.json"
    path.write_text("what was measured before")
    monkeypatch.setattr(records, "PATH", path)

    with pytest.raises(KeyError):
        write(Record({}))

    assert path.read_text() == "what was measured before"
    assert list(tmp_path.iterdir()) == [path]
