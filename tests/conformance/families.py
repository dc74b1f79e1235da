"""All families of random programs, by name, in the order in which documents list them.

A family is imported when it is asked for: some need a tool that is not there, and say so only then.
"""

from __future__ import annotations

from importlib import import_module
from importlib.util import find_spec
from typing import Any

from tests.conformance.family import Family

HOMES = {
    "supervision": "tests.conformance.supervision",
    "servers": "tests.conformance.servers",
    "machines": "tests.conformance.machines",
    "signals": "tests.conformance.signals",
    "dynamic": "tests.conformance.elixir.dynamic",
    "tasks": "tests.conformance.elixir.tasks",
    "registry": "tests.conformance.elixir.registry",
}
"""The module of each family; it holds the family as `FAMILY`."""


def names() -> list[str]:
    """The families that are here."""
    return [name for name, home in HOMES.items() if _is_there(home)]


def find(name: str) -> Family[Any]:
    """The family of that name."""
    family: Family[Any] = import_module(HOMES[name]).FAMILY
    return family


def _is_there(home: str) -> bool:
    """Whether the module is written: a folder alone has no origin."""
    if find_spec(home.rpartition(".")[0]) is None:
        return False
    spec = find_spec(home)
    return spec is not None and spec.origin is not None
