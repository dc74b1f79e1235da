"""Faults of one line, planted one at a time, which the random supervision programs must notice.

A comparison that finds nothing may be a weak one. So each of these faults is planted in a copy of `src`, the first
programs are run on the copy, and their normalised traces are held against those of the code as it is: a fault that
changes fewer than `ENOUGH` traces survives, and the command fails. It fails as well when the line that a fault
replaces is not there exactly once, so that the list cannot rot.

    python -m tests.conformance.mutants                      all of them
    python -m tests.conformance.mutants --only transient     those whose name says so
    python -m tests.conformance.mutants --record             and keep the table; `make docs` shows it
"""

from __future__ import annotations

import argparse
import asyncio
import hashlib
import os
import shutil
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.conformance import record
from tests.conformance.arguments import positive
from tests.conformance.family import Normaliser
from tests.conformance.supervision import FAMILY
from tests.conformance.supervision.runner import Suptree

ROOT = Path(__file__).resolve().parents[2]
OTP = Path("suptree/otp")
SEEDS = range(1, 2001)
ENOUGH = 10
HANG = 1.0
"""Seconds after which a program hangs; it takes two milliseconds."""
PATIENCE = 15.0
"""Seconds after which the whole interpreter is taken to hang, as it does in a loop that awaits nothing."""
HANGS = 10
"""So many that hang are proof enough: the rest is not run."""


@dataclass(frozen=True, slots=True)
class Mutant:
    """One fault.

    Attributes:
        name: A word or two.
        file: Below `suptree/otp`.
        old: The line that it replaces, without indentation but otherwise whole.
        new: What stands there instead.
        breaks: What is wrong then, for the table.
    """

    name: str
    file: str
    old: str
    new: str
    breaks: str

    def plant(self, src: Path) -> None:
        """Replace the line in the copy at *src*.

        Raises:
            LookupError: The line is not there exactly once.
        """
        path = src / OTP / self.file
        lines = path.read_text().split("\n")
        places = [number for number, line in enumerate(lines) if line.strip() == self.old]
        if len(places) != 1:
            raise LookupError(f"{self.file} has {len(places)} lines {self.old!r}")
        line = lines[places[0]]
        lines[places[0]] = line[: len(line) - len(line.lstrip())] + self.new
        path.write_text("\n".join(lines))


