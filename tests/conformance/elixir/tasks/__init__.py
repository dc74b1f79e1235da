"""Task and TaskSupervisor against Elixir's Task and Task.Supervisor: random programs on both, compared line by line."""

from __future__ import annotations

from functools import partial

from tests.conformance.elixir.family import ElixirFamily
from tests.conformance.elixir.stage import MODES
from tests.conformance.elixir.tasks.program import PLAIN, Program, generate
from tests.conformance.elixir.tasks.rules import RULES
from tests.conformance.elixir.tasks.runner import run

FAMILY: ElixirFamily[Program] = ElixirFamily(
    name="tasks",
    what=(
        "Tasks, linked and not, supervised and not, and streams of them, that return, raise, exit or hang until told, "
        "awaited, yielded, shut down and ignored by owners that trap exits or do not."
    ),
    rules=RULES,
    modes={name: partial(run, mode) for name, mode in MODES.items()},
    generate=generate,
    plain=PLAIN,
)
