"""What `MODULE:NAME` on the command line names: imported, and looked at before it is used."""

from __future__ import annotations

import importlib
import os
import sys
import traceback
from collections.abc import Callable
from typing import Any

__all__ = ["TargetError", "find_target", "kind_of"]


class TargetError(Exception):
    """What a command was asked to work with cannot be found, or is something else."""


def find_target(
    target: str, form: str, example: str, wanted: Callable[[Any], bool], plural: str
) -> Any:
    """Import what ``module:name`` names; the current folder is looked at first.

    Args:
        target: What was written.
        form: What it is called in the usage: `MODULE:SCHEMA`.
        example: What it looks like: `shop:Settings`.
        wanted: Whether a value is of the kind that the command works with.
        plural: What such values are called, for a hint.

    Raises:
        TargetError: There is no such module or name; what is found may still not be wanted.
    """
    module_name, colon, attribute = target.partition(":")
    if not colon or not module_name or not attribute:
        raise TargetError(f"{form} must look like {example}; got {target!r}.")
    if os.getcwd() not in sys.path and "" not in sys.path:
        sys.path.insert(0, os.getcwd())
    if module_name.endswith(".py"):
        name = module_name.removesuffix(".py").replace("/", ".")
        raise TargetError(f"{module_name!r} is a file; write the module: {name}:{attribute}.")
    try:
        found: Any = importlib.import_module(module_name)
    except ModuleNotFoundError as error:
        if error.name is not None and (module_name + ".").startswith(error.name + "."):
            raise TargetError(
                f"no module {error.name!r}. Run it from the folder that holds it, or install it."
            ) from None
        raise TargetError(f"importing {module_name!r} failed:\n{traceback.format_exc()}") from error
    except (Exception, SystemExit) as error:  # a script that exits is no module to import
        raise TargetError(f"importing {module_name!r} failed:\n{traceback.format_exc()}") from error
    for name in attribute.split("."):
        if not hasattr(found, name):
            known = [name for name in dir(found) if wanted(getattr(found, name))]
            hint = f" {plural} there: {', '.join(known)}." if known else ""
            raise TargetError(f"{module_name!r} has no {name!r}.{hint}")
        found = getattr(found, name)
    return found


def kind_of(value: object) -> str:
    """What *value* is, for "... is the class X, no Application"."""
    if isinstance(value, type):
        bases = ", ".join(base.__name__ for base in value.__bases__)
        return f"the class {value.__name__} ({bases})"
    return f"a {type(value).__name__}"
