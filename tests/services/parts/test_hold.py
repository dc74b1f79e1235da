"""A block of the host that outlives its runtime ends as it ends, whatever it would have given back."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from typing import Any

import pytest

import suptree as st
from suptree.services import (
    BreakerConfig,
    BulkheadConfig,
    Bulkheads,
    Cache,
    CircuitBreakers,
    Concurrency,
    ConnectionPool,
    ConnectionPoolSpec,
    Leases,
    RateLimiter,
    ResourceManager,
    RetryPolicy,
    RetryService,
)

pytestmark = pytest.mark.suptree_loop("virtual")

Block = Callable[[Any], Any]


async def leases() -> tuple[Any, Block]:
    return await Leases.start_link(), lambda server: Leases.hold(server, "door")


async def resources() -> tuple[Any, Block]:
    return await ResourceManager.start_link({"gpu": 1}), lambda server: ResourceManager.hold(
        server, "gpu"
    )


async def limits() -> tuple[Any, Block]:
    server = await RateLimiter.start_link({"seats": Concurrency(limit=1)})
    return server, lambda server: RateLimiter.hold(server, "seats")


async def bulkheads() -> tuple[Any, Block]:
    server = await Bulkheads.start_link({"db": BulkheadConfig(limit=1)})
    return server, lambda server: Bulkheads.run(server, "db", fails_late)


async def breakers() -> tuple[Any, Block]:
    server = await CircuitBreakers.start_link({"bank": BreakerConfig()})
    return server, lambda server: CircuitBreakers.run(server, "bank", fails_late)


async def retries() -> tuple[Any, Block]:
    policy = RetryPolicy.fixed(delay=0.1, retry_on=(OSError,))
    server = await RetryService.start_link({"mail": policy})
    return server, lambda server: RetryService.run(server, "mail", fails_late)


async def pools() -> tuple[Any, Block]:
    async def connect() -> object:
        return object()

    spec = ConnectionPoolSpec(name="p", connect=connect, close=id)
    return await ConnectionPool.start_link(spec), lambda server: ConnectionPool.connection("p")


async def cache() -> tuple[Any, Block]:
    return await Cache.start_link(), lambda server: Cache.get_or_compute(server, "k", fails_late)


async def fails_late() -> None:
    await asyncio.sleep(10.0)
    raise KeyError("its own")


@pytest.mark.parametrize(
    "made", [leases, resources, limits, bulkheads, breakers, retries, pools, cache]
)
async def test_a_block_that_outlives_its_runtime_raises_what_it_raised(
    runtime_options: dict[str, Any], made: Callable[[], Any]
) -> None:
    async with st.Runtime(**runtime_options):
        server, of = await made()
        block = of(server)

        async def host() -> None:
            if isinstance(block, AbstractAsyncContextManager):
                async with block:
                    await fails_late()
            else:
                await block

        task = asyncio.ensure_future(host())
        await asyncio.sleep(1.0)

    with pytest.raises(KeyError, match="its own"):
        await task
