"""The families that Elixir judges: hundreds of programs each, and the generators make all that they are to make."""

from __future__ import annotations

import re
from dataclasses import is_dataclass
from typing import Any

import pytest

from tests.conformance import families
from tests.conformance.elixir import dynamic, registry, tasks
from tests.conformance.family import Normaliser, find_divergence

NAMES = ("dynamic", "tasks", "registry")
FIRST_SEED, COUNT = 30_000, 150
REPORTED = 3
MANY = 1500


@pytest.mark.parametrize("name", NAMES)
def test_suptree_leaves_the_trace_of_elixir_in_a_mode_that_changes_with_the_program(name, judge_of):
    family = families.find(name)
    judge, modes, found = judge_of(family), list(family.modes), list[str]()

    for seed in range(FIRST_SEED, FIRST_SEED + COUNT):
        mode = modes[seed % len(modes)]
        divergence = find_divergence(family, family.generate(seed), judge, modes=[mode])
        found += [] if divergence is None else [str(divergence)]
        if len(found) == REPORTED:
            break

    assert not found, "\n\n".join(["", *found])


FEATURES: list[tuple[Any, list[str]]] = [
    (
        dynamic.FAMILY,
        [
            "error max_children",
            "error not_found",
            "error start_failed no_start",
            "error start_failed crash(init_boom)",
            "result ignore",
            "ok extra",
            "=restarting",
            "supervisor=s",
            "terminate w",
            " changed",
            " exit normal",
            "down root#1 shutdown",
            "down s",
            "result exit ",
            "result survived",
            "error",
            "crash",
        ],
    ),
    (
        tasks.FAMILY,
        [
            " await(",
            " exit await(timeout)",
            " await t",
            " await_many t",
            " yield t",
            "yield_many t",
            " nothing",
            " not owner",
            " taken",
            " exit crash(a)",
            " exit killed",
            "mail exit t",
            "callers=t",
            "#2 callers=",
            " of 1",
            " exit timeout",
            " halted",
            " over",
            "error max_children",
            "crash(max_children)",
            "down sup shutdown",
            "error not_found",
            "exit noproc",
        ],
    ),
    (
        registry.FAMILY,
        [
            "already_registered h",
            "already_started h",
            "heard listener register",
            "heard listener unregister",
            " exit partition killed",
            " message",
            " cast",
            "pong h",
            "exit noproc",
            "refused",
            "nobody",
            "result error",
            "result ok a b",
            "#3",
            "down holders shutdown",
            "survived",
        ],
    ),
]


@pytest.mark.parametrize(("family", "texts"), FEATURES, ids=NAMES)
def test_the_traces_show_each_thing_that_the_programs_are_to_do(family, texts):
    run = family.modes["direct"]
    missing = set(texts)

    for seed in range(MANY):
        missing -= {text for text in missing if text in "\n".join(run(family.generate(seed)))}
        if not missing:
            break

    assert not missing


@pytest.mark.parametrize("module", [dynamic.program, tasks.program, registry.program], ids=NAMES)
def test_each_kind_of_value_occurs_in_the_programs(module):
    kinds = {kind for kind in vars(module).values() if isinstance(kind, type)}
    ours = {kind.__name__ for kind in kinds if kind.__module__ == module.__name__}
    text = " ".join(repr(module.generate(seed)) for seed in range(500))

    assert {name for name in ours if is_dataclass(getattr(module, name))} <= set(
        re.findall(r"\w+(?=\()", text)
    )


@pytest.mark.parametrize("name", NAMES)
def test_rules_leave_a_trace_that_has_their_form_as_it_is(name):
    family = families.find(name)
    run, rules = family.modes["shuffled"], Normaliser(family.rules)

    for seed in range(50):
        once = rules.apply(run(family.generate(seed)))

        assert rules.apply(list(once)) == once
