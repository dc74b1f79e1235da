"""Feature flags: a change for some ids first, then in stages, and back by itself when it does badly.

It prints:

    new_cache is for tester
    at 25 % it is for agent-0, agent-1, agent-3, agent-5, agent-7, tester
    at 50 % it is for agent-0, agent-1, agent-2, agent-3, agent-5, agent-6, agent-7, tester
    not yet: the next stage is few
    new_router is for agent-1, agent-6, agent-7
    back to 'few' by itself: 20 of 20 calls failed in 60 s; at most 5 % may
    new_router is for nobody
"""

import asyncio
from typing import Any

import suptree as st
from suptree.services import (
    FeatureFlags,
    Flag,
    Migration,
    MigrationControl,
    MigrationGuard,
    MigrationMoved,
    Stage,
    StageOrderError,
)

FLAGS = [
    Flag("new_cache", default=False, doc="Keeps answers for a minute."),
    Flag("new_router", default=False, doc="Routes through lanes."),
]
ROUTING = Migration(
    "routing",
    [Stage("few", {"new_router": 1}), Stage("half", {"new_router": 50})],
)
GUARD = MigrationGuard(max_error_rate=0.05, min_calls=20)
AGENTS = [f"agent-{n}" for n in range(8)]


def who(flag: str) -> str:
    return ", ".join(id for id in [*AGENTS, "tester"] if FeatureFlags.enabled(flag, id)) or "nobody"


async def main() -> None:
    tree: list[st.ChildSpec[Any]] = [
        st.child(FeatureFlags, FLAGS, migrations=[ROUTING]).with_(name="flags"),
        st.child(MigrationControl, "flags", {"routing": GUARD}).with_(name="control"),
    ]
    async with st.Runtime():
        await st.Supervisor.start_link(tree, strategy="rest_for_one")
        await FeatureFlags.allow("flags", "new_cache", ["tester"])
        print("new_cache is for", who("new_cache"))
        for percentage in (25, 50):
            await FeatureFlags.set_percentage("flags", "new_cache", percentage)
            print(f"at {percentage} % it is for", who("new_cache"))

        try:
            await FeatureFlags.advance("flags", "routing", "half")
        except StageOrderError as error:
            print("not yet: the next stage is", error.next)
        for stage in ("few", "half"):
            await FeatureFlags.advance("flags", "routing", stage)
        print("new_router is for", who("new_router"))

        await FeatureFlags.subscribe("flags", "routing")
        for _ in range(20):  # what runs on the new path says how it went
            MigrationControl.report("control", "routing", ok=False)
        moved = await st.receive(MigrationMoved)
        print(f"back to {moved.move.new!r} by itself:", moved.move.reason)
        print("new_router is for", who("new_router"))


if __name__ == "__main__":
    asyncio.run(main())
