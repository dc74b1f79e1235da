"""The driver's end of the protocol: a contestant's program, and asking it for samples."""

from __future__ import annotations

import os
import select
import subprocess
import tempfile
from pathlib import Path
from typing import IO, cast

from benchmarks.lineup import ROOT, Contestant
from benchmarks.protocol import CANNOT, FAILED, Ask, parse_answer

PATIENCE = 300.0
"""Seconds after which a contestant that does not answer has failed."""


class Failed(Exception):
    """The contestant did not give the sample; the text says why."""


class Line:
    """One running contestant; owns its process.

    Attributes:
        version: What it said of itself.
    """

    def __init__(self, contestant: Contestant, ebin: Path) -> None:
        self.contestant = contestant
        self._stderr = tempfile.TemporaryFile("w+", errors="replace")  # noqa: SIM115  (closed by `close`)
        self._process = subprocess.Popen(
            contestant.command(ebin),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._stderr,
            text=True,
            cwd=ROOT,
            env={**os.environ, "PYTHONWARNINGS": "ignore"},
        )
        self.version = self._read()

    def ask(self, ask: Ask) -> dict[str, list[float]] | None:
        """The metrics of one sample; None: it has no such workload.

        Raises:
            Failed: It tried, or it has ended.
        """
        stdin = cast("IO[str]", self._process.stdin)
        try:
            stdin.write(ask.line() + "\n")
            stdin.flush()
        except BrokenPipeError:
            raise Failed(f"it has ended: {self._last_words()}") from None
        line = self._read()
        if line == CANNOT:
            return None
        if line.startswith(FAILED):
            raise Failed(line.removeprefix(FAILED).strip())
        return parse_answer(line)

    def close(self) -> None:
        """End the program."""
        cast("IO[str]", self._process.stdin).close()
        try:
            self._process.wait(timeout=10.0)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        cast("IO[str]", self._process.stdout).close()
        self._stderr.close()

    def _read(self) -> str:
        stdout = cast("IO[str]", self._process.stdout)
        ready, _, _ = select.select([stdout], [], [], PATIENCE)
        if not ready:
            self._process.kill()
            raise Failed(f"no answer within {PATIENCE:.0f} s")
        line = stdout.readline()
        if not line:
            raise Failed(f"it has ended: {self._last_words()}")
        return line.strip()

    def _last_words(self) -> str:
        self._stderr.seek(0)
        lines = self._stderr.read().strip().splitlines()
        return lines[-1] if lines else "without a word"
