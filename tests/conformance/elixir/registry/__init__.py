"""Registry against Elixir's: random programs on both, compared line by line."""

from __future__ import annotations

from functools import partial

from tests.conformance.elixir.family import ElixirFamily
from tests.conformance.elixir.registry.program import PLAIN, Program, generate
from tests.conformance.elixir.registry.rules import RULES
from tests.conformance.elixir.registry.runner import run
from tests.conformance.elixir.stage import MODES

FAMILY: ElixirFamily[Program] = ElixirFamily(
    name="registry",
    what=(
        "Registries, unique and duplicate, with and without listeners, whose holders register, change and unregister, "
        "are found, called by key, die, are restarted under their key, and lose the partition that holds them."
    ),
    rules=RULES,
    modes={name: partial(run, mode) for name, mode in MODES.items()},
    generate=generate,
    plain=PLAIN,
)
