"""Write docs/reference/api.md and docs/reference/telemetry.md from the package itself.

python scripts/reference.py --write    write both pages
python scripts/reference.py --check    refuse pages that are not current
"""

from __future__ import annotations

import argparse
import ast
import importlib
import inspect
import pkgutil
import sys
import types
import typing
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

import suptree
from suptree.telemetry import SPAN_CONTEXT, Event, Span, table

ROOT = Path(__file__).resolve().parent.parent
REFERENCE = ROOT / "docs" / "reference"
NOTE = "<!-- Written by `make docs` from the docstrings and declarations in src. Do not edit. -->\n"

FLOORS = {
    "otp": "Behaviours",
    "core": "Processes",
    "telemetry": "Telemetry",
    "clock": "Time",
    "errors": "Errors",
}
BESIDE = ("services", "testing", "telemetry", "system", "export")
"""Modules with public names of their own, which the front page does not have."""


def main() -> int:
    """Write or check the pages."""
    parser = argparse.ArgumentParser(prog="reference")
    parser.add_argument("--write", action="store_true", help="write the pages")
    parser.add_argument("--check", action="store_true", help="refuse pages that are not current")
    options = parser.parse_args()

    stale: list[str] = []
    pages = {
        "api.md": api_page(),
        "telemetry.md": telemetry_page(),
        "exit-codes.md": exit_codes_page(),
    }
    for name, text in pages.items():
        path = REFERENCE / name
        if options.write:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
        if options.check and (not path.exists() or path.read_text() != text):
            stale.append(str(path.relative_to(ROOT)))
    if stale:
        print(f"reference: not current: {', '.join(stale)}. Run `make docs`.")
        return 1
    print(f"reference: {', '.join(pages)} are current")
    return 0


def api_page() -> str:
    """Every public name, those of the front page by topic, with the first paragraph of its docstring."""
    out = [NOTE, "# The public names\n", f"`import suptree as st`, version {suptree.__version__}. "]
    out[-1] += "`help(st.NAME)` shows the whole text with arguments, results and errors.\n"
    left = [name for name in suptree.__all__ if not name.startswith("__")]
    for floor, title in FLOORS.items():
        module = importlib.import_module(f"suptree.{floor}")
        names = [name for name in left if name in module.__all__]
        left = [name for name in left if name not in names]
        if names:
            out += section(title, module, names)
    if left:
        out += section("Front page", suptree, left)
    for name in BESIDE:
        module = importlib.import_module(f"suptree.{name}")
        if name == "services":
            out += services(module)
        else:
            out += section(f"`suptree.{name}`", module, module.__all__)
    return "\n".join(out).rstrip() + "\n"


def services(front: types.ModuleType) -> list[str]:
    """The names of the services, by service, each with the first sentence of its folder."""
    out = [
        "## `suptree.services`\n",
        "By service; all of them are imported from `suptree.services`.\n",
    ]
    left = list(front.__all__)
    for folder in pkgutil.iter_modules(front.__path__):
        module = importlib.import_module(f"{front.__name__}.{folder.name}")
        names = [name for name in left if name in getattr(module, "__all__", ())]
        left = [name for name in left if name not in names]
        if names:
            about = " ".join((inspect.getdoc(module) or "").split("\n\n")[0].split())
            head, *rows = section(folder.name.replace("_", " "), front, names)
            out += [f"#{head}", f"{about}\n", *rows]
    return out + (section("others", front, left) if left else [])


def section(title: str, module: types.ModuleType, names: list[str]) -> list[str]:
    """The lines of one table."""
    rows = [api_row(name, module) for name in sorted(names, key=str.lower)]
    return [f"## {title}\n", "| name | what it is |", "|---|---|", *rows, ""]


def api_row(name: str, module: types.ModuleType) -> str:
    """One public name; a union is shown by its members too, a constant without a text by its value."""
    value = getattr(module, name)
    if typing.get_origin(value) in (typing.Union, types.UnionType):
        members = ", ".join(f"`{name_of(member)}`" for member in typing.get_args(value))
        doc = f"{text_below(name, module)} One of {members}."
    elif isinstance(value, Event | Span):
        doc = value.doc
    elif inspect.isclass(value) or inspect.isroutine(value) or inspect.ismodule(value):
        doc = (inspect.getdoc(value) or "").split("\n\n")[0]
    elif type(value).__module__.startswith("suptree") and callable(value):
        doc = (inspect.getdoc(value) or "").split("\n\n")[0]  # `call` and its like
    else:
        doc = text_below(name, module) or f"Constant: `{value!r}`."
    if not doc.strip():
        sys.exit(f"reference: {module.__name__}.{name} has no docstring. Write one.")
    return f"| `{name}` | {' '.join(doc.split()).replace('|', chr(92) + '|')} |"


def name_of(member: object) -> str:
    """How a member of a union is called: `Reply[Any]` is `Reply`."""
    if member is types.NoneType:
        return "None"
    return getattr(typing.get_origin(member) or member, "__name__", repr(member))


def text_below(name: str, module: types.ModuleType) -> str:
    """The text below the assignment of *name*, somewhere in the package of *module*."""
    for path in sorted(Path(module.__file__ or "").parent.rglob("*.py")):
        for statement, text in pairwise(ast.parse(path.read_text()).body):
            match statement, text:
                case (
                    ast.Assign(targets=[ast.Name(id)]) | ast.AnnAssign(target=ast.Name(id)),
                    ast.Expr(ast.Constant(str(doc))),
                ) if id == name:
                    return doc.split("\n\n")[0]
    return ""


def telemetry_page() -> str:
    """Every event that any floor declares, as the tables that the declarations render."""
    out = [NOTE, "# Telemetry events\n"]
    out.append(
        "`rt.telemetry.attach(id, event, handler)` has *handler* called with the event, its measurements and its metadata\n"
        "([how](../how-to/listen-to-telemetry.md)). Each event is named once, in the floor that emits it.\n"
        "The events of every span may carry more: "
        + "; ".join(f"`{key}`: {meaning}" for key, meaning in SPAN_CONTEXT.items())
        + ".\n"
    )
    seen: set[str] = set()
    for module_name in event_modules():
        declared = [
            value
            for value in vars(importlib.import_module(module_name)).values()
            if isinstance(value, Event | Span) and value.name not in seen
        ]
        seen |= {value.name for value in declared}
        if declared:
            out += [f"## {module_name.rpartition('.')[0]}\n", table(declared).rstrip() + "\n"]
    return "\n".join(out).rstrip() + "\n"


def event_modules() -> Iterator[str]:
    """The modules that declare events: `events.py` of each floor and service, and the bus itself."""
    yield "suptree.telemetry.declare"
    for module in pkgutil.walk_packages(suptree.__path__, "suptree."):
        if module.name.endswith(".events"):
            yield module.name


def exit_codes_page() -> str:
    """Every exit code of a whole program, with the text below it in its class."""
    out = [NOTE, "# Exit codes\n"]
    out.append("`st.run` and `suptree run` end the OS process with one of these (`st.ExitCode`).\n")
    out += ["| code | name | when |", "|---|---|---|"]
    body = ast.parse(inspect.getsource(suptree.ExitCode)).body[0]
    assert isinstance(body, ast.ClassDef)
    for member, text in pairwise(body.body):
        match member, text:
            case ast.Assign(targets=[ast.Name(name)]), ast.Expr(ast.Constant(str(doc))):
                out.append(
                    f"| {suptree.ExitCode[name].value} | `{name}` | {' '.join(doc.split())} |"
                )
    return "\n".join(out) + "\n"


if __name__ == "__main__":
    sys.exit(main())
