"""DynamicSupervisor against Elixir's: random programs on both, compared line by line."""

from __future__ import annotations

from functools import partial

from tests.conformance.elixir.dynamic.program import PLAIN, Program, generate
from tests.conformance.elixir.dynamic.rules import RULES
from tests.conformance.elixir.dynamic.runner import run
from tests.conformance.elixir.family import ElixirFamily
from tests.conformance.elixir.stage import MODES

FAMILY: ElixirFamily[Program] = ElixirFamily(
    name="dynamic",
    what=(
        "Dynamic supervisors, one below the other, whose children fail to start by script, crash, are killed, "
        "terminated and counted, also while the supervisor is suspended."
    ),
    rules=RULES,
    modes={name: partial(run, mode) for name, mode in MODES.items()},
    generate=generate,
    plain=PLAIN,
)
