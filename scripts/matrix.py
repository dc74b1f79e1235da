"""Run the whole suite over every way the runtime can be configured, and print a table.

A row is one Python, one event loop and one direct-call mode; every row runs with
warnings as errors and in asyncio's debug mode.  `random` chooses direct or queued
for each call from a seed; the seed is printed, so that a failure can be run again:

    make matrix                                   every row
    make matrix ARGS="--sample 1"                 one row, chosen by a random seed
    make matrix ARGS="--only uvloop --seed 42"    the rows that name `uvloop`
    make matrix ARGS="-- tests/core -x"           what follows `--` goes to pytest

The rows reach the tests as environment variables that suptree's pytest plugin reads:
SUPTREE_DIRECT_CALL, SUPTREE_SEED and SUPTREE_TEST_LOOP.
"""

from __future__ import annotations

import argparse
import itertools
import os
import random
import re
import shutil
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
PYTHONS = ("3.11", "3.12", "3.13")
LOOPS = ("asyncio", "uvloop")
DIRECT_CALL = ("on", "off", "random")
ROW_LIMIT = 1_200


@dataclass(frozen=True, slots=True)
class Row:
    """One configuration of the suite."""

    version: str
    python: Path
    loop: str
    direct_call: str

    def __str__(self) -> str:
        return f"python {self.version}  {self.loop:<8} direct call {self.direct_call:<6}"

    def environment(self, seed: int) -> dict[str, str]:
        """The variables that make the suite run as this row."""
        return {
            **os.environ,
            "PYTHONASYNCIODEBUG": "1",
            "SUPTREE_DIRECT_CALL": self.direct_call,
            "SUPTREE_SEED": str(seed),
            "SUPTREE_TEST_LOOP": self.loop,
        }


@dataclass(frozen=True, slots=True)
class Outcome:
    """What one row gave."""

    row: Row
    ok: bool
    seconds: float
    closing_line: str


def main() -> int:
    """Run the chosen rows; return 0 when every one passed."""
    options, pytest_args = parse(sys.argv[1:])
    rng = random.Random(options.seed)
    rows = choose(options, rng)
    print(f"matrix: seed {options.seed}, {len(rows)} row(s)", flush=True)

    outcomes = [run(row, options.seed, pytest_args) for row in rows]

    print("\nmatrix:")
    for outcome in outcomes:
        verdict = "ok    " if outcome.ok else "FAILED"
        print(f"  {verdict} {outcome.row}  {outcome.seconds:6.1f} s  {outcome.closing_line}")
    if all(outcome.ok for outcome in outcomes):
        return 0
    print(f'matrix: run it again with: make matrix ARGS="--seed {options.seed}"')
    return 1


def parse(argv: list[str]) -> tuple[argparse.Namespace, list[str]]:
    """Split our own options from what belongs to pytest (after `--`)."""
    ours, pytest_args = argv, []
    if "--" in argv:
        cut = argv.index("--")
        ours, pytest_args = argv[:cut], argv[cut + 1 :]
    parser = argparse.ArgumentParser(
        prog="matrix", description="The suite, in every configuration."
    )
    parser.add_argument("--seed", type=int, default=random.SystemRandom().randrange(2**31))
    parser.add_argument(
        "--sample", type=int, metavar="N", help="N rows of this Python, by the seed"
    )
    parser.add_argument(
        "--only", action="append", default=[], metavar="WORD", help="rows naming it"
    )
    return parser.parse_args(ours), pytest_args


def choose(options: argparse.Namespace, rng: random.Random) -> list[Row]:
    """Every row, those that `--only` names, or a sample on the running Python."""
    this = f"{sys.version_info.major}.{sys.version_info.minor}"
    named = [version for version in PYTHONS if version in options.only] or list(PYTHONS)
    pythons = {this: Path(sys.executable)} if options.sample else find_pythons(this, named)
    rows = [
        Row(v, p, *rest) for (v, p), *rest in itertools.product(pythons.items(), LOOPS, DIRECT_CALL)
    ]
    rows = [row for row in rows if all(word in str(row) for word in options.only)]
    if options.sample:
        rows = rng.sample(rows, min(options.sample, len(rows)))
    if not rows:
        sys.exit(f"matrix: --only must name words of a row; got {options.only}, which no row has.")
    return rows


def find_pythons(this: str, versions: list[str]) -> dict[str, Path]:
    """An interpreter with the test requirements for each version; say which were left out."""
    found: dict[str, Path] = {}
    for version in versions:
        if version == this:
            found[version] = Path(sys.executable)
        elif (base := base_python(version)) is None:
            print(
                f"matrix: python {version} left out: no working python{version} on PATH or in pyenv"
            )
        elif (python := prepared(version, base)) is None:
            print(
                f"matrix: python {version} left out: its environment could not be made (see above)"
            )
        else:
            found[version] = python
    return found


def base_python(version: str) -> Path | None:
    """A python of *version* that really starts (a pyenv shim may be there and refuse)."""
    candidates: list[Path] = []
    if on_path := shutil.which(f"python{version}"):
        candidates.append(Path(on_path))
    pyenv = Path(os.environ.get("PYENV_ROOT", Path.home() / ".pyenv"))
    candidates += sorted(pyenv.glob(f"versions/{version}.*/bin/python"), reverse=True)
    probe = "import sys; print('%d.%d' % sys.version_info[:2])"
    for candidate in candidates:
        answer = subprocess.run(
            [candidate, "-c", probe], capture_output=True, text=True, check=False
        )
        if answer.returncode == 0 and answer.stdout.strip() == version:
            return candidate
    return None


def prepared(version: str, base: Path) -> Path | None:
    """The python of a virtual environment with the `test` extra, made when missing or stale."""
    venv = ROOT / f".venv-{version}"
    stamp = venv / ".installed-from"
    wanted = (ROOT / "pyproject.toml").read_bytes()
    if not stamp.exists() or stamp.read_bytes() != wanted:
        make = ["sh", "scripts/venv.sh", str(base), str(venv), str(stamp), "test"]
        if subprocess.run(make, cwd=ROOT, check=False).returncode != 0:
            return None
    return venv / "bin" / "python"


def run(row: Row, seed: int, pytest_args: list[str]) -> Outcome:
    """Run the suite as *row*; its output is shown whole when it fails."""
    print(f"matrix: {row} ...", flush=True)
    command = [str(row.python), "-W", "error", "-m", "pytest", "-q", "-p", "no:cacheprovider"]
    started = time.monotonic()
    try:
        done = subprocess.run(
            [*command, *pytest_args],
            cwd=ROOT,
            env=row.environment(seed),
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
            timeout=ROW_LIMIT,
        )
    except subprocess.TimeoutExpired as late:
        print((late.stdout or b"").decode(errors="replace"))
        return Outcome(row, False, time.monotonic() - started, f"no end within {ROW_LIMIT} s")
    if done.returncode != 0:
        print(done.stdout)
    lines = [line for line in done.stdout.splitlines() if re.search(r"\d+ \w+.* in [\d.]+s", line)]
    closing = lines[-1].strip("= ") if lines else f"no closing line, exit code {done.returncode}"
    return Outcome(row, done.returncode == 0, time.monotonic() - started, closing)


if __name__ == "__main__":
    sys.exit(main())
