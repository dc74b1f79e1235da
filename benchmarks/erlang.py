"""Erlang's side: OTP's gen_server and supervisor on one scheduler, in one `erl` that serves all rounds."""

from __future__ import annotations

import shutil
import subprocess
import tempfile
from pathlib import Path
from typing import IO, cast

from benchmarks.rows import Row, in_unit

SOURCE = Path(__file__).parent / "erl" / "suptree_bench.erl"


def missing() -> str | None:
    """Say why there is no Erlang column; `None` when there is one."""
    if shutil.which("erl") and shutil.which("erlc"):
        return None
    return "no Erlang column: erl and erlc are not installed (Debian: apt-get install erlang-base)"


class Erlang:
    """A contestant; owns the `erl` process and the folder of the compiled module."""

    name = "erlang"

    def __init__(self) -> None:
        self._ebin = tempfile.TemporaryDirectory(prefix="suptree-bench-")
        subprocess.run(["erlc", "-o", self._ebin.name, str(SOURCE)], check=True)
        self._erl = subprocess.Popen(
            ["erl", "+S", "1:1", "-noshell", "-pa", self._ebin.name, "-s", "suptree_bench", "main"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def measure(self, row: Row) -> float:
        stdin, stdout = cast("IO[str]", self._erl.stdin), cast("IO[str]", self._erl.stdout)
        stdin.write(f"{{run,{row.workload},{row.n}}}.\n")
        stdin.flush()
        answer = stdout.readline().strip()
        if not answer.isdigit():
            raise RuntimeError(f"Erlang.measure: {row.name} failed: {answer or 'erl ended'}.")
        return in_unit(row, int(answer) / 1e9)

    def close(self) -> None:
        self._erl.communicate()
        self._ebin.cleanup()
