"""Coordination: each message has an outcome, waits for a receiver that is down, and is kept when given up.

It prints:

    acknowledged: did the dishes
    rejected: no_process
    buffered
    acknowledged: did the floor
    given up after 2 attempts, and kept
    acknowledged: did the roof
"""

import asyncio

import suptree as st
from suptree.services import (
    Acknowledged,
    CoordinationManager,
    DeadLettered,
    DeadLetterQueue,
    LanePolicy,
    Outcome,
    Rejected,
    RetryPolicy,
)

TOOLS: set[str] = set()
POLICY = LanePolicy(retry=RetryPolicy.fixed(delay=0.01, max_attempts=2))


class Worker(st.GenServer):
    """What `handle_call` returns is the acknowledgement; a roof without a ladder is its end."""

    def handle_call(self, request: str, sender: st.ReplyTo) -> str | st.Stop:
        if request == "the roof" and "ladder" not in TOOLS:
            return st.Stop(st.SHUTDOWN)
        return f"did {request}"


def show(outcome: Outcome) -> None:
    match outcome:
        case Acknowledged(value=said):
            print("acknowledged:", said)
        case Rejected(why=why):
            print("rejected:", why)
        case DeadLettered(attempts=attempts):
            print(f"given up after {attempts} attempts, and kept")
        case _:  # Buffered: its receiver has not answered yet; or Expired
            print(type(outcome).__name__.lower())


async def main() -> None:
    router = st.child(CoordinationManager, policy=POLICY, dead_letters="letters")
    async with st.Runtime():
        supervisor = await st.Supervisor.start_link(
            [
                st.child(DeadLetterQueue).with_(name="letters"),
                router.with_(name="router"),
                st.child(Worker).with_(name="worker"),
            ]
        )
        show(await CoordinationManager.coordinate("router", "worker", "the dishes"))
        show(await CoordinationManager.coordinate("router", "wroker", "the dishes"))

        await st.Supervisor.terminate_child(supervisor, "worker")
        floor = await CoordinationManager.coordinate("router", "worker", "the floor", wait=0.05)
        show(floor)
        await st.Supervisor.restart_child(supervisor, "worker")
        show(await CoordinationManager.outcome("router", floor.id))

        show(await CoordinationManager.coordinate("router", "worker", "the roof"))
        TOOLS.add("ladder")
        for outcome in (await CoordinationManager.redrive("router", "letters")).values():
            show(await CoordinationManager.outcome("router", outcome.id))


if __name__ == "__main__":
    asyncio.run(main())
