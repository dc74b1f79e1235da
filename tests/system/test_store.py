"""The store that a user gives a `System`: every service that keeps something keeps it there."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

import suptree as st
from suptree.services import (
    BreakerConfig,
    BulkheadConfig,
    Bulkheads,
    CircuitBreakers,
    Concurrency,
    Elections,
    FeatureFlags,
    Flag,
    Leases,
    RateLimiter,
    RetryPolicy,
    RetryService,
    SchedulerManager,
    SignalBus,
    Store,
    load_configuration,
)
from suptree.system import Declarations, System, SystemSettings
from suptree.testing import wait_until

pytestmark = pytest.mark.suptree_loop("virtual")


class Plain:
    """A store as one on a disk would be: outside the program's processes, and of bytes alone."""

    def __init__(self) -> None:
        self.spaces: dict[str, dict[str, bytes]] = {}

    async def load(self, space: str) -> dict[str, object]:
        return {
            key: msgspec.msgpack.decode(value) for key, value in self.spaces.get(space, {}).items()
        }

    async def put(self, space: str, key: str, value: object) -> None:
        self.spaces.setdefault(space, {})[key] = msgspec.msgpack.encode(value)

    async def delete(self, space: str, key: str) -> None:
        self.spaces.get(space, {}).pop(key, None)

    def __len__(self) -> int:
        return len(self.spaces)  # empty at first: it must not be taken for none


async def start(runtime: st.Runtime, store: Store | None) -> System:
    system = System(
        load_configuration(SystemSettings, environ={}),
        declared=Declarations(flags=[Flag("new", default=False)]),
        store=store,
    )
    await runtime.start(system)
    return system


async def set_everything(system: System) -> int:
    """Set at run time what may be set; returns a fencing token."""
    path = system.path_of
    await CircuitBreakers.configure(path("breakers"), "bank", BreakerConfig(failure_threshold=2))
    await CircuitBreakers.open(path("breakers"), "bank")
    await RetryService.configure(path("retries"), "mail", RetryPolicy.fixed(delay=1.0))
    await RateLimiter.configure(path("limits"), "api", Concurrency(limit=3))
    await Bulkheads.configure(path("bulkheads"), "db", BulkheadConfig(limit=4))
    await FeatureFlags.set_percentage(path("flags"), "new", 25)
    await SignalBus.subscribe(path("signals"), "shop.*", subscriber="till", id="sales")
    await SchedulerManager.every(
        path("scheduler"), 60.0, "tick", id="nightly", to="till", owner=None, durable=True
    )
    await Elections.stand(path("elections"), "boss")
    lease = await Leases.acquire(path("leases"), "printer", ttl=5.0)
    await Leases.release(path("leases"), lease)
    return lease.token


async def everything(system: System) -> dict[str, Any]:
    path = system.path_of
    return {
        "breaker": (await CircuitBreakers.status(path("breakers"), "bank")).state.value,
        "threshold": (
            await CircuitBreakers.status(path("breakers"), "bank")
        ).config.failure_threshold,
        "retries": list(await RetryService.policies(path("retries"))),
        "limit": (await RateLimiter.status(path("limits"), "api")).limit,
        "bulkhead": (await Bulkheads.status(path("bulkheads"), "db")).config.limit,
        "flag": FeatureFlags.state("new").percentage,
        "signals": [one.id for one in await SignalBus.subscriptions(path("signals"))],
        "job": (await SchedulerManager.job(path("scheduler"), "nightly")).job.id,
    }


EXPECTED = {
    "breaker": "open",
    "threshold": 2,
    "retries": ["mail"],
    "limit": 3,
    "bulkhead": 4,
    "flag": 25.0,
    "signals": ["sales"],
    "job": "nightly",
}


async def test_what_was_set_with_a_store_is_there_when_the_program_runs_again():
    store = Plain()
    async with st.Runtime() as runtime:
        token = await set_everything(await start(runtime, store))

    async with st.Runtime() as runtime:
        system = await start(runtime, store)
        assert await everything(system) == EXPECTED
        again = await Leases.acquire(system.path_of("leases"), "printer", ttl=5.0)
        assert again.token > token

    spaces = {space.partition(".")[0].partition(":")[0] for space in store.spaces}
    assert len(spaces) >= 8, spaces


async def test_nothing_is_kept_in_memory_besides_when_a_store_is_given():
    async with st.Runtime() as runtime:
        await set_everything(await start(runtime, Plain()))
        kept = runtime.tables["system.state"]

        assert {"breakers", "retries", "limits", "flags", "scheduler"}.isdisjoint(kept)


async def test_without_a_store_it_is_kept_in_memory_when_every_service_is_killed():
    async with st.Runtime() as runtime:
        system = await start(runtime, None)
        await set_everything(system)
        last = st.whereis("system.reconfigurer")
        # All but the state owner start again with it.
        st.exit(st.whereis("system.configuration"), st.KILL)
        await wait_until(lambda: st.whereis("system.reconfigurer") not in (None, last))

        assert await everything(system) == EXPECTED
