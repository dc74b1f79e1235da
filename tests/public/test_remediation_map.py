"""The map of the seed and the page of gaps name only what is there."""

from __future__ import annotations

import ast
import importlib
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
REFERENCE = ROOT / "docs" / "reference"
PAGES = ("remediation-map.md", "gaps.md")
MODULE = re.compile(r"`(suptree(?:\.\w+)+)`")
TEST = re.compile(r"`(tests/[\w/]+\.py)::([\w:]+)`")
OPEN = re.compile(r"\*\*open\*\*: \w")


def rows_of(text: str) -> Iterator[list[str]]:
    """The cells of each row of each table, without heads."""
    for line in text.splitlines():
        if line.startswith("|") and not line.startswith("|---"):
            cells = [cell.strip() for cell in line.strip("|").split("|")]
            if cells[-1] != "proven by":
                yield cells


def rows() -> list[tuple[str, list[str]]]:
    return [
        (f"{page}: {cells[0]}", cells)
        for page in PAGES
        for cells in rows_of((REFERENCE / page).read_text())
    ]


@cache
def names_of(file: str) -> frozenset[str]:
    """The names of the tests of a file: functions, methods as `Class::name`, and machines of Hypothesis."""
    path = ROOT / file
    return (
        frozenset(_names(ast.parse(path.read_text()).body, "")) if path.is_file() else frozenset()
    )


def _names(body: list[ast.stmt], prefix: str) -> Iterator[str]:
    for node in body:
        match node:
            case ast.FunctionDef(name=name) | ast.AsyncFunctionDef(name=name):
                if name.startswith("test_"):
                    yield prefix + name
            case ast.ClassDef(name=name, body=inner) if name.startswith("Test"):
                yield from _names(inner, f"{prefix}{name}::")
            case (
                ast.Assign(targets=[ast.Name(id=name)], value=ast.Attribute(attr="TestCase"))
                | ast.AnnAssign(target=ast.Name(id=name), value=ast.Attribute(attr="TestCase"))
            ):
                yield name
            case _:
                pass


def is_there(dotted: str) -> bool:
    """Whether *dotted* is a module, or a public name of one."""
    try:
        importlib.import_module(dotted)
    except ModuleNotFoundError:
        module, _, name = dotted.rpartition(".")
        try:
            return name in importlib.import_module(module).__all__
        except ModuleNotFoundError:
            return False
    return True


def is_proven(cell: str) -> bool:
    return bool(TEST.search(cell) or OPEN.search(cell))


@pytest.mark.parametrize(("where", "cells"), rows())
def test_a_row_has_a_test_or_says_that_it_is_open(where: str, cells: list[str]) -> None:
    assert len(cells) == 3, where
    assert is_proven(cells[2]), f"{where}: name a test, or write **open**: and what is missing."


def test_each_module_that_is_named_is_there() -> None:
    named = {name for page in PAGES for name in MODULE.findall((REFERENCE / page).read_text())}

    assert len(named) > 30
    assert [name for name in sorted(named) if not is_there(name)] == []


def test_each_test_that_is_named_is_there() -> None:
    named = {found for page in PAGES for found in TEST.findall((REFERENCE / page).read_text())}

    assert len(named) > 150
    assert [f"{file}::{name}" for file, name in sorted(named) if name not in names_of(file)] == []


def test_whatever_looks_like_a_test_is_read_as_one() -> None:
    """A name with a slip in it would else be no test, and nobody would look it up."""
    for page in PAGES:
        text = (REFERENCE / page).read_text()
        inside = re.sub(r"```.*?```", "", text, flags=re.DOTALL)
        tables = "\n".join(line for line in inside.splitlines() if line.startswith("|"))

        assert tables.count("::") == sum(1 + name.count("::") for _, name in TEST.findall(tables))


@pytest.mark.parametrize(
    ("cell", "proven"),
    [
        ("`tests/core/test_pid.py::test_numbers_are_never_given_out_again`", True),
        ("**open**: runbooks", True),
        ("**open**: ", False),
        ("tested by hand", False),
        ("", False),
    ],
)
def test_a_word_of_praise_is_no_proof(cell: str, proven: bool) -> None:
    assert is_proven(cell) is proven


@pytest.mark.parametrize(
    ("dotted", "there"),
    [
        ("suptree.services.SchedulerManager", True),
        ("suptree.services.scheduler", True),
        ("suptree.services.SchedulerManger", False),
        ("suptree.servces.scheduler", False),
    ],
)
def test_a_name_is_a_module_or_a_public_name(dotted: str, there: bool) -> None:
    assert is_there(dotted) is there


def test_tests_are_found_wherever_they_are_written() -> None:
    assert "test_tests_are_found_wherever_they_are_written" in names_of(
        "tests/public/test_remediation_map.py"
    )
    assert "TestTimers" in names_of("tests/laws/test_timers.py")
    assert names_of("tests/laws/test_nothing.py") == frozenset()
