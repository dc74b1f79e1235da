"""What a test asks of a service to see by which settings it goes."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping
from typing import Any

import suptree as st

__all__ = ["held_by"]

State = dict[str, Any]


def _coordination(state: State) -> Any:
    router = state["_router"]
    return {
        "policy": router._policy,
        "max_lanes": router._lanes_at_most,
        "idle_after": state["_idle_after"],
        "history": router._history,
    }


def _metrics(state: State) -> Any:
    limits = {family.limit for family in state["_table"]._families.values()}
    (limit,) = limits
    return {"max_series": limit}


def _flags(state: State) -> Any:
    flags = state["_flags"].values()
    configured = (one for one in flags if one.source == "configured")
    return {"settings": {one.name: one.percentage for one in configured}}


_PROBES: Mapping[str, Callable[[State], Any]] = {
    "metrics": _metrics,
    "resources": lambda state: {"max_waiting": state["max_waiting"]},
    "breakers": lambda state: {"max_breakers": state["_limit"]},
    "retries": lambda state: {"budget": state["_purse"].budget, "max_policies": state["_limit"]},
    "limits": lambda state: {
        "max_keys": state["_max_keys"],
        "max_waiting": state["_max_waiting"],
        "max_limiters": state["_max_limiters"],
        "cleanup_interval": state["_cleanup_interval"],
    },
    "bulkheads": lambda state: {"max_bulkheads": state["_limit"]},
    "cache": lambda state: {
        "max_entries": state["_shelf"].max_entries,
        "default_ttl": state["_ttl"],
        "cleanup_interval": state["_cleanup_interval"],
        "max_waiting": state["_max_waiting"],
    },
    "flags": _flags,
    "signals": lambda state: {
        "log_entries": state["log"].entries,
        "max_subscriptions": state["max_subscriptions"],
        "max_dead_letters": state["deliveries"].dead.limit,
        "max_blocked": state["max_blocked"],
    },
    "scheduler": lambda state: {
        "max_jobs": state["_book"].max_jobs,
        "clock_check": state["_clock_check"],
    },
    "coordination": _coordination,
    "commands": lambda state: dataclasses.asdict(state["_options"].now),
    "dead_letters": lambda state: {
        "max_letters": state["_max_letters"],
        "max_age": state["_max_age"],
    },
    "task_pools": lambda state: {"max_pools": state["_limit"]},
    "health": lambda state: {
        "max_concurrency": state["_queue"]._places,
        "max_checks": state["_max_checks"],
        "history": state["_history"],
    },
}


async def held_by(service: str, name: str) -> Any:
    """The settings by which the service of that registered *name* goes, as `Live.options` has them."""
    server = f"{name}.server" if service == "commands" else name  # it is a tree of its own
    return _PROBES[service](await st.sys.get_state(server))
