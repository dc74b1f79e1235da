"""Connection pool: six workers share two HTTP connections; one that breaks on the way is replaced.

It prints:

    worker 0: hung up on, and goes on with another connection
    29 answers to 6 workers, over 3 connections
    1 of them discarded
"""

import asyncio
import contextlib

import httpx

import suptree as st
from suptree.services import ConnectionPool, ConnectionPoolSpec

WORKERS, REQUESTS = 6, 5


class Site:
    """A small HTTP server, which hangs up instead of answering /broken."""

    def __init__(self) -> None:
        self.accepted = 0

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.accepted += 1
        with contextlib.suppress(asyncio.IncompleteReadError, ConnectionError):
            while b"/broken" not in await reader.readuntil(b"\r\n\r\n"):
                writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
        writer.close()


def pool_of(url: str) -> ConnectionPoolSpec[httpx.AsyncClient]:
    async def connect() -> httpx.AsyncClient:
        one = httpx.Limits(max_connections=1)
        return httpx.AsyncClient(base_url=url, limits=one, trust_env=False)

    async def check(client: httpx.AsyncClient) -> bool:
        return (await client.get("/health")).is_success

    return ConnectionPoolSpec(
        name="http",
        connect=connect,
        close=httpx.AsyncClient.aclose,
        check=check,
        max_size=2,
        broken_on=(httpx.TransportError,),
    )


async def work(pool: ConnectionPoolSpec[httpx.AsyncClient], number: int) -> int:
    done = 0
    for turn in range(REQUESTS):
        path = "/broken" if (number, turn) == (0, 2) else f"/{number}/{turn}"
        try:
            async with ConnectionPool.connection(pool, timeout=10.0) as client:
                done += (await client.get(path)).is_success
        except httpx.RemoteProtocolError:
            print(f"worker {number}: hung up on, and goes on with another connection")
    return done


async def main() -> None:
    site = Site()
    async with await asyncio.start_server(site.serve, "127.0.0.1", 0) as server, st.Runtime():
        port = server.sockets[0].getsockname()[1]
        pool = pool_of(f"http://127.0.0.1:{port}")
        await st.Supervisor.start_link([ConnectionPool.child(pool)])
        tasks = [st.Task.async_(work, pool, number) for number in range(WORKERS)]
        answers = sum(await st.Task.await_many(tasks, timeout=30.0))
        print(f"{answers} answers to {WORKERS} workers, over {site.accepted} connections")
        print((await ConnectionPool.stats(pool)).discarded, "of them discarded")


if __name__ == "__main__":
    asyncio.run(main())
