"""The command: what it says without a judge, and that workers neither lose programs nor die unnoticed."""

from __future__ import annotations

import pytest

from tests.conformance import families
from tests.conformance.__main__ import main
from tests.conformance.campaign import CHUNK, judge_many
from tests.conformance.machines import Machines


class Lonely(Machines):
    """State machines without a judge."""

    def missing(self) -> str:
        return "there is no erl here"


@pytest.fixture
def lonely(monkeypatch):
    monkeypatch.setattr(families, "find", lambda name: Lonely())


def test_a_family_whose_judge_is_not_installed_is_skipped_and_says_so(lonely, monkeypatch, capsys):
    monkeypatch.delenv("CI", raising=False)

    assert main(["--family", "machines"]) == 0
    assert "machines: SKIPPED: there is no erl here" in capsys.readouterr().out


def test_in_ci_a_judge_that_is_not_installed_is_a_failure(lonely, monkeypatch, capsys):
    monkeypatch.setenv("CI", "true")

    assert main(["--family", "machines"]) == 1
    assert "FAILED: machines" in capsys.readouterr().out


def test_a_random_seed_is_printed_so_that_the_run_can_be_repeated(lonely, monkeypatch, capsys):
    monkeypatch.delenv("CI", raising=False)

    main(["--family", "machines"])

    said = capsys.readouterr().out.splitlines()[0]
    assert int(said.partition("--seed ")[2].split()[0]) > 0


def test_workers_share_all_programs(judge_of):
    judge_of(families.find("machines"))  # or skip
    seeds = range(1, 2 * CHUNK + 8)

    tally = judge_many("machines", seeds, modes=["plain"], jobs=2)

    assert tally.programs == len(seeds)
    assert tally.divergences == []


def test_a_worker_that_dies_ends_the_campaign(capfd):
    with pytest.raises(RuntimeError, match="a worker of family nobody died"):
        judge_many("nobody", range(1, 3), modes=["plain"], jobs=1)

    assert "KeyError: 'nobody'" in capfd.readouterr().err
