"""The command line: what the user asked for, checked before anything starts.

What it refuses: options that are no numbers or out of range, in one line on stderr
and with exit code 2. Places that cannot be surveyed are refused by `discover`.
"""

from __future__ import annotations

import argparse
import secrets
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NoReturn

from .discover import standard_library
from .victims import Quota

EXIT_CODES = """\
exit codes:
  0    every file is in the result (files that could not be parsed are counted in it)
  1    the tree gave up, or a chaos run is not identical to a plain one
  2    bad usage or bad input
  130  stopped by Ctrl-C or SIGTERM, in order; the rows so far are there
"""


@dataclass(frozen=True, slots=True)
class Options:
    """The command line as a value. `rate` is kills a second; 0 without chaos."""

    directory: Path
    out: Path
    workers: int
    top: int
    json: bool
    progress: bool
    inspect: bool
    rate: float
    seed: int
    quota: Quota


def parse(arguments: Sequence[str] | None = None) -> Options:
    """Read the command line; ends the program (exit code 2) when it makes no sense."""
    parser = _Parser(
        prog="python -m examples.code_census",
        description="Measure every Python file under a directory, in a supervision tree.",
        epilog=EXIT_CODES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    parser.add_argument(
        "directory",
        nargs="?",
        type=Path,
        default=standard_library(),
        metavar="DIRECTORY",
        help="what to survey (default: the standard library of this Python)",
    )
    add = parser.add_argument
    add(
        "--out",
        type=Path,
        default=Path("out/rows.jsonl"),
        metavar="FILE",
        help="where the rows go, one JSON line each; replaced if it exists (default: %(default)s)",
    )
    add(
        "--workers",
        type=_whole(1, 1000),
        default=4,
        metavar="N",
        help="files in work at once; one thread surveys for all (default: %(default)s)",
    )
    add(
        "--top",
        type=_whole(1, 1000),
        default=10,
        metavar="N",
        help="length of the lists in the summary (default: %(default)s)",
    )
    add("--json", action="store_true", help="print the summary as JSON")
    add("--no-progress", dest="progress", action="store_false", help="no progress line on stderr")
    add(
        "--inspect",
        action="store_true",
        help="let `suptree tree` and `suptree info` look in from another terminal",
    )
    chaos = parser.add_argument_group(
        "chaos",
        "Kill random processes of the tree while it works, then compare the result with a plain survey.",
    )
    chaos.add_argument(
        "--chaos", dest="rate", type=_rate, default=0.0, metavar="RATE", help="kills a second"
    )
    chaos.add_argument(
        "--kills",
        type=_whole(1, 100_000),
        default=200,
        metavar="N",
        help="how many kills, at least 5 of each role among them (default: %(default)s)",
    )
    chaos.add_argument(
        "--seed",
        type=_whole(0, 2**32),
        metavar="N",
        help="repeat the choices of an earlier run (default: a new one, printed)",
    )
    given = parser.parse_args(arguments)
    return Options(
        directory=given.directory,
        out=given.out,
        workers=given.workers,
        top=given.top,
        json=given.json,
        progress=given.progress,
        inspect=given.inspect,
        rate=given.rate,
        seed=given.seed if given.seed is not None else secrets.randbelow(2**32),
        quota=Quota(total=given.kills),
    )


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        self.exit(2, f"census: {message}. Try --help.\n")


def _whole(least: int, most: int) -> Callable[[str], int]:
    def convert(text: str) -> int:
        try:
            value = int(text)
        except ValueError:
            value = least - 1
        if not least <= value <= most:
            raise argparse.ArgumentTypeError(
                f"must be a whole number from {least:,} to {most:,}; got {text!r}"
            )
        return value

    return convert


def _rate(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = 0.0
    if not 0 < value <= 1000:  # not a number and infinity fail this too
        raise argparse.ArgumentTypeError(
            f"must be a number of kills a second, above 0 and up to 1,000; got {text!r}"
        )
    return value
