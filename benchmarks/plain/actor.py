"""The actor: a counter with a mailbox, and what stands in for a supervisor."""

from __future__ import annotations

import asyncio
import logging

STOP, INCREMENT, SUSPEND, CRASH = object(), object(), object(), object()
LOG = logging.getLogger("benchmarks.plain")


class Actor:
    """A counter with a mailbox."""

    def __init__(self) -> None:
        self.queue: asyncio.Queue[tuple[object, asyncio.Future[int] | None]] = asyncio.Queue()
        self.count = 0
        self.task = asyncio.create_task(self.run())

    async def run(self) -> None:
        while True:
            message, reply = await self.queue.get()
            if message is INCREMENT:
                self.count += 1
                if reply is not None and not reply.done():
                    reply.set_result(self.count)
            elif message is SUSPEND:
                await asyncio.sleep(0)
                self.count += 1
                if reply is not None and not reply.done():
                    reply.set_result(self.count)
            elif message is STOP:
                return
            else:
                raise RuntimeError("crash")

    async def call(self, message: object = INCREMENT) -> int:
        reply: asyncio.Future[int] = asyncio.get_running_loop().create_future()
        self.queue.put_nowait((message, reply))
        return await reply

    def cast(self, message: object) -> None:
        self.queue.put_nowait((message, None))

    async def stop(self) -> None:
        self.cast(STOP)
        await self.task


async def keep_alive(up: asyncio.Queue[Actor]) -> None:
    """Start an actor, tell *up*, and start the next whenever it crashes."""
    while True:
        actor = Actor()
        up.put_nowait(actor)
        try:
            await actor.task
            return
        except RuntimeError as error:
            LOG.error("an actor crashed: %s", error, exc_info=error)
