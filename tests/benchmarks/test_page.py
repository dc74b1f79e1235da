"""From samples to the document: ratios, verdicts, text and pictures are pure functions of a record."""

from __future__ import annotations

from dataclasses import replace
from xml.etree import ElementTree

import pytest

from benchmarks import record as records
from benchmarks.__main__ import check
from benchmarks.contest import without_places
from benchmarks.page import page, pictures
from benchmarks.record import Record
from benchmarks.row import Beside, Figure
from benchmarks.rows import FAMILIES, ROWS, selected
from benchmarks.stats import percentile, spread
from benchmarks.studies import BARE, SUPTREE, Histogram
from benchmarks.table import against_beam, against_itself, against_python, as_text, number

ROW = {row.name: row for row in ROWS}
FACTS = {
    "date": "2026-01-01",
    "machine": "a machine",
    "python": "Python",
    "loop": "asyncio",
    "rounds": "1",
}


def a_record() -> Record:
    one = Histogram.of([1e-6, 3e-6, 100e-6])
    costs = {
        name: [[1.0], [1.1], [1.6]] for name in ("spawn", "restart", "lookup", "timer", "monitor")
    }
    return Record(
        FACTS,
        versions={"suptree": "0.1.0", "erlang": "OTP 25"},
        samples={
            "call": {
                "suptree": [90.0, 100.0, 110.0],
                "erlang": [40.0],
                "asyncio": [20.0],
                "pykka": [4.0],
            },
            "memory": {"suptree": [500.0], "erlang": [1000.0], "asyncio": [1100.0]},
            "call-telemetry": {"suptree": [80.0]},
        },
        troubles={"": {"elixir": "it is not installed"}},
        shares={"call": 0.996},
        fairness={"call": {SUPTREE: one, BARE: one}},
        flatness={"default": costs},
        recorded=Record(FACTS, samples={"call": {"suptree": [100.0], "ray": [1.0]}}),
    )


@pytest.mark.parametrize(
    ("row", "ours", "theirs", "goal", "reached"),
    [
        ("call", 100.0, 50.0, 2.0, True),  # k/s: at least
        ("call", 99.0, 50.0, 2.0, False),
        ("memory", 60.0, 100.0, 0.6, True),  # bytes: at most
        ("memory", 61.0, 100.0, 0.6, False),
        ("call", 1.0, 100.0, None, None),  # no goal, no verdict
    ],
)
def test_a_figure_is_reached_at_least_for_rates_and_at_most_for_costs(
    row, ours, theirs, goal, reached
):
    judged = replace(ROW[row], figure=Figure(beam=goal))

    verdict = against_beam(judged, {"suptree": [ours], "erlang": [theirs]})

    assert verdict is not None
    assert verdict.ratio == ours / theirs
    assert verdict.reached is reached


@pytest.mark.parametrize(("row", "best"), [("call", "pykka"), ("memory", "asyncio")])
def test_the_best_python_peer_is_the_fastest_or_the_smallest(row, best):
    samples = {"suptree": [1.0], "erlang": [99.0], "asyncio": [10.0], "pykka": [20.0]}

    verdict = against_python(ROW[row], samples)

    assert verdict is not None
    assert verdict.peer == best


def test_a_row_that_names_its_peers_is_judged_by_these_alone():
    samples = {"suptree": [10.0], "asyncio": [50.0], "anyio": [2.0], "aiometer": [1.0]}

    verdict = against_python(ROW["stream"], samples)

    assert verdict is not None
    assert (verdict.peer, verdict.ratio) == ("anyio", 5.0)


def test_a_peer_that_did_not_take_part_gives_no_verdict():
    assert against_beam(ROW["call"], {"suptree": [1.0]}) is None
    assert against_python(ROW["call"], {"suptree": [1.0], "erlang": [1.0]}) is None


@pytest.mark.parametrize(
    ("ours", "goal", "reached"),
    [(40.0, 4.0, True), (41.0, 4.0, False), (1000.0, None, None)],
)
def test_a_row_is_held_against_the_row_of_suptrees_own_that_it_names(ours, goal, reached):
    judged = replace(ROW["routed-message"], beside=Beside("queued-call", goal))

    verdict = against_itself(
        judged, {"routed-message": {"suptree": [ours]}, "queued-call": {"suptree": [10.0]}}
    )

    assert verdict is not None
    assert (verdict.peer, verdict.ratio) == ("queued-call", ours / 10.0)
    assert verdict.reached is reached


def test_there_is_no_verdict_without_the_row_that_it_is_held_against():
    samples = {"routed-message": {"suptree": [1.0]}}

    assert against_itself(ROW["routed-message"], samples) is None
    assert against_itself(ROW["queued-call"], {"queued-call": {"suptree": [1.0]}}) is None


def test_rows_are_held_against_rows_of_their_unit_that_suptree_measures():
    pairs = [(row, ROW[row.beside.row]) for row in ROWS if row.beside]

    assert len(pairs) == 11
    assert all(row.unit == other.unit for row, other in pairs)


def test_who_asks_for_a_row_gets_those_that_it_is_held_against_too():
    assert [row.name for row in selected(["publish-100", "call"])] == [
        "call",
        "empty-request",
        "publish-1",
        "publish-100",
    ]
    assert selected(["fairness"]) == []


