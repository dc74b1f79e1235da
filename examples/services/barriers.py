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
    Barriers: barrier 'lunch', generation 3, is broken: <0.13> died. Arrive again to begin a new generation.
    Barriers: barrier 'dinner', generation 4, is broken: not all arrived in time. Arrive again to begin a new generation.
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


async def never_comes() -> None:
    await asyncio.sleep(0.05)


async def main() -> None:
    async with st.Runtime():
        await st.Supervisor.start_link([st.child(Barriers).with_(name="barriers")])
        await st.Task.await_many([st.Task.async_(work, name) for name in NAMES])

        other = st.spawn(never_comes)  # it ends without a word
        try:
            await Barriers.arrive("barriers", "lunch", [st.current(), other], timeout=30.0)
        except BarrierBrokenError as error:
            print(error)
        try:
            await Barriers.arrive("barriers", "dinner", 2, timeout=0.05)
        except BarrierBrokenError as error:
            print(error)


if __name__ == "__main__":
    asyncio.run(main())
