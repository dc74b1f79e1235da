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
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

import suptree
from suptree.telemetry import Event, Span, table

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
    """Every public name of the front page, by floor, with the first line of its docstring."""
    out = [NOTE, "# The public names\n", f"`import suptree as st`, version {suptree.__version__}. "]
    out[-1] += "`help(st.NAME)` shows the whole text with arguments, results and errors.\n"
    left = [name for name in suptree.__all__ if not name.startswith("__")]
    for floor, title in FLOORS.items():
        module = importlib.import_module(f"suptree.{floor}")
        names = [name for name in left if name in module.__all__]
        left = [name for name in left if name not in names]
        if names:
            out += [f"## {title}\n", "| name | what it is |", "|---|---|"]
            out += [api_row(name, getattr(module, name)) for name in sorted(names, key=str.lower)]
            out.append("")
    if left:
        out += ["## Front page\n", "| name | what it is |", "|---|---|"]
        out += [api_row(name, getattr(suptree, name)) for name in sorted(left, key=str.lower)]
    return "\n".join(out).rstrip() + "\n"


def api_row(name: str, value: object) -> str:
    """One public name; a constant is shown by its value."""
    if callable(value) or inspect.ismodule(value):
        doc = (inspect.getdoc(value) or "").split("\n\n")[0]
    else:
        doc = f"constant: `{value!r}`"
    return f"| `{name}` | {' '.join(doc.split()).replace('|', chr(92) + '|')} |"


def telemetry_page() -> str:
    """Every event that any floor declares, as the tables that the declarations render."""
    out = [NOTE, "# Telemetry events\n"]
    out.append(
        "`rt.telemetry.attach(id, event, handler)` has *handler* called with the event, its measurements and its metadata\n"
        "([how](../how-to/listen-to-telemetry.md)). Each event is named once, in the floor that emits it.\n"
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
    """The modules that declare events: `events.py` of each floor, and the bus itself."""
    yield "suptree.telemetry.declare"
    for floor in pkgutil.iter_modules(suptree.__path__, "suptree."):
        if floor.ispkg and any(
            module.name == "events"
            for module in pkgutil.iter_modules(importlib.import_module(floor.name).__path__)
        ):
            yield f"{floor.name}.events"


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
