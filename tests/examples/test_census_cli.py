"""The census as its user meets it: arguments in, page and exit code out."""

from __future__ import annotations

import json
import multiprocessing
import os
import signal
from pathlib import Path

import pytest

from examples.code_census.__main__ import main
from examples.code_census.control import plain_run
from examples.code_census.discover import Sources
from examples.code_census.options import parse
from examples.code_census.survey import Row
from examples.code_census.victims import ROLES


@pytest.fixture
def source(tmp_path: Path) -> Path:
    root = tmp_path / "source"
    root.mkdir()
    (root / "good.py").write_text("def f(x):\n    return x or 1\n")
    (root / "broken.py").write_text("def f(:\n")
    (root / "junk.py").write_bytes(b"\x7fELF\0\0")
    (root / "gone.py").symlink_to("nowhere")
    return root


def test_a_run_ends_with_a_page_and_sorted_rows(
    source: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "new" / "folder" / "rows.jsonl"

    code = main([str(source), "--out", str(out)])

    shown = capsys.readouterr()
    lines = out.read_text().splitlines()
    assert code == 0
    assert [Row.from_line(line).path for line in sorted(lines)] == [
        Row.from_line(line).path for line in lines
    ]
    assert {Row.from_line(line).path for line in lines} == {
        "good.py",
        "broken.py",
        "junk.py",
        "gone.py",
    }
    assert "Failed: 1 not_text, 1 syntax_error, 1 unreadable" in shown.out
    assert "restarts   0 by supervisors\n" in shown.out
    assert "messages   9 acknowledged, 0 retried, 0 buffered, 0 rejected" in shown.out
    assert "4/4  3 failed  0 restarts" in shown.err


def test_json_is_all_that_is_printed_when_asked_for(
    source: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    code = main([str(source), "--json", "--no-progress", "--out", str(tmp_path / "rows.jsonl")])

    shown = capsys.readouterr()
    assert code == 0
    assert json.loads(shown.out)["totals"]["failed"] == 3
    assert json.loads(shown.out)["telemetry"]["acknowledged"]["system.collector"] == 4
    assert shown.err == ""


def test_chaos_is_announced_and_compared_with_a_plain_run(
    source: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = ["--chaos", "200", "--kills", str(5 * len(ROLES)), "--seed", "7"]

    code = main([str(source), *arguments, "--out", str(tmp_path / "rows.jsonl")])

    shown = capsys.readouterr()
    assert code == 0
    assert "at least 5 on each role; repeat with --seed 7" in shown.err
    assert "10,000 restarts in 5 s" in shown.err
    assert f"chaos      {5 * len(ROLES)} kills landed: " in shown.out
    assert "deaths by a kill: these, and of those who were linked to one" in shown.out
    assert "identical  yes" in shown.out


class Pressing(Sources):
    """Ctrl-C is pressed while it is on its way to another process."""

    def __reduce__(self) -> tuple[type[Sources], tuple[Path, tuple[str, ...]]]:
        os.kill(os.getpid(), signal.SIGINT)
        return Sources, (self.root, self.paths)


def test_ctrl_c_while_the_control_is_started_is_not_lost(source: Path) -> None:
    with pytest.raises(KeyboardInterrupt), plain_run(Pressing(source, ("good.py",))):
        pass

    assert multiprocessing.active_children() == []


def test_ctrl_c_is_not_for_the_control(source: Path) -> None:
    with plain_run(Sources(source, ("good.py",))) as lines:
        (control,) = multiprocessing.active_children()
        assert control.pid is not None
        os.kill(control.pid, signal.SIGINT)

        assert len(lines()) == 1


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (["/no/such/place"], "no such directory: /no/such/place"),
        ([__file__], "not a directory"),
        (["{source}", "--out", "{source}"], "cannot write"),
        (["{source}", "--out", "{source}/good.py"], "one of the files to survey"),
        (["{source}", "--out", "/dev/null"], "not a regular file"),
        (["{source}", "--workers", "0"], "--workers: must be a whole number from 1 to 1,000"),
        (["{source}", "--workers", "many"], "got 'many'"),
        (["{source}", "--chaos", "-1"], "--chaos: must be a number of kills a second"),
        (["{source}", "--chaos", "nan"], "got 'nan'"),
        (["{source}", "--kils", "3"], "unrecognized arguments: --kils"),
    ],
)
def test_bad_usage_is_one_clear_line_and_code_2(
    source: Path, capsys: pytest.CaptureFixture[str], arguments: list[str], complaint: str
) -> None:
    try:
        code: object = main([text.format(source=source) for text in arguments])
    except SystemExit as ending:
        code = ending.code

    shown = capsys.readouterr()
    assert code == 2
    assert complaint in shown.err
    assert shown.err.count("\n") == 1
    assert (source / "good.py").read_text() == "def f(x):\n    return x or 1\n"


def test_a_setting_that_makes_no_sense_is_bad_input(
    source: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("SUPTREE_COORDINATION__BUFFER", "many")

    code = main([str(source), "--out", str(tmp_path / "rows.jsonl")])

    shown = capsys.readouterr()
    assert code == 2
    assert "SUPTREE_COORDINATION__BUFFER" in shown.err
    assert shown.err.count("\n") == 1


def test_a_seed_is_made_up_when_none_is_given() -> None:
    assert len({parse(["."]).seed for _ in range(5)}) > 1
    assert parse([".", "--seed", "3"]).seed == 3
