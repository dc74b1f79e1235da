"""scripts/conformance_table.py joins statements and tests without losing one."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
SCRIPTS = ROOT / "scripts"

STATEMENTS = """\
[S1]
text = "one"
[S2]
text = "two"
different = "because"
[S3]
text = "three"
not_applicable = "no such thing"
[S4]
text = "four"
see = ["S1"]
[S5]
text = "five"
"""

TESTS = """\
import pytest
pytestmark = [pytest.mark.otp("S5")]

@pytest.mark.otp("S1", "S2")
def test_plain(): ...

@pytest.mark.otp("S1")
class TestGroup:
    async def test_inside(self): ...

@pytest.mark.parametrize("x", [pytest.param(1, marks=pytest.mark.otp("S2"))])
def test_table(x): ...
"""


@pytest.fixture
def project(tmp_path: Path) -> Path:
    (tmp_path / "scripts").mkdir()
    (tmp_path / "tests" / "conformance").mkdir(parents=True)
    for script in SCRIPTS.glob("conformance_*.py"):
        shutil.copy(script, tmp_path / "scripts")
    (tmp_path / "tests" / "otp_statements.toml").write_text(STATEMENTS)
    (tmp_path / "tests" / "test_a.py").write_text(TESTS)
    return tmp_path


def table(project: Path, *options: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, str(project / "scripts" / "conformance_table.py"), *options],
        capture_output=True,
        text=True,
        check=False,
    )


def page_of(project: Path) -> str:
    return (project / "docs" / "reference" / "otp-conformance.md").read_text()


def rows(project: Path) -> dict[str, str]:
    lines = [line for line in page_of(project).splitlines() if line.startswith("| S")]
    return {line.split(" | ")[0].removeprefix("| "): line for line in lines}


def test_markers_on_functions_classes_modules_and_parameters_all_count(project: Path) -> None:
    table(project, "--write")

    row = rows(project)
    assert "test_a.py::test_plain" in row["S1"]
    assert "test_a.py::TestGroup.test_inside" in row["S1"]
    assert "test_a.py::test_table" in row["S2"]
    assert all(name in row["S5"] for name in ("test_plain", "test_inside", "test_table"))


def test_each_statement_has_its_status(project: Path) -> None:
    table(project, "--write")

    row = rows(project)
    assert row["S1"].endswith("| same |")
    assert row["S2"].endswith("| different: because |")
    assert row["S3"].endswith("| not applicable: no such thing |")
    assert "test_plain" in row["S4"]


def test_a_page_that_is_not_current_is_refused(project: Path) -> None:
    table(project, "--write")
    assert table(project, "--check").returncode == 0

    extra = '\n@pytest.mark.otp("S1")\ndef test_new(): ...\n'
    (project / "tests" / "test_a.py").write_text(TESTS + extra)
    assert table(project, "--check").returncode == 1


def test_strict_refuses_a_statement_without_a_test(project: Path) -> None:
    assert table(project, "--strict").returncode == 0

    (project / "tests" / "otp_statements.toml").write_text(STATEMENTS + '[S6]\ntext = "six"\n')
    done = table(project, "--strict")
    assert done.returncode == 1
    assert "S6" in done.stdout


def test_a_marker_of_no_statement_is_refused(project: Path) -> None:
    extra = '\n@pytest.mark.otp("S999")\ndef test_new(): ...\n'
    (project / "tests" / "test_a.py").write_text(TESTS + extra)

    done = table(project)
    assert done.returncode == 1
    assert "S999" in done.stdout


RECORD = {
    "families": {
        "letters": {
            "what": "Strings.",
            "judge": "Alphabet 1.0",
            "python": "CPython 3.11.7",
            "commit": "abc",
            "modes": ["plain", "loud"],
            "seeds": [7, 1006],
            "programs": 1000,
            "lines": 12345,
            "divergences": 0,
            "seconds": 9,
            "rules": [
                {"name": "order", "reason": "It is open.", "judge": 3, "ours": 1500},
                {
                    "name": "one less",
                    "reason": "We do not.",
                    "judge": 0,
                    "ours": 2,
                    "own": True,
                    "drops": True,
                },
            ],
        }
    },
    "mutants": {
        "python": "CPython 3.11.7",
        "commit": "abc",
        "seeds": [1, 2000],
        "rows": [
            {
                "file": "a.py",
                "old": "x = a | b",
                "new": "x = a",
                "breaks": "b is lost",
                "changed": 11,
                "hung": 2,
            }
        ],
    },
}


def test_what_was_recorded_of_random_programs_is_the_last_chapter(project: Path) -> None:
    (project / "tests" / "conformance" / "record.json").write_text(json.dumps(RECORD))

    table(project, "--write")

    chapter = page_of(project).partition("## Random programs")[2]
    assert (
        "| letters | 1,000 | 12,345 | 0 | 7 to 1006 | plain, loud | Alphabet 1.0 "
        "| CPython 3.11.7, commit abc | 9 s |" in chapter
    )
    assert "- **letters**: Strings." in chapter
    assert "| letters | order | It is open. | 3 | 1,500 |" in chapter
    assert "| letters | one less (*own, drops*) | We do not. | 0 | 2 |" in chapter
    assert "| a.py | `x = a \\| b` | `x = a` | b is lost | 11 (2 hang) |" in chapter


def test_without_a_record_the_chapter_is_left_out(project: Path) -> None:
    table(project, "--write")

    assert "## Random programs" not in page_of(project)


def test_the_differences_that_are_declared_are_those_that_the_semantics_tell() -> None:
    statements = tomllib.loads((ROOT / "tests" / "otp_statements.toml").read_text())
    declared = {
        id for id, entry in statements.items() if {"different", "not_applicable"} & set(entry)
    }
    page = (ROOT / "docs" / "explanation" / "semantics.md").read_text()
    table = page.partition("## Differences from the BEAM")[2].partition("\n## ")[0]
    named = {
        id
        for row in table.splitlines()
        if row.startswith("|")
        for id in re.findall(r"\bS\d+\b", row)
    }

    assert declared == named
