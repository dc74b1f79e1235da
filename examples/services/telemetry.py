"""Telemetry: one trace through two processes, numbers kept of every event, and a sample of them printed.

What is emitted is declared first.  The handlers of an event cost nothing until there is one.

It prints:

    shop.lookup 1e2feb89414c343c below 1027c4d1c386bbc4
    shop.order 1027c4d1c386bbc4 below None
    found lamp
    found lamp
    2 of 5 events were printed, 5 were counted
"""

import asyncio
from collections.abc import Mapping

import suptree as st
from suptree.services import Metric, Metrics, RateLimited, Sampler, Tracer
from suptree.telemetry import Event, Span

ORDER = Span("shop.order", doc="One order.")
LOOKUP = Span("shop.lookup", doc="One look into the stock.")
FOUND = Event("shop.cache.hit", metadata={"item": "what"}, doc="Found in the cache.")


class Stock(st.GenServer):
    """Called within the span of another process."""

    @st.call
    def has(self, item: str) -> bool:
        with st.current().runtime.telemetry.span(LOOKUP):
            return item == "lamp"


def print_span(event: Event, numbers: Mapping[str, float], facts: Mapping[str, object]) -> None:
    print(event.name.removesuffix(".stop"), facts["span_id"], "below", facts["parent_span_id"])


def print_hit(event: Event, numbers: Mapping[str, float], facts: Mapping[str, object]) -> None:
    print("found", facts["item"])


async def main() -> None:
    async with st.Runtime() as rt:
        telemetry = rt.telemetry
        Tracer(seed=1).install(rt)  # the seed makes the same ids each time
        kept = [Metric.counter(FOUND), Metric.distribution(ORDER.stopped, "duration_ns")]
        metrics = await Metrics.start_link(kept)
        stock = await Stock.start_link()

        telemetry.attach_many("spans", [ORDER.stopped, LOOKUP.stopped], print_span)
        with telemetry.span(ORDER):
            await Stock.has(stock, "lamp")

        sampler = Sampler(print_hit, default=RateLimited(2), clock=rt.now)
        telemetry.attach("hits", FOUND, sampler)
        for _ in range(5):
            telemetry.emit(FOUND, {}, {"item": "lamp"})

        snapshot = await Metrics.snapshot(metrics)
        printed = sampler.stats()[FOUND.name].kept_count
        print(f"{printed} of 5 events were printed, {snapshot.get(FOUND.name):.0f} were counted")


if __name__ == "__main__":
    asyncio.run(main())
