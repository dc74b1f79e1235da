"""`python -m benchmarks [--only NAME ...] [--peers none|default|all] [--rounds N]`: the table."""

from __future__ import annotations

import argparse
import importlib.util
import json
import sys

from benchmarks.contest import Contest
from benchmarks.lineup import contestants
from benchmarks.rows import ROWS
from benchmarks.table import as_text


def main(arguments: list[str] | None = None) -> int:
    options = _parse(arguments)
    rows = [row for row in ROWS if not options.only or row.name in options.only]
    with Contest(contestants(options.peers, options.loop), _tell) as contest:
        contest.run(rows, options.rounds)
        outcome = contest.outcome
    if options.json:
        print(json.dumps(outcome.samples, indent=1))
        return 0
    sides = [name for name in outcome.versions if any(name in s for s in outcome.samples.values())]
    print(as_text(rows, outcome.samples, sides))
    for where, whose in outcome.troubles.items():
        for name, why in whose.items():
            print(f"{name} {where}: {why}", file=sys.stderr)
    return 0


def _tell(line: str) -> None:
    print(f"\r\033[K{line}", end="", file=sys.stderr, flush=True)


def _parse(arguments: list[str] | None) -> argparse.Namespace:
    best = "uvloop" if importlib.util.find_spec("uvloop") else "asyncio"
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("--json", action="store_true", help="samples as JSON")
    parser.add_argument("--only", nargs="+", choices=[row.name for row in ROWS], metavar="NAME")
    parser.add_argument("--peers", choices=["none", "default", "all"], default="default")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--loop", choices=["asyncio", "uvloop"], default=best)
    return parser.parse_args(arguments)


if __name__ == "__main__":
    sys.exit(main())
