"""The whole system: every service in one tree from one declaration, and each comes back as it was.

It prints:

    start order: state coordination ledger
      the worker did the dishes
      the limit: 100
      new_router: on
    killed: limits flags coordination
      the worker did the dishes
      the limit: 100
      new_router: on
"""

import asyncio

import suptree as st
from suptree.services import (
    Acknowledged,
    CoordinationManager,
    FeatureFlags,
    Flag,
    RateLimiter,
    ReadinessBoard,
    SlidingWindow,
)
from suptree.system import Declarations, Service, System


class Ledger(st.GenServer):
    """A service of our own, which needs another one."""


class Worker(st.GenServer):
    """An agent."""

    def handle_call(self, request: str, sender: st.ReplyTo) -> str:
        return f"did {request}"


DECLARED = Declarations(
    limits={"api": SlidingWindow(limit=100, per=60.0)},
    flags=[Flag("new_router", default=False)],
    services=[Service("ledger", st.child(Ledger), needs=["coordination"])],
)


async def use(system: System) -> None:
    """Use some services, each at its path."""
    router, limits = system.path_of("coordination"), system.path_of("limits")
    match await CoordinationManager.coordinate(router, "worker", "the dishes"):
        case Acknowledged(value=value):
            print("  the worker", value)
        case outcome:
            print("  not done:", outcome)
    print("  the limit:", (await RateLimiter.status(limits, "api", "ann")).limit)
    print("  new_router:", "on" if FeatureFlags.enabled("new_router") else "off")


async def main() -> None:
    system = System(declared=DECLARED)
    order = system.tree.start_order()
    print("start order:", *(one for one in order if one in {"state", "coordination", "ledger"}))
    async with st.Runtime() as rt:
        await rt.start(system)
        await system.start_agent(st.child(Worker).with_(name="worker"))
        await FeatureFlags.enable(system.path_of("flags"), "new_router")
        await use(system)

        victims = ["limits", "flags", "coordination"]
        for name in victims:
            st.exit(system.path_of(name), st.KILL)
        print("killed:", *victims)
        await ReadinessBoard.wait_all_ready(system.path_of("readiness"))
        await use(system)


if __name__ == "__main__":
    asyncio.run(main())
