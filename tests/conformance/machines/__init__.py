"""Random state machines and what they are told, on OTP's `gen_statem` and on ours.

`program.py` says what a program is, `generator.py` makes them; `ours.py` runs one on suptree, `erl/` on the BEAM.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.conformance import beam, plain
from tests.conformance.family import Trace
from tests.conformance.machines import program as programs
from tests.conformance.machines import rules
from tests.conformance.machines.generator import generate
from tests.conformance.machines.ours import MODES
from tests.conformance.machines.program import Program

__all__ = ["FAMILY", "Machines"]


class Machines:
    """The family of state machines."""

    name = "machines"
    judge = "Erlang/OTP"
    what = (
        "State machines of both callback modes, with and without enter calls, trapping and not, that postpone, insert, set, "
        "replace, update and cancel timeouts, reply now, later or in the name of others, change and repeat states, stop, "
        "crash and return nonsense, while they get events one by one, in bursts, and exit signals."
    )
    rules = rules.RULES
    modes = {name: suptree.run for name, suptree in MODES.items()}

    def missing(self) -> str | None:
        return beam.missing()

    def generate(self, seed: int) -> Program:
        return generate(seed)

    def smaller(self, program: Program) -> Iterator[Program]:
        return programs.smaller(program)

    def describe(self, program: Program) -> str:
        return "\n".join(f"  op {k}: {op}" for k, op in enumerate(program.ops, 1))

    def to_json(self, program: Program) -> str:
        return plain.to_json(program)

    def from_json(self, text: str) -> Program:
        value = programs.PLAIN.from_json(text)
        if not isinstance(value, Program):
            raise ValueError(f"a program of this family is a Program; got {type(value).__name__}.")
        return value

    @contextmanager
    def open_judge(self) -> Iterator[Callable[[Program], Trace]]:
        with beam.Erlang(Path(__file__).parent / "erl", "machine_trace") as erlang:
            yield lambda program: erlang.trace(plain.to_term(program))


FAMILY = Machines()
