"""Telemetry: one trace through two processes, numbers kept of every event, and a sample of them printed.

What is emitted is declared first.  An event that nobody listens to costs next to nothing.

It prints:

    shop.lookup 1e2feb89414c343c below 1027c4d1c386bbc4
    shop.order 1027c4d1c386bbc4 below None
    sold for 1
    sold for 2
    98 more were not printed
    orders: 1.0
    prices: 100, of which half below 50
"""

import asyncio
from collections.abc import Mapping

import suptree as st
from suptree.services import Metric, Metrics, MetricSummary, RateLimited, Sampler, Tracer
from suptree.telemetry import Event, Span

ORDER = Span("shop.order", doc="One order.")
LOOKUP = Span("shop.lookup", doc="One look into the stock.")
SOLD = Event("shop.item.sold", measurements={"price": "euros"}, doc="An item was sold.")


class Stock(st.GenServer):
    """Called within the span of another process."""

    @st.call
    def has(self, item: str) -> bool:
        with st.current().runtime.telemetry.span(LOOKUP):
            return item == "lamp"


def print_span(event: Event, numbers: Mapping[str, float], facts: Mapping[str, object]) -> None:
    print(event.name.removesuffix(".stop"), facts["span_id"], "below", facts["parent_span_id"])


def print_sale(event: Event, numbers: Mapping[str, float], facts: Mapping[str, object]) -> None:
    print("sold for", numbers["price"])


async def main() -> None:
    async with st.Runtime() as rt:
        telemetry = rt.telemetry
        Tracer(seed=1).install(rt)  # the seed makes the same ids each time
        kept = [Metric.counter(ORDER.stopped), Metric.distribution(SOLD, "price", name="price")]
        metrics = await Metrics.start_link(kept)
        stock = await Stock.start_link()

        telemetry.attach_many("spans", [ORDER.stopped, LOOKUP.stopped], print_span)
        with telemetry.span(ORDER):
            await Stock.has(stock, "lamp")

        sampler = Sampler(print_sale, default=RateLimited(2), clock=rt.now)
        telemetry.attach("sales", SOLD, sampler)
        for price in range(1, 101):
            telemetry.emit(SOLD, {"price": price}, {})
        print(sampler.stats()[SOLD.name].dropped, "more were not printed")

        snapshot = await Metrics.snapshot(metrics)
        print("orders:", snapshot.get(ORDER.stopped.name))
        if isinstance(prices := snapshot.get("price"), MetricSummary):
            print(f"prices: {prices.count}, of which half below {prices.p50:.0f}")


if __name__ == "__main__":
    asyncio.run(main())
