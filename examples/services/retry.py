"""Retry: another attempt after a wait, for errors that are worth it, as long as the budget lasts.

It prints:

    two failures:
      attempt: no route
      attempt: no route
      attempt: found
    an error that another attempt does not mend:
      attempt: no such page
    raised at once: no such page
    failures without end:
      attempt: no route
      attempt: no route
      attempt: no route
    given up after 3 attempts: attempts
    failures without end:
      attempt: no route
      attempt: no route
    given up after 2 attempts: budget
    5 retries, 0 left for others
"""

import asyncio
from collections.abc import Iterator

import suptree as st
from suptree.services import RetriesExhaustedError, RetryBudget, RetryPolicy, RetryService

QUICK = RetryPolicy.exponential(first=0.01, max_attempts=3)


class Site:
    """Stands for a service somewhere else, which fails so many times."""

    def __init__(self, *failures: Exception) -> None:
        self.failures: Iterator[Exception] = iter(failures)

    async def get(self) -> str:
        for failure in self.failures:
            print("  attempt:", failure)
            raise failure
        print("  attempt: found")
        return "the page"


async def main() -> None:
    lost = ConnectionError("no route")
    budget = RetryBudget(capacity=5.0, per_success=0.0, per_second=0.0)
    retries = st.child(RetryService, {"site": QUICK}, budget=budget).with_(name="retries")
    async with st.Runtime():
        await st.Supervisor.start_link([retries])
        print("two failures:")
        await RetryService.run("retries", "site", Site(lost, lost).get)

        print("an error that another attempt does not mend:")
        try:
            await RetryService.run("retries", "site", Site(ValueError("no such page")).get)
        except ValueError as error:
            print("raised at once:", error)

        for _ in range(2):
            print("failures without end:")
            try:
                await RetryService.run("retries", "site", Site(lost, lost, lost, lost).get)
            except RetriesExhaustedError as error:
                print(f"given up after {error.attempts} attempts: {error.why}")
        stats = await RetryService.stats("retries")
        print(f"{stats.policies['site'].retries} retries, {stats.budget_left:.0f} left for others")


if __name__ == "__main__":
    asyncio.run(main())
