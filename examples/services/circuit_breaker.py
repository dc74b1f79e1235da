"""Circuit breaker: it stops calls to what keeps failing, and lets one through when it may be well again.

It prints:

    failed: the bank is away
    failed: the bank is away
    failed: the bank is away
    refused at once: 'bank' is open; the bank saw 3 calls
    paid 250
    the breaker is closed
    refused at once: 'bank' is open; the bank saw 4 calls
"""

import asyncio

import suptree as st
from suptree.services import BreakerConfig, BreakerOpenError, CircuitBreakers

BANK = BreakerConfig(failure_threshold=3, reset_timeout=0.2, success_threshold=1)


class Bank:
    """Stands for a service somewhere else, which is away for the first three calls."""

    def __init__(self) -> None:
        self.calls = 0

    async def pay(self, cents: int) -> str:
        self.calls += 1
        if self.calls <= 3:
            raise ConnectionError("the bank is away")
        return f"paid {cents}"


async def pay(bank: Bank) -> None:
    """Pay through the breaker: the call itself runs here, in its caller."""
    try:
        print(await CircuitBreakers.run("breakers", "bank", bank.pay, 250))
    except ConnectionError as error:
        print(f"failed: {error}")
    except BreakerOpenError as error:
        print(f"refused at once: {error.name!r} is {error.state}; the bank saw {bank.calls} calls")


async def main() -> None:
    async with st.Runtime():
        breakers = st.child(CircuitBreakers, {"bank": BANK}).with_(name="breakers")
        await st.Supervisor.start_link([breakers])
        bank = Bank()
        for _ in range(4):
            await pay(bank)

        await asyncio.sleep(0.3)  # longer than `reset_timeout`: now a probe may go through
        await pay(bank)
        print("the breaker is", (await CircuitBreakers.status("breakers", "bank")).state)

        await CircuitBreakers.open("breakers", "bank")  # by hand: it stays open
        await pay(bank)


if __name__ == "__main__":
    asyncio.run(main())
