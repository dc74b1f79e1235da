"""Barriers: nobody goes on before all are there, and nobody waits for one who died.

It prints:

    ann reads
    bob reads
    cyd reads
    all are there
    ann writes
    bob writes
    cyd writes
    all are there
    lunch is off: the guest is gone
    dinner is off: not all arrived in time
"""

import asyncio

import suptree as st
from suptree.services import BarrierBrokenError, Barriers

NAMES = ("ann", "bob", "cyd")


async def work(name: str) -> None:
    for phase in ("reads", "writes"):
        print(name, phase)
        arrival = await Barriers.arrive("barriers", phase, len(NAMES))
        if arrival.place == 0:
            print("all are there")


async def go_home() -> None:
    await asyncio.sleep(0.05)


async def main() -> None:
    async with st.Runtime():
        await st.Supervisor.start_link([st.child(Barriers).with_(name="barriers")])
        await st.Task.await_many([st.Task.async_(work, name) for name in NAMES])

        guest = st.spawn(go_home)
        try:
            await Barriers.arrive("barriers", "lunch", [st.current(), guest], timeout=30.0)
        except BarrierBrokenError as error:
            print(f"{error.name} is off: the guest is gone")
        try:
            await Barriers.arrive("barriers", "dinner", 2, timeout=0.05)
        except BarrierBrokenError as error:
            print(f"{error.name} is off: {error.why}")


if __name__ == "__main__":
    asyncio.run(main())
