"""`python -m tests.conformance [--count N] [--seed S]`: scenarios on the BEAM and on suptree, divergences printed."""

from __future__ import annotations

import argparse
import sys
import time
from pathlib import Path

from tests.conformance.beam import Beam, missing
from tests.conformance.compare import Divergence, find_divergence
from tests.conformance.normalise import normalise
from tests.conformance.runner import MODES, Suptree
from tests.conformance.scenario import Scenario, from_json, generate


def main(arguments: list[str] | None = None) -> int:
    """Return 0 when all traces agree, 1 when some do not, 2 when there is no BEAM."""
    options = _parse(arguments)
    why = missing()
    if why is not None:
        print(why, file=sys.stderr)
        return 2
    modes = [MODES[options.mode]] if options.mode != "all" else list(MODES.values())
    with Beam() as beam:
        if options.scenario:
            return _one(from_json(_text(options.scenario)), beam, modes)
        return _many(options, beam, modes)


def _many(options: argparse.Namespace, beam: Beam, modes: list[Suptree]) -> int:
    start, lines, found = time.monotonic(), 0, list[Divergence]()
    ran = 0
    for seed in range(options.seed, options.seed + options.count):
        scenario, ran = generate(seed), ran + 1
        expected = beam.run(scenario)
        lines += len(expected)
        divergence = _first_divergence(scenario, beam, modes)
        if divergence is not None:
            found.append(divergence)
            print(divergence, end="\n\n", flush=True)
        if len(found) >= options.stop_after:
            print(f"stopped after {len(found)} divergences.")
            break
    took = time.monotonic() - start
    names = ", ".join(suptree.mode for suptree in modes)
    print(
        f"conformance: {ran} scenarios (seeds {options.seed} to {options.seed + ran - 1}; {names}), "
        f"{lines} lines of trace, {len(found)} divergences, {took:.1f} s"
    )
    return 1 if found else 0


def _first_divergence(scenario: Scenario, beam: Beam, modes: list[Suptree]) -> Divergence | None:
    """Return the report of the first mode that differs; what one mode shows the others mostly show too."""
    for suptree in modes:
        divergence = find_divergence(scenario, beam.run, suptree.run, mode=suptree.mode)
        if divergence is not None:
            return divergence
    return None


def _one(scenario: Scenario, beam: Beam, modes: list[Suptree]) -> int:
    expected = beam.run(scenario)
    print("\n".join(normalise(expected)))
    failed = False
    for suptree in modes:
        divergence = find_divergence(scenario, beam.run, suptree.run, mode=suptree.mode)
        failed = failed or divergence is not None
        print(f"\n{suptree.mode}: {divergence or 'the same'}")
    return 1 if failed else 0


def _text(given: str) -> str:
    return given if given.startswith("{") else Path(given).read_text()


def _parse(arguments: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.conformance", description=__doc__)
    parser.add_argument("--count", type=int, default=300, help="scenarios (default 300)")
    parser.add_argument("--seed", type=int, default=1, help="first seed (default 1)")
    parser.add_argument("--mode", choices=["all", *MODES], default="all", help="how suptree runs")
    parser.add_argument(
        "--stop-after", type=int, default=5, help="divergences to print (default 5)"
    )
    parser.add_argument("--scenario", help="one scenario as JSON, or a file that holds it")
    return parser.parse_args(arguments)


if __name__ == "__main__":
    sys.exit(main())
