"""The list of faults fits the code: `make conformance-mutants` runs them, this only looks."""

from __future__ import annotations

import ast
import shutil

import pytest

from tests.conformance import mutants
from tests.conformance.mutants import ENOUGH, MUTANTS, OTP, ROOT, Mutant, Verdict, main

each = pytest.mark.parametrize("mutant", MUTANTS, ids=[mutant.name for mutant in MUTANTS])


@pytest.fixture
def src(tmp_path):
    (tmp_path / OTP).mkdir(parents=True)
    for name in {mutant.file for mutant in MUTANTS}:
        shutil.copy(ROOT / "src" / OTP / name, tmp_path / OTP)
    return tmp_path


@each
def test_a_fault_changes_one_line_and_the_file_still_reads(mutant, src):
    before = (src / OTP / mutant.file).read_text()

    mutant.plant(src)

    after = (src / OTP / mutant.file).read_text()
    changed = [
        new for old, new in zip(before.splitlines(), after.splitlines(), strict=True) if old != new
    ]
    assert [line.strip() for line in changed] == [mutant.new]
    ast.parse(after)


def test_a_line_that_is_not_there_once_is_refused(src):
    with pytest.raises(LookupError, match="0 lines"):
        Mutant("rotten", "restart.py", "no such line", "pass", "nothing").plant(src)


def test_there_are_enough_faults_and_each_has_a_name_of_its_own():
    assert len({mutant.name for mutant in MUTANTS}) == len(MUTANTS) >= 24


def test_the_page_names_the_number_of_traces_that_are_enough():
    assert ENOUGH == 10
    assert "changes fewer than ten traces survives" in " ".join(
        (ROOT / "scripts" / "conformance_record.py").read_text().split()
    )


def test_a_fault_that_changes_too_few_traces_survives():
    assert Verdict(MUTANTS[0], ENOUGH, 0).killed
    assert "SURVIVES" in str(Verdict(MUTANTS[0], ENOUGH - 1, 0))


@pytest.mark.parametrize(
    ("given", "told"),
    [
        (["--only", "nosuch"], "got 'nosuch'. Names: permanent as transient, "),
        (["--only", "transient", "--record"], "--record must stand without --only"),
        (["--jobs", "0"], "argument --jobs: must be a whole number of at least 1; got '0'"),
    ],
)
def test_what_makes_no_sense_is_refused_before_a_fault_is_planted(monkeypatch, capsys, given, told):
    monkeypatch.setattr(mutants, "_judge", lambda *_: pytest.fail("it runs"))

    with pytest.raises(SystemExit):
        main(given)

    assert told in capsys.readouterr().err
