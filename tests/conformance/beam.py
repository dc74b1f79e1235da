"""The real BEAM as a judge: compiles the Erlang sources of a family and feeds them programs, one trace each.

One `erl` process serves many programs, so that shrinking a divergence costs milliseconds a step. Its main module
reads a program, one Erlang term, from standard input, writes the lines of its trace, and then a line `end`.

    with Erlang(Path("erl"), "suptree_trace") as erlang:
        print(erlang.trace(to_term(program)))
"""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from pathlib import Path
from typing import IO, cast

from tests.conformance.family import Trace

PACKAGES = {"erl": "erlang-base", "erlc": "erlang-base", "elixir": "elixir", "elixirc": "elixir"}
"""The tools that judges need, and Debian's name for where they are in."""


def missing(*tools: str) -> str | None:
    """Say which of *tools* (`erl` and `erlc` unless named) is not installed and how to get it.

    Returns:
        A sentence, or None when all is there.
    """
    absent = [tool for tool in tools or ("erl", "erlc") if shutil.which(tool) is None]
    if not absent:
        return None
    packages = " ".join(dict.fromkeys(PACKAGES[tool] for tool in absent))
    return f"there is no {' and no '.join(absent)} here (Debian: apt-get install {packages})"


WARM = Path(__file__).parent / "erl"
"""What every judge in Erlang starts with."""


class Erlang:
    """A running driver. Use it as a context manager; it owns the `erl` process and the folder of compiled modules.

    Args:
        sources: A folder of `.erl` files, all of which are compiled, warnings being errors.
        module: Whose `main/0` is run.
    """

    def __init__(self, sources: Path, module: str) -> None:
        self._sources = sources
        self._module = module

    def __enter__(self) -> Erlang:
        self._ebin = tempfile.TemporaryDirectory(prefix="suptree-judge-")
        sources = sorted(map(str, [*WARM.glob("*.erl"), *self._sources.glob("*.erl")]))
        subprocess.run(["erlc", "-Wall", "-Werror", "-o", self._ebin.name, *sources], check=True)
        # One scheduler: a process finishes dying before another runs, so the trace has one order.
        command = [
            "erl",
            "+S",
            "1:1",
            "-noshell",
            "-pa",
            self._ebin.name,
            "-s",
            "warm_judge",
            "main",
            self._module,
        ]
        self._erl = subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env={**os.environ, "ERL_CRASH_DUMP_SECONDS": "0"},  # what it says is enough
        )
        return self

    def __exit__(self, *_: object) -> None:
        self._erl.communicate()  # end of input: the driver halts
        self._ebin.cleanup()

    def trace(self, term: str) -> Trace:
        """Run one program, given as an Erlang term without its closing dot.

        Returns:
            The lines of its trace, in order, without the closing `end`.

        Raises:
            RuntimeError: The driver ended in the middle of the trace.
        """
        stdin, stdout = cast("IO[str]", self._erl.stdin), cast("IO[str]", self._erl.stdout)
        stdin.write(term + ".\n")
        stdin.flush()
        lines: Trace = []
        for line in stdout:
            if line == "end\n":
                return lines
            lines.append(line.rstrip("\n"))
        raise RuntimeError(
            f"Erlang.trace: erl ended inside a trace; last lines: {lines[-3:]}. "
            f"Run {self._module} by hand on {term}."
        )


def versions(*, elixir: bool = False) -> str:
    """What judges, for records: `Erlang/OTP 25.2.3`, and which Elixir runs on it if that matters."""
    code = (
        "Root = code:root_dir(), Release = erlang:system_info(otp_release),"
        '{ok, V} = file:read_file(filename:join([Root, "releases", Release, "OTP_VERSION"])),'
        "io:put_chars(string:trim(V)), halt()."
    )
    otp = f"Erlang/OTP {_output('erl', '-noshell', '-eval', code)}"
    return (
        f"Elixir {_output('elixir', '-e', 'IO.write(System.version())')} on {otp}"
        if elixir
        else otp
    )


def _output(*command: str) -> str:
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()
