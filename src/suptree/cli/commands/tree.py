"""`suptree tree`: the supervision tree of a running system."""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from suptree.cli.commands.asking import NOT_FOUND, ask_system, plain, which_system

if TYPE_CHECKING:
    Subparsers = argparse._SubParsersAction[argparse.ArgumentParser]

__all__ = ["add_parser", "execute", "render"]


def add_parser(commands: Subparsers) -> None:
    """Declare the command."""
    parser = commands.add_parser(
        "tree",
        help="show the supervision tree of a running system",
        description="Print every process under its supervisor: name or label, pid, state, and "
        "the length of its mailbox when it is not empty.",
    )
    which_system(parser)
    parser.add_argument("--depth", type=int, metavar="N", help="show N levels only")
    parser.set_defaults(execute=execute)


def execute(options: argparse.Namespace) -> int:
    """Ask and print."""
    snapshot = ask_system(options, {"ask": "tree"})
    if snapshot is None:
        return NOT_FOUND
    if options.json:
        print(json.dumps(snapshot, indent=2))
    else:
        print("\n".join(render(snapshot, options.depth)))
    return 0


def render(snapshot: dict[str, Any], depth: int | None = None) -> Iterator[str]:
    """The tree as lines."""
    yield (
        f"runtime {plain(snapshot['runtime'])}, OS pid {snapshot['os_pid']}: "
        f"{snapshot['processes']} processes, {snapshot['crashes']} crashes so far"
    )
    nodes = snapshot["tree"]
    for index, node in enumerate(nodes):
        yield from _branch(node, "", index == len(nodes) - 1, depth)


def _branch(node: dict[str, Any], indent: str, last: bool, depth: int | None) -> Iterator[str]:
    yield f"{indent}{'└─ ' if last else '├─ '}{_line(node)}"
    children = node["children"]
    indent += "   " if last else "│  "
    if depth is not None and depth <= 1:
        if children:
            yield f"{indent}└─ … {len(children)} below"
        return
    for index, child in enumerate(children):
        below = None if depth is None else depth - 1
        yield from _branch(child, indent, index == len(children) - 1, below)


def _line(node: dict[str, Any]) -> str:
    known_as = node.get("name") or node.get("label") or "?"
    parts = [plain(known_as), str(node.get("pid") or "-"), str(node.get("state", "")).lower()]
    if node.get("mailbox"):
        parts.append(f"mailbox {node['mailbox']}")
    return "  ".join(part for part in parts if part)