def test_the_page_says_what_a_service_adds_to_what():
    record = a_record()
    record.samples |= {
        "queued-call": {"suptree": [4.0]},
        "routed-message": {"suptree": [14.0]},
        "one-turn": {"suptree": [1.0]},
        "breaker": {"suptree": [6.0]},
    }

    text = page(record)

    assert "| `routed-message` | us | 14.0 | `queued-call` | 4.00 | **3.50** | ≤ 4 | yes |" in text
    assert "3 of 5 figures are reached." in text
    services = text.partition("## Services")[2].partition("##")[0]
    assert "| row | unit | suptree | divided by | ratio |" in services
    assert "| `breaker` | us | 6.00 | `one-turn` | 6.00 |" in services
    assert "| `queued-call` | us | 4.00 |  |  |" in services
    assert "divided by |" not in text.partition("## Services")[0]


def test_a_terminal_gets_the_columns_in_which_something_is_said():
    rows = FAMILIES["Services"][:2]
    samples = {"queued-call": {"suptree": [4.0]}, "routed-message": {"suptree": [20.0]}}

    head, *lines = as_text(rows, samples, ["suptree"]).splitlines()

    assert head.split("  ")[0] == "row"
    assert "/ BEAM" not in head
    assert [line.split()[2:] for line in lines] == [
        ["4.00", "-"],
        ["20.0", "5.00", "(≤", "4:", "no)", "queued-call"],
    ]


def test_a_percentile_is_a_value_that_occurred_and_a_spread_a_share():
    assert percentile([5.0, 1.0, 3.0], 50) == 3.0
    assert percentile(range(1, 101), 99) == 99
    assert spread([90.0, 100.0, 110.0]) == pytest.approx(0.05)
    assert number([90.0, 100.0, 110.0]) == "100 ±5%"
    assert number([90.0, 110.0]) == "100 ±10%"


def test_one_sample_tells_of_no_spread():
    assert number([100.0]) == "100"


def test_a_histogram_counts_by_powers_of_two():
    one = Histogram.of([0.5e-6, 3e-6, 3.5e-6, 100e-6])

    assert one.counts == (1, 0, 2, 0, 0, 0, 0, 1)
    assert (one.n, one.p50_us, one.max_us) == (4, 3.0, 100.0)


def test_the_page_says_each_figure_with_yes_or_no():
    text = page(a_record())

    assert "| `call` | k/s | 100 ±5% | erlang | 40.0 | **2.50** | ≥ 2 | yes |" in text
    assert "| `call` | k/s | 100 ±5% | asyncio | 20.0 | **5.00** | ≥ 6 | no |" in text
    assert "| `memory` | bytes | 500 | erlang | 1,000 | **0.50** | ≤ 0.6 | yes |" in text
    assert "2 of 4 figures are reached." in text
    assert "A direct call is no\nmessage pass" in text
    assert "`call` 99.6%" in text
    assert "elixir has no number: it is not installed" in text
    assert "| spawn | 1.00 | 1.10 | 1.60 | 1.60 | no |" in text
    assert "| ray |" in text


def test_the_page_says_on_which_commit_and_in_how_many_rounds_it_was_measured():
    told = page(replace(a_record(), facts=FACTS | {"commit": "0123456789ab+", "rounds": "5"}))

    assert "Measured on 2026-01-01, commit 0123456789ab+: a machine" in told
    assert "A `+` behind the commit says that there were changes" in told
    assert "rounds: 5 (3 of the slow rows)." in told
    assert "`spawn-stop-100k`, `memory`" in told.partition("## How it is measured")[2]


def test_one_figure_is_reached_and_two_are():
    record = a_record()
    del record.samples["memory"]

    assert "1 of 2 figures is reached." in page(record)


@pytest.mark.parametrize(
    ("ours", "told"),
    [(440.6, "440 (≤ 3)"), (23.4, "23 (≤ 3)"), (2.9, "2.9 (≤ 3)"), (0.0004, "below 0.001 (≤ 3)")],
)
def test_a_ratio_is_written_in_full_with_two_digits(ours, told):
    floods = {
        SUPTREE: Histogram(1, ours * 100, ours * 100, ours * 100, (1,)),
        BARE: Histogram(1, 100.0, 100.0, 100.0, (1,)),
    }

    assert told in page(replace(a_record(), fairness={"http": floods}))


def test_rows_through_the_mailbox_say_that_the_direct_call_is_off():
    queued = [row for row in ROWS if row.ask.options == ("queued",)]

    assert len(queued) == 5
    assert all("the direct call off" in row.what for row in queued)


def test_each_picture_of_the_page_is_drawn_and_well_formed():
    drawn = pictures(a_record())

    text = page(a_record())
    assert {f"](benchmarks/{name})" in text for name in drawn} == {True}
    assert text.count("](benchmarks/") == len(drawn)
    for svg in drawn.values():
        assert ElementTree.fromstring(svg).tag == "{http://www.w3.org/2000/svg}svg"


def test_a_record_is_the_same_after_a_trip_through_json():
    assert Record.from_json(a_record().as_json()) == a_record()


def test_peers_that_live_apart_are_recorded_beside_suptree():
    found = replace(a_record(), recorded=None)
    found.samples["call"]["ray"] = [1.0]
    found.keep_apart()

    assert "ray" not in found.samples["call"]
    assert found.recorded is not None
    assert found.recorded.samples == {"call": {"suptree": [90.0, 100.0, 110.0], "ray": [1.0]}}


def test_a_trouble_is_told_without_colours_addresses_and_paths():
    told = without_places(
        "it died: \x1b[36mray\x1b[0m (ip=192.0.2.2) in /some/where/file.py, 3/4 done"
    )

    assert told == "it died: ...ray... (...) in ... 3/4 done"
    assert len(without_places("x" * 1000)) == 120


def test_the_page_in_docs_is_what_its_record_renders():
    kept = records.stored()
    if kept is None:
        pytest.skip("no record yet: `make bench` writes it")

    assert check(kept) == 0
