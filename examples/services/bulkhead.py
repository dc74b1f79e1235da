"""Bulkhead: a slow service fills its own places, and not all that the program has.

It prints:

    slow: 2 inside, 1 waits
    slow: bulkhead 'slow': 2 calls are inside and 1 wait, which is all. The call was not made: try later, or do without it.
    quick: answers meanwhile
    slow: 3 were inside, 1 rejected
"""

import asyncio

import suptree as st
from suptree.services import BulkheadConfig, BulkheadFullError, Bulkheads

ROOMS = {
    "slow": BulkheadConfig(limit=2, max_waiting=1, timeout=1.0),
    "quick": BulkheadConfig(limit=2),
}


async def call_slow(done: asyncio.Event) -> None:
    async with Bulkheads.guard("bulkheads", "slow"):
        await done.wait()


async def quick() -> str:
    return "answers meanwhile"


async def main() -> None:
    async with st.Runtime():
        await st.Supervisor.start_link([st.child(Bulkheads, ROOMS).with_(name="bulkheads")])
        done = asyncio.Event()
        tasks = [st.Task.async_(call_slow, done) for _ in range(3)]
        while not (status := await Bulkheads.status("bulkheads", "slow")).waiting:
            await asyncio.sleep(0)
        print(f"slow: {status.inside} inside, {status.waiting} waits")
        try:
            await Bulkheads.run("bulkheads", "slow", quick)
        except BulkheadFullError as error:
            print("slow:", error)
        print("quick:", await Bulkheads.run("bulkheads", "quick", quick))

        done.set()
        await st.Task.await_many(tasks)
        status = await Bulkheads.status("bulkheads", "slow")
        print(f"slow: {status.admitted} were inside, {status.rejected} rejected")


if __name__ == "__main__":
    asyncio.run(main())
