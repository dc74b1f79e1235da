"""Services and the whole system, whose types both checkers must see as they are written."""

from __future__ import annotations

from typing import assert_type

import suptree as st
from suptree.services import (
    CircuitBreakers,
    Configuration,
    ConnectionPool,
    ConnectionPoolLease,
    ConnectionPoolSpec,
    Lease,
    Leases,
    ResourceManager,
    ResourceToken,
    RetryService,
    load_configuration,
)
from suptree.system import System, SystemSettings


class Settings(SystemSettings, frozen=True):
    """Those of the system, and one more."""

    pages: int = 10


class Fetcher(st.GenServer):
    """An agent."""

    @st.call
    def fetched(self) -> int:
        """How many."""
        return 0


class Connection:
    """To a database."""

    async def ask(self, question: str) -> bytes:
        """What it answers."""
        return question.encode()


async def connect() -> Connection:
    """Open one."""
    return Connection()


async def close(connection: Connection) -> None:
    """Close it."""


async def whole_system() -> None:
    """Settings of one's own, and agents that keep their class."""
    configuration = load_configuration(Settings, file="shop.toml")
    assert_type(configuration, Configuration[Settings])
    system = System(configuration)
    fetcher = await system.start_agent(st.child(Fetcher))
    assert_type(fetcher, st.Pid[Fetcher])
    assert_type(await Fetcher.fetched(fetcher), int)


async def held(resources: st.Pid[ResourceManager], leases: st.Pid[Leases]) -> None:
    """What is given out."""
    async with ResourceManager.hold(resources, "upload") as token:
        assert_type(token, ResourceToken)
    async with Leases.hold(leases, "printer") as lease:
        assert_type(lease, Lease)
    assert_type(await Leases.release(leases, lease), bool)


async def lent(spec: ConnectionPoolSpec[Connection]) -> None:
    """A pool knows what it lends."""
    assert_type(
        ConnectionPoolSpec(name="db", connect=connect, close=close), ConnectionPoolSpec[Connection]
    )
    async with ConnectionPool.connection(spec) as connection:
        assert_type(connection, Connection)
    assert_type(await ConnectionPool.checkout(spec), ConnectionPoolLease[Connection])


async def protected(connection: Connection) -> None:
    """What is protected keeps its arguments and its result."""
    assert_type(await CircuitBreakers.run("breakers", "db", connection.ask, "why?"), bytes)
    assert_type(
        await RetryService.run(
            "retries", "db", CircuitBreakers.run, "breakers", "db", connection.ask, "why?"
        ),
        bytes,
    )
