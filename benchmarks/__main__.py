"""`python -m benchmarks [--json] [--only NAME] [--rounds N] [--loop asyncio|uvloop]`: the table, in about a minute."""

from __future__ import annotations

import argparse
import asyncio
import gc
import importlib.util
import json
import platform
import sys

from benchmarks import erlang
from benchmarks.ours import Ours
from benchmarks.plain import Plain, RunLoop
from benchmarks.rows import ROWS, Row, Side
from benchmarks.table import Cell, Result, render


def main(arguments: list[str] | None = None) -> int:
    options = _parse(arguments)
    rows = [row for row in ROWS if options.only in (None, row.name)]
    ours = Ours(_run_loop(options.loop))
    sides: list[Side] = [ours, Plain(_run_loop(options.loop))]
    absent = erlang.missing()
    if absent is None:
        sides.append(erlang.Erlang())
    try:
        results = _alternate(rows, sides, options.rounds)
    finally:
        for side in sides:
            side.close()
    for result in results:
        result.direct_share = ours.direct_share.get(result.row.name)
    _print(results, [side.name for side in sides], options, absent)
    return 0


def _alternate(rows: list[Row], sides: list[Side], rounds: int) -> list[Result]:
    """Run every row on every side, round by round; the first round warms up and is not counted."""
    results = [Result(row, {side.name: Cell() for side in sides}) for row in rows]
    for round_ in range(rounds + 1):
        order = sides[round_ % len(sides) :] + sides[: round_ % len(sides)]
        for result in results:
            for side in order:
                gc.collect()
                sample = side.measure(result.row)
                if round_:
                    result.cells[side.name].samples.append(sample)
    return results


def _print(
    results: list[Result], sides: list[str], options: argparse.Namespace, absent: str | None
) -> None:
    if options.json:
        print(json.dumps([result.as_json() for result in results], indent=2))
        return
    print(
        f"Python {platform.python_version()}, {options.loop}, {options.rounds} rounds; median ± half the quartile distance."
    )
    print(
        "x PEER: how many times better suptree is. The asyncio actor's calls carry no timeout, the others' 5 s.\n"
    )
    print(render(results, sides))
    print()
    for result in results:
        print(f"  {result.row.name:12}{result.row.what}")
    if absent:
        print(f"\n{absent}", file=sys.stderr)


def _run_loop(name: str) -> RunLoop:
    if name == "uvloop":
        import uvloop

        return uvloop.run
    return asyncio.run


def _parse(arguments: list[str] | None) -> argparse.Namespace:
    best = "uvloop" if importlib.util.find_spec("uvloop") else "asyncio"
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("--json", action="store_true", help="samples, medians and ratios as JSON")
    parser.add_argument("--only", choices=[row.name for row in ROWS], help="one row only")
    parser.add_argument("--rounds", type=int, default=7, help="counted rounds (default 7)")
    parser.add_argument(
        "--loop",
        choices=["asyncio", "uvloop"],
        default=best,
        help=f"event loop of both Python sides (default {best})",
    )
    return parser.parse_args(arguments)


if __name__ == "__main__":
    sys.exit(main())
