"""The public names are there, are documented, and each floor's `__all__` is true."""

from __future__ import annotations

import importlib
import inspect
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pytest

import suptree

FLOORS = ["near", "errors", "clock", "telemetry", "core", "otp"]
FACES = ["testing"]


def documented(value: object) -> bool:
    """Constants carry their sentence in the source; everything else carries a docstring."""
    if inspect.isclass(value) or inspect.isroutine(value) or inspect.ismodule(value):
        return bool(inspect.getdoc(value))
    return True


def modules() -> list[ModuleType]:
    return [suptree, *(importlib.import_module(f"suptree.{name}") for name in [*FLOORS, *FACES])]


@pytest.mark.parametrize("module", modules(), ids=lambda module: module.__name__)
def test_every_name_of_all_exists_once(module: ModuleType) -> None:
    names = list(module.__all__)

    assert sorted(set(names)) == sorted(names)
    assert [name for name in names if not hasattr(module, name)] == []


@pytest.mark.parametrize("module", modules(), ids=lambda module: module.__name__)
def test_every_public_name_has_a_docstring(module: ModuleType) -> None:
    bare = [name for name in module.__all__ if not documented(getattr(module, name))]

    assert bare == []


@pytest.mark.parametrize("module", modules(), ids=lambda module: module.__name__)
def test_public_names_have_no_leading_underscore(module: ModuleType) -> None:
    private = [n for n in module.__all__ if n.startswith("_") and n != "__version__"]

    assert private == []


@pytest.mark.parametrize("floor", FLOORS)
def test_a_floor_offers_in_its_namespace_only_what_its_all_names(floor: str) -> None:
    module = importlib.import_module(f"suptree.{floor}")
    defined_here = {
        name
        for name, value in vars(module).items()
        if not name.startswith("_")
        and (inspect.isclass(value) or inspect.isfunction(value))
        and getattr(value, "__module__", "").startswith(f"suptree.{floor}")
    }

    assert defined_here - set(module.__all__) == set()


def test_every_error_is_reachable_from_the_front_page() -> None:
    errors = importlib.import_module("suptree.errors")

    assert set(errors.__all__) - set(suptree.__all__) == set()


def test_every_public_method_of_a_public_class_has_a_docstring() -> None:
    bare = [
        f"{name}.{attribute}"
        for name in suptree.__all__
        if inspect.isclass(cls := getattr(suptree, name))
        for attribute, value in vars(cls).items()
        if not attribute.startswith("_")
        and (inspect.isfunction(value) or isinstance(value, property | classmethod | staticmethod))
        and not inspect.getdoc(getattr(cls, attribute))
    ]

    assert bare == []


def test_importing_the_package_starts_nothing_and_needs_only_the_standard_library() -> None:
    # A fresh interpreter without site-packages: only `src` is on its path.
    source = Path(suptree.__file__).parents[1]
    code = (
        f"import sys; sys.path.insert(0, {str(source)!r}); import suptree, threading; "
        "assert threading.active_count() == 1; print(suptree.__version__)"
    )

    done = subprocess.run(
        [sys.executable, "-I", "-S", "-c", code], capture_output=True, text=True, check=False
    )

    assert done.stdout.strip() == suptree.__version__, done.stderr
