"""Rate limits: so many calls per second and key, in a window that slides, and so many at once.

It prints:

    ann may log in, 1 left
    ann may log in, 0 left
    ann may not, 0 left
    bob may log in, 1 left
    6 calls at 50 a second took 0.1 s or more: True
    ann did not get in: timeout
    ann uploads
    bob uploads
    2 at once, 1 waits
    cyd uploads
"""

import asyncio

import suptree as st
from suptree.services import (
    Concurrency,
    Limit,
    LimitExceededError,
    RateLimiter,
    SlidingWindow,
    TokenBucket,
)

LIMITS: dict[str, Limit] = {
    "login": SlidingWindow(limit=2, per=60.0),
    "api": TokenBucket(rate=50.0, burst=1),
    "uploads": Concurrency(limit=2),
}


async def upload(name: str, finish: asyncio.Event) -> None:
    async with RateLimiter.hold("limits", "uploads"):
        print(name, "uploads")
        await finish.wait()


async def main() -> None:
    async with st.Runtime() as rt:
        await st.Supervisor.start_link([st.child(RateLimiter, LIMITS).with_(name="limits")])

        for who in ("ann", "ann", "ann", "bob"):
            verdict = await RateLimiter.check("limits", "login", who)
            may = "may log in" if verdict.allowed else "may not"
            print(f"{who} {may}, {verdict.remaining} left")

        began = rt.now()
        for _ in range(6):
            await RateLimiter.acquire("limits", "api", "ann")
        print("6 calls at 50 a second took 0.1 s or more:", rt.now() - began >= 0.1)
        try:
            await RateLimiter.acquire("limits", "login", "ann", timeout=0.05)
        except LimitExceededError as error:
            print(f"ann did not get in: {error.why}")

        finish = asyncio.Event()
        uploads = [st.Task.async_(upload, name, finish) for name in ("ann", "bob", "cyd")]
        while not (status := await RateLimiter.status("limits", "uploads")).waiting:
            await asyncio.sleep(0)
        print(f"{status.held} at once, {status.waiting} waits")
        finish.set()
        await st.Task.await_many(uploads)


if __name__ == "__main__":
    asyncio.run(main())
