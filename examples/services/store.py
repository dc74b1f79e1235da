"""State store: what was set while the program runs outlives the process that was told, and the program too.

It prints:

    program 1, in memory:
      at the start: new_router is off
      after a restart of the server: new_router is on
    program 2, in memory:
      at the start: new_router is off
      after a restart of the server: new_router is on
    program 1, in a database:
      at the start: new_router is off
      after a restart of the server: new_router is on
    program 2, in a database:
      at the start: new_router is on
      after a restart of the server: new_router is on
"""

import asyncio
from collections.abc import Mapping

import suptree as st
from suptree.services import FeatureFlags, Flag, MemoryStore, StateOwner, Store

FLAGS = [Flag("new_router", default=False)]


class Database:
    """A `Store` of our own: three functions; this one stands for a database."""

    def __init__(self) -> None:
        self.rows: dict[tuple[str, str], object] = {}

    async def load(self, space: str) -> Mapping[str, object]:
        return {key: value for (place, key), value in self.rows.items() if place == space}

    async def put(self, space: str, key: str, value: object) -> None:
        self.rows[space, key] = value

    async def delete(self, space: str, key: str) -> None:
        self.rows.pop((space, key), None)


def show(moment: str) -> None:
    print(f"{moment}: new_router is", "on" if FeatureFlags.enabled("new_router") else "off")


async def program(store: Store) -> None:
    """Run once: look, set a flag, restart the server of flags, look again."""
    owner = st.child(StateOwner)  # of what a MemoryStore keeps, so it starts first
    flags = st.child(FeatureFlags, FLAGS, store=store).with_(name="flags")
    async with st.Runtime():
        supervisor = await st.Supervisor.start_link([owner, flags], strategy="rest_for_one")
        show("  at the start")
        await FeatureFlags.enable("flags", "new_router")
        await st.Supervisor.terminate_child(supervisor, "flags")
        await st.Supervisor.restart_child(supervisor, "flags")
        show("  after a restart of the server")


async def main() -> None:
    stores: dict[str, Store] = {"memory": MemoryStore(), "a database": Database()}
    for kind, store in stores.items():
        for number in (1, 2):
            print(f"program {number}, in {kind}:")
            await program(store)


if __name__ == "__main__":
    asyncio.run(main())
