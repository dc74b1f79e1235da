"""Resources: tokens of what there is little of, which come back from their owner, from the dead too.

It prints:

    refused: limit, 2 of 2 in use
    its owner is dead, and the token is here
    memory is 96% used: pressure is severe
    no report: it can be done when there is room again
"""

import asyncio
from typing import Any

import suptree as st
from suptree.services import (
    BackPressureError,
    Budget,
    PressureChanged,
    ResourceDeniedError,
    ResourceLimit,
    ResourceManager,
)

MB = 1_000_000
LIMITS: dict[str, ResourceLimit | int] = {
    "upload": 2,
    "agent": ResourceLimit(100, costs={"memory": 40 * MB}),
    "report": ResourceLimit(100, costs={"memory": 1 * MB}, refused_when_severe=True),
}


async def upload_for_ever(started: st.Pid[Any]) -> None:
    await ResourceManager.acquire("resources", "upload", 2)
    st.send(started, "holding")
    await st.receive()


async def main() -> None:
    budgets = {"memory": Budget(100 * MB)}
    resources = st.child(ResourceManager, LIMITS, budgets=budgets).with_(name="resources")
    async with st.Runtime():
        await st.Supervisor.start_link([resources])
        await ResourceManager.subscribe("resources")

        owner = st.spawn(upload_for_ever, st.current())
        await st.receive()  # now it holds both
        try:
            await ResourceManager.acquire("resources", "upload")
        except ResourceDeniedError as error:
            print(f"refused: {error.why}, {error.used} of {error.limit} in use")
        st.exit(owner, st.KILL)
        async with ResourceManager.hold("resources", "upload", timeout=1.0):
            print("its owner is dead, and the token is here")

        await ResourceManager.acquire("resources", "agent", 2, costs={"memory": 16 * MB})
        news = await st.receive(PressureChanged)
        print(f"memory is {news.ratio:.0%} used: pressure is {news.level}")
        try:
            await ResourceManager.acquire("resources", "report")
        except BackPressureError:
            print("no report: it can be done when there is room again")


if __name__ == "__main__":
    asyncio.run(main())
