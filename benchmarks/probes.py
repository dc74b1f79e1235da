"""Probes of how well a loop answers while one of its actors is flooded: the same code on every side.

A call, a timer and an HTTP request are made over and over until the flood is over. The HTTP server and its client are
in the flooded loop too, so that a request crosses it twice. A probe that is under way when the flood begins counts.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable

PAUSE = 0.001
"""Seconds between two calls, and the length of the timer that is watched."""

Call = Callable[[], Awaitable[object]]
IsOver = Callable[[], bool]


async def call_latencies(call: Call, is_over: IsOver) -> list[float]:
    """Seconds of each call, `PAUSE` between two; one at least."""
    latencies: list[float] = []
    while not latencies or not is_over():
        start = time.perf_counter()
        await call()
        latencies.append(time.perf_counter() - start)
        await asyncio.sleep(PAUSE)
    return latencies


class HttpProbe:
    """A server that makes *call* before it answers, and one connection to it."""

    def __init__(self, call: Call) -> None:
        self._call = call

    async def __aenter__(self) -> HttpProbe:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        host, port = self._server.sockets[0].getsockname()
        self._reader, self._writer = await asyncio.open_connection(host, port)
        await self._request()
        return self

    async def __aexit__(self, *exception: object) -> None:
        self._writer.close()
        await self._writer.wait_closed()
        self._server.close()
        await self._server.wait_closed()

    async def latencies(self, is_over: IsOver) -> list[float]:
        """Seconds of each request, one after another; one at least."""
        latencies: list[float] = []
        while not latencies or not is_over():
            start = time.perf_counter()
            await self._request()
            latencies.append(time.perf_counter() - start)
        return latencies

    async def _request(self) -> None:
        self._writer.write(b"GET / HTTP/1.1\r\n\r\n")
        await self._reader.readuntil(b"\r\n\r\nok")

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while await reader.readline():
            await reader.readuntil(b"\r\n")  # the empty line after the request line
            await self._call()
            writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
            await writer.drain()
        writer.close()
