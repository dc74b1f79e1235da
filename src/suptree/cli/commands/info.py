"""`suptree info PID`: one process of a running system."""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, cast

from suptree.cli.commands.asking import NOT_FOUND, ask_system, plain, which_system

if TYPE_CHECKING:
    Subparsers = argparse._SubParsersAction[argparse.ArgumentParser]

__all__ = ["add_parser", "execute", "render"]


def add_parser(commands: Subparsers) -> None:
    """Declare the command."""
    parser = commands.add_parser(
        "info",
        help="show one process of a running system",
        description="Print state, current message, mailbox, links, monitors, timers, counters, and "
        "where the code of a suspended or busy process stands.",
    )
    parser.add_argument(
        "pid",
        metavar="PID",
        help="a registered name, a key of a registry that it was started under, "
        "or a pid: '<0.12>', 0.12 or 12",
    )
    which_system(parser)
    parser.set_defaults(execute=execute)


def execute(options: argparse.Namespace) -> int:
    """Ask and print."""
    snapshot = ask_system(options, {"ask": "info", "pid": options.pid})
    if snapshot is None:
        return NOT_FOUND
    print(json.dumps(snapshot, indent=2) if options.json else "\n".join(render(snapshot)))
    return 0


def render(snapshot: dict[str, Any]) -> Iterator[str]:
    """One line per fact; lists and texts indented below their name."""
    width = max(map(len, snapshot), default=0)
    for key, value in snapshot.items():
        if value is None or value == [] or value == "":
            continue
        if isinstance(value, list):
            items = cast("list[object]", value)
            yield f"{key.ljust(width)}  {', '.join(plain(item) for item in items)}"
        elif isinstance(value, str) and "\n" in value:
            yield key
            yield from (f"    {plain(line)}" for line in value.splitlines())
        else:
            yield f"{key.ljust(width)}  {plain(value)}"
