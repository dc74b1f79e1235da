"""What `tree` and `info` share: which system to ask, and how a refusal is shown."""

from __future__ import annotations

import argparse
import sys
from typing import Any, Final

from suptree.system import SocketNotFoundError, ask, find_socket

__all__ = ["NOT_FOUND", "ask_system", "plain", "which_system"]

NOT_FOUND: Final = 2


def which_system(parser: argparse.ArgumentParser) -> None:
    """Add the options that choose a running system."""
    parser.add_argument(
        "--socket", metavar="PATH", help="the Unix socket that the system listens on"
    )
    parser.add_argument(
        "--os-pid", type=int, metavar="N", help="the OS process id, when several systems run"
    )
    parser.add_argument("--json", action="store_true", help="print the snapshot as JSON")


def ask_system(options: argparse.Namespace, question: dict[str, Any]) -> Any:
    """Ask the chosen system; None after the reason was printed to stderr."""
    try:
        return ask(find_socket(options.socket, options.os_pid), question)
    except (SocketNotFoundError, LookupError) as error:
        print(f"suptree: {error.args[0]}", file=sys.stderr)
        return None


def plain(text: object) -> str:
    """Text for a terminal: control characters (a label may hold any) become visible."""
    return "".join(c if c.isprintable() else repr(c)[1:-1] for c in str(text))
