"""Consensus: a vote with a quorum and a deadline, over as soon as its result is certain.

It prints:

    deploy version 7? True: 2 for, 1 against, quorum
    deploy on a Friday? False: 1 for, 2 against, quorum
    with everybody's consent? None: 2 for, 0 against, out of reach
    anybody? None: deadline, 3 said nothing
"""

import asyncio

import suptree as st
from suptree.services import Consensus, VoteRequested


async def voter(choice: bool | None) -> None:
    """Vote once, or, with None, die without a word."""
    request = await st.receive(VoteRequested)
    if choice is not None:
        await Consensus.vote("consensus", request.ballot, choice)
        await st.receive()  # lives on


async def decide(proposal: str, *choices: bool | None, quorum: int | None = None) -> None:
    voters = [st.spawn(voter, choice) for choice in choices]
    ballot = await Consensus.propose("consensus", proposal, voters, quorum=quorum, timeout=0.2)
    decision = await Consensus.result("consensus", ballot)
    yes, no = decision.votes[True], decision.votes[False]
    print(f"{proposal} {decision.choice}: {yes} for, {no} against, {decision.why}")


async def main() -> None:
    async with st.Runtime():
        await st.Supervisor.start_link([st.child(Consensus).with_(name="consensus")])
        await decide("deploy version 7?", True, False, True)
        await decide("deploy on a Friday?", False, True, False)
        await decide("with everybody's consent?", True, True, None, quorum=3)

        sleepers = [st.spawn(asyncio.sleep, 60.0) for _ in range(3)]
        ballot = await Consensus.propose("consensus", "anybody?", sleepers, timeout=0.1)
        decision = await Consensus.result("consensus", ballot)
        print(f"anybody? {decision.choice}: {decision.why}, {len(decision.silent)} said nothing")


if __name__ == "__main__":
    asyncio.run(main())
