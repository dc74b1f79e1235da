"""The types that users see: the samples beside this file pass strict checkers, the refusals do not."""

from __future__ import annotations

import importlib.util
import re
import subprocess
import sys
from pathlib import Path

import pytest

HERE = Path(__file__).parent
ROOT = HERE.parents[1]
SAMPLES = ("sample_server.py", "sample_machine.py", "sample_services.py")


def check(checker: str, *files: str) -> subprocess.CompletedProcess[str]:
    """Run *checker* on *files* of this folder, as strictly as it can."""
    if importlib.util.find_spec(checker) is None:
        pytest.skip(f"{checker} is not installed (extra `dev`)")
    options = {"mypy": ["--strict", "--no-error-summary"], "pyright": []}[checker]
    return subprocess.run(
        [sys.executable, "-m", checker, *options, *(str(HERE / file) for file in files)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
        timeout=100,
    )


@pytest.mark.parametrize("checker", ["mypy", "pyright"])
def test_calls_casts_starts_and_states_are_typed_end_to_end(checker):
    done = check(checker, *SAMPLES)

    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("checker", ["mypy", "pyright"])
def test_wrong_arguments_and_results_are_refused_line_by_line(checker):
    lines = (HERE / "refused.py").read_text().splitlines()
    marked = {n for n, line in enumerate(lines, 1) if line.endswith("# refused")}

    done = check(checker, "refused.py")
    refused = {int(n) for n in re.findall(r"refused\.py:(\d+):(?:\d+ -)? error", done.stdout)}

    assert refused == marked, done.stdout + done.stderr
