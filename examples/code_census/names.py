"""Under which names the processes find each other.

A service of a `System` is registered by its place in the tree; a test holds these against it.
"""

from __future__ import annotations

SCHEDULER = "system.managers.scheduler"
ROUTER = "system.managers.coordination"
SURVEYS = "system.surveys"
AGENTS = "system.agents"
COORDINATOR = "system.coordinator"
COLLECTOR = "system.collector"
DISPLAY = "system.display"

METRICS = "metrics"
"""Beside the tree, so that it sees all that happens to it."""

CHAOS = "chaos"
"""Beside the tree, above which it stands like the hand that pulls a plug."""


def worker(number: int) -> str:
    """The name of a worker: its successor's too, so that messages to it are not lost."""
    return f"worker.{number}"
