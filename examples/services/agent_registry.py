"""Agent registry: agents are found by what they can do, how they are, and what they have to spare.

It prints:

    who chats, with room: ada
    who chats, with the least to do: bob
    who chats, and is healthy: bob
    {'degraded': 1, 'healthy': 2}
    there is no eve, so bob is on n1 still
    who is there: ada bob
"""

import asyncio

import suptree as st
from suptree.services import AgentBatchError, AgentDiscovery, AgentRegistry, Update, where


class Agent(st.GenServer):
    """Registers itself, under an id that stays the same when it is started again."""

    def __init__(self, id: str, capability: list[str], memory: int, usage: float) -> None:
        self.id = id
        self.metadata = {
            "capability": capability,
            "health_status": "healthy",
            "node": "n1",
            "resources": {"memory_available": memory, "memory_usage": usage},
        }

    async def init(self) -> None:
        await AgentRegistry.register("agents", self.id, self.metadata)


AGENTS = [
    st.child(Agent, "ada", ["chat", "code"], 512, 0.7).with_(id="ada"),
    st.child(Agent, "bob", ["chat"], 64, 0.2).with_(id="bob"),
    st.child(Agent, "cyd", ["paint"], 256, 0.1).with_(id="cyd"),
]


async def main() -> None:
    async with st.Runtime():
        tree = [AgentRegistry.tree(), *AGENTS]
        supervisor = await st.Supervisor.start_link(tree, strategy="rest_for_one")

        roomy = (where("capability") == "chat") & (where("resources.memory_available") >= 100)
        print("who chats, with room:", *(one.id for one in AgentRegistry.query("agents", roomy)))
        [least] = AgentDiscovery.find_least_loaded("agents", "chat", n=1)
        print("who chats, with the least to do:", least.id)

        await AgentRegistry.update("agents", "ada", {"health_status": "degraded"})
        well = AgentDiscovery.find_capable_and_healthy("agents", "chat")
        print("who chats, and is healthy:", *(one.id for one in well))
        print(AgentDiscovery.health_summary("agents"))

        moves = [Update("bob", {"node": "n2"}), Update("eve", {"node": "n2"})]
        try:
            await AgentRegistry.batch("agents", moves)
        except AgentBatchError as error:
            node = AgentRegistry.lookup("agents", "bob").metadata["node"]
            print(f"there is no {moves[error.index].id}, so bob is on {node} still")

        await st.Supervisor.terminate_child(supervisor, "cyd")
        print("who is there:", *(one.id for one in AgentRegistry.query("agents")))


if __name__ == "__main__":
    asyncio.run(main())
