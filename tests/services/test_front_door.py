"""`suptree.services` opens a service's folder when it is asked for, and none before."""

from __future__ import annotations

import ast
import importlib
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from suptree import services

HOME = services._HOME
SOURCE = Path(services.__file__)


def test_each_public_name_has_a_home_and_each_home_is_public():
    assert sorted(services.__all__) == sorted(HOME)
    assert list(services.__all__) == sorted(services.__all__)


@pytest.mark.parametrize("name", services.__all__)
def test_a_name_is_what_its_home_has_under_it(name):
    home = importlib.import_module(f"suptree.services.{HOME[name]}")

    assert getattr(services, name) is getattr(home, name)
    assert name in home.__all__


def test_type_checkers_see_what_is_there_at_run_time():
    seen: dict[str, str] = {}
    for node in ast.walk(ast.parse(SOURCE.read_text())):
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("suptree.services."):
            for alias in node.names:
                seen[alias.name] = (node.module or "").removeprefix("suptree.services.")

    assert seen == dict(HOME)


def test_a_name_that_is_not_there_is_an_attribute_error():
    with pytest.raises(AttributeError, match="has no attribute 'Schedular'"):
        services.Schedular


def run(code: str) -> str:
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True
    )
    return done.stdout.strip()


FOLDERS = sorted(
    path.name
    for path in SOURCE.parent.iterdir()
    if path.is_dir() and (path / "__init__.py").exists() and path.name != "parts"
)


@pytest.mark.parametrize("folder", FOLDERS)
def test_a_service_imports_alone(folder):
    others = [one for one in FOLDERS if one != folder]
    code = (
        f"import suptree.services.{folder}, sys\n"
        f"print([one for one in {others!r} if 'suptree.services.' + one in sys.modules])"
    )

    assert run(code) == "[]"


def test_the_floors_below_open_no_service_and_none_of_their_libraries():
    code = (
        "import suptree, sys\n"
        "print([one for one in ('suptree.services', 'msgspec', 'psutil', 'cronsim') "
        "if one in sys.modules])"
    )

    assert run(code) == "[]"


def test_the_contract_that_services_do_not_know_one_another_names_every_service():
    project = tomllib.loads((SOURCE.parents[3] / "pyproject.toml").read_text())
    (contract,) = (
        one
        for one in project["tool"]["importlinter"]["contracts"]
        if one.get("containers") == ["suptree.services"]
    )
    named = re.findall(r"\w+", " ".join(contract["layers"]))

    folders = {path.parent.name for path in SOURCE.parent.glob("*/__init__.py")}
    assert set(named) == folders
    assert len(named) == len(folders)
