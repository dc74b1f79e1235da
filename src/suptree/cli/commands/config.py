"""`suptree config check | show`: a configuration looked at before anything runs with it."""

from __future__ import annotations

import argparse
import json
import sys
from functools import partial
from typing import TYPE_CHECKING, Any, Final

from suptree.cli.commands.asking import plain
from suptree.cli.commands.targets import TargetError, find_target, kind_of

if TYPE_CHECKING:
    from suptree.services import Configuration

    Subparsers = argparse._SubParsersAction[argparse.ArgumentParser]

__all__ = ["add_parser", "check", "show"]

INVALID: Final = 1
USAGE: Final = 2


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
        ("show", show, "print each setting, its value and its source; secrets are ***"),
    ):
        action = actions.add_parser(name, help=does, description=f"{does[0].upper()}{does[1:]}.")
        action.add_argument("file", metavar="FILE", nargs="?", help="a TOML file")
        action.add_argument(
            "--schema",
            metavar="MODULE:SCHEMA",
            required=True,
            help="such as shop:Settings; a frozen msgspec.Struct",
        )
        action.add_argument("--prefix", default="SUPTREE", help="how its variables begin (SUPTREE)")
        action.add_argument(
            "--no-environ", action="store_true", help="do not look at the environment"
        )
        action.add_argument("--json", action="store_true", help="print JSON")
        action.set_defaults(execute=execute)


def check(options: argparse.Namespace) -> int:
    """Print every problem, one in a line."""
    loaded, problems = _load(options)
    if loaded is None and problems is None:
        return USAGE
    if options.json:
        print(json.dumps([_problem(one) for one in problems or ()], indent=2))
    else:
        for one in problems or ():
            print(plain(one))
    return INVALID if problems else 0


def show(options: argparse.Namespace) -> int:
    """Print every setting; the problems, to stderr, if there are any."""
    loaded, problems = _load(options)
    if loaded is None:
        for one in problems or ():
            print(plain(one), file=sys.stderr)
        return USAGE if problems is None else INVALID
    if options.json:
        print(json.dumps(loaded.as_json(), indent=2))
        return 0
    for line in loaded.lines():
        print(plain(line))
    if loaded.ignored:
        print(f"not settings, and ignored: {', '.join(loaded.ignored)}")
    return 0


def _load(options: argparse.Namespace) -> tuple[Configuration[Any] | None, Any]:
    """The configuration, or its problems; neither after the reason was printed to stderr."""
    # Here, not above: the other commands start without the libraries of the services.
    from suptree.services import (
        ConfigurationInvalidError,
        ConfigurationSchemaError,
        load_configuration,
    )

    try:
        schema = _schema(options.schema)
        environ: dict[str, str] | None = {} if options.no_environ else None
        loaded = load_configuration(
            schema, file=options.file, environ=environ, prefix=options.prefix
        )
    except ConfigurationInvalidError as error:
        return None, error.problems
    except (TargetError, ConfigurationSchemaError, ValueError) as error:
        print(f"suptree config: {error}", file=sys.stderr)
        return None, None
    return loaded, ()


def _schema(target: str) -> Any:
    found = find_target(target, "MODULE:SCHEMA", "shop:Settings", _is_schema, "Schemas")
    if not _is_schema(found):
        raise TargetError(
            f"{target!r} is {kind_of(found)}, no schema. "
            "Write a class derived from msgspec.Struct, with frozen=True."
        )
    return found


def _is_schema(value: object) -> bool:
    import msgspec

    return (
        isinstance(value, type)
        and issubclass(value, msgspec.Struct)
        and value is not msgspec.Struct
    )


def _problem(one: Any) -> dict[str, Any]:
    source = one.source
    return {
        "kind": one.kind,
        "path": one.path,
        "text": one.text,
        "source": "" if source is None else source.where or source.kind,
        "line": 0 if source is None else source.line,
    }


def _usage(parser: argparse.ArgumentParser, options: argparse.Namespace) -> int:
    parser.print_help()
    return USAGE
