"""`Live`: settings as the arguments of a service, at its start and while it runs."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as some

import suptree as st
from suptree.services import ConfigServer, Flag, load_configuration
from suptree.system import SystemSettings
from suptree.system.live import LIVE, Live
from tests.system.probing import held_by

pytestmark = pytest.mark.suptree_loop("virtual")

OTHERS: dict[str, dict[str, Any]] = {
    "flags": {"flags": (Flag("new", default=False),)},
    "commands": {"name": "it"},
}
"""What a service cannot do without, beside its settings."""


def settings_with(**overrides: Any) -> SystemSettings:
    return load_configuration(SystemSettings, environ={}, overrides=overrides).value


@pytest.mark.parametrize("service", LIVE)
async def test_a_service_starts_with_the_settings_and_what_is_not_given_stays(runtime, service):
    live, settings = LIVE[service], settings_with()
    await live.child(settings, **OTHERS.get(service, {})).with_(name="it").start_link()
    started = await held_by(service, "it")

    if service != "flags":  # who says something of flags says all of it
        await live.server.reconfigure("it")

    assert started == live.options(settings) == await held_by(service, "it")


def test_the_plan_shows_the_class_of_a_live_service():
    for live in LIVE.values():
        spec = live.child(SystemSettings(), **({"flags": ()} if live is LIVE["flags"] else {}))
        assert spec.start.label == live.server.__name__


counts = some.sampled_from([1, 2, 1_000_000_000])
counts_from_0 = some.sampled_from([0, 1, 1_000_000_000])
seconds = some.sampled_from([0.001, 1.0, 1e9])


@given(
    some.fixed_dictionaries(
        {
            "coordination": some.fixed_dictionaries(
                {
                    "buffer": counts_from_0,
                    "overflow": some.sampled_from(["reject", "drop_oldest", "wait"]),
                    "ack_timeout": seconds,
                    "expires": seconds,
                    "attempts": counts,
                    "breaker_failures": counts,
                    "breaker_reset": seconds,
                    "max_lanes": counts,
                    "idle_after": seconds,
                    "history": counts_from_0,
                }
            ),
            "retries": some.fixed_dictionaries(
                {
                    "max_policies": counts,
                    "capacity": some.sampled_from([1.0, 1e9]),
                    "per_success": some.sampled_from([0.0, 1e9]),
                    "per_second": some.sampled_from([0.0, 1e9]),
                }
            ),
            "health": some.fixed_dictionaries(
                {"max_concurrency": counts, "max_checks": counts, "history": counts}
            ),
            "signals": some.fixed_dictionaries(
                {
                    "log_entries": counts_from_0,
                    "max_subscriptions": counts,
                    "max_dead_letters": counts,
                    "max_blocked": counts_from_0,
                }
            ),
            "limits": some.fixed_dictionaries(
                {
                    "max_keys": counts,
                    "max_waiting": counts,
                    "max_limiters": counts,
                    "cleanup_interval": seconds,
                }
            ),
            "scheduler": some.fixed_dictionaries({"max_jobs": counts, "clock_check": seconds}),
            "dead_letters": some.fixed_dictionaries({"max_letters": counts, "max_age": seconds}),
        }
    )
)
def test_what_the_schema_lets_pass_every_service_takes(overrides):
    async def main() -> None:
        settings = settings_with(**overrides)
        async with st.Runtime():
            for service in overrides:
                await LIVE[service].child(SystemSettings()).with_(name=service).start_link()
                await LIVE[service].reconfigure(service, settings)
                await LIVE[service].child(settings).start_link()

    asyncio.run(main())


async def test_without_a_server_of_settings_a_service_starts_with_those_that_it_saw_last(runtime):
    live: Live = LIVE["dead_letters"]
    spec = live.child(settings_with(dead_letters={"max_letters": 3}))
    configuration = load_configuration(
        SystemSettings, environ={}, overrides={"dead_letters.max_letters": 4}
    )

    first = await spec.start_link()
    server = await ConfigServer.start_link(configuration)
    second = await spec.start_link()
    await st.GenServer.stop(server)
    third = await spec.start_link()

    limits = [(await st.sys.get_state(one))["_max_letters"] for one in (first, second, third)]
    assert limits == [3, 4, 4]


@pytest.mark.parametrize(
    "wrong",
    [
        {"coordination.expires": float("inf")},
        {"scheduler.clock_check": 1e-9},
        {"coordination.buffer": -1},
        {"limits.max_keys": 2_000_000_000},
        {"retries.capacity": 0.5},
        {"coordination.overflow": "drop"},
    ],
)
def test_the_schema_refuses_what_a_service_would_not_take(wrong):
    with pytest.raises(st.SuptreeError, match=next(iter(wrong)).partition(".")[2]):
        load_configuration(SystemSettings, environ={}, overrides=wrong)
