"""scripts/check_imports.py sees what it promises to see; each rule has a breach planted."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

SCRIPT = Path(__file__).resolve().parents[2] / "scripts" / "check_imports.py"


@pytest.fixture
def house(tmp_path: Path) -> Path:
    """A package with the floors of suptree and nothing in them."""
    (tmp_path / "scripts").mkdir()
    shutil.copy(SCRIPT, tmp_path / "scripts")
    (tmp_path / "scripts" / "allowed.toml").write_text("allow = []\n")
    package = tmp_path / "src" / "suptree"
    for folder in ("", "telemetry", "core", "otp", "cli", "testing"):
        (package / folder).mkdir(parents=True, exist_ok=True)
        (package / folder / "__init__.py").write_text('__all__ = ["A"]\n')
    for file in ("near.py", "errors.py", "clock.py"):
        (package / file).write_text('__all__ = ["A"]\n')
    return tmp_path


def check(house: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, str(house / "scripts" / "check_imports.py")],
        capture_output=True,
        text=True,
        check=False,
    )


BREACHES = [
    ("core/x.py", "from suptree.otp import A", "floor"),
    ("core/x.py", "from ..otp import A", "floor"),
    ("core/x.py", "import suptree", "floor"),
    ("near.py", "from suptree.errors import A", "floor"),
    ("core/x.py", "from suptree import testing", "floor"),
    ("core/x.py", "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    from suptree.otp import A", "floor"),
    ("cli/main.py", "from suptree.testing import A", "floor"),
    ("testing/kit.py", "from suptree.cli import A", "floor"),
    ("__init__.py", "from suptree.testing import A", "floor"),
    ("otp/x.py", "from suptree.core.pid import A", "public"),
    ("otp/x.py", "from suptree.core import B", "public"),
    ("otp/x.py", "import suptree.core.pid", "public"),
    ("core/x.py", "import requests", "stdlib"),
    ("otp/x.py", "async def f(loop):\n    loop.create_task(f(loop))", "task"),
    ("core/x.py", "import asyncio\nasyncio.Task(f())", "task"),
    ("core/x.py", "try:\n    pass\nexcept BaseException:\n    pass", "base-exception"),
    ("core/x.py", "try:\n    pass\nexcept (ValueError, BaseException):\n    pass", "base-exception"),
    ("core/x.py", "try:\n    pass\nexcept:\n    pass", "base-exception"),
    ("core/x.py", "SEEN = {}", "state"),
    ("core/x.py", "from collections import deque\nSEEN: object = deque()", "state"),
    ("core/x.py", "def f():\n    global seen\n    seen = 1", "state"),
    ("core/x.py", "from functools import lru_cache\n@lru_cache\ndef f(): ...", "state"),
    ("core/x.py", "import time\ntime.monotonic()", "time"),
    ("core/x.py", "from time import sleep", "time"),
    ("core/x.py", "def f(loop):\n    return loop.time()", "time"),
    ("otp/x.py", "import datetime\ndatetime.datetime.now()", "time"),
    ("core/x.py", "import subprocess\nsubprocess.run(['ls'])", "process"),
    ("core/x.py", "from subprocess import run\nrun(['ls'])", "process"),
    ("core/x.py", "import os\nos.fork()", "process"),
    ("core/x.py", "import os\nos.system('ls')", "process"),
    ("core/x.py", "import asyncio\nasyncio.create_subprocess_exec('ls')", "process"),
    ("core/x.py", "import multiprocessing\nmultiprocessing.Process()", "process"),
]  # fmt: skip


@pytest.mark.parametrize(("file", "source", "rule"), BREACHES)
def test_a_breach_is_named_with_its_rule_and_place(
    house: Path, file: str, source: str, rule: str
) -> None:
    (house / "src" / "suptree" / file).write_text(source + "\n")

    done = check(house)

    assert done.returncode == 1
    assert f"src/suptree/{file}:" in done.stdout
    assert f"[{rule}]" in done.stdout


ALLOWED = [
    ("otp/x.py", "from suptree.core import A"),
    ("otp/x.py", "from suptree.errors import A"),
    ("errors.py", "from suptree.near import A"),
    ("core/x.py", "from suptree.core.pid import Anything"),
    ("core/x.py", "from .pid import _private"),
    ("testing/kit.py", "import suptree\nimport pytest\nfrom suptree.otp import A"),
    ("cli/main.py", "import click"),
    ("__init__.py", "from suptree.otp import A"),
    ("core/x.py", "from typing import Final\nfrom collections.abc import Mapping\nWORDS: Final[Mapping[str, int]] = {'a': 1}"),
    ("core/x.py", "NAMES = ('a', 'b')\nKINDS = frozenset({1})"),
    ("core/x.py", "try:\n    pass\nexcept Exception:\n    pass"),
    ("core/x.py", "import os\nos.kill(1, 0)\nself.system(1)"),
]  # fmt: skip


@pytest.mark.parametrize(("file", "source"), ALLOWED)
def test_what_is_right_passes(house: Path, file: str, source: str) -> None:
    (house / "src" / "suptree" / file).write_text(source + "\n")

    done = check(house)

    assert done.returncode == 0, done.stdout


def test_an_allowance_needs_a_reason(house: Path) -> None:
    (house / "src" / "suptree" / "core" / "x.py").write_text("SEEN = {}\n")
    entry = '[[allow]]\nrule = "state"\nwhere = "core/x.py:SEEN"\nreason = "{}"\n'

    (house / "scripts" / "allowed.toml").write_text(entry.format("weak, by loop"))
    assert check(house).returncode == 0

    (house / "scripts" / "allowed.toml").write_text(entry.format(""))
    assert check(house).returncode == 1


def test_an_allowance_that_nothing_needs_is_named(house: Path) -> None:
    entry = '[[allow]]\nrule = "state"\nwhere = "core/gone.py"\nreason = "was needed once"\n'
    (house / "scripts" / "allowed.toml").write_text(entry)

    done = check(house)

    assert done.returncode == 1
    assert "core/gone.py" in done.stdout


def test_the_package_itself_keeps_every_rule() -> None:
    """No task, timer, clock, OS process or register of processes outside its one place."""
    done = check(SCRIPT.parents[1])

    assert done.returncode == 0, done.stdout
