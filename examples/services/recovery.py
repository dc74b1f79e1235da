"""Recovery: an error is tried again, replaced, undone or raised, by what kind of error it is.

It prints:

    a lost connection is tried again: booked
    a slow answer, for ever: an old list, after 3 retries
    a full disk: the seat is given back
    raised: disk full
    a wrong name is raised at once: no such show
    the bank is another matter: no money, so later
"""

import asyncio

import suptree as st
from suptree.services import ErrorHandler, ErrorPolicy, ErrorReport, RetryPolicy


class NoMoneyError(Exception):
    """An error of our own."""


POLICY = ErrorPolicy().extended({NoMoneyError: "resource"})
HANDLER = ErrorHandler(policy=POLICY, retry=RetryPolicy.fixed(delay=0.01, max_attempts=4))


class Box:
    """Stands for a box office somewhere else, which fails so many times."""

    def __init__(self, *errors: Exception) -> None:
        self.errors = list(errors)

    async def book(self) -> str:
        if self.errors:
            raise self.errors.pop(0)
        return "booked"


async def old_list(report: ErrorReport) -> str:
    return f"an old list, after {report.retries} retries"


async def later(report: ErrorReport) -> str:
    return f"{report.error}, so later"


async def give_back(report: ErrorReport) -> None:
    print("a full disk: the seat is given back")


async def main() -> None:
    recover = HANDLER.with_recovery
    async with st.Runtime():
        lost = Box(ConnectionError("no route"))
        print("a lost connection is tried again:", await recover(lost.book))

        slow = Box(*[TimeoutError()] * 9)
        print("a slow answer, for ever:", await recover(slow.book, fallback=old_list))

        try:
            await recover(Box(OSError("disk full")).book, compensation=give_back)
        except OSError as error:
            print("raised:", error)

        try:
            await recover(Box(ValueError("no such show")).book)
        except ValueError as error:
            print("a wrong name is raised at once:", error)

        bank = Box(NoMoneyError("no money"))
        print("the bank is another matter:", await recover(bank.book, fallback=later))


if __name__ == "__main__":
    asyncio.run(main())
