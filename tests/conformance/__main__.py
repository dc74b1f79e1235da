"""Random programs of every family, on their judge and on suptree; divergences are made small and printed.

    python -m tests.conformance                                    every family, from a random seed, which is printed
    python -m tests.conformance --family machines --count 5000     one family
    python -m tests.conformance --family servers --program '{...}' one program, with its trace
    python -m tests.conformance --seed 1 --record                  and keep the figures for docs/reference

Ends with 0 when all traces agree, 1 when some do not, or when CI=true and a judge is not installed.
"""

from __future__ import annotations

import argparse
import os
import random
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from tests.conformance import beam, families
from tests.conformance.campaign import Tally, judge_many
from tests.conformance.family import Family, Normaliser, find_divergence
from tests.conformance.record import record_family

SECONDS_BETWEEN_WORDS = 30.0


def main(arguments: list[str] | None = None) -> int:
    """Return the exit code; see the module text."""
    options = _parse(arguments)
    if options.program:
        return _one(families.find(options.family[0]), options)
    seed: int = options.seed if options.seed is not None else random.randrange(1, 10**9)
    print(f"conformance: {options.count} programs of each family from --seed {seed} on")
    failed = [name for name in options.family or families.names() if not _many(name, seed, options)]
    if failed:
        print(f"conformance: FAILED: {', '.join(failed)}")
    return 1 if failed else 0


def _many(name: str, seed: int, options: argparse.Namespace) -> bool:
    """Run one family; False when it fails."""
    family = families.find(name)
    absent = family.missing()
    if absent is not None:
        in_ci = os.environ.get("CI") == "true"
        print(f"\n{name}: {'cannot run' if in_ci else 'SKIPPED'}: {absent}")
        return not in_ci
    modes, seeds = _modes(family, options), range(seed, seed + options.count)
    judge = beam.versions(elixir=family.judge == "Elixir")
    print(f"\n{name}: judged by {judge}; suptree {', '.join(modes)}", flush=True)
    tally = judge_many(
        name,
        seeds,
        modes=modes,
        jobs=options.jobs,
        stop_after=options.stop_after,
        progress=_Progress(name, options.count),
    )
    print("\n".join(_report(family, tally, seeds)), flush=True)
    if options.record:
        record_family(family, tally, seeds, modes, judge)
    return not tally.divergences


def _report(family: Family[Any], tally: Tally, seeds: range) -> Iterator[str]:
    for divergence in tally.divergences:
        yield f"\n{divergence}\n"
    stopped = "" if tally.programs == len(seeds) else f" of {len(seeds)}, stopped"
    yield (
        f"  {tally.programs} programs{stopped} (seeds {seeds[0]} to {seeds[0] + tally.programs - 1}), "
        f"{tally.lines} lines of trace, {len(tally.divergences)} divergences, {tally.seconds:.1f} s"
    )
    for rule in family.rules:
        yield (
            f"  normalised: {rule.name}: touched {tally.judge[rule.name]} traces of the judge, "
            f"{tally.ours[rule.name]} of suptree"
        )


def _one(family: Family[Any], options: argparse.Namespace) -> int:
    """Run one program and show its trace."""
    given = options.program
    program = family.from_json(given if given.startswith("{") else Path(given).read_text())
    failed = False
    with family.open_judge() as judge:
        print(family.describe(program))
        print("\n".join(Normaliser(family.rules).apply(judge(program))))
        for mode in _modes(family, options):
            divergence = find_divergence(family, program, judge, modes=[mode])
            failed = failed or divergence is not None
            print(f"\n{mode}: {divergence or 'the same'}")
    return 1 if failed else 0


def _modes(family: Family[Any], options: argparse.Namespace) -> list[str]:
    if options.mode == "all":
        return list(family.modes)
    if options.mode not in family.modes:
        sys.exit(
            f"{family.name}: mode must be one of {', '.join(family.modes)}; got {options.mode!r}"
        )
    return [options.mode]


class _Progress:
    """Says on the error stream how far a long run is, every half minute."""

    def __init__(self, name: str, count: int) -> None:
        self.name = name
        self.count = count
        self.said = time.monotonic()

    def __call__(self, tally: Tally) -> None:
        if time.monotonic() - self.said > SECONDS_BETWEEN_WORDS:
            self.said = time.monotonic()
            print(
                f"  {self.name}: {tally.programs} of {self.count}, "
                f"{len(tally.divergences)} divergences, {tally.seconds:.0f} s",
                file=sys.stderr,
            )


def _parse(arguments: list[str] | None) -> argparse.Namespace:
    description, _, examples = (__doc__ or "").partition("\n")
    parser = argparse.ArgumentParser(
        prog="python -m tests.conformance",
        description=description,
        epilog=examples,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add = parser.add_argument
    add(
        "--family",
        action="append",
        choices=families.names(),
        help="may be repeated; all if left out",
    )
    add("--count", type=_positive, default=300, help="programs of each family (300)")
    add("--seed", type=int, help="of the first program; random if left out")
    add("--mode", default="all", help="how suptree runs them: all, or one that a family has")
    add("--jobs", type=_positive, default=os.cpu_count() or 1, help="worker processes")
    add("--stop-after", type=_positive, default=5, help="divergences of a family (5)")
    add("--program", help="one program as JSON, or a file that holds it; needs --family")
    add("--record", action="store_true", help="keep the figures in tests/conformance/record.json")
    options = parser.parse_args(arguments)
    if options.program and len(options.family or ()) != 1:
        parser.error("--program needs one --family")
    return options


def _positive(text: str) -> int:
    number = int(text)
    if number < 1:
        raise ValueError(text)
    return number


if __name__ == "__main__":
    sys.exit(main())
