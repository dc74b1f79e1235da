"""The page at the end and the line while it runs."""

from __future__ import annotations

import io
import itertools
import json
from dataclasses import asdict

from examples.code_census.progress import PLAIN_EVERY, ProgressLine, Tally, render
from examples.code_census.summary import FAILURES_SHOWN, ROOT_FILES, summarise
from examples.code_census.summary import render as render_page
from examples.code_census.survey import Row, Status

ROWS = [
    Row(
        path="web/app.py",
        status=Status.OK,
        bytes=2000,
        lines=40,
        functions=3,
        classes=1,
        imports=("os", "re"),
        complexity=9,
        hardest="serve:7",
        hardest_complexity=5,
    ),
    Row(path="web/views.py", status=Status.OK, bytes=10, lines=2, imports=("os",)),
    Row(path="setup.py", status=Status.SYNTAX_ERROR, message="line 1: invalid syntax", bytes=5),
]


def test_summary_adds_up_everything_and_each_package() -> None:
    summary = summarise(ROWS)

    assert (summary.totals.files, summary.totals.failed, summary.totals.lines) == (3, 1, 42)
    assert list(summary.packages) == ["web", ROOT_FILES]
    assert summary.packages["web"].lines == 42
    assert summary.packages[ROOT_FILES].failed == 1
    assert summary.imports == [("os", 2), ("re", 1)]
    assert summary.hardest == [("web/app.py", "serve:7", 5)]
    assert summary.failures == [("setup.py", "syntax_error", "line 1: invalid syntax")]


def test_summary_does_not_depend_on_the_order_of_the_rows() -> None:
    assert summarise(ROWS) == summarise(reversed(ROWS))


def test_summary_is_ready_for_json() -> None:
    assert json.loads(json.dumps(asdict(summarise(ROWS))))["totals"]["files"] == 3


def test_lists_hold_no_more_than_top_and_the_page_says_what_is_left() -> None:
    many = [Row(path=f"p{n:02}/a.py", status=Status.OK, lines=n) for n in range(30)]

    summary = summarise(many, top=4)

    assert [path for path, _, _ in summary.largest] == [
        "p29/a.py",
        "p28/a.py",
        "p27/a.py",
        "p26/a.py",
    ]
    assert "(26 more)" in render_page(summary, title="t", top=4)


def test_page_columns_line_up_and_failures_are_named() -> None:
    page = render_page(summarise(ROWS), title="Census of web")

    table = page.split("By package\n")[1].split("\n\n")[0].splitlines()[1:]
    assert len({len(line) for line in table}) == 1
    assert "setup.py  syntax_error  line 1: invalid syntax" in page
    assert page.startswith("Census of web\n=============\n")


def test_page_spells_out_what_could_upset_a_terminal() -> None:
    row = Row(path="evil\x1b[2J\udcff.py", status=Status.NOT_TEXT, message="a\nb")

    page = render_page(summarise([row]), title="t")

    assert "\x1b" not in page
    assert r"evil\x1b[2J\udcff.py  not_text  a\nb" in page


def test_page_counts_failures_beyond_those_it_shows() -> None:
    rows = [
        Row(path=f"{n:04}.py", status=Status.UNREADABLE, message="gone")
        for n in range(FAILURES_SHOWN + 7)
    ]

    page = render_page(summarise(rows), title="t")

    assert "and 7 more, all in the rows" in page


def test_page_of_good_files_says_so() -> None:
    assert "Every file could be parsed." in render_page(summarise(ROWS[:2]), title="t")


def test_progress_line_fits_the_width_it_is_given() -> None:
    tally = Tally(total=1_790, done=1_234, failed=9, restarts=120, kills=80, kills_wanted=200)

    for width in (10, 40, 80, 200):
        assert len(render(tally, elapsed=3.0, width=width)) <= width
    assert "80/200 kills" in render(tally, elapsed=3.0, width=100)


def test_progress_line_before_the_first_instant_divides_by_nothing() -> None:
    assert "0 files/s" in render(Tally(total=0), elapsed=0.0)


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_progress_on_a_terminal_is_redrawn_in_place() -> None:
    terminal = Terminal()
    line = ProgressLine(terminal)

    line.draw(Tally(total=2, done=1))
    line.draw(Tally(total=2, done=2))
    line.finish(Tally(total=2, done=2))

    assert terminal.getvalue().count("\r") == 3
    assert terminal.getvalue().count("\n") == 1


def test_progress_in_a_log_is_a_plain_line_now_and_then() -> None:
    log = io.StringIO()
    clock = itertools.count(0.0, PLAIN_EVERY / 8)
    line = ProgressLine(log, clock=lambda: next(clock))

    for tick in range(80):
        line.draw(Tally(total=100, done=tick))

    assert log.getvalue().count("\n") == 10
    assert "\r" not in log.getvalue()


def test_progress_on_a_stream_that_is_gone_stops_drawing_and_nothing_else() -> None:
    terminal = Terminal()
    line = ProgressLine(terminal)
    terminal.close()

    line.draw(Tally(total=1))
    line.finish(Tally(total=1))
