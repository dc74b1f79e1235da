"""Who is measured: each contestant as a value, and how its program is started.

A Python contestant is a module with workloads, run by `worker`. The default ones live in the environment of the
project, the others (`--peers all`) in one of their own, see `peer_environment`.
"""

from __future__ import annotations

import importlib.util
import shutil
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, TypeAlias

OURS, ERLANG, ELIXIR = "suptree", "erlang", "elixir"
Field: TypeAlias = Literal["none", "default", "all"]

BEAM = Path(__file__).parent / "beam"
ROOT = Path(__file__).parent.parent
PEER_PYTHON = ROOT / ".venv-bench" / "bin" / "python"


@dataclass(frozen=True, slots=True)
class Contestant:
    """One column.

    Attributes:
        name: What the column is called.
        what: One sentence for the reader.
        module: The Python module with its workloads; none for the BEAM's.
        loop: The event loop it runs on.
        package: What has to be importable for it.
        share: The part of a row's operations that make its sample: less for the slow ones.
        options: The words of an ask that it knows.
        apart: It lives in the environment of `--peers all`.
    """

    name: str
    what: str
    module: str = ""
    loop: str = "asyncio"
    package: str = ""
    share: float = 1.0
    options: frozenset[str] = frozenset()
    apart: bool = False

    @property
    def is_python(self) -> bool:
        return bool(self.module)

    def command(self, ebin: Path) -> list[str]:
        """The program that answers asks; *ebin* has the compiled Erlang modules."""
        if self.module:
            python = str(PEER_PYTHON) if self.apart else sys.executable
            return [python, "-m", "benchmarks.worker", self.module, self.loop]
        if self.name == ERLANG:
            return ["erl", "+S", "1:1", "-noshell", "-pa", str(ebin), "-s", "bench", "main"]
        return ["elixir", "--erl", "+S 1:1", str(BEAM / "bench.exs")]

    def absent(self) -> str | None:
        """Say why it cannot take part; `None` when it can."""
        match self.name:
            case "erlang" if not (shutil.which("erl") and shutil.which("erlc")):
                return "erl and erlc are not installed (Debian: apt-get install erlang-base)"
            case "elixir" if not shutil.which("elixir"):
                return "elixir is not installed (Debian: apt-get install elixir)"
        if self.package and not self.apart and importlib.util.find_spec(self.package) is None:
            return f"{self.package} is not installed (`make bench` installs it)"
        return None


def contestants(field: Field, loop: str) -> list[Contestant]:
    """Those who take part, suptree first and on *loop*."""
    ours = Contestant(
        OURS,
        f"suptree on {loop}",
        "benchmarks.ours",
        loop,
        package="uvloop" if loop == "uvloop" else "",
        options=frozenset({"queued", "telemetry", "freeze"}),
    )
    match field:
        case "none":
            return [ours]
        case "default":
            return [ours, *DEFAULT]
        case "all":
            return [ours, *DEFAULT, *APART]


def _stream(name: str) -> Contestant:
    return Contestant(
        name, f"{name}, for streams of tasks", f"benchmarks.peers.{name}", package=name
    )


DEFAULT: tuple[Contestant, ...] = (
    Contestant(ERLANG, "gen_server and supervisor, one scheduler"),
    Contestant(ELIXIR, "Registry and Task.Supervisor, one scheduler"),
    Contestant(
        "asyncio",
        "a bare actor: a Task over a Queue",
        "benchmarks.plain",
        options=frozenset({"yielding"}),
    ),
    Contestant(
        "asyncio+uvloop",
        "the same on uvloop",
        "benchmarks.plain",
        "uvloop",
        package="uvloop",
        options=frozenset({"yielding"}),
    ),
    Contestant(
        "pykka", "Pykka, an actor is a thread", "benchmarks.peers.pykka", package="pykka", share=0.1
    ),
    _stream("aiostream"),
    _stream("aiometer"),
    _stream("anyio"),
)
APART: tuple[Contestant, ...] = (
    Contestant(
        "thespian",
        "Thespian, all actors in one process (simpleSystemBase)",
        "benchmarks.peers.thespian",
        share=0.2,
        apart=True,
    ),
    Contestant(
        "xoscar",
        "xoscar, actors in the main pool",
        "benchmarks.peers.xoscar",
        share=0.1,
        apart=True,
    ),
    Contestant(
        "mode", "mode, a service over a queue", "benchmarks.peers.mode", share=0.2, apart=True
    ),
    Contestant(
        "autogen",
        "AutoGen core, SingleThreadedAgentRuntime",
        "benchmarks.peers.autogen",
        share=0.05,
        apart=True,
    ),
    Contestant(
        "ray",
        "Ray, an actor is an operating-system process",
        "benchmarks.peers.ray",
        share=0.02,
        apart=True,
    ),
)
