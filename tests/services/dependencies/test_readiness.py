"""Readiness and liveness are derived from what services say and need."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as some

from suptree.services import Dependencies, UnknownServiceError
from suptree.services.dependencies import Readiness, Word

YES = Word(ready=True)
NO = Word(ready=False, reason="warming up")
GRAPH = Dependencies({"web": ["api", "files"], "api": ["db"], "files": ["db"], "db": []})


def test_a_service_is_ready_when_it_and_all_that_it_needs_are():
    state = Readiness(GRAPH)

    assert state.say("web", YES) == ()
    assert state.say("db", YES) == ("db",)
    assert state.say("api", YES) == ("api",)
    assert state.say("files", YES) == ("files", "web")
    assert state.say("db", NO) == ("db", "api", "files", "web")
    assert state.say("db", NO) == ()


def test_a_reason_is_the_path_to_each_cause_and_what_it_said():
    state = Readiness(GRAPH)
    for name in ("web", "api", "files"):
        state.say(name, YES)

    assert state.of("web").reasons == ("web -> api -> db: has said nothing yet",)
    state.say("files", NO)
    assert state.of("web").reasons == (
        "web -> files: warming up",
        "web -> api -> db: has said nothing yet",
    )
    assert state.of("db").reasons == ("db: has said nothing yet",)


def test_the_system_is_ready_and_live_when_every_service_is():
    state = Readiness(Dependencies({"api": ["db"], "db": []}))
    state.say("api", YES)
    state.say("db", NO)

    found = state.of_all()
    assert (found.ready, found.live, found.reasons) == (False, True, ("db: warming up",))
    assert [one.name for one in found.services] == ["db", "api"]
    state.say("db", YES)
    assert state.of_all().ready
    state.say("db", Word(ready=False, reason="gone", live=False))
    assert not state.of_all().live


def test_an_empty_system_is_ready():
    assert Readiness(Dependencies({})).of_all().ready


def test_a_service_that_is_not_declared_cannot_speak():
    with pytest.raises(UnknownServiceError):
        Readiness(GRAPH).say("wep", YES)


@given(some.lists(some.tuples(some.sampled_from(list(GRAPH)), some.booleans())))
def test_what_is_kept_up_word_by_word_is_what_looking_at_everything_finds(words):
    state, said = Readiness(GRAPH), dict.fromkeys(GRAPH, False)
    ready_before: set[str] = set()
    for service, ready in words:
        turned = state.say(service, YES if ready else NO)
        said[service] = ready

        ready_now = {n for n in GRAPH if said[n] and all(said[m] for m in GRAPH.all_needs(n))}
        assert set(turned) == ready_before ^ ready_now
        assert {n for n in GRAPH if state.is_ready(n)} == ready_now
        assert all(bool(state.of(n).reasons) != state.of(n).ready for n in GRAPH)
        ready_before = ready_now
