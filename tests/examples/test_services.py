"""Each example of a service, run as the program that its reader would start."""

import ast
import os
import pkgutil
import subprocess
import sys
from pathlib import Path

import pytest

from suptree import services

ROOT = Path(__file__).parents[2]
EXAMPLES = sorted(
    path for path in (ROOT / "examples/services").glob("*.py") if path.stem != "__init__"
)
NEEDS = {"connection_pool": "httpx"}
NO_SERVICE = {"parts"}
"""A folder beside those of the services: what several of them stand on."""

each_example = pytest.mark.parametrize("example", EXAMPLES, ids=lambda path: path.stem)


def docstring_of(example: Path) -> str:
    text = ast.get_docstring(ast.parse(example.read_text()))
    assert text, f"{example.name} does not say what it shows"
    return text


def promised_by(example: Path) -> list[str]:
    _, found, block = docstring_of(example).partition("\nIt prints:\n\n")
    assert found, f"the docstring of {example.name} does not say what it prints"
    return [line.removeprefix("    ") for line in block.splitlines()]


@each_example
def test_an_example_prints_what_its_docstring_says_and_nothing_else(example: Path) -> None:
    if example.stem in NEEDS:
        pytest.importorskip(NEEDS[example.stem])

    ended = subprocess.run(
        [sys.executable, "-W", "error", "-m", f"examples.services.{example.stem}"],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT / "src"), "PYTHONIOENCODING": "utf-8"},
        capture_output=True,
        text=True,
        encoding="utf-8",
        timeout=100,
        check=False,
    )

    assert ended.stderr == ""
    assert ended.stdout.splitlines() == promised_by(example)
    assert ended.returncode == 0


@each_example
def test_an_example_is_shorter_than_eighty_lines(example: Path) -> None:
    assert len(example.read_text().splitlines()) < 80


def test_the_readme_lists_each_example_with_the_first_line_of_its_docstring() -> None:
    listed = [
        line
        for line in (ROOT / "examples/README.md").read_text().splitlines()
        if "](services/" in line
    ]

    expected: list[str] = []
    for example in EXAMPLES:
        title, _, shows = docstring_of(example).splitlines()[0].partition(": ")
        expected.append(f"- [{title}](services/{example.name}): {shows}")
    assert sorted(listed) == sorted(expected)


def test_every_service_has_an_example() -> None:
    folders = {module.name for module in pkgutil.iter_modules(services.__path__) if module.ispkg}

    shown: set[str] = set()
    for example in EXAMPLES:
        for node in ast.walk(ast.parse(example.read_text())):
            if isinstance(node, ast.ImportFrom) and node.module == "suptree.services":
                homes = (getattr(services, name.name).__module__ for name in node.names)
                shown |= {home.split(".")[2] for home in homes if home.count(".") > 1}

    assert folders - NO_SERVICE - shown == set()
