"""Declarations: what a name looks like, and what a declaration is good for."""

from __future__ import annotations

import dataclasses

import pytest

from suptree.telemetry import Event, Span, table

EXITED = Event(
    "suptree.process.exited",
    measurements={"lifetime_s": "seconds from spawn to death"},
    metadata={"pid": "who", "reason": "why"},
    doc="A process has ended.",
)


@pytest.mark.parametrize(
    "name",
    [
        "",
        "process",
        "Suptree.process",
        "suptree..exited",
        "suptree.exited.",
        "a.b-c",
        "a.*",
        "a. b",
    ],
)
def test_name_must_be_lower_case_words_joined_by_dots(name: str) -> None:
    with pytest.raises(ValueError, match="name must be lower-case words joined by dots"):
        Event(name)


@pytest.mark.parametrize("key", ["", "Queue", "queue len", "queue.len", "1st"])
def test_key_must_be_one_lower_case_word(key: str) -> None:
    with pytest.raises(ValueError, match="a key must be one lower-case word"):
        Event("a.b", measurements={key: "x"})
    with pytest.raises(ValueError, match="a key must be one lower-case word"):
        Event("a.b", metadata={key: "x"})


def test_declaration_cannot_be_changed_afterwards() -> None:
    given = {"n": "count"}
    event = Event("a.b", measurements=given)
    given["m"] = "sneaked in"

    assert dict(event.measurements) == {"n": "count"}
    with pytest.raises(dataclasses.FrozenInstanceError):
        event.name = "a.c"  # type: ignore[misc]
    with pytest.raises(TypeError):
        event.metadata["x"] = "y"  # type: ignore[index]


def test_two_declarations_of_one_name_are_one_key() -> None:
    assert Event("a.b", doc="one") == Event("a.b", doc="two")
    assert len({Event("a.b"), Event("a.b"), Event("a.c")}) == 2


@pytest.mark.parametrize(
    ("measurements", "metadata", "problems"),
    [
        ({"lifetime_s": 1.0}, {"pid": 1, "reason": 2}, []),
        ({}, {"pid": 1, "reason": 2}, ["measurement 'lifetime_s' is missing"]),
        ({"lifetime_s": 1.0}, {"pid": 1}, ["metadata 'reason' is missing"]),
        (
            {"lifetime_s": 1.0, "ellapsed": 1},
            {"pid": 1, "reason": 2},
            ["measurement 'ellapsed' is not declared"],
        ),
        ({"lifetime_s": 1}, {"pid": 1, "reason": 2, "who": 3}, ["metadata 'who' is not declared"]),
    ],
)
def test_problems_name_each_key_that_differs(
    measurements: dict[str, object], metadata: dict[str, object], problems: list[str]
) -> None:
    assert EXITED.problems(measurements, metadata) == problems


def test_span_declares_start_stop_and_exception() -> None:
    span = Span("app.job.run", {"job": "its id"}, stop={"result": "what"}, doc="A job runs.")

    assert [event.name for event in span.events()] == [
        "app.job.run.start",
        "app.job.run.stop",
        "app.job.run.exception",
    ]
    assert list(span.stopped.metadata) == ["job", "result"]
    assert list(span.failed.metadata) == ["job", "error"]
    assert list(span.failed.measurements) == ["duration_ns"]


def test_table_lists_every_event_with_units_and_meanings() -> None:
    text = table([EXITED, Span("app.job.run", doc="A job runs.")])

    assert "| `suptree.process.exited` | A process has ended. | `lifetime_s`: seconds" in text
    assert "`pid`: who; `reason`: why |" in text
    assert "| `app.job.run.start` | A job runs. Begins. | none | none |" in text
    assert len(text.splitlines()) == 2 + 1 + 3
