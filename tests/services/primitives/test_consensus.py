"""Consensus: declared participants, a quorum, a deadline, and a decision that ends every wait."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as some

import suptree as st
from suptree.services import (
    AlreadyVotedError,
    BallotClosedError,
    BallotNotFoundError,
    Consensus,
    ConsensusError,
    NotAParticipantError,
    VoteRequested,
)
from suptree.services.primitives.arguments import Proposal
from suptree.services.primitives.consensus import Ballot
from suptree.testing import wait_down, wait_mailbox_empty
from tests.services.primitives.people import Person, hear, people, settle

pytestmark = pytest.mark.suptree_loop("virtual")  # they count seconds, exactly


async def opened(number: int = 3, **options: Any) -> tuple[Any, str, list[Any]]:
    consensus = await Consensus.start_link()
    voters = await people(number)
    return consensus, await Consensus.propose(consensus, "deploy?", voters, **options), voters


async def vote(consensus: Any, ballot: str, *votes: tuple[Any, Any]) -> None:
    for voter, choice in votes:
        await Consensus.vote(consensus, ballot, choice, voter=voter)


async def test_participants_are_told_what_to_vote_for(runtime):
    _, ballot, (a, b, _c) = await opened(timeout=9.0)

    await settle()

    request = VoteRequested(ballot, "deploy?", (True, False), 9.0)
    assert await Person.news(a) == await Person.news(b) == [request]


async def test_a_majority_decides_before_all_have_voted(runtime):
    consensus, ballot, (a, b, c) = await opened()
    await vote(consensus, ballot, (a, True), (b, True))

    decision = await Consensus.result(consensus, ballot)

    assert (decision.choice, decision.why, decision.decided) == (True, "quorum", True)
    assert decision.votes == {True: 2, False: 0}
    assert decision.silent == (c,)
    assert (decision.ballot, decision.proposal) == (ballot, "deploy?")


async def test_a_majority_against_is_a_decision_too(runtime):
    consensus, ballot, (a, b, c) = await opened()
    await vote(consensus, ballot, (a, False), (b, True), (c, False))

    assert (await Consensus.result(consensus, ballot)).choice is False


async def test_choices_and_quorum_are_what_the_proposer_says(runtime):
    consensus, ballot, (a, b, c, d) = await opened(4, choices=["red", "blue"], quorum=4)
    await vote(consensus, ballot, (a, "red"), (b, "red"), (c, "red"))
    assert (await Consensus.stats(consensus)).open == 1

    await vote(consensus, ballot, (d, "blue"))

    decision = await Consensus.result(consensus, ballot)
    assert (decision.choice, decision.why) == (None, "out of reach")
    assert decision.votes == {"red": 3, "blue": 1}


async def test_who_waits_for_the_result_is_answered_when_it_is_decided(runtime):
    consensus, ballot, (a, b, c) = await opened()
    Person.do(c, "x", Consensus.result, consensus, ballot)
    Person.do(b, "x", Consensus.result, consensus, ballot)
    await settle()
    assert await Person.result(c, "x") is None

    await vote(consensus, ballot, (a, True), (b, True))
    await settle()

    decision = await Consensus.result(consensus, ballot)
    assert await Person.result(c, "x") == await Person.result(b, "x") == decision


async def test_at_the_deadline_it_ends_undecided(runtime):
    consensus, ballot, (a, b, c) = await opened(timeout=7.0)
    await vote(consensus, ballot, (a, True))
    before = runtime.now()

    decision = await Consensus.result(consensus, ballot)

    assert runtime.now() - before == pytest.approx(7.0)
    assert (decision.choice, decision.why, decision.silent) == (None, "deadline", (b, c))


async def test_an_abstention_is_a_vote_that_will_not_come(runtime):
    consensus, ballot, (a, b, c) = await opened()
    await Consensus.abstain(consensus, ballot, voter=a)
    assert (await Consensus.stats(consensus)).open == 1
    await Consensus.abstain(consensus, ballot, voter=b)

    decision = await Consensus.result(consensus, ballot)

    assert (decision.why, decision.abstained, decision.silent) == ("out of reach", (a, b), (c,))


async def test_a_death_is_no_vote_and_decides_early_when_the_quorum_is_out_of_reach(runtime):
    consensus, ballot, (a, b, c) = await opened(timeout=1000.0)
    before = runtime.now()
    st.exit(a, st.KILL)
    await wait_down(a)
    await wait_mailbox_empty(consensus)
    assert (await Consensus.stats(consensus)).open == 1

    st.exit(b, st.KILL)
    await wait_down(b)
    decision = await Consensus.result(consensus, ballot)

    assert (decision.why, decision.silent) == ("out of reach", (a, b, c))
    assert runtime.now() == before


async def test_the_vote_of_one_who_died_afterwards_counts(runtime):
    consensus, ballot, (a, b, _c) = await opened()
    await vote(consensus, ballot, (a, True))
    st.exit(a, st.KILL)
    await wait_down(a)

    await vote(consensus, ballot, (b, True))

    assert (await Consensus.result(consensus, ballot)).votes == {True: 2, False: 0}


async def test_dead_participants_are_silent_from_the_start(runtime):
    consensus = await Consensus.start_link()
    a, b, c = await people(3)
    for person in (a, b):
        await Person.stop(person)
    ballot = await Consensus.propose(consensus, "?", [a, b, c])

    assert (await Consensus.result(consensus, ballot)).why == "out of reach"


async def test_the_death_of_the_proposer_withdraws_it(runtime):
    consensus = await Consensus.start_link()
    proposer, voter = await people(2)
    Person.do(proposer, "id", Consensus.propose, consensus, "?", [voter])
    await settle()
    ballot = str(await Person.result(proposer, "id"))

    await Person.stop(proposer)

    assert (await Consensus.result(consensus, ballot)).why == "withdrawn"


async def test_a_proposer_may_take_part_and_is_not_told(runtime):
    consensus = await Consensus.start_link()
    proposer, voter = await people(2)
    Person.do(proposer, "id", Consensus.propose, consensus, "?", [proposer, voter])
    await settle()
    ballot = str(await Person.result(proposer, "id"))

    await vote(consensus, ballot, (proposer, True), (voter, True))

    assert (await Consensus.result(consensus, ballot)).decided
    assert await Person.news(proposer) == []


async def test_what_does_not_count_is_refused(runtime):
    consensus, ballot, (a, b, c) = await opened()
    (stranger,) = await people(1)
    await vote(consensus, ballot, (a, True))

    with pytest.raises(AlreadyVotedError) as twice:
        await vote(consensus, ballot, (a, False))
    with pytest.raises(AlreadyVotedError):
        await Consensus.abstain(consensus, ballot, voter=a)
    with pytest.raises(NotAParticipantError):
        await vote(consensus, ballot, (stranger, True))
    with pytest.raises(st.BadArgumentError, match="choice must be one of"):
        await vote(consensus, ballot, (b, "perhaps"))
    with pytest.raises(BallotNotFoundError):
        await vote(consensus, "no such", (b, True))
    with pytest.raises(BallotNotFoundError):
        await Consensus.result(consensus, "no such")
    await vote(consensus, ballot, (b, True))
    with pytest.raises(BallotClosedError) as closed:
        await vote(consensus, ballot, (c, True))

    assert twice.value.voter == a
    assert closed.value.why == "quorum"
    assert (await Consensus.result(consensus, ballot)).votes == {True: 2, False: 0}


@pytest.mark.parametrize(
    ("participants", "options", "text"),
    [
        ([], {}, "participants must be pids"),
        (["a"], {}, "participants must be pids"),
        (None, {"choices": []}, "choices must be different"),
        (None, {"choices": ["a", "a"]}, "choices must be different"),
        (0.001, {}, "participants must be pids"),
        (None, {"choices": 0.001}, "choices must be different"),
        (None, {"choices": [object()]}, "choices must be different"),
        (None, {"choices": [float("nan")]}, "choices must be different"),
        (None, {"quorum": 0}, "quorum must be from 1 to 2"),
        (None, {"quorum": 3}, "quorum must be from 1 to 2"),
        (None, {"timeout": 0}, "timeout must be a finite number"),
        (None, {"timeout": float("inf")}, "timeout must be a finite number"),
    ],
)
async def test_a_wrong_proposal_is_refused(runtime, participants, options, text):
    consensus = await Consensus.start_link()
    given = await people(2) if participants is None else participants

    with pytest.raises(st.BadArgumentError, match=text):
        await Consensus.propose(consensus, "?", given, **options)
    assert (await Consensus.stats(consensus)).open == 0


async def test_open_ballots_and_old_decisions_are_bounded(runtime):
    consensus = await Consensus.start_link(history=2, max_open=1)
    (a,) = await people(1)
    ballots = []
    for _ in range(3):
        ballots.append(await Consensus.propose(consensus, "?", [a]))
        with pytest.raises(ConsensusError, match="the limit"):
            await Consensus.propose(consensus, "?", [a])
        await vote(consensus, ballots[-1], (a, True))

    with pytest.raises(BallotNotFoundError):
        await Consensus.result(consensus, ballots[0])
    assert (await Consensus.result(consensus, ballots[1])).decided
    stats = await Consensus.stats(consensus)
    assert (stats.open, stats.remembered, stats.decided, stats.forgotten) == (0, 2, 3, 1)


async def test_waiters_that_left_are_forgotten(runtime):
    consensus, ballot, _ = await opened(timeout=1000.0)
    for _ in range(5):
        with pytest.raises(st.CallTimeoutError):
            await Consensus.result.within(1.0)(consensus, ballot)

    assert len((await st.sys.get_state(consensus))["open"][ballot].waiters.senders) == 1


async def test_nothing_is_left_of_a_closed_ballot(runtime):
    consensus, ballot, (a, b, _c) = await opened()
    await vote(consensus, ballot, (a, True), (b, True))
    await asyncio.sleep(100.0)

    state = await st.sys.get_state(consensus)
    assert (state["open"], len(state["owners"]), len(state["deadlines"])) == ({}, 0, 0)


async def test_a_waiting_result_ends_with_the_server(runtime):
    consensus = await Consensus.start()
    a, b = await people(2)
    ballot = await Consensus.propose(consensus, "?", [a])
    Person.do(b, "x", Consensus.result, consensus, ballot)
    await settle()

    st.exit(consensus, st.KILL)
    await wait_down(consensus)
    await settle()

    assert isinstance(await Person.result(b, "x"), st.ServerExitError)


async def test_a_request_refused_by_a_full_mailbox_is_counted(runtime):
    consensus = await Consensus.start_link()
    done = runtime.park()

    async def busy() -> None:
        await done

    full = runtime.spawn(busy, bound=st.MailboxBound(1, "reject"))
    await settle()
    st.send(full, "something else")
    await Consensus.propose(consensus, "?", [full])

    assert (await Consensus.stats(consensus)).undelivered == 1
    done.set(None)


async def test_every_event_of_consensus_is_emitted_as_declared(runtime):
    seen = hear(runtime, "suptree.consensus")
    consensus, ballot, (a, _b, _c) = await opened(timeout=4.0)
    await vote(consensus, ballot, (a, True))
    await asyncio.sleep(5.0)

    (_, first), (_, second) = seen
    assert (first["participants_count"], first["quorum_count"]) == (3, 2)
    assert (second["votes_count"], second["silent_count"]) == (1, 2)
    assert (second["cause"], second["duration_s"]) == ("deadline", pytest.approx(4.0))


# -- the counting --------------------------------------------------------------------------


@given(
    some.integers(1, 7),
    some.data(),
)
def test_a_ballot_is_decided_exactly_when_nothing_can_change_it(size, data):
    """By quorum as soon as a choice has it; out of reach as soon as no way of voting leads there."""
    quorum = data.draw(some.integers(1, size))
    voters: Any = tuple(range(size))
    counts = {"x": 0, "y": 0}
    ballot = Ballot(Proposal("?", voters, ("x", "y"), quorum, 1.0), voters[0], 0.0, dict(counts))
    outstanding = size
    for voter in data.draw(some.permutations(voters)):
        assert ballot.decision("b") is None
        what = data.draw(some.sampled_from(["x", "y", "abstain", "die"]))
        outstanding -= 1
        ballot.say(voter, {"abstain": (), "die": None}.get(what, (what,)))
        if what in counts:
            counts[what] += 1
        verdict = ballot.decision("b")
        winner = next((choice for choice, votes in counts.items() if votes >= quorum), None)
        hopeless = all(votes + outstanding < quorum for votes in counts.values())
        assert (verdict is not None) is (winner is not None or hopeless)
        if verdict is not None:
            assert verdict.choice == winner
            assert verdict.why == ("quorum" if winner else "out of reach")
            return
    raise AssertionError("all have voted, and nothing was decided")
