"""The page of the laws has each law that is named anywhere, and what it names is there."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PAGE = (ROOT / "docs" / "explanation" / "laws.md").read_text()
NAMED = re.compile(r"\b[Ll]aws? (\d+(?:(?:, | and )\d+)*)|test_law(\d+)_")


def files() -> Iterator[Path]:
    """Whatever may name a law."""
    for folder in ("src", "tests", "scripts", "docs", "examples", "benchmarks"):
        for path in (ROOT / folder).rglob("*"):
            if path.suffix in {".py", ".md", ".toml"} and path != Path(__file__):
                yield path


def test_each_law_that_is_named_is_on_the_page_and_in_order():
    on_page = [int(number) for number in re.findall(r"^## (\d+)\.", PAGE, re.MULTILINE)]
    named = {
        int(number)
        for path in files()
        for match in NAMED.finditer(path.read_text())
        for number in re.findall(r"\d+", match[0])
    }

    assert on_page == list(range(1, len(on_page) + 1))
    assert named <= set(on_page)


def test_each_law_says_where_it_is_held_and_which_test_shows_it():
    for section in re.split(r"^## ", PAGE, flags=re.MULTILINE)[1:]:
        _, _, held = section.partition("\nHeld in ")
        where, _, shown = held.partition("shown by")
        places = re.findall(r"`([\w/]+\.py)`", where)
        tests = re.findall(r"`([\w/]+\.py)::(\w+)`", shown)

        assert places, section
        assert tests, section
        assert all((ROOT / "src" / "suptree" / place).is_file() for place in places), places
        for file, name in tests:
            tree = ast.parse((ROOT / "tests" / file).read_text())
            functions = ast.FunctionDef | ast.AsyncFunctionDef
            assert name in {node.name for node in ast.walk(tree) if isinstance(node, functions)}
