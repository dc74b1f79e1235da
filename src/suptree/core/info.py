"""What is going on: one process as a record, and the whole tree.  Reads, never touches.

Everything is a value taken at one moment and safe to print: user objects appear as
bounded text, pids as themselves, and `to_dict()` gives JSON values.  The faces (the
command line, a dashboard) read these and no live object.  Costs nothing until asked.
"""

from __future__ import annotations

import asyncio
import sys
from dataclasses import dataclass, field, fields
from typing import TYPE_CHECKING, Any, Final

from suptree.core.crashes import safe_repr
from suptree.core.lifecycle import EXITING, INIT, RUNNING, WAITING, Monitor
from suptree.core.pid import Pid
from suptree.core.process import Process
from suptree.core.reports import describe_envelope
from suptree.core.stacks import describe_frames, frames_below, stack_of
from suptree.core.waits import wait_chain, waiting_for

if TYPE_CHECKING:
    from suptree.core.runtime import Runtime

__all__ = ["ProcessInfo", "TreeNode", "info_of", "tree_of"]

TEXT: Final = 300
CALLS_FOLLOWED: Final = 20
"""How far the wait chains of a tree are followed: a long one would stand at each of its links."""


@dataclass(frozen=True, slots=True)
class ProcessInfo:
    """One process at one moment (OTP: `process_info/1`).

    Attributes:
        pid: Who.
        name: The registered name, or None.
        alias: The name that it was started under, if something else keeps that, such as
            ``via('rooms', 'lobby')``; else None.
        label: What it runs, for people.
        kind: 'server', 'supervisor', 'plain', 'guest', ...
        state: The state word, such as 'idle' or 'waiting'; see core/process.py.
        parent: Who started it, linked; None for one without.
        ancestors: Its parent, its parent's parent, ...
        callers: On whose behalf it works (tasks).
        age_s: Seconds since it was started.
        trap_exit: Whether exit signals become messages.
        mailbox: Messages waiting.
        mailbox_bound: The limit of its mailbox, None if it has none.
        dropped: Messages that the bound dropped.
        handled: Messages handled in its life.
        owes: Callers whose reply was put off.
        current: The message being handled, as text; '' between messages.
        waiting_for: The process whose reply it awaits, or None.
        wait_chain: From it along pending calls; a ring ends where it began.
        links: Processes linked to it.
        monitors: What it monitors.
        monitored_by: Who monitors it; None stands for the runtime's own.
        timers: Its timers: seconds left and message, as text.
        owned: What it owns, as text; closed at its death.
        tables: Its tables, as text.
        stack: Where its code stands, if it is suspended or running; '' if it rests.
    """

    pid: Pid[Any]
    name: str | None
    alias: str | None
    label: str
    kind: str
    state: str
    parent: Pid[Any] | None
    ancestors: tuple[Pid[Any], ...]
    callers: tuple[Pid[Any], ...]
    age_s: float
    trap_exit: bool
    mailbox: int
    mailbox_bound: int | None
    dropped: int
    handled: int
    owes: int
    current: str
    waiting_for: Pid[Any] | None
    wait_chain: tuple[Pid[Any], ...]
    links: tuple[Pid[Any], ...]
    monitors: tuple[Pid[Any] | str, ...]
    monitored_by: tuple[Pid[Any] | None, ...]
    timers: tuple[str, ...]
    owned: tuple[str, ...]
    tables: tuple[str, ...]
    stack: str

    def to_dict(self) -> dict[str, Any]:
        """The same as JSON values; pids as text."""
        return {
            name: _plain(getattr(self, name), of_many=name in _OF_MANY)
            for name in self.__dataclass_fields__
        }


@dataclass(slots=True)
class TreeNode:
    """One process in the tree, with those below it.

    Attributes:
        pid: Who; None for a child that is down or being restarted.
        id: The id that its supervisor knows it by; None outside supervisors.
        name, alias, label, kind, state, mailbox: As in `ProcessInfo`.
        wait_chain: As in `ProcessInfo`, but of the first 20 calls only.
        children: In start order.
    """

    pid: Pid[Any] | None
    id: object
    name: str | None
    label: str
    kind: str
    state: str
    mailbox: int = 0
    wait_chain: tuple[Pid[Any], ...] = ()
    alias: str | None = None
    children: list[TreeNode] = field(default_factory=list["TreeNode"])

    def to_dict(self) -> dict[str, Any]:
        """The same as JSON values; pids and ids as text."""
        top: dict[str, Any] = {}
        work: list[tuple[TreeNode, dict[str, Any]]] = [(self, top)]
        while work:  # not recursive: links can make a tree as deep as there are processes
            node, out = work.pop()
            below: list[dict[str, Any]] = [{} for _ in node.children]
            out.update(
                pid=_plain(node.pid),
                id=_plain(node.id),
                name=node.name,
                alias=node.alias,
                label=node.label,
                kind=node.kind,
                state=node.state,
                mailbox=node.mailbox,
                wait_chain=_plain(node.wait_chain, of_many=True),
                children=below,
            )
            work += zip(node.children, below, strict=True)
        return top


