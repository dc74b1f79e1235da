"""Real Elixir as the judge: compiles the sources in `ex/` and serves the programs of all its families, one trace each.

One `elixir` process serves many programs, so that shrinking a divergence costs milliseconds a step.

What it refuses: to run without `elixir` and `elixirc` on the path (`missing()` says so first).

    with Elixir() as elixir:
        print(elixir.run("dynamic", to_term(program)))
"""

from __future__ import annotations

import shutil
import subprocess
import tempfile
from pathlib import Path
from typing import IO, cast

SOURCES = Path(__file__).parent / "ex"


def missing() -> str | None:
    """Say which of the tools is not installed and how to get it; `None` when all is there."""
    absent = [tool for tool in ("elixir", "elixirc") if shutil.which(tool) is None]
    if not absent:
        return None
    return f"this comparison needs {' and '.join(absent)}: install Elixir (Debian: apt-get install elixir)"


class Elixir:
    """A running judge. Use it as a context manager; it owns the process and the folder of compiled modules."""

    def __enter__(self) -> Elixir:
        self._ebin = tempfile.TemporaryDirectory(prefix="suptree-elixir-")
        sources = sorted(map(str, SOURCES.glob("*.ex")))
        options = ["--warnings-as-errors", "--ignore-module-conflict", "-o", self._ebin.name]
        subprocess.run(["elixirc", *options, *sources], check=True)
        # One scheduler: a process finishes dying before another runs, so the trace has one order.
        self._process = subprocess.Popen(
            ["elixir", "--erl", "+S 1:1", "-pa", self._ebin.name, "-e", "Conformance.Main.run()"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        return self

    def __exit__(self, *_: object) -> None:
        self._process.communicate()  # end of input: the driver halts
        self._ebin.cleanup()

    def run(self, family: str, term: str) -> list[str]:
        """Run a program of *family*, given as an Erlang term.

        Returns:
            The lines of its trace, in order, without the closing `end`.

        Raises:
            RuntimeError: the judge ended in the middle of the trace.
        """
        stdin = cast("IO[str]", self._process.stdin)
        stdin.write(f"{{{family},{term}}}.\n")
        stdin.flush()
        lines: list[str] = []
        for line in cast("IO[str]", self._process.stdout):
            if line == "end\n":
                return lines
            lines.append(line.rstrip("\n"))
        raise RuntimeError(
            f"Elixir.run: the judge ended inside the trace of {term}; last lines: {lines[-3:]}. "
            "Run the driver by hand on it."
        )
