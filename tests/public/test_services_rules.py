"""What services do not do: send what nobody answers for, set timers of asyncio, sleep.

Each place where it is right all the same stands in a table with its reason, so that a new one
has to be given one.
"""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

SERVICES = Path(__file__).resolve().parents[2] / "src" / "suptree" / "services"

SENDS = {
    "commands/guardian_server.py": "to itself, from the reader of its guardian's pipe",
    "commands/run.py": "a run to its manager, which monitors it, and to itself from its pipes",
    "commands/server.py": "the manager to a run that it monitors, and to itself from a start",
    "monitoring/jobs.py": "to itself: a check has ended; one that says nothing has a timer",
    "observing/listener.py": "to itself, from a telemetry handler",
    "parts/subscribers.py": "to who asked for it; a subscription ends with its process, losses are counted",
    "pools/connection.py": "a connection to its pool, which monitors it",
    "pools/stock.py": "the pool to a connection that it monitors, and to itself from a start",
    "primitives/base.py": "to a party that is monitored; losses are counted",
    "resources/lending.py": "to who asked for it, and to itself from a reading",
    "scheduler/dispatch.py": "what comes of a timer; a receiver that is not there is a failed run",
    "scheduler/perform.py": "a run to its scheduler, which monitors it and gives it a time",
    "signals/deliveries.py": "a signal; what is not acknowledged is brought again, losses are counted",
    "task_pools/places.py": "to itself: a thread is over; until then it keeps its place",
}
"""Who sends without waiting for an answer: to whom, and how a loss is noticed."""

SLEEPS = {
    "commands/runner.py": "beside its server, where the kernel cannot wait for a process by itself",
    "recovery/handler.py": "as in retries: the caller waits there for its next attempt",
    "retries/retry.py": "the caller waits there for its next attempt; its end ends the wait",
}


def calls() -> Iterator[tuple[str, str]]:
    """Each call in the services: its file, and what is called, as it is written there."""
    for path in sorted(SERVICES.rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Call):
                yield path.relative_to(SERVICES).as_posix(), ast.unparse(node.func)


def where(wanted: Callable[[str], bool]) -> set[str]:
    return {file for file, called in calls() if wanted(called)}


def is_send(called: str) -> bool:
    """A plain send of suptree: not a request, and not a socket's."""
    receiver, _, name = called.rpartition(".")
    return name == "send" and (not receiver or receiver.rpartition(".")[2].endswith("runtime"))


def test_services_send_without_an_answer_only_where_the_table_says_so() -> None:
    assert where(is_send) == set(SENDS)


def test_services_sleep_only_where_the_table_says_so() -> None:
    assert where(lambda called: called.endswith("sleep")) == set(SLEEPS)


def test_no_service_sets_a_timer_of_asyncio_itself() -> None:
    assert where(lambda called: called.rpartition(".")[2] in {"call_later", "call_at"}) == set()


@pytest.mark.parametrize(
    ("called", "is_one"),
    [
        ("send", True),
        ("self._runtime.send", True),
        ("self._process.runtime.send", True),
        ("self._talk.send", False),
        ("Manager.coordinate.send_request", False),
        ("self._send", False),
    ],
)
def test_a_send_is_told_from_what_is_none(called: str, is_one: bool) -> None:
    assert is_send(called) is is_one
