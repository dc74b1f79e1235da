"""`suptree`: run an application, and look at a running one.

    suptree run shop:Shop             run a whole program until it ends or is told to stop
    suptree tree [--json]             the supervision tree of a running system
    suptree info PID [--json]         one process: state, mailbox, links, timers, stack
    suptree config check FILE         everything that is wrong with a configuration
    suptree config show FILE          each setting, its value and where it comes from

Exit codes: those of `run` are listed by `suptree run --help`; otherwise 0 fine, 1 a wrong
configuration, 2 usage or nothing to ask.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence
from typing import Final

from suptree import __version__
from suptree.cli.commands import config, info, run, tree

__all__ = ["main"]

USAGE: Final = 2
COMMANDS: Final = (run, tree, info, config)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line; returns the exit code."""
    parser = argparse.ArgumentParser(
        prog="suptree",
        description="OTP for Python: run a supervised application, and look at a running one.",
        epilog="`suptree COMMAND --help` tells more.",
    )
    parser.add_argument("--version", action="version", version=f"suptree {__version__}")
    commands = parser.add_subparsers(title="commands", metavar="COMMAND")
    for command in COMMANDS:
        command.add_parser(commands)
    options = parser.parse_args(arguments)
    if not hasattr(options, "execute"):
        parser.print_help()
        return USAGE
    try:
        code: int = options.execute(options)
        sys.stdout.flush()
    except BrokenPipeError:  # `suptree tree | head`: who reads has enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    return code


if __name__ == "__main__":
    sys.exit(main())
