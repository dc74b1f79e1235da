"""Compare two traces of one scenario, make a diverging scenario small, and say what differs.

>>> print(difference(["op 1", "down w1#1 boom"], ["op 1", "down w1#1 killed"]))
--- BEAM
+++ suptree
@@ -1,2 +1,2 @@
 op 1
-down w1#1 boom
+down w1#1 killed
"""

from __future__ import annotations

import difflib
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

from tests.conformance.normalise import normalise
from tests.conformance.scenario import Burst, Op, Scenario, Tree, to_json

MAX_TRIES = 400
"""Runs that `shrink` may spend; a run is about a millisecond on either side."""


@dataclass(frozen=True, slots=True)
class Divergence:
    """A scenario, as small as we could make it, on which the two differ. `str()` is the report."""

    scenario: Scenario
    mode: str
    difference: str

    def __str__(self) -> str:
        steps = [f"  op {k}: {op}" for k, op in enumerate(self.scenario.ops, 1)]
        return "\n".join(
            [
                f"scenario {self.scenario.seed} ({self.mode}) diverges. Made as small as possible:",
                f"  op 0: start {self.scenario.root}",
                *steps,
                self.difference,
                f"again: python -m tests.conformance --scenario '{to_json(self.scenario)}'",
            ]
        )


def difference(beam: list[str], suptree: list[str]) -> str:
    """Return the unified diff of the two normalised traces, up to the first operation that differs; empty if none.

    What comes after the first difference is left out: it is mostly its consequence.
    """
    one, two = normalise(beam), normalise(suptree)
    if one == two:
        return ""
    first = next(
        (i for i, (a, b) in enumerate(zip(one, two, strict=False)) if a != b),
        min(len(one), len(two)),
    )
    one, two = _to_end_of_segment(one, first), _to_end_of_segment(two, first)
    return "\n".join(difflib.unified_diff(one, two, "BEAM", "suptree", lineterm="", n=6))


def find_divergence(
    scenario: Scenario,
    beam: Callable[[Scenario], list[str]],
    suptree: Callable[[Scenario], list[str]],
    *,
    mode: str = "",
) -> Divergence | None:
    """Run *scenario* on both; when the traces differ, shrink it as long as they do.

    Args:
        scenario: What to run.
        beam: Returns the BEAM's trace of a scenario.
        suptree: Returns ours.
        mode: How ours was run, for the report.

    Returns:
        The divergence, or `None` when the two agree.
    """
    if not difference(beam(scenario), suptree(scenario)):
        return None
    small = shrink(scenario, lambda s: bool(difference(beam(s), suptree(s))))
    return Divergence(small, mode, difference(beam(small), suptree(small)))


def shrink(scenario: Scenario, diverges: Callable[[Scenario], bool]) -> Scenario:
    """Take operations and children away, one by one, as long as the rest still *diverges*."""
    tries = 0
    again = True
    while again:
        again = False
        for smaller in _smaller(scenario):
            tries += 1
            if tries > MAX_TRIES:
                return scenario
            if diverges(smaller):
                scenario, again = smaller, True
                break
    return scenario


def _smaller(scenario: Scenario) -> Iterator[Scenario]:
    """Yield *scenario* with one thing less, the last operations first."""
    for k in reversed(range(len(scenario.ops))):
        yield replace(scenario, ops=scenario.ops[:k] + scenario.ops[k + 1 :])
    for k, op in enumerate(scenario.ops):
        for less in _smaller_op(op):
            yield replace(scenario, ops=(*scenario.ops[:k], less, *scenario.ops[k + 1 :]))
    for root in _smaller_tree(scenario.root):
        yield replace(scenario, root=root)


def _smaller_op(op: Op) -> Iterator[Op]:
    if not isinstance(op, Burst):
        return
    if len(op.ops) == 1:
        yield op.ops[0]
    for k in range(len(op.ops)):
        yield replace(op, ops=op.ops[:k] + op.ops[k + 1 :])


def _smaller_tree(tree: Tree) -> Iterator[Tree]:
    children = tree.children
    for k, child in enumerate(children):
        yield replace(tree, children=children[:k] + children[k + 1 :])
        if isinstance(child, Tree):
            for less in _smaller_tree(child):
                yield replace(tree, children=(*children[:k], less, *children[k + 1 :]))
        elif child.starts:
            less_script = replace(child, starts=child.starts[:-1])
            yield replace(tree, children=(*children[:k], less_script, *children[k + 1 :]))


def _to_end_of_segment(lines: list[str], first: int) -> list[str]:
    end = next((i for i in range(first + 1, len(lines)) if lines[i].startswith("op ")), len(lines))
    return lines[:end]