MUTANTS = (
    # who is restarted
    Mutant(
        "permanent as transient",
        "restart.py",
        "return Fate.RESTART",
        "return Fate.KEEP if is_normal(reason) else Fate.RESTART",
        "a permanent child is not restarted after a normal end",
    ),
    Mutant(
        "transient as permanent",
        "restart.py",
        "return Fate.KEEP if is_normal(reason) else Fate.RESTART",
        "return Fate.RESTART",
        "a transient child is restarted after a normal end",
    ),
    Mutant(
        "transient never",
        "restart.py",
        "return Fate.KEEP if is_normal(reason) else Fate.RESTART",
        "return Fate.KEEP",
        "a transient child is not restarted after a crash",
    ),
    Mutant(
        "temporary kept",
        "restart.py",
        "return Fate.FORGET",
        "return Fate.KEEP",
        "a temporary child keeps its spec when it ends",
    ),
    # strategies
    Mutant(
        "one for all as one for one",
        "restart.py",
        'return list(cast("Iterable[K]", order))',
        "return [culprit]",
        "one_for_all restarts the one that ended only",
    ),
    Mutant(
        "rest for one too long",
        "restart.py",
        "if key == culprit:",
        "if key == culprit and len(group) > 1:",
        "rest_for_one takes an older sibling along when the youngest ended",
    ),
    Mutant(
        "rest for one too short",
        "restart.py",
        "if key == culprit:",
        "if key == culprit or len(group) > 1:",
        "rest_for_one never takes more than two children",
    ),
    Mutant(
        "rest for one backwards",
        "restart.py",
        "group.reverse()",
        "pass",
        "rest_for_one stops and starts in the wrong order",
    ),
    Mutant(
        "group stopped in start order",
        "supervisor_body.py",
        "for member in reversed(group):",
        "for member in group:",
        "a group goes down in the order in which it came up",
    ),
    Mutant(
        "temporary revived",
        "supervisor_body.py",
        'return [member for member in group if member.spec.restart != "temporary"]',
        "return group",
        "a temporary child is started again with its group",
    ),
    Mutant(
        "temporary stays listed",
        "supervisor_body.py",
        'if member.spec.restart == "temporary":  # S117',
        "if False:",
        "a temporary child that went down with its group stays in the list",
    ),
    Mutant(
        "the dead stay dead",
        "supervisor_body.py",
        "for member in (child,) if alone else await self._stop_group(child):",
        "for member in [m for m in await self._stop_group(child) if m.why is not None or m is child]:",
        "siblings that a group restart stopped are not started again",
    ),
    # intensity and what follows a failed restart
    Mutant(
        "one restart too few",
        "restart.py",
        "return len(times) <= self.limit",
        "return len(times) < self.limit",
        "a supervisor gives up at the last restart that it is allowed",
    ),
    Mutant(
        "one restart too many",
        "restart.py",
        "return len(times) <= self.limit",
        "return len(times) <= self.limit + 1",
        "a supervisor allows one restart more",
    ),
    Mutant(
        "retries are free",
        "restarting.py",
        "if window.allows(runtime.now()):",
        "if dead is None and window.limit or window.allows(runtime.now()):",
        "a restart that is tried again does not count",
    ),
    Mutant(
        "gives up with the reason",
        "restarting.py",
        "self.end(SHUTDOWN)",
        "self.end(reason)",
        "a supervisor that gives up ends with the reason of its child",
    ),
    Mutant(
        "retry jumps the queue",
        "restarting.py",
        "process.deliver((CONTINUE, child))",
        "process.mailbox.appendleft((CONTINUE, child))",
        "a failed restart is tried again before what waits in the mailbox",
    ),
    Mutant(
        "restarting not said",
        "restarting.py",
        "child.restarting = True",
        "child.restarting = False",
        "a failed restart is not tried again",
    ),
    Mutant(
        "cancelled retry runs",
        "supervisor_body.py",
        "wanted = child.restarting and self._children.get(child.spec.id) is child",
        "wanted = child.pid is None and self._children.get(child.spec.id) is child",
        "a restart that was cancelled by terminate_child is tried nevertheless",
    ),
    Mutant(
        "retry of the deleted",
        "supervisor_body.py",
        "wanted = child.restarting and self._children.get(child.spec.id) is child",
        "wanted = True",
        "a retry starts a child that runs, or is gone",
    ),
    Mutant(
        "retry of the culprit",
        "supervisor_body.py",
        "await self.put_off(member)",
        "await self.put_off(child)",
        "after a failed group restart the one that died first is tried, not the one that failed",
    ),
    Mutant(
        "failed start goes on",
        "supervisor_body.py",
        'self.start_failed(member, error, "its restart failed: to be tried again")',
        'self.start_failed(member, error, "on we go"); continue',
        "a group restart starts the rest although one failed, and never tries it again",
    ),
    # significant children
    Mutant(
        "anyone is significant",
        "restart.py",
        "return significant",
        "return True",
        "under any_significant the end of any child ends the supervisor",
    ),
    Mutant(
        "one for all significant",
        "restart.py",
        "return significant and not any(others)",
        "return significant",
        "under all_significant the first end of a significant child ends the supervisor",
    ),
    Mutant(
        "restarting is gone",
        "supervisor_body.py",
        "other.pid is not None or other.restarting",
        "other.pid is not None",
        "under all_significant a sibling that is restarting does not keep its supervisor up",
    ),
    # starting and stopping
    Mutant(
        "stops in start order",
        "supervisor_body.py",
        "for member in reversed(list(self._children.values())):",
        "for member in list(self._children.values()):",
        "a supervisor stops its oldest child first",
    ),
    Mutant(
        "children left alone",
        "supervising.py",
        "await self.stop_children()",
        "pass",
        "a supervisor ends without stopping its children in order",
    ),
    Mutant(
        "killed instead of told",
        "shutdown.py",
        "runtime.exit(pid, SHUTDOWN, supervisor)",
        "runtime.exit(pid, KILL, supervisor)",
        "children are killed where they should be told to stop",
    ),
    Mutant(
        "no brutal kill",
        "shutdown.py",
        'if shutdown == "brutal_kill":',
        "if False:",
        "a child of shutdown brutal_kill is told to stop instead",
    ),
    Mutant(
        "ends for strangers",
        "supervising.py",
        "if process.is_from_parent(envelope):",
        "if signal.pid not in self.running:",
        "an exit signal of a stranger ends a supervisor",
    ),
    Mutant(
        "ignored is running",
        "supervisor_body.py",
        "self._ignored(member)",
        "self._children.pop(member.spec.id)",
        "the spec of a child that was ignored at the start is lost",
    ),
    # what may live together
    Mutant(
        "significant for nothing",
        "plan.py",
        'if spec.significant and auto_shutdown == "never":  # S105',
        "if False:",
        "a significant child without auto_shutdown is let in",
    ),
    Mutant(
        "same id twice",
        "plan.py",
        "if spec.id in seen:  # S103",
        "if False:",
        "two children of one id are let in",
    ),
    # requests
    Mutant(
        "which_children oldest first",
        "supervisor_body.py",
        "return [child.info(id) for id, child in reversed(self._children.items())]",
        "return [child.info(id) for id, child in self._children.items()]",
        "which_children lists in start order",
    ),
    Mutant(
        "counts the dead",
        "children.py",
        "active=sum(1 for child in children if child.pid is not None and child.pid.is_alive()),",
        "active=len(children),",
        "count_children counts children that are down as active",
    ),
    Mutant(
        "counts supervisors as workers",
        "children.py",
        'supervisors = sum(1 for child in children if child.spec.type == "supervisor")',
        'supervisors = sum(1 for child in children if child.spec.type == "worker")',
        "count_children takes supervisors for workers",
    ),
    Mutant(
        "already started as present",
        "supervisor_body.py",
        "if present.pid is not None:",
        "if False:",
        "start_child of a running child says already_present",
    ),
    Mutant(
        "restarting as running",
        "supervisor_body.py",
        "raise ChildRestartingError(self.process.pid, id)",
        "raise ChildRunningError(self.process.pid, id)",
        "restart_child and delete_child of a restarting child say running",
    ),
    Mutant(
        "running may be deleted",
        "supervisor_body.py",
        "raise ChildRunningError(self.process.pid, id)",
        "pass",
        "restart_child and delete_child of a running child are served",
    ),
    Mutant(
        "failed spec kept",
        "supervisor_body.py",
        "del self._children[spec.id]",
        "pass",
        "a child whose start_child failed stays in the list",
    ),
)


