"""Elections: of the candidates one leads, and when it is gone the next one does.

It prints:

    ann: I lead
    bob: another leads
    cyd: another leads
    ann is killed
    bob: I lead
    cyd: another leads
    bob is killed
    cyd: I lead
    cyd is killed
    the leader: None
"""

import asyncio

import suptree as st
from suptree.services import Elections, LeaderChanged


class Planner(st.GenServer):
    """Stands for election, and hears of every change."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.term = 0

    async def init(self) -> None:
        self.follow(await Elections.stand("elections", "planner"))

    def handle_info(self, message: object) -> None:
        if isinstance(message, LeaderChanged):
            self.follow(message)

    def follow(self, news: LeaderChanged) -> None:
        assert news.term > self.term  # what a former leader orders has a smaller one
        self.term = news.term
        print(f"{self.name}:", "I lead" if news.leader == st.current() else "another leads")


async def main() -> None:
    planners = [
        st.child(Planner, name).with_(name=name, restart="temporary")
        for name in ("ann", "bob", "cyd")
    ]
    async with st.Runtime():
        await st.Supervisor.start_link([st.child(Elections).with_(name="elections"), *planners])
        for name in ("ann", "bob", "cyd"):
            await Elections.follow("elections", "planner")
            print(name, "is killed")
            st.exit(name, st.KILL)
            await st.receive(LeaderChanged)
            await asyncio.sleep(0.05)  # the planners are told as this process is
        leader = (await Elections.leader("elections", "planner")).leader
        print("the leader:", leader)


if __name__ == "__main__":
    asyncio.run(main())
