"""Agent monitor: what is wrong with a process that lives, written down on change only, and its death once.

It prints:

    agent was unknown, is healthy: -
    agent was healthy, is degraded: 500 jobs wait
    agent was degraded, is healthy: -
    agent was healthy, is unresponsive: no answer within 0.5 s
    agent was unresponsive, is healthy: -
    agent was healthy, is dead: it ended: SHUTDOWN
"""

import asyncio

import suptree as st
from suptree.services import Finding, Health, HealthChange, MonitorSupervisor


class Agent(st.GenServer):
    """Has jobs to do, and may hang."""

    def __init__(self) -> None:
        self.jobs = 0

    @st.call
    def waiting(self) -> int:
        return self.jobs

    @st.cast
    def add(self, jobs: int) -> None:
        self.jobs += jobs


class Book:
    """A `HealthSink`: it hears of every change of health, and of nothing else."""

    def __init__(self) -> None:
        self.news: asyncio.Queue[HealthChange] = asyncio.Queue()

    async def write(self, change: HealthChange) -> None:
        self.news.put_nowait(change)

    async def read(self) -> None:
        change = await self.news.get()
        print(f"{change.target} was {change.previous}, is {change.health}:", change.reason or "-")


async def look(agent: st.Pid[Agent]) -> Finding:
    jobs = await Agent.waiting(agent)
    return Finding(Health.DEGRADED, f"{jobs} jobs wait") if jobs > 100 else Finding(Health.HEALTHY)


async def main() -> None:
    book = Book()
    tree = [MonitorSupervisor.child(sink=book), st.child(Agent).with_(name="agent")]
    async with st.Runtime():
        supervisor = await st.Supervisor.start_link(tree)
        await MonitorSupervisor.start_monitoring(
            "monitors", "agent", look, interval=0.05, timeout=0.5, fall=2, rise=1
        )
        await book.read()

        Agent.add("agent", 500)
        await book.read()  # after two looks in a row: one bad look is no news
        Agent.add("agent", -500)
        await book.read()

        await st.sys.suspend("agent")  # it lives, and answers nobody
        await book.read()
        await st.sys.resume("agent")
        await book.read()

        await st.Supervisor.terminate_child(supervisor, "agent")
        await book.read()


if __name__ == "__main__":
    asyncio.run(main())
