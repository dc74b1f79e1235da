"""Supervision scenarios as plain values: a tree, and what is done to it.

Both sides, the BEAM and suptree, run the same `Scenario` and write a trace; this file knows neither of them.
A scenario is data only, so it prints, shrinks, and survives a round trip through JSON. Ids are unique in the whole
tree, which lets a trace name a process `w2#3`: the third process that was started as child `w2`.

>>> from tests.conformance.plain import to_json
>>> scenario = Scenario(1, Tree("root", children=(Worker("w1"),)), (Die("w1", "stop", "boom"),))
>>> PLAIN.from_json(to_json(scenario)) == scenario
True
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Literal, TypeAlias

from tests.conformance.plain import Plain

Restart: TypeAlias = Literal["permanent", "transient", "temporary"]
Strategy: TypeAlias = Literal["one_for_one", "one_for_all", "rest_for_one"]
AutoShutdown: TypeAlias = Literal["never", "any_significant", "all_significant"]
Shutdown: TypeAlias = int | Literal["infinity", "brutal_kill"]
"""Milliseconds to wait after the exit signal `shutdown`, or one of OTP's two words."""
Start: TypeAlias = Literal["ok", "error", "ignore", "crash"]
"""What `init` does: come up, stop with `no_start`, be ignored, or raise `init_boom`."""
Goodbye: TypeAlias = Literal["ok", "exit", "stubborn"]
"""What `terminate` does: return, exit with `changed` instead, or never end when its supervisor asks."""
Reason: TypeAlias = Literal["normal", "shutdown", "shutdown_why", "boom", "kill"]
"""An exit reason; `shutdown_why` is `{shutdown, why}`."""
How: TypeAlias = Literal["stop", "raise", "signal"]
"""How a process is made to end: a stop from its handler, an exception in it, or an exit signal from a stranger."""


@dataclass(frozen=True, slots=True)
class Worker:
    """A child that is a plain server; `starts` is its script, one word per attempt, and `ok` after the last."""

    id: str
    restart: Restart = "permanent"
    significant: bool = False
    shutdown: Shutdown = 5000
    traps: bool = False
    goodbye: Goodbye = "ok"
    starts: tuple[Start, ...] = ()


@dataclass(frozen=True, slots=True)
class Tree:
    """A supervisor: as a child (the first four fields; unused at the root) and as a keeper of children.

    `starts` is the script of its `init`, as a worker's, without `error`, which that of a supervisor cannot say.
    """

    id: str
    restart: Restart = "permanent"
    significant: bool = False
    shutdown: Shutdown = "infinity"
    strategy: Strategy = "one_for_one"
    intensity: int = 1
    period: int = 60
    auto_shutdown: AutoShutdown = "never"
    children: tuple[Worker | Tree, ...] = ()
    starts: tuple[Start, ...] = ()


@dataclass(frozen=True, slots=True)
class Die:
    """Make process `target` end (or try to: a worker that traps survives a signal)."""

    target: str
    how: How
    reason: Reason


@dataclass(frozen=True, slots=True)
class Ask:
    """Call the child API of `sup`; `child` is empty for the two requests that name none."""

    sup: str
    request: Literal[
        "which_children", "count_children", "terminate_child", "restart_child", "delete_child"
    ]
    child: str = ""


@dataclass(frozen=True, slots=True)
class StartChild:
    """Add a child at run time; an id that is already known is a legitimate thing to try."""

    sup: str
    spec: Worker | Tree


@dataclass(frozen=True, slots=True)
class Stop:
    """End supervisor `sup` in order: `stop` asks as anyone may, `parent` is the exit signal of its parent (root only)."""

    sup: str
    how: Literal["stop", "parent"]
    reason: Reason


@dataclass(frozen=True, slots=True)
class Burst:
    """Do all of `ops` while `sup` is suspended, then let it go: it finds them in its mailbox in that order.

    The only way to show, without a race, what is *behind* an exit in the mailbox: a sibling's exit, a request.
    """

    sup: str
    ops: tuple[Die | Ask | StartChild, ...]


Op: TypeAlias = Die | Ask | StartChild | Stop | Burst


@dataclass(frozen=True, slots=True)
class Scenario:
    """One tree and what happens to it, in order. `seed` is only its name."""

    seed: int
    root: Tree
    ops: tuple[Op, ...]


PLAIN = Plain(Worker, Tree, Die, Ask, StartChild, Stop, Burst, Scenario)


def smaller(scenario: Scenario) -> Iterator[Scenario]:
    """Yield *scenario* with one thing less, the last operations first."""
    for k in reversed(range(len(scenario.ops))):
        yield replace(scenario, ops=scenario.ops[:k] + scenario.ops[k + 1 :])
    for k, op in enumerate(scenario.ops):
        for less in _smaller_op(op):
            yield replace(scenario, ops=(*scenario.ops[:k], less, *scenario.ops[k + 1 :]))
    for root in _smaller_tree(scenario.root):
        yield replace(scenario, root=root)


def _smaller_op(op: Op) -> Iterator[Op]:
    if not isinstance(op, Burst):
        return
    if len(op.ops) == 1:
        yield op.ops[0]
    for k in range(len(op.ops)):
        yield replace(op, ops=op.ops[:k] + op.ops[k + 1 :])


def _smaller_tree(tree: Tree) -> Iterator[Tree]:
    children = tree.children
    for k, child in enumerate(children):
        yield replace(tree, children=children[:k] + children[k + 1 :])
        if child.starts:
            less_script = replace(child, starts=child.starts[:-1])
            yield replace(tree, children=(*children[:k], less_script, *children[k + 1 :]))
        if isinstance(child, Tree):
            for less in _smaller_tree(child):
                yield replace(tree, children=(*children[:k], less, *children[k + 1 :]))