# --- running them ---------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Verdict:
    """What one mutant came to."""

    mutant: Mutant
    changed: int
    hung: int
    problem: str = ""

    @property
    def killed(self) -> bool:
        """Whether enough traces changed."""
        return not self.problem and self.changed >= ENOUGH

    def __str__(self) -> str:
        much = f"{self.changed}" + (f", {self.hung} hang" if self.hung else "")
        survives = "" if self.killed else f"   SURVIVES {self.problem}"
        return f"  {self.mutant.name:<30} {much:>16}   {self.mutant.breaks}{survives}"


def main(arguments: list[str] | None = None) -> int:
    """Return 0 when every mutant is noticed, 1 otherwise."""
    options = _parse(arguments)
    if options.traces is not None:
        return _print_traces(range(options.traces, SEEDS.stop))
    chosen = [mutant for mutant in MUTANTS if options.only in mutant.name]
    start = time.monotonic()
    verdicts = asyncio.run(_judge(chosen, options.jobs))
    survivors = [verdict.mutant.name for verdict in verdicts if not verdict.killed]
    print(
        f"mutants: {len(verdicts)} faults over {len(SEEDS)} programs (seeds {SEEDS[0]} to {SEEDS[-1]}), "
        f"{len(survivors)} survive, {time.monotonic() - start:.0f} s"
    )
    if options.record:
        record.record_mutants(SEEDS, [_row(verdict) for verdict in verdicts])
    return 1 if survivors else 0


