"""`suptree config`: what a user sees of a configuration."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from suptree.cli.main import main

SHOP = """
from typing import Annotated
import msgspec
from suptree.services import Fixed, Secret

class Till(msgspec.Struct, frozen=True):
    tick: Annotated[float, msgspec.Meta(gt=0)] = 0.5
    drawers: Fixed[int] = 1
    key: Secret[str] = Secret("")

class Settings(msgspec.Struct, frozen=True):
    till: Till = Till()

class Thawed(msgspec.Struct):
    x: int = 1

NUMBER = 5
"""
RIGHT = '[till]\ntick = 2\nkey = "hunter2"\n'
WRONG = '[till]\ntikc = 2\ntick = 0\nkey = ["hunter2"]\n'


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "config_shop.py").write_text(SHOP)
    (tmp_path / "right.toml").write_text(RIGHT)
    (tmp_path / "wrong.toml").write_text(WRONG)
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(str(tmp_path))
    for variable in ("SUPTREE_TEST_LOOP", "SUPTREE_SEED", "SUPTREE_DIRECT_CALL"):
        monkeypatch.delenv(variable, raising=False)
    monkeypatch.delitem(sys.modules, "config_shop", raising=False)
    return tmp_path


def config(*arguments: str, schema: str = "config_shop:Settings") -> int:
    return main(["config", *arguments, "--schema", schema])


def test_check_of_what_is_right_prints_nothing(folder, capsys):
    assert config("check", "right.toml") == 0
    assert capsys.readouterr() == ("", "")


def test_check_prints_each_problem_with_its_place_and_no_secret(folder, capsys):
    assert config("check", "wrong.toml") == 1

    assert capsys.readouterr().out.splitlines() == [
        "wrong.toml:2: till.tikc is not a setting, did you mean 'tick'?",
        "wrong.toml:3: till.tick must be `float` > 0.0; got 0.",
        "wrong.toml:4: till.key must be `str`; got ***.",
    ]


def test_check_as_json_is_for_programs(folder, capsys):
    assert config("check", "wrong.toml", "--json") == 1
    problems = json.loads(capsys.readouterr().out)
    assert config("check", "right.toml", "--json") == 0

    assert [(one["kind"], one["source"], one["line"]) for one in problems] == [
        ("unknown", "wrong.toml", 2),
        ("wrong", "wrong.toml", 3),
        ("wrong", "wrong.toml", 4),
    ]
    assert json.loads(capsys.readouterr().out) == []


def test_show_prints_each_value_with_its_source_and_redacts_secrets(folder, capsys, monkeypatch):
    monkeypatch.setenv("SUPTREE_TILL__TICK", "3")
    monkeypatch.setenv("SUPTREE_COLOUR", "red")

    assert config("show", "right.toml") == 0

    lines = [line.split() for line in capsys.readouterr().out.splitlines()]
    assert lines == [
        ["till.tick", "live", "3.0", "SUPTREE_TILL__TICK"],
        ["till.drawers", "fixed", "1", "default"],
        ["till.key", "live", "***", "right.toml:3"],
        ["not", "settings,", "and", "ignored:", "SUPTREE_COLOUR"],
    ]


def test_show_as_json_has_sources_and_no_secrets(folder, capsys):
    assert config("show", "right.toml", "--json") == 0

    shown = json.loads(capsys.readouterr().out)
    assert shown["till.tick"] == {
        "value": 2.0,
        "kind": "file",
        "source": "right.toml",
        "line": 2,
        "fixed": False,
    }
    assert shown["till.key"]["value"] == "***"


def test_show_of_what_is_wrong_prints_the_problems_to_stderr(folder, capsys):
    assert config("show", "wrong.toml") == 1

    out, err = capsys.readouterr()
    assert out == ""
    assert len(err.splitlines()) == 3


def test_the_environment_counts_unless_told_not_to(folder, capsys, monkeypatch):
    monkeypatch.setenv("SUPTREE_TILL__TICK", "x")

    assert config("check") == 1
    assert config("check", "--no-environ") == 0
    assert config("check", "--prefix", "SHOP") == 0


@pytest.mark.parametrize(
    ("schema", "words"),
    [
        ("config_shop:Setings", "has no 'Setings'. Schemas there: Settings, Thawed, Till"),
        ("config_shop:NUMBER", "is a int, no schema"),
        ("config_shop:Thawed", "must be a frozen Struct"),
        ("config_shop", "must look like shop:Settings"),
        ("no_such_module:Settings", "no module 'no_such_module'"),
        ("config_shop.py:Settings", "write the module: config_shop:Settings"),
    ],
)
def test_what_is_no_schema_is_a_wrong_usage_that_says_what_to_write(folder, capsys, schema, words):
    assert config("check", "right.toml", schema=schema) == 2
    assert words in capsys.readouterr().err


def test_what_a_file_holds_cannot_drive_the_terminal(folder, capsys):
    (folder / "odd.toml").write_text('"\\u001b[31m" = 1\n')

    assert config("check", "odd.toml") == 1
    assert "\x1b" not in capsys.readouterr().out


def test_config_alone_says_how_to_use_it(capsys):
    assert main(["config"]) == 2
    assert "check | show" in capsys.readouterr().out


def test_the_other_commands_do_not_open_the_libraries_of_the_services():
    code = "import sys, suptree.cli.main; print('msgspec' in sys.modules)"

    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)

    assert done.stdout.strip() == "False"
