"""Deadlines: calls, tasks and commands that are made for a caller wait no longer than it does.

It prints:

    shop.order.start: 1 s left
    the task had 1 s
    the command had 1 s
    the call after it had 0 s
"""

import asyncio
import contextlib
from collections.abc import Mapping

import suptree as st
from suptree.services import AnyArguments, CommandRule, CommandTimeoutError, SystemCommandManager
from suptree.telemetry import Event, Span

ORDER = Span("shop.order", doc="One order.")
COMMANDS = {"sleep": CommandRule(arguments=AnyArguments())}


class Stock(st.GenServer):
    """Never answers."""

    @st.call
    def reserve(self) -> str | st.NoReply:
        return st.NoReply()


class Shop(st.GenServer):
    """Would wait for a minute, if its caller did."""

    def __init__(self) -> None:
        self.notes: list[str] = []

    @st.call
    async def order(self) -> None:
        with st.current().runtime.telemetry.span(ORDER):
            self.notes.append(f"the task had {await st.Task.async_(time_left):.0f} s")
            try:
                await SystemCommandManager.execute("commands", "sleep", ["1000"], timeout=60.0)
            except CommandTimeoutError as error:
                self.notes.append(f"the command had {error.timeout:.0f} s")
            try:
                await Stock.reserve.within(60.0)("stock")
            except st.CallTimeoutError as error:
                self.notes.append(f"the call after it had {error.timeout:.0f} s")

    @st.call
    def told(self) -> list[str]:
        return self.notes


async def time_left() -> float:
    return st.time_left() or 0.0


def show(event: Event, numbers: Mapping[str, float], facts: Mapping[str, object]) -> None:
    print(f"{event.name}: {numbers['time_left_s']:.0f} s left")


async def main() -> None:
    tree = [
        SystemCommandManager.child(allowed=COMMANDS),
        st.child(Stock).with_(name="stock"),
        st.child(Shop).with_(name="shop"),
    ]
    async with st.Runtime() as rt:
        rt.propagator = st.ContextPropagator()
        rt.telemetry.attach("spans", ORDER.started, show)
        await st.Supervisor.start_link(tree)
        with contextlib.suppress(st.CallTimeoutError):
            await Shop.order.within(1.0)("shop")
        print(*await Shop.told("shop"), sep="\n")


if __name__ == "__main__":
    asyncio.run(main())