def info_of(process: Process) -> ProcessInfo:
    """Look at a process that is not DEAD."""
    bounded = process.bounded
    chain = _chain(process)
    return ProcessInfo(
        pid=process.pid,
        name=process.name,
        alias=None if process.alias is None else safe_repr(process.alias, TEXT),
        label=process.label,
        kind=process.body.kind,
        state=process.state.name.lower(),
        parent=None if process.parent is None else process.parent.pid,
        ancestors=process.lineage,
        callers=process.callers,
        age_s=process.runtime.now() - process.started_at,
        trap_exit=process.trap_exit,
        mailbox=len(process.mailbox),
        mailbox_bound=None if bounded is None else bounded.bound.limit,
        dropped=0 if bounded is None else bounded.dropped,
        handled=process.messages_in,
        owes=len(process.pending or ()),
        current="" if process.current is None else describe_envelope(process.current)[:TEXT],
        waiting_for=chain[1] if chain else None,
        wait_chain=chain,
        links=tuple(p.pid for p in process.links or ()),
        monitors=tuple(m.object for m in (process.watching or {}).values()),
        monitored_by=tuple(_watcher(m) for m in process.monitors or ()),
        timers=_timers(process),
        owned=tuple(safe_repr(resource, TEXT) for resource, _ in process.owned or ()),
        tables=tuple(repr(table) for table in process.tables or ()),
        stack=_stack(process),
    )


def tree_of(runtime: Runtime) -> list[TreeNode]:
    """Every process, each below its parent; guests and processes without a parent at the top."""
    nodes = {process: _node(process) for process in runtime.processes.values()}
    top: list[TreeNode] = []
    for process, node in nodes.items():
        parent = process.parent
        (top if parent is None or parent not in nodes else nodes[parent].children).append(node)
    for process, node in nodes.items():
        if process.body.kind == "supervisor":
            _as_supervisor_knows(process, node)
    return top


def _node(process: Process) -> TreeNode:
    return TreeNode(
        process.pid,
        None,
        process.name,
        process.label,
        process.body.kind,
        process.state.name.lower(),
        len(process.mailbox),
        _chain(process, CALLS_FOLLOWED),
        None if process.alias is None else safe_repr(process.alias, TEXT),
    )


def _chain(process: Process, limit: int | None = None) -> tuple[Pid[Any], ...]:
    """The pids along the pending calls from *process*; empty if it waits for nobody."""
    if waiting_for(process) is None:
        return ()
    return tuple(p.pid for p in wait_chain(process, limit))


def _as_supervisor_knows(process: Process, node: TreeNode) -> None:
    """Put the children in the supervisor's order, with their ids, and those that are down among them."""
    children_of = getattr(process.body, "children_of", None)
    if children_of is None:
        return
    below: dict[Any, TreeNode] = {child.pid: child for child in node.children}
    ordered: list[TreeNode] = []
    for id_, pid, kind in children_of():
        child = below.pop(pid, None)
        if child is None:
            state = pid if isinstance(pid, str) else "down"
            child = TreeNode(None, id_, None, safe_repr(id_, TEXT), str(kind), state)
        child.id = id_
        ordered.append(child)
    node.children = [*ordered, *below.values()]


def _watcher(monitor: Monitor) -> Pid[Any] | None:
    return None if monitor.watcher is None else monitor.watcher.pid


def _timers(process: Process) -> tuple[str, ...]:
    now = process.runtime.now()
    timers = sorted(process.timers or (), key=lambda timer: timer.due)
    return tuple(f"in {max(0.0, t.due - now):.3f} s: {safe_repr(t.message, TEXT)}" for t in timers)


def _stack(process: Process) -> str:
    task = process.task
    on_the_stack = process.state is RUNNING or (
        task is not None and task is asyncio.current_task(process.runtime.loop)
    )
    if on_the_stack:
        return "running now:\n" + describe_frames(frames_below(sys._getframe()))
    if process.state in (WAITING, INIT, EXITING) or process.body.kind in ("plain", "guest", "task"):
        coroutine = getattr(process.body, "coroutine", None)
        if task is not None:
            coroutine = process.begun() or task.get_coro()
        return stack_of(coroutine)
    return ""


def _plain(value: Any, *, of_many: bool = False) -> Any:
    if of_many:
        return [_plain(item) for item in value]
    if value is None or isinstance(value, (str, int, float, bool)):
        return value
    return repr(value) if value.__class__ is Pid else safe_repr(value, TEXT)


_OF_MANY: Final = frozenset(f.name for f in fields(ProcessInfo) if str(f.type).startswith("tuple["))
