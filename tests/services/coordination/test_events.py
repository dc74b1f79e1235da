"""Every outcome of a message, and every change of a lane or a group, is an event, as declared."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

import suptree as st
from suptree.services import CoordinationManager, LanePolicy
from suptree.testing import wait_until

from .helpers import Agent, agent, got, letters, router

pytestmark = pytest.mark.suptree_loop("virtual")  # it moves time by minutes

coordinate = CoordinationManager.coordinate
Seen = list[tuple[str, dict[str, float], dict[str, Any]]]


@pytest.fixture
def seen(runtime: st.Runtime) -> Iterator[Seen]:
    """What was emitted: the name after `suptree.coordination.`, measurements, metadata."""
    found: Seen = []
    runtime.telemetry.strict = True
    prefix = "suptree.coordination."
    runtime.telemetry.attach(
        "seen",
        f"{prefix}*",
        lambda e, n, f: found.append((e.name.removeprefix(prefix), dict(n), dict(f))),
    )
    yield found
    runtime.telemetry.detach("seen")


async def test_an_answered_message_is_told_with_its_duration_and_attempts(runtime, seen):
    await router()
    await agent("worker")

    outcome = await coordinate("router", "worker", ("sleep", 2.0, "x"))

    [(name, numbers, facts)] = seen
    assert name == "message.acknowledged"
    assert numbers == {"duration_s": pytest.approx(2.0), "attempts_count": 1}
    assert facts == {"to": "worker", "id": outcome.id}


async def test_a_message_that_must_wait_is_told_with_its_place_and_why(runtime, seen):
    await router()
    await agent("slow")

    first = await coordinate("router", "slow", ("hold", 1), wait=0.0)
    second = await coordinate("router", "slow", 2, wait=0.0)

    assert [name for name, _, _ in seen] == ["message.buffered"] * 2
    assert [numbers for _, numbers, _ in seen] == [{"position_count": 0}, {"position_count": 1}]
    assert [facts["id"] for _, _, facts in seen] == [first.id, second.id]
    assert [facts["why"] for _, _, facts in seen] == [first.why, second.why]


async def test_a_message_that_is_not_taken_is_told_with_why_and_the_length_of_the_lane(
    runtime, seen
):
    await router(policy=LanePolicy(buffer=1))
    await agent("slow")
    for message in (("hold", 1), 2):
        await coordinate("router", "slow", message, wait=0.0)
    seen.clear()

    outcome = await coordinate("router", "slow", 3, wait=0.0)

    assert [name for name, _, _ in seen] == ["message.rejected"]
    _, numbers, facts = seen[0]
    assert numbers == {"queue_len": 2}
    assert facts == {"to": "slow", "id": outcome.id, "why": outcome.why}


async def test_a_message_whose_time_is_over_is_told_with_whether_its_receiver_has_it(runtime, seen):
    await router()
    await agent("slow")

    held = await coordinate("router", "slow", ("hold", 1), wait=60.0, expires=2.0)

    assert seen[-1] == (
        "message.expired",
        {"age_s": pytest.approx(2.0)},
        {"to": "slow", "id": held.id, "in_flight": True},
    )
    Agent.let_go("slow")


async def test_attempts_are_told_and_then_that_the_message_was_given_up(runtime, seen):
    await letters()
    await router(dead_letters="letters")
    await agent("worker")

    outcome = await coordinate("router", "worker", ("crash", 1), wait=60.0)

    told = [
        (name, numbers["attempts_count"])
        for name, numbers, _ in seen
        if "attempts_count" in numbers
    ]
    assert told == [
        ("message.retried", 1),
        ("message.retried", 2),
        ("message.dead_lettered", 3),
    ]
    assert {facts["id"] for name, _, facts in seen if name.startswith("message.")} == {outcome.id}
    assert seen[-1][2]["reason"] == outcome.reason
    assert got("worker") == [("crash", 1)] * 3


async def test_a_group_is_told_when_it_comes_and_when_it_goes(runtime, seen):
    await router()
    await agent("a")
    owner = await Agent.start()
    await CoordinationManager.open_context("router", "team", ["a", "b"], owner=owner)
    await CoordinationManager.open_context("router", "other", ["a"])

    await CoordinationManager.close_context("router", "other")
    st.exit(owner, st.KILL)
    await wait_until(lambda: len(seen) == 4)

    assert seen == [
        ("context.opened", {"members_count": 2}, {"context": "team", "owner": owner}),
        (
            "context.opened",
            {"members_count": 1},
            {"context": "other", "owner": seen[1][2]["owner"]},
        ),
        ("context.closed", {"members_count": 1}, {"context": "other", "reason": "closed"}),
        ("context.closed", {"members_count": 2}, {"context": "team", "reason": "owner_ended"}),
    ]
