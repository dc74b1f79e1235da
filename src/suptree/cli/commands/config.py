"""`suptree config check | show`: a configuration looked at before anything runs with it."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any, Final

from suptree.cli.commands.asking import plain
from suptree.cli.commands.targets import TargetError, find_target, kind_of

if TYPE_CHECKING:
    from suptree.services import Change, Configuration, Problem

    Subparsers = argparse._SubParsersAction[argparse.ArgumentParser]

__all__ = ["add_parser", "check", "show"]

INVALID: Final = 1
USAGE: Final = 2
THE_SETTINGS: Final = "suptree.system:SystemSettings"


def add_parser(commands: Subparsers) -> None:
    """Declare the command."""
    parser = commands.add_parser(
        "config",
        help="check a configuration, or show it with where each value comes from",
        description="Read a TOML file and the environment against a schema, as the system would.",
        epilog="exit codes: 0 it is right, 1 it is not, 2 no such schema or wrong usage",
    )
    parser.set_defaults(execute=partial(_usage, parser))
    actions = parser.add_subparsers(title="what to do", metavar="check | show")
    for name, execute, does in (
        ("check", check, "say everything that is wrong; nothing when it is right"),
        (
            "show",
            show,
            "print each setting, whether it is live or fixed, its value and its source; "
            "secrets are ***",
        ),
    ):
        action = actions.add_parser(name, help=does, description=f"{does[0].upper()}{does[1:]}.")
        action.add_argument(
            "file", metavar="FILE", nargs="?", help="a TOML file (default: that of the System)"
        )
        action.add_argument(
            "--schema",
            metavar="MODULE:SCHEMA",
            default=THE_SETTINGS,
            help="such as shop:Settings, a frozen msgspec.Struct, or shop:system, a System, which "
            f"knows its file and its flags too (default: {THE_SETTINGS})",
        )
        action.add_argument("--prefix", help="how its variables begin (SUPTREE, or as the System)")
        action.add_argument(
            "--no-environ", action="store_true", help="do not look at the environment"
        )
        action.add_argument("--json", action="store_true", help="print JSON")
        action.set_defaults(execute=execute)
        if execute is check:
            action.add_argument(
                "--running",
                metavar="FILE",
                help="the file that a system runs with: say too what a reload of FILE would change, "
                "and refuse what is fixed",
            )


def check(options: argparse.Namespace) -> int:
    """Print every problem, one in a line; then what a reload would change."""
    loaded, problems = _load(options, options.file)
    if problems is None:
        return USAGE
    changes: Sequence[Change] = ()
    if loaded is not None and options.running is not None:
        running, troubles = _load(options, options.running)
        if running is None:
            for one in troubles or ():
                print(plain(one), file=sys.stderr)
            return USAGE
        changes = _changes(running, loaded)
    if options.json:
        found = [*map(_problem, problems), *map(_change, changes)]
        print(json.dumps(found, indent=2))
    else:
        for one in problems:
            print(plain(one))
        for change in changes:
            print(f"{'fixed' if change.fixed else 'live '}  {plain(change)}")
    _hint(options, problems)
    return INVALID if problems or any(change.fixed for change in changes) else 0


def show(options: argparse.Namespace) -> int:
    """Print every setting; the problems, to stderr, if there are any."""
    loaded, problems = _load(options, options.file)
    if loaded is None or problems:
        for one in problems or ():
            print(plain(one), file=sys.stderr)
        _hint(options, problems or ())
        return USAGE if problems is None else INVALID
    if options.json:
        print(json.dumps(loaded.as_json(), indent=2))
        return 0
    for line in loaded.lines():
        print(plain(line))
    if loaded.ignored:
        print(f"not settings, and ignored: {', '.join(loaded.ignored)}")
    return 0


def _load(
    options: argparse.Namespace, file: str | None
) -> tuple[Configuration[Any] | None, Sequence[Problem] | None]:
    """The configuration and its problems; neither after the reason was printed to stderr."""
    # Here, not above: the other commands start without the libraries of the services.
    from suptree.services import (
        ConfigurationInvalidError,
        ConfigurationSchemaError,
        load_configuration,
    )

    try:
        schema, reads, problems = _schema(options.schema)
        if file is not None:
            reads["file"] = file
        if options.prefix is not None:
            reads["prefix"] = options.prefix
        if options.no_environ:
            reads["environ"] = {}
        loaded = load_configuration(schema, **reads)
    except ConfigurationInvalidError as error:
        return None, error.problems
    except (TargetError, ConfigurationSchemaError, ValueError) as error:
        if isinstance(error.__cause__, ConfigurationInvalidError):  # that of the system itself
            return None, error.__cause__.problems
        print(f"suptree config: {error}", file=sys.stderr)
        return None, None
    return loaded, problems(loaded)


def _schema(
    target: str,
) -> tuple[Any, dict[str, Any], Callable[[Configuration[Any]], Sequence[Problem]]]:
    """A schema, from where it is read, and what says more about a configuration of it."""
    found = find_target(
        target,
        "MODULE:SCHEMA",
        "shop:Settings",
        lambda value: _is_schema(value) or _is_system(value),
        "Schemas",
    )
    if _is_schema(found):
        return found, {}, lambda configuration: ()
    if _is_system(found):
        sources = found.configuration.sources
        fields = ("file", "environ", "prefix", "overrides")
        return sources.schema, {of: getattr(sources, of) for of in fields}, found.problems
    raise TargetError(
        f"{target!r} is {kind_of(found)}, no schema. "
        "Write a class derived from msgspec.Struct, with frozen=True."
    )


def _changes(old: Configuration[Any], new: Configuration[Any]) -> Sequence[Change]:
    from suptree.services import diff_configurations

    return diff_configurations(old, new)


def _hint(options: argparse.Namespace, problems: Sequence[Problem]) -> None:
    """Say whose settings these are, to who has some of his own and did not name them."""
    unknown = any(one.kind == "unknown" and "." not in one.path for one in problems)
    if unknown and options.schema == THE_SETTINGS:
        print(
            f"The settings are those of {THE_SETTINGS}; name your own with --schema shop:system.",
            file=sys.stderr,
        )


def _is_system(value: object) -> bool:
    if "suptree.system.system" not in sys.modules:  # it can be none
        return False
    from suptree.system import System

    return isinstance(value, System)


def _is_schema(value: object) -> bool:
    import msgspec

    return (
        isinstance(value, type)
        and issubclass(value, msgspec.Struct)
        and value is not msgspec.Struct
    )


def _problem(one: Problem) -> dict[str, Any]:
    source = one.source
    return {
        "kind": one.kind,
        "path": one.path,
        "text": one.text,
        "source": "" if source is None else source.where or source.kind,
        "line": 0 if source is None else source.line,
    }


def _change(one: Change) -> dict[str, Any]:
    return {
        "kind": "change",
        "path": one.path,
        "fixed": one.fixed,
        "text": str(one),
        "source": one.source,
    }


def _usage(parser: argparse.ArgumentParser, options: argparse.Namespace) -> int:
    parser.print_help()
    return USAGE
