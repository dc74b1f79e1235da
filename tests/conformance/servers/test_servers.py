"""The programs of this family do what they are for, and no fault in suptree gets past them.

That they agree with OTP is tested for all families together, in `test_random_programs.py`.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import fields, is_dataclass
from typing import Any

import pytest

from tests.conformance.family import Family, Normaliser, Trace, difference
from tests.conformance.servers import FAMILY
from tests.conformance.servers import program as p
from tests.conformance.servers.faults import FAULTS
from tests.conformance.servers.runner import MODES

JudgeOf = Callable[[Family[Any]], Callable[[Any], Trace]]

FIRST_SEED, COUNT = 30_000, 300

RARE, COMMON = 3, COUNT // 10

KINDS = [kind for kind in vars(p).values() if isinstance(kind, type) and is_dataclass(kind)]

SEEN = {
    # starts
    r"a#1 init \d+ n=0": COMMON,
    "driver start . ignore": RARE,
    "driver start . error boom": RARE,
    r"driver start . error crash\(": RARE,
    "driver start . error bad_return": RARE,
    "driver start . already .#1": RARE,
    "driver start . .#2": COMMON,
    # what a server handles
    r".#\d call \d+ n=": COMMON,
    r".#\d cast \d+ n=": COMMON,
    r".#\d info \d+ n=": COMMON,
    r".#\d continue \d+ n=": COMMON,
    r".#\d timeout \d+ n=": COMMON,
    r".#\d exit .#\d \S+": COMMON,
    r".#\d exit driver \S+": RARE,
    r".#\d exit somebody \S+": RARE,
    r".#\d down . .#\d noproc": RARE,
    r".#\d down . .#\d killed": RARE,
    r".#\d down . [a-d] noproc": RARE,
    r".#\d forwarded \d+": RARE,
    r".#\d code old extra": RARE,
    # what came of its acts
    r".#\d called . ok \d+": COMMON,
    r".#\d called . exit noproc": COMMON,
    r".#\d called . exit calling_self": RARE,
    r".#\d called . exit (?!noproc|calling_self)": COMMON // 3,
    r".#\d called . stopped \d+ .#\d goodbye=true": RARE,
    r".#\d answer \d+": RARE,
    r".#\d send . noname": RARE,
    r".#\d link . ok": COMMON,
    r".#\d link . noproc": RARE,
    r".#\d unlink . ok": RARE,
    r".#\d unwatch . true": RARE,
    r".#\d trap was true": COMMON,
    r".#\d register true refused": RARE,
    # how it ends
    r".#\d terminate boom n=\d+ named=true": RARE,
    r".#\d terminate crash\(boom\)": RARE,
    r".#\d terminate uncaught\(": RARE,
    r".#\d terminate bad_return": RARE,
    "ended .#\\d killed": COMMON,
    "ended .#\\d kill$": RARE,
    r"ended .#\d crash\(bye\)": RARE,
    "ended .#\\d bye": RARE,
    # what its clients see
    r"client \d+ ok \d+": COMMON,
    r"client \d+ stopped \d+ .#\d goodbye=true": RARE,
    r"client \d+ exit noproc": COMMON,
    r"client \d+ exit killed": RARE,
    r"client \d+ exit crash\(": RARE,
    r"client \d+ n=\d+ kept=\d": RARE,
    r"client \d+ error callback_failed": RARE,
    r"client \d+ error not_suspended": RARE,
    "driver brief exit timeout": RARE,
    r"driver response . \d+ ok": COMMON,
    r"driver response . \d+ exit": COMMON,
}
"""Lines that have to be in at least so many of the traces."""


@pytest.fixture(scope="module")
def programs() -> list[p.Program]:
    return [FAMILY.generate(seed) for seed in range(FIRST_SEED, FIRST_SEED + COUNT)]


@pytest.fixture(scope="module")
def traces(programs: list[p.Program]) -> list[Trace]:
    """As suptree leaves them: what they have in common with OTP is another test's matter."""
    return [MODES["direct"].run(program) for program in programs]


def test_every_kind_of_step_occurs_often_enough(programs: list[p.Program]) -> None:
    seen = Counter(kind for program in programs for kind in {type(one) for one in _parts(program)})

    rare = {kind.__name__: seen[kind] for kind in KINDS if seen[kind] < RARE}
    assert rare == {}


@pytest.mark.parametrize("line", SEEN)
def test_what_programs_are_for_is_seen_in_their_traces(line: str, traces: list[Trace]) -> None:
    pattern = re.compile(line)

    assert sum(any(map(pattern.match, trace)) for trace in traces) >= SEEN[line]


@pytest.fixture(scope="module")
def judged(programs: list[p.Program], judge_of: JudgeOf) -> list[Trace]:
    judge, normaliser = judge_of(FAMILY), Normaliser(FAMILY.rules)
    return [normaliser.apply(judge(program)) for program in programs]


@pytest.mark.parametrize("name", FAULTS)
def test_a_planted_fault_is_found(
    name: str, programs: list[p.Program], judged: list[Trace]
) -> None:
    normaliser = Normaliser(FAMILY.rules)
    with FAULTS[name]():
        found = any(
            difference(expected, normaliser.apply(MODES[mode].run(program)))
            for mode in ("direct", "async")
            for program, expected in zip(programs, judged, strict=True)
        )

    assert found


def test_smaller_programs_are_smaller_and_there_is_a_smallest() -> None:
    program = FAMILY.generate(FIRST_SEED)
    while (less := next(FAMILY.smaller(program), None)) is not None:
        assert len(FAMILY.to_json(less)) < len(FAMILY.to_json(program))
        program = less

    assert program.ops == ()


def _parts(value: object) -> Iterator[object]:
    """Every dataclass in *value*."""
    if isinstance(value, tuple):
        for item in value:
            yield from _parts(item)
    elif is_dataclass(value):
        yield value
        for field in fields(value):
            yield from _parts(getattr(value, field.name))
