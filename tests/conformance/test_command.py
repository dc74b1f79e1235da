"""The command: what it says without a judge, and that workers neither lose programs nor die unnoticed."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest

from tests.conformance import __main__ as command
from tests.conformance import families, record
from tests.conformance.__main__ import main
from tests.conformance.campaign import CHUNK, Tally, judge_many
from tests.conformance.machines import Machines

ROOT = Path(__file__).resolve().parents[2]


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


def test_one_program_without_its_judge_says_so_and_fails(lonely, capsys):
    program = Machines().to_json(Machines().generate(1))

    assert main(["--family", "machines", "--program", program]) == 1
    assert "machines: cannot run: there is no erl here" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ("{", "must be JSON; got '{': Expecting property name"),
        ("{}", "must be a program of servers; in what was given, '_' must be one of"),
        ("[]", "must be a program of servers"),
        ('{"_":"Program"}', "missing 2 required positional arguments"),
        ('{"_":"Quit","reason":"boom"}', "must be a program of servers"),
        ("", "or a file that holds one; got ''"),
        ("nowhere.json", "or a file that holds one; got 'nowhere.json': No such file"),
        (Machines().to_json(Machines().generate(1)), "must be a program of servers"),
    ],
)
def test_what_is_no_program_of_the_family_is_refused(monkeypatch, capsys, tmp_path, given, told):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(command, "_one", lambda *_: pytest.fail("it runs"))

    with pytest.raises(SystemExit) as ended:
        main(["--family", "servers", "--program", given])

    assert ended.value.code == 2
    error = capsys.readouterr().err
    assert "--program must be" in error
    assert told in error
    assert "Take what a divergence, or --show SEED, has printed." in error


@pytest.mark.parametrize("name", families.names())
def test_the_program_of_a_seed_is_shown_as_it_is_taken(monkeypatch, capsys, name):
    ran: list[object] = []
    monkeypatch.setattr(command, "_one", lambda family, options: ran.append(options.program) or 0)

    main(["--family", name, "--show", "7"])
    main(["--family", name, "--program", capsys.readouterr().out.splitlines()[-1]])

    assert ran == [families.find(name).generate(7)]


@pytest.mark.parametrize("option", ["--count", "--jobs", "--stop-after"])
@pytest.mark.parametrize("given", ["0", "-1", "x"])
def test_a_count_that_is_none_is_refused_in_words(capsys, option, given):
    with pytest.raises(SystemExit):
        main([f"{option}={given}"])

    told = capsys.readouterr().err
    assert f"argument {option}: must be a whole number of at least 1; got {given!r}" in told


def test_a_mode_that_one_family_has_not_is_refused_before_the_first_program(monkeypatch, capsys):
    monkeypatch.setattr(command, "judge_many", lambda *_, **__: pytest.fail("it runs"))

    with pytest.raises(SystemExit):
        main(["--mode", "queued"])

    assert "'queued', and machines has plain, async, shuffled" in capsys.readouterr().err


def test_make_refuses_a_count_before_it_runs_the_statements():
    lines = subprocess.run(
        ["make", "-n", "conformance", "COUNT=x", "SEED=4", "FAMILY=servers machines"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    ).stdout.splitlines()

    first, last = (line for line in lines if "tests.conformance" in line)
    assert "--count 'x' --seed '4' --family servers --family machines" in last
    assert first == f"{last} --dry-run"
    assert lines.index(first) < next(i for i, line in enumerate(lines) if "pytest" in line)


@pytest.fixture
def recorded(monkeypatch, tmp_path):
    """A record of 1,000 programs of machines in two modes; nothing is run, all that is asked for agrees."""
    file = tmp_path / "record.json"
    kept = {"programs": 1000, "modes": ["plain", "async"]}
    file.write_text(json.dumps({"families": {"machines": kept}, "mutants": {}}))
    monkeypatch.setattr(record, "FILE", file)
    monkeypatch.setattr(record, "commit", lambda: "0123456789ab")
    monkeypatch.setattr(Machines, "missing", lambda self: None)
    monkeypatch.setattr(command.beam, "versions", lambda **_: "nobody")
    monkeypatch.setattr(
        command, "judge_many", lambda name, seeds, **_: Tally(programs=len(seeds), lines=1)
    )
    return lambda: json.loads(file.read_text())["families"]["machines"]


@pytest.mark.parametrize("less", [["--count", "999"], ["--count", "5000", "--mode", "plain"]])
def test_more_is_not_recorded_over_by_less(recorded, capsys, less):
    with pytest.raises(SystemExit):
        main(["--family", "machines", "--record", *less])

    assert "1,000 programs (plain, async) of machines are recorded" in capsys.readouterr().err
    assert recorded()["programs"] == 1000

    main(["--family", "machines", "--record", "--force", *less])

    assert recorded()["programs"] == int(less[1])


def test_as_much_or_more_is_recorded(recorded):
    main(["--family", "machines", "--record", "--count", "1000"])

    assert recorded()["modes"] == ["plain", "async", "shuffled"]


def test_a_run_that_ends_early_is_not_recorded_over_more(recorded, monkeypatch, capsys):
    early = Tally(programs=50, lines=1, divergences=["seed 3: differs"])
    monkeypatch.setattr(command, "judge_many", lambda *_, **__: early)

    assert main(["--family", "machines", "--record", "--count", "2000"]) == 1
    assert "not recorded: it ended early" in capsys.readouterr().out
    assert recorded()["programs"] == 1000


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