async def _judge(chosen: Sequence[Mutant], jobs: int) -> list[Verdict]:
    places = asyncio.Semaphore(jobs)
    expected, hung = await _traces(None)
    if hung:
        raise RuntimeError("the code as it is hangs: look at that first")

    async def one(mutant: Mutant) -> Verdict:
        async with places:
            verdict = await _verdict(mutant, expected)
        print(verdict, flush=True)
        return verdict

    return list(await asyncio.gather(*map(one, chosen)))


async def _verdict(mutant: Mutant, expected: dict[int, str]) -> Verdict:
    try:
        traces, hung = await _traces(mutant)
    except (LookupError, RuntimeError) as error:
        return Verdict(mutant, 0, 0, str(error))
    changed = sum(trace != expected[seed] for seed, trace in traces.items())
    return Verdict(mutant, changed, hung)


async def _traces(mutant: Mutant | None) -> tuple[dict[int, str], int]:
    """The digest of the trace of each program under *mutant*, and how many hang.

    A program that hangs the whole interpreter is skipped: the next one gets a new interpreter.
    """
    traces: dict[int, str] = {}
    hung = 0
    with tempfile.TemporaryDirectory(prefix="suptree-mutant-") as folder:
        src = Path(folder) / "src"
        shutil.copytree(ROOT / "src", src, ignore=shutil.ignore_patterns("__pycache__"))
        if mutant is not None:
            mutant.plant(src)
        while len(traces) < len(SEEDS) and hung < HANGS:
            async with _interpreter(src, SEEDS[len(traces)]) as lines:
                async for line in lines:
                    traces[SEEDS[len(traces)]] = line
                    hung += line == "hang"
                    if hung >= HANGS:
                        break
    return traces, hung


@asynccontextmanager
async def _interpreter(src: Path, first: int) -> AsyncIterator[AsyncIterator[str]]:
    """Python with *src* as suptree, which prints the digests from seed *first* on."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "tests.conformance.mutants", "--traces", str(first)),
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(src)},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    try:
        yield _lines(process)
    finally:
        if process.returncode is None:
            process.kill()
        await process.communicate()


async def _lines(process: asyncio.subprocess.Process) -> AsyncIterator[str]:
    assert process.stdout is not None
    assert process.stderr is not None
    while True:
        try:
            line = await asyncio.wait_for(process.stdout.readline(), PATIENCE)
        except TimeoutError:
            yield "hang"
            return
        if not line:
            said = (await process.stderr.read()).decode()
            if await process.wait() != 0:
                raise RuntimeError(f"it does not run: {said.strip().rpartition(chr(10))[2]}")
            return
        yield line.decode().strip()


def _print_traces(seeds: range) -> int:
    """Be the interpreter: one digest a line."""
    suptree, normaliser = Suptree(hang=HANG), Normaliser(FAMILY.rules)
    for seed in seeds:
        trace = normaliser.apply(suptree.run(FAMILY.generate(seed)))
        hangs = trace[-1] == "hang"
        digest = hashlib.sha256("\n".join(trace).encode()).hexdigest()
        print("hang" if hangs else digest, flush=True)
    return 0


def _row(verdict: Verdict) -> dict[str, object]:
    mutant = verdict.mutant
    return {
        "name": mutant.name,
        "file": mutant.file,
        "old": mutant.old,
        "new": mutant.new,
        "breaks": mutant.breaks,
        "changed": verdict.changed,
        "hung": verdict.hung,
    }


def _parse(arguments: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.conformance.mutants")
    add = parser.add_argument
    add("--only", default="", help="faults whose name has this in it")
    add("--jobs", type=positive, default=os.cpu_count() or 1, help="interpreters at once")
    add(
        "--record",
        action="store_true",
        help="keep the table of all faults in tests/conformance/record.json",
    )
    add("--traces", type=int, metavar="SEED", help=argparse.SUPPRESS)
    options = parser.parse_args(arguments)
    if options.only and options.record:
        parser.error(
            "--record must stand without --only: the table is of all faults. Leave one of them out."
        )
    if not any(options.only in mutant.name for mutant in MUTANTS):
        names = ", ".join(mutant.name for mutant in MUTANTS)
        parser.error(
            f"--only must be in the name of a fault; got {options.only!r}. Names: {names}."
        )
    return options


if __name__ == "__main__":
    sys.exit(main())
