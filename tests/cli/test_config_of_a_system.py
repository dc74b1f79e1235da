"""`suptree config` on the settings of the whole system: the real command line, as a user runs it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from suptree.services import load_configuration
from suptree.system import SystemSettings

SHOP = """
import msgspec
from suptree.services import Flag, Secret, load_configuration
from suptree.system import Declarations, System, SystemSettings

class Bank(msgspec.Struct, frozen=True):
    key: Secret[str] = Secret("")

class Settings(SystemSettings, frozen=True):
    bank: Bank = Bank()

system = System(
    load_configuration(Settings, environ={}),
    declared=Declarations(flags=[Flag("new_path", default=False)]),
)
"""
MALL = """
from suptree.services import load_configuration
from suptree.system import System, SystemSettings

system = System(
    load_configuration(
        SystemSettings, file="mall.toml", prefix="MALL", overrides={"limits.max_limiters": 9}
    )
)
"""
RIGHT = """
[limits]
max_keys = 5

[flags]
new_path = 50
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "shop.py").write_text(SHOP)
    (tmp_path / "right.toml").write_text(RIGHT)
    return tmp_path


def config(folder: Path, *arguments: str, **environ: str) -> subprocess.CompletedProcess[str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith("SUPTREE_")}
    return subprocess.run(
        [sys.executable, "-m", "suptree.cli.main", "config", *arguments],
        cwd=folder,
        env=kept | environ,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def test_show_says_of_each_setting_of_the_system_whether_it_is_live_or_fixed(folder):
    done = config(folder, "show", "right.toml", SUPTREE_LIMITS__MAX_WAITING="7")

    lines = [line.split() for line in done.stdout.splitlines()]
    expected = load_configuration(SystemSettings, environ={}).entries
    assert {line[0]: line[1] for line in lines} == {
        path: "fixed" if entry.fixed else "live" for path, entry in expected.items()
    }
    assert ["limits.max_keys", "live", "5", "right.toml:3"] in lines
    assert ["limits.max_waiting", "live", "7", "SUPTREE_LIMITS__MAX_WAITING"] in lines
    assert ["agents.max_restarts", "fixed", "1000", "default"] in lines
    assert done.returncode == 0


def test_check_finds_every_error_at_once_with_its_line_or_variable_and_near_name(folder):
    (folder / "wrong.toml").write_text(
        "[limits]\nmax_kesy = 5\n\n[coordination]\noverflow = 'drop'\nbuffer = -1\n[lmits]\n"
    )

    done = config(folder, "check", "wrong.toml", SUPTREE_SCHEDULER__MAX_JOB="7")

    assert done.returncode == 1
    assert done.stdout.splitlines() == [
        "wrong.toml:2: limits.max_kesy is not a setting, did you mean 'max_keys'?",
        "wrong.toml:5: coordination.overflow must be one of 'drop_oldest', 'reject', 'wait'; got 'drop'.",
        "wrong.toml:6: coordination.buffer must be `int` >= 0; got -1.",
        "wrong.toml:7: lmits is not a setting, did you mean 'limits'?",
        "SUPTREE_SCHEDULER__MAX_JOB: scheduler.max_job is not a setting, did you mean 'max_jobs'?",
    ]


def test_a_system_knows_its_own_sections_and_its_flags(folder):
    (folder / "wrong.toml").write_text("[flags]\nnew_pth = true\n[bank]\nkey = 'hunter2'\n")

    right = config(folder, "check", "right.toml", "--schema", "shop:system")
    wrong = config(folder, "check", "wrong.toml", "--schema", "shop:system")
    shown = config(folder, "show", "wrong.toml", "--schema", "shop:system")
    bare = config(folder, "show", "wrong.toml", "--schema", "shop:Settings")

    assert (right.returncode, right.stdout) == (0, "")
    line = "wrong.toml:1: flags.new_pth is not a declared flag, did you mean 'new_path'?\n"
    assert (wrong.returncode, wrong.stdout) == (1, line)
    assert (shown.returncode, shown.stdout, shown.stderr) == (1, "", line)
    assert "bank.key" in bare.stdout
    assert "***" in bare.stdout
    assert "hunter2" not in bare.stdout + bare.stderr


def test_a_system_is_shown_with_what_it_was_loaded_from_unless_a_file_is_named(folder):
    (folder / "mall.py").write_text(MALL)
    (folder / "mall.toml").write_text("[limits]\nmax_keys = 5\nmax_waiting = 6\n")

    own = config(folder, "show", "--schema", "mall:system", MALL_LIMITS__MAX_WAITING="7")
    other = config(folder, "show", "right.toml", "--schema", "mall:system")

    lines = [line.split() for line in own.stdout.splitlines()]
    assert ["limits.max_keys", "live", "5", "mall.toml:2"] in lines
    assert ["limits.max_waiting", "live", "7", "MALL_LIMITS__MAX_WAITING"] in lines
    assert ["limits.max_limiters", "live", "9", "code"] in lines
    assert other.returncode == 1
    assert "right.toml:5: flags.new_path is not a declared flag" in other.stderr


def test_what_is_wrong_with_the_file_of_a_system_is_told_without_a_traceback(folder):
    (folder / "mall.py").write_text(MALL)
    (folder / "mall.toml").write_text("[limits]\nmax_kesy = 5\n")

    done = config(folder, "check", "--schema", "mall:system")

    line = "mall.toml:2: limits.max_kesy is not a setting, did you mean 'max_keys'?\n"
    assert (done.returncode, done.stdout, done.stderr) == (1, line, "")


def test_a_section_that_suptree_does_not_have_is_told_with_how_to_name_ones_own(folder):
    (folder / "bank.toml").write_text("[bank]\nkey = 'hunter2'\n")

    done = config(folder, "check", "bank.toml")
    named = config(folder, "check", "bank.toml", "--schema", "shop:system")
    misspelt = config(folder, "check", "bank.toml", "--schema", "shop:systm")

    assert done.stdout.startswith("bank.toml:1: bank is not a setting")
    assert "name your own with --schema shop:system" in done.stderr
    assert (named.returncode, named.stdout, named.stderr) == (0, "", "")
    assert "Schemas there: Bank, Settings, SystemSettings, system." in misspelt.stderr


def test_check_says_what_a_reload_would_change_and_refuses_what_is_fixed(folder):
    (folder / "next.toml").write_text("[limits]\nmax_keys = 6\n[flags]\nnew_path = 50\n")
    (folder / "fixed.toml").write_text(RIGHT + "[agents]\nmax_children = 3\n")

    live = config(folder, "check", "next.toml", "--running", "right.toml")
    fixed = config(folder, "check", "fixed.toml", "--running", "right.toml")
    as_json = config(folder, "check", "fixed.toml", "--running", "right.toml", "--json")

    assert (live.returncode, live.stdout) == (0, "live   limits.max_keys: 5 -> 6 (next.toml:2)\n")
    assert (fixed.returncode, fixed.stdout) == (
        1,
        "fixed  agents.max_children: None -> 3 (fixed.toml:8)\n",
    )
    (change,) = json.loads(as_json.stdout)
    assert (change["kind"], change["path"], change["fixed"]) == (
        "change",
        "agents.max_children",
        True,
    )


def test_a_running_file_that_is_wrong_is_a_wrong_usage(folder):
    (folder / "wrong.toml").write_text("[lmits]\n")

    done = config(folder, "check", "right.toml", "--running", "wrong.toml")

    assert done.returncode == 2
    assert "did you mean 'limits'" in done.stderr
