"""The real BEAM as an oracle: compiles the driver in `erl/` and feeds it scenarios, one trace each.

One `erl` process serves many scenarios, so that shrinking a divergence costs milliseconds a step.

What it refuses: to run without `erl` and `erlc` on the path (`missing()` says so first).

    with Beam() as beam:
        print(beam.run(generate(1)))
"""

from __future__ import annotations

import shutil
import subprocess
import tempfile
from pathlib import Path
from typing import IO, cast

from tests.conformance.scenario import Scenario, to_term

SOURCES = Path(__file__).parent / "erl"


def missing() -> str | None:
    """Say which of the tools is not installed and how to get it; `None` when all is there."""
    absent = [tool for tool in ("erl", "erlc") if shutil.which(tool) is None]
    if not absent:
        return None
    return f"the trace comparison needs {' and '.join(absent)}: install Erlang/OTP (Debian: apt-get install erlang-base)"


class Beam:
    """A running driver. Use it as a context manager; it owns the `erl` process and the folder of compiled modules."""

    def __enter__(self) -> Beam:
        self._ebin = tempfile.TemporaryDirectory(prefix="suptree-trace-")
        sources = sorted(map(str, SOURCES.glob("*.erl")))
        subprocess.run(["erlc", "-Wall", "-Werror", "-o", self._ebin.name, *sources], check=True)
        # One scheduler: a process finishes dying before another runs, so the trace has one order.
        self._erl = subprocess.Popen(
            ["erl", "+S", "1:1", "-noshell", "-pa", self._ebin.name, "-s", "suptree_trace", "main"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        return self

    def __exit__(self, *_: object) -> None:
        self._erl.communicate()  # end of input: the driver halts
        self._ebin.cleanup()

    def run(self, scenario: Scenario) -> list[str]:
        """Run *scenario* on OTP's supervisor.

        Returns:
            The lines of its trace, in order, without the closing `end`.

        Raises:
            RuntimeError: the driver ended in the middle of the trace.
        """
        stdin, stdout = cast("IO[str]", self._erl.stdin), cast("IO[str]", self._erl.stdout)
        stdin.write(to_term(scenario) + ".\n")
        stdin.flush()
        lines: list[str] = []
        for line in stdout:
            if line == "end\n":
                return lines
            lines.append(line.rstrip("\n"))
        raise RuntimeError(
            f"Beam.run: erl ended inside the trace of scenario {scenario.seed}; last lines: {lines[-3:]}. "
            "Run the driver by hand on it."
        )
