"""`suptree tree`: the supervision tree of a running system, or the plan of one that is to run."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, Final

from suptree.cli.commands.asking import NOT_FOUND, ask_system, plain, which_system
from suptree.cli.commands.targets import TargetError, find_target, kind_of
from suptree.errors import SuptreeError
from suptree.otp import Application

if TYPE_CHECKING:
    from suptree.system import Tree

    Subparsers = argparse._SubParsersAction[argparse.ArgumentParser]

_Left = tuple[dict[str, Any], str, bool, int | None]

__all__ = ["add_parser", "execute", "render"]

THE_SYSTEM: Final = "suptree.system:System"


def add_parser(commands: Subparsers) -> None:
    """Declare the command."""
    parser = commands.add_parser(
        "tree",
        help="show the supervision tree of a running system",
        description="Print every process under its supervisor: name or label, pid, state, "
        "the length of its mailbox when it is not empty, and for one that waits for a reply "
        "whom it waits for, and whom that one waits for.",
    )
    which_system(parser)
    parser.add_argument(
        "--plan",
        nargs="?",
        const=THE_SYSTEM,
        metavar="MODULE:SYSTEM",
        help="nothing runs: print what a declared tree starts, in which order, and who needs whom "
        f"(default: {THE_SYSTEM})",
    )
    parser.add_argument("--depth", type=int, metavar="N", help="show N levels only")
    parser.set_defaults(execute=execute)


def execute(options: argparse.Namespace) -> int:
    """Ask and print."""
    if options.plan is not None:
        return _print_plan(options.plan, as_json=options.json)
    snapshot = ask_system(options, {"ask": "tree"})
    if snapshot is None:
        return NOT_FOUND
    if options.json:
        print(json.dumps(snapshot, indent=2))
    else:
        print("\n".join(render(snapshot, options.depth)))
    return 0


def _print_plan(target: str, *, as_json: bool) -> int:
    try:
        tree = _declared(target)
    except (TargetError, SuptreeError) as error:
        print(f"suptree tree: {error}", file=sys.stderr)
        return NOT_FOUND
    if as_json:
        print(json.dumps([line._asdict() for line in tree.lines()], indent=2))
    else:
        print(tree.plan())
    return 0


def _declared(target: str) -> Tree:
    """The tree that ``module:name`` names, or that the application of that name has."""
    from suptree.system import Tree  # here: asking a running system needs no service

    def has_tree(value: object) -> bool:
        return isinstance(value, Tree) or isinstance(getattr(value, "tree", None), Tree)

    found: object = find_target(target, "MODULE:SYSTEM", "shop:Shop", has_tree, "Trees")
    trouble = f"{target!r} is {kind_of(found)}, without a declared tree"
    tree: object = found if isinstance(found, Tree) else getattr(found, "tree", None)
    if not isinstance(tree, Tree) and isinstance(found, type) and issubclass(found, Application):
        try:
            tree = getattr(found(), "tree", None)
        except TypeError as why:
            raise TargetError(
                f"{target!r} cannot be made without arguments: {why}. Make an instance in the "
                "module, and name that."
            ) from None
    if not isinstance(tree, Tree):
        raise TargetError(
            f"{trouble}. Give an application an attribute `tree` of the class suptree.system.Tree."
        )
    return tree


def render(snapshot: dict[str, Any], depth: int | None = None) -> Iterator[str]:
    """The tree as lines."""
    yield (
        f"runtime {plain(snapshot['runtime'])}, OS pid {snapshot['os_pid']}: "
        f"{snapshot['processes']} processes, {snapshot['crashes']} crashes so far, "
        f"{sum(snapshot['losses'].values())} messages lost"
    )
    yield from _branches(snapshot["tree"], depth)


def _branches(nodes: list[dict[str, Any]], depth: int | None) -> Iterator[str]:
    """Not recursive: links can make a tree as deep as there are processes."""
    left = _level(nodes, "", depth)
    while left:
        node, indent, last, below = left.pop()
        yield f"{indent}{'└─ ' if last else '├─ '}{_line(node)}"
        indent += "   " if last else "│  "
        cut = below is not None and below <= 1
        left_out = len(node["children"]) if cut else node.get("left_out")
        if left_out:
            yield f"{indent}└─ … {left_out} below"
        else:
            left += _level(node["children"], indent, None if below is None else below - 1)


def _level(nodes: list[dict[str, Any]], indent: str, depth: int | None) -> list[_Left]:
    lines = [(node, indent, index == len(nodes) - 1, depth) for index, node in enumerate(nodes)]
    lines.reverse()
    return lines


def _line(node: dict[str, Any]) -> str:
    known_as = node["name"] or node["label"] or "?"
    pid = "-" if node["pid"] is None else node["pid"].partition(" ")[0].rstrip(">") + ">"
    if node.get("alias"):
        known_as = f"{known_as} {node['alias']}"
    parts = [plain(known_as), pid, plain(node["state"])]
    if node["mailbox"]:
        parts.append(f"mailbox {node['mailbox']}")
    if node.get("wait_chain"):  # a system of an older suptree has none
        parts.append(f"waits: {' -> '.join(plain(pid) for pid in node['wait_chain'])}")
    return "  ".join(parts)
