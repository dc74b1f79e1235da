"""The environment of the peers that live apart: .venv-bench, made by `--peers all` and git-ignored.

What they are and which versions are wanted stands in pyproject.toml, extra `bench-peers`. They are installed one by
one, so that one which cannot be had does not take the others with it.
"""

from __future__ import annotations

import subprocess
import sys
import tomllib
from collections.abc import Callable

from benchmarks.contest import without_places
from benchmarks.lineup import PEER_PYTHON, ROOT

EXTRA = "bench-peers"


def prepare(tell: Callable[[str], None]) -> dict[str, str]:
    """Make the environment; returns the packages that could not be installed, with the reason."""
    if not PEER_PYTHON.exists():
        subprocess.run([sys.executable, "-m", "venv", str(PEER_PYTHON.parent.parent)], check=True)
    missing: dict[str, str] = {}
    for requirement in requirements():
        tell(f"installing {requirement} into {PEER_PYTHON.parent.parent.name}")
        done = subprocess.run(
            [str(PEER_PYTHON), "-m", "pip", "install", "-q", requirement],
            capture_output=True,
            text=True,
        )
        if done.returncode:
            lines = done.stderr.strip().splitlines()
            missing[requirement] = without_places(lines[-1] if lines else "pip failed")
    return missing


def requirements() -> list[str]:
    """What pyproject.toml wants for them."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    wanted: list[str] = project["optional-dependencies"][EXTRA]
    return wanted
