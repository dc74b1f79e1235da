"""What is in use goes up by what is taken, and down by what is given back."""

from __future__ import annotations

import gc
import linecache
import subprocess
import sys

import pytest

from tests.soak.holdings import sample
from tests.soak.memory import bytes_in_use

KILOBYTE = 1024


@pytest.mark.parametrize(
    ("size", "count"),
    [(200, 5_000), (20 * KILOBYTE, 50), (1024 * KILOBYTE, 1)],
    ids=["of Python's allocator", "of malloc", "a block of its own"],
)
def test_what_is_in_use_rises_with_what_is_taken_and_falls_again_when_it_is_freed(size, count):
    gc.collect()
    before = bytes_in_use()

    kept = [bytes(size) for _ in range(count)]
    taken = bytes_in_use() - before
    kept.clear()
    gc.collect()
    left = bytes_in_use() - before

    assert size * count <= taken <= 1.5 * size * count
    assert abs(left) < 0.2 * size * count


async def test_a_traceback_does_not_look_like_a_leak(runtime):
    linecache.clearcache()
    before = sample(runtime, {})["blocks of memory"]

    lines = len(linecache.getlines(subprocess.__file__))  # what a traceback through it reads
    after = sample(runtime, {})["blocks of memory"]

    assert after - before < lines / 2


def test_looking_leaves_stderr_as_it_was(capfd):
    bytes_in_use()

    print("still here", file=sys.stderr)
    assert capfd.readouterr().err == "still here\n"
