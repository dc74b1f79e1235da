"""Random programs of every family, on their judge and on suptree; divergences are made small and printed.

    python -m tests.conformance                                    every family, from a random seed, which is printed
    python -m tests.conformance --family machines --count 5000     one family
    python -m tests.conformance --family servers --show 7          the program of a seed, for people and as JSON
    python -m tests.conformance --family servers --program '{...}' one program, with its trace
    python -m tests.conformance --family servers --count 20000 --seed 1 --record
                                                                   and keep the figures; `make docs` shows them

Ends with 0 when all traces agree, 1 when some do not, or when a judge is not installed that CI=true or --program needs,
2 when the options make no sense.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from tests.conformance import beam, families
from tests.conformance.arguments import positive
from tests.conformance.campaign import Tally, judge_many
from tests.conformance.family import BOTH, Family, Normaliser, find_divergence
from tests.conformance.record import more_recorded, record_family

SECONDS_BETWEEN_WORDS = 30.0
WHENCE = "Take what a divergence, or --show SEED, has printed."


def main(arguments: list[str] | None = None) -> int:
    """Return the exit code; see the module text."""
    options = _parse(arguments)
    if options.dry_run:
        return 0
    if options.show is not None:
        return _show(families.find(options.family[0]), options.show)
    if options.program is not None:
        return _one(families.find(options.family[0]), options)
    seed: int = options.seed if options.seed is not None else random.randrange(1, 10**9)
    print(f"conformance: {options.count} programs of each family from --seed {seed} on")
    failed = [name for name in options.family if not _many(name, seed, options)]
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
        kept = None if options.force else more_recorded(name, tally.programs, modes)
        if kept is None:
            record_family(family, tally, seeds, modes, judge)
        else:
            print(f"  not recorded: it ended early, and {kept} are recorded", flush=True)
    return not tally.divergences


def _report(family: Family[Any], tally: Tally, seeds: range) -> Iterator[str]:
    for divergence in tally.divergences:
        yield f"\n{divergence}\n"
    stopped = "" if tally.programs == len(seeds) else f" of {len(seeds)}, stopped"
    yield (
        f"  {tally.programs} programs{stopped} (seeds {seeds[0]} to {seeds[0] + tally.programs - 1}), "
        f"{tally.lines} lines of trace, {len(tally.divergences)} divergences, {tally.seconds:.1f} s"
    )
    for rule in (*family.rules, BOTH):
        yield (
            f"  normalised: {rule.name}: touched {tally.judge[rule.name]} traces of the judge, "
            f"{tally.ours[rule.name]} of suptree"
        )


def _show(family: Family[Any], seed: int) -> int:
    """Print the program of a seed; its last line is what --program takes."""
    program = family.generate(seed)
    print(f"{family.describe(program)}\n\n{family.to_json(program)}")
    return 0


def _one(family: Family[Any], options: argparse.Namespace) -> int:
    """Run one program and show its trace."""
    absent = family.missing()
    if absent is not None:
        print(f"{family.name}: cannot run: {absent}")
        return 1
    program, failed = options.program, False
    with family.open_judge() as judge:
        print(family.describe(program))
        print("\n".join(Normaliser(family.rules).apply(judge(program))))
        for mode in _modes(family, options):
            divergence = find_divergence(family, program, judge, modes=[mode])
            failed = failed or divergence is not None
            print(f"\n{mode}: {divergence or 'the same'}")
    return 1 if failed else 0


def _modes(family: Family[Any], options: argparse.Namespace) -> list[str]:
    return list(family.modes) if options.mode == "all" else [options.mode]


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
    add("--count", type=positive, default=300, help="programs of each family (300)")
    add("--seed", type=int, help="of the first program; random if left out")
    add("--mode", default="all", help="how suptree runs them: all, or one that a family has")
    add("--jobs", type=positive, default=os.cpu_count() or 1, help="worker processes")
    add("--stop-after", type=positive, default=5, help="divergences of a family (5)")
    add("--show", type=int, metavar="SEED", help="print the program of a seed; needs --family")
    add("--program", help="one program as JSON, or a file that holds it; needs --family")
    add(
        "--record",
        action="store_true",
        help="keep the figures in tests/conformance/record.json, unless more programs or modes are recorded there",
    )
    add("--force", action="store_true", help="with --record: even then")
    add("--dry-run", action="store_true", help="look at the options and run nothing")
    options = parser.parse_args(arguments)
    _check(parser, options)
    return options


def _check(parser: argparse.ArgumentParser, options: argparse.Namespace) -> None:
    """Refuse now what the last family could not do either."""
    for name in ("show", "program"):
        if getattr(options, name) is not None and len(options.family or ()) != 1:
            parser.error(f"--{name} must stand with one --family, which says whose program it is")
    options.family = options.family or families.names()
    for family in map(families.find, options.family):
        if options.mode not in ("all", *family.modes):
            parser.error(
                f"--mode must be all or one that each family has; got {options.mode!r}, and {family.name} "
                f"has {', '.join(family.modes)}. Choose families with --family."
            )
        kept = more_recorded(family.name, options.count, _modes(family, options))
        if options.record and kept is not None and not options.force:
            parser.error(
                f"--record must not replace more by less: {kept} of {family.name} are recorded, and this run is "
                f"of {options.count:,} ({', '.join(_modes(family, options))}). Raise --count, or add --force."
            )
        if options.program is not None:
            try:
                options.program = _read(family, options.program)
            except ValueError as error:
                parser.error(f"--program must be {error}")


def _read(family: Family[Any], given: str) -> Any:
    """The program that --program means.

    Raises:
        ValueError: It is none of this family; the text says what was wanted, what was wrong and what to do.
    """
    try:
        is_text = given.startswith(("{", "[", '"'))
        program = family.from_json(given if is_text else Path(given or "(nothing)").read_text())
        family.describe(program)
    except OSError as error:
        raise ValueError(
            f"a program as JSON, or a file that holds one; got {given!r}: {error.strerror}. {WHENCE}"
        ) from None
    except json.JSONDecodeError as error:
        raise ValueError(f"JSON; got {given[:80]!r}: {error}. {WHENCE}") from None
    except (ValueError, TypeError, AttributeError) as error:
        raise ValueError(
            f"a program of {family.name}; in what was given, {str(error).removesuffix('.')}. {WHENCE}"
        ) from None
    if type(program) is not type(family.generate(1)):
        raise ValueError(f"a program of {family.name}; got {program!r}. {WHENCE}")
    return program


if __name__ == "__main__":
    sys.exit(main())
