"""Task pools: so many tasks at once for one purpose, whoever asks; the others wait in turn or are refused.

It prints:

    one now: 4
    one later: 5
    many, in order: 4 5 5 6
    too slow: ended after 0.5 s
    a crowd: 2 run, 1 waits
    refused: line_full
"""

import asyncio

import suptree as st
from suptree.services import (
    TaskPoolConfig,
    TaskPoolFullError,
    TaskPoolManager,
    TaskPoolTimeoutError,
)

DOWNLOADS = TaskPoolConfig(max_concurrency=2, max_waiting=1, timeout=0.5)


async def measure(page: str) -> int:
    """Stands for a download."""
    await asyncio.sleep(0.01)
    return len(page)


async def main() -> None:
    pools = st.child(TaskPoolManager, {"downloads": DOWNLOADS}).with_(name="pools")
    async with st.Runtime():
        await st.Supervisor.start_link([pools])
        print("one now:", await TaskPoolManager.run("pools", "downloads", measure, "home"))
        task = await TaskPoolManager.execute_task("pools", "downloads", measure, "about")
        print("one later:", await task)

        pages = ["home", "about", "index", "search"]
        async with TaskPoolManager.execute_batch("pools", "downloads", pages, measure) as results:
            sizes = [result.value async for result in results if isinstance(result, st.TaskValue)]
        print("many, in order:", *sizes)

        try:
            await TaskPoolManager.run("pools", "downloads", asyncio.sleep, 60.0)
        except TaskPoolTimeoutError as error:
            print("too slow: ended after", error.timeout, "s")

        finish = asyncio.Event()
        crowd = [
            st.Task.async_(TaskPoolManager.run, "pools", "downloads", finish.wait) for _ in range(3)
        ]
        while not (status := await TaskPoolManager.status("pools", "downloads")).waiting:
            await asyncio.sleep(0)
        print(f"a crowd: {status.running} run, {status.waiting} waits")
        try:
            await TaskPoolManager.run("pools", "downloads", measure, "one too many")
        except TaskPoolFullError as error:
            print("refused:", error.why)
        finish.set()
        await st.Task.await_many(crowd)


if __name__ == "__main__":
    asyncio.run(main())
