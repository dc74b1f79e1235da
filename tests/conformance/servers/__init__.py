"""Random GenServer programs on OTP's `gen_server` and on ours.

`program.py` says what a program is, `generator.py` makes them; `runner.py` with `actor.py` runs one on suptree, `erl/` on
the BEAM; `rules.py` says what the BEAM leaves open.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from tests.conformance import beam, plain
from tests.conformance.family import Rule, Trace
from tests.conformance.servers import rules
from tests.conformance.servers.generator import generate
from tests.conformance.servers.program import PLAIN, Program
from tests.conformance.servers.runner import MODES
from tests.conformance.servers.shrink import smaller

__all__ = ["FAMILY", "Servers"]


class Servers:
    """The family of GenServer programs."""

    name = "servers"
    judge = "Erlang/OTP"
    what = (
        "One to four servers, linked or not, trapping or not, named or not, whose handlers do what each message says: call, "
        "cast, send, forward, keep and answer calls, link, monitor, trap, signal, continue, time out, stop and crash; they "
        "are started, asked, suspended, inspected, changed, stopped and signalled."
    )
    rules: tuple[Rule, ...] = rules.RULES
    modes: Mapping[str, Callable[[Program], Trace]] = {
        name: suptree.run for name, suptree in MODES.items()
    }

    def missing(self) -> str | None:
        return beam.missing()

    def generate(self, seed: int) -> Program:
        return generate(seed)

    def smaller(self, program: Program) -> Iterator[Program]:
        return smaller(program)

    def describe(self, program: Program) -> str:
        return "\n".join(f"  op {k}: {op}" for k, op in enumerate(program.ops, 1))

    def to_json(self, program: Program) -> str:
        return plain.to_json(program)

    def from_json(self, text: str) -> Program:
        value = PLAIN.from_json(text)
        if not isinstance(value, Program):
            raise ValueError(f"a program of this family is a Program; got {type(value).__name__}.")
        return value

    @contextmanager
    def open_judge(self) -> Iterator[Callable[[Program], Trace]]:
        with beam.Erlang(Path(__file__).parent / "erl", "servers") as erlang:
            yield lambda program: erlang.trace(plain.to_term(program))


FAMILY = Servers()
