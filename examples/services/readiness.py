"""Readiness: services declare what they need, say when they are ready, and others wait for that.

It prints:

    start order: db cache api
    Dependencies: services must not depend on one another in a circle; got a -> b -> c -> a. Take one of these dependencies away.
    Dependencies: what 'api' depends on must be declared; got api -> catche, did you mean 'cache'? Declare 'catche', or take the dependency away.
    not ready: api -> db: is loading
    ready, all of them
    live: False, ready: False
    cache: its process ended: NORMAL
    api: its process ended: SHUTDOWN
"""

import asyncio

import suptree as st
from suptree.services import Dependencies, DependencyError, NotReadyError, ReadinessBoard

NEEDS = {"api": ["cache", "db"], "cache": ["db"], "db": []}


class Service(st.GenServer):
    """Has started, and is ready when its data is loaded."""

    def __init__(self, name: str) -> None:
        self.name = name

    async def init(self) -> None:
        await ReadinessBoard.not_ready("board", self.name, "is loading")

    @st.call
    async def loaded(self) -> None:
        await ReadinessBoard.ready("board", self.name)


async def main() -> None:
    needs = Dependencies(NEEDS)
    print("start order:", *needs.start_order())
    for wrong in ({"a": ["b"], "b": ["c"], "c": ["a"]}, {"api": ["catche"], "cache": []}):
        try:
            Dependencies(wrong)
        except DependencyError as error:
            print(error)

    board = st.child(ReadinessBoard, needs).with_(name="board")
    services = [st.child(Service, n).with_(name=n) for n in needs.start_order()]
    async with st.Runtime():
        await st.Supervisor.start_link([board, *services], strategy="rest_for_one")
        for name in ("api", "cache"):
            await Service.loaded(name)
        try:
            await ReadinessBoard.wait_ready("board", "api", timeout=0.05)
        except NotReadyError as error:
            print("not ready:", *error.reasons)

        waiting = st.Task.async_(ReadinessBoard.wait_all_ready, "board")
        await Service.loaded("db")
        await waiting
        print("ready, all of them")

        await Service.stop("cache")
        report = await ReadinessBoard.report("board")
        print(f"live: {report.live}, ready: {report.ready}", *report.reasons, sep="\n")


if __name__ == "__main__":
    asyncio.run(main())
