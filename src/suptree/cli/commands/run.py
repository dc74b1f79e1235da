"""`suptree run module:Application`: a whole program, from its start to its exit code."""

from __future__ import annotations

import argparse
import inspect
import logging
import sys
from typing import TYPE_CHECKING, Final

from suptree.cli.commands.targets import TargetError, find_target, kind_of
from suptree.errors import SuptreeError
from suptree.otp import Application, ExitCode, run_program
from suptree.system import Inspector

if TYPE_CHECKING:
    Subparsers = argparse._SubParsersAction[argparse.ArgumentParser]

__all__ = ["add_parser", "execute", "load"]

LEVELS: Final = ("debug", "info", "warning", "error", "critical")


def add_parser(commands: Subparsers) -> None:
    """Declare the command."""
    codes = "\n".join(f"  {int(code):>3}  {code.explain()}" for code in ExitCode)
    parser = commands.add_parser(
        "run",
        help="run an application until it ends or is told to stop",
        formatter_class=argparse.RawDescriptionHelpFormatter,
        description="Run an application as a whole program. SIGTERM or Ctrl-C stops it in order; "
        "once more kills everything at once.",
        epilog=f"exit codes: the program\n{codes}",
    )
    parser.add_argument(
        "target", metavar="MODULE:APPLICATION", help="such as shop:Shop; a class or an instance"
    )
    parser.add_argument(
        "--stop-timeout",
        type=_seconds,
        default=10.0,
        metavar="S",
        help="seconds to stop in order (10)",
    )
    parser.add_argument("--log-level", choices=LEVELS, default="info", help="what is logged (info)")
    parser.add_argument("--no-uvloop", action="store_true", help="use asyncio's own event loop")
    parser.add_argument(
        "--socket",
        metavar="PATH",
        help="where `suptree tree` and `suptree info` ask; default: a "
        "socket of this user, named after the OS pid",
    )
    parser.add_argument("--no-socket", action="store_true", help="do not listen for them")
    parser.add_argument("--debug", action="store_true", help="asyncio's debug mode")
    parser.set_defaults(execute=execute)


def execute(options: argparse.Namespace) -> int:
    """Run the application."""
    logging.basicConfig(
        level=options.log_level.upper(), format="%(asctime)s %(levelname)s %(name)s: %(message)s"
    )
    try:
        application = load(options.target)
        if isinstance(application, type):
            application = application()
    except (TargetError, SuptreeError) as error:  # it may refuse its configuration
        print(f"suptree run: {error}", file=sys.stderr)
        return int(ExitCode.USAGE)
    companions = [] if options.no_socket else [Inspector.child(options.socket)]
    return int(
        run_program(
            application,
            stop_timeout=options.stop_timeout,
            uvloop=False if options.no_uvloop else "auto",
            companions=companions,
            debug=options.debug,
        )
    )


def load(target: str) -> Application | type[Application]:
    """Import what ``module:Application`` names; the current folder is looked at first.

    Raises:
        TargetError: With what is wrong and what to write instead.
    """
    found = find_target(target, "MODULE:APPLICATION", "shop:Shop", _is_application, "Applications")
    if not _is_application(found):
        raise TargetError(
            f"{target!r} is {kind_of(found)}, no Application. "
            "Write a class derived from suptree.Application."
        )
    if isinstance(found, type):
        try:
            inspect.signature(found).bind()
        except TypeError as why:
            raise TargetError(
                f"{target!r} cannot be made without arguments: {why}. Make an instance in the "
                f"module, such as `app = {found.__name__}(...)`, and run {target.partition(':')[0]}:app."
            ) from None
    application: Application | type[Application] = found
    return application


def _is_application(value: object) -> bool:
    if isinstance(value, type):
        return issubclass(value, Application) and value is not Application
    return isinstance(value, Application)


def _seconds(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = -1.0
    if not 0 <= value < float("inf"):
        raise argparse.ArgumentTypeError(f"must be seconds, 0 or more; got {text!r}")
    return value
