"""Agents and metadata for the tests of the registry."""

from __future__ import annotations

from typing import Any

import suptree as st


class Agent(st.GenServer):
    """Lives until it is stopped."""


def metadata(capability: Any = "chat", health: str = "healthy", **more: Any) -> dict[str, Any]:
    """Metadata with all that is required."""
    resources = {"memory_available": 100, "cpu_available": 1.0, "memory_usage": 0.5}
    return {
        "capability": capability,
        "health_status": health,
        "node": "n1",
        "resources": {**resources, **more.pop("resources", {})},
        **more,
    }
