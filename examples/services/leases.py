"""Leases: one at a time, in turn, and a token by which an old holder is known.

It prints:

    printed: a page of ann
    printed: a page of bob
    printed: a page of cyd
    not free: it is not waited for
    printed: a page of dan
    refused: a page of somebody slow, whose time was over
    printed: a page of eve, whose predecessor died
"""

import asyncio

import suptree as st
from suptree.services import Lease, Leases, LeaseTimeoutError


class Printer:
    """What the lease protects: it refuses a token that is smaller than one it has seen."""

    def __init__(self) -> None:
        self.seen = 0

    def print(self, text: str, lease: Lease) -> None:
        if lease.token < self.seen:
            print(f"refused: {text}, whose time was over")
            return
        self.seen = lease.token
        print("printed:", text)


async def work(name: str, printer: Printer) -> None:
    async with Leases.hold("leases", "printer") as lease:
        printer.print(f"a page of {name}", lease)


async def main() -> None:
    printer = Printer()
    async with st.Runtime():
        await st.Supervisor.start_link([st.child(Leases).with_(name="leases")])
        tasks = [st.Task.async_(work, name, printer) for name in ("ann", "bob", "cyd")]
        await st.Task.await_many(tasks)

        slow = await Leases.acquire("leases", "printer", ttl=0.3)
        try:
            await Leases.acquire("leases", "printer", timeout=0)
        except LeaseTimeoutError:
            print("not free: it is not waited for")
        await st.Task.async_(work, "dan", printer)  # has it when its time is over
        printer.print("a page of somebody slow", slow)

        holder = st.spawn(Leases.acquire, "leases", "printer")
        st.monitor(holder)
        await st.receive(st.Down)
        await st.Task.async_(work, "eve, whose predecessor died", printer)


if __name__ == "__main__":
    asyncio.run(main())
