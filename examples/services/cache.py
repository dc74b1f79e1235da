"""Cache: what was dear to make is kept for a while, made once for all who want it, and bounded.

It prints:

    100 ask for tea: 3, and the market was asked 1 time
    a failure is told: nobody sells unicorns
    and not kept: the market was asked 3 times
    full: salt came, and bread went, which was used longest ago
    an hour later: tea is made anew, the market was asked 4 times
    99 were made by another, 1 evicted
"""

import asyncio

import suptree as st
from suptree.services import Cache
from suptree.testing import VirtualLoop

PRICES = st.child(Cache, max_entries=3, default_ttl=3600.0).with_(name="prices")


class Market:
    """Stands for a service somewhere else, which is slow and counts who asks."""

    def __init__(self) -> None:
        self.asked = 0

    async def price_of(self, article: str) -> int:
        self.asked += 1
        await asyncio.sleep(1.0)
        if article == "unicorns":
            raise LookupError("nobody sells unicorns")
        return len(article)


async def main() -> None:
    market = Market()

    async def price(article: str) -> int:
        return await Cache.get_or_compute("prices", article, lambda: market.price_of(article))

    async with st.Runtime():
        await st.Supervisor.start_link([PRICES], strategy="one_for_one")

        told = set(await asyncio.gather(*(price("tea") for _ in range(100))))
        print(f"100 ask for tea: {told.pop()}, and the market was asked {market.asked} time")

        for attempt in ("told", "kept"):
            try:
                await price("unicorns")
            except LookupError as error:
                if attempt == "told":
                    print("a failure is told:", error)
        print("and not kept: the market was asked", market.asked, "times")

        await Cache.put("prices", "bread", 5)
        await Cache.put("prices", "milk", 4)
        Cache.get("prices", "tea")  # which is a use
        await Cache.put("prices", "salt", 4)
        gone = [one for one in ("tea", "bread", "milk", "salt") if not Cache.get("prices", one)]
        print("full: salt came, and", *gone, "went, which was used longest ago")

        await asyncio.sleep(3600.0)
        await price("tea")
        print("an hour later: tea is made anew, the market was asked", market.asked, "times")

        stats = await Cache.stats("prices")
        print(f"{stats.shared} were made by another, {stats.evicted} evicted")


if __name__ == "__main__":
    with asyncio.Runner(loop_factory=VirtualLoop) as runner:  # here time flies
        runner.run(main())
