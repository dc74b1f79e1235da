"""Join the numbered OTP statements with the tests that show them, as one page of docs.

    python scripts/conformance_table.py --write    write docs/reference/otp-conformance.md
    python scripts/conformance_table.py --check    refuse when that page is not current
    ... --strict                                   refuse when a statement has no test

Statements stand in `tests/otp_statements.toml`. A test shows some of them with
`@pytest.mark.otp("S110", "S111")` on itself, its class, its module (`pytestmark`) or one
of its parameters. Markers are read from the syntax trees, so that nothing is imported.
The last chapter, random programs, is laid out by `conformance_record.py`.
"""

from __future__ import annotations

import argparse
import ast
import sys
import tomllib
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from conformance_record import chapter

ROOT = Path(__file__).resolve().parent.parent
STATEMENTS = ROOT / "tests" / "otp_statements.toml"
RECORD = ROOT / "tests" / "conformance" / "record.json"
PAGE = ROOT / "docs" / "reference" / "otp-conformance.md"

CHAPTERS = {
    "S1": "Exits, links, monitors, names",
    "S20": "GenServer",
    "S60": "GenStateMachine",
    "S100": "Supervisor",
    "S170": "DynamicSupervisor",
    "S180": "PartitionSupervisor",
    "S190": "Task and TaskSupervisor",
    "S210": "Registry",
    "S230": "Application",
    "S250": "Where a port usually diverges first",
}

HEAD = """\
<!-- Written by `make docs` from tests/otp_statements.toml, the `otp` markers, and tests/conformance/record.json. Do not edit. -->

# OTP conformance

What Erlang/OTP 25 and Elixir 1.14 do, statement by statement, and the test that shows suptree
doing it. *Same*: as the BEAM. *Different*: otherwise on purpose, with the reason. *Not
applicable*: the thing does not exist here. *Missing*: promised, and not shown by a test yet.
Results that OTP returns as `{error, Reason}` are exceptions here, which is not counted as a
difference ([why](../explanation/semantics.md)).
"""


@dataclass(frozen=True, slots=True)
class Statement:
    """One numbered statement and where suptree stands on it."""

    id: str
    text: str
    tests: tuple[str, ...]
    different: str | None = None
    not_applicable: str | None = None

    @property
    def status(self) -> str:
        """The word that the summary counts."""
        if self.not_applicable:
            return "not applicable"
        if not self.tests:
            return "missing"
        return "different" if self.different else "same"

    def row(self) -> str:
        """One row of the table."""
        shown = {
            "same": "same",
            "different": f"different: {self.different}",
            "not applicable": f"not applicable: {self.not_applicable}",
            "missing": "**MISSING**"
            + (f" (different: {self.different})" if self.different else ""),
        }[self.status]
        return f"| {self.id} | {self.text} | {'<br>'.join(self.tests) or '-'} | {shown} |"


def main() -> int:
    """Write or check the page."""
    parser = argparse.ArgumentParser(prog="conformance_table")
    parser.add_argument("--write", action="store_true", help="write the page")
    parser.add_argument("--check", action="store_true", help="refuse a page that is not current")
    parser.add_argument("--strict", action="store_true", help="refuse a statement without a test")
    options = parser.parse_args()

    marked = collect_markers()
    statements = load_statements(marked)
    unknown = sorted(set(marked) - {s.id for s in statements}, key=number)
    missing = [s.id for s in statements if s.status == "missing"]
    page = render(statements)

    failed = False
    if unknown:
        where = "; ".join(f"{id} in {marked[id][0]}" for id in unknown)
        print(f"conformance: markers must name a statement of {STATEMENTS.name}; got {where}")
        failed = True
    if options.write:
        PAGE.parent.mkdir(parents=True, exist_ok=True)
        PAGE.write_text(page)
    if options.check and (not PAGE.exists() or PAGE.read_text() != page):
        print(f"conformance: {PAGE.relative_to(ROOT)} is not current. Run `make docs`.")
        failed = True
    if options.strict and missing:
        print(f"conformance: no test shows {', '.join(missing)}.")
        failed = True
    print(f"conformance: {summary(statements)}")
    return 1 if failed else 0


def load_statements(marked: dict[str, list[str]]) -> list[Statement]:
    """Read the statements, in order, each with the tests that carry it."""
    return [
        Statement(
            id=id,
            text=entry["text"],
            tests=tuple(
                dict.fromkeys(
                    test for each in (id, *entry.get("see", ())) for test in marked.get(each, ())
                )
            ),
            different=entry.get("different"),
            not_applicable=entry.get("not_applicable"),
        )
        for id, entry in tomllib.loads(STATEMENTS.read_text()).items()
    ]


def collect_markers() -> dict[str, list[str]]:
    """Map each statement to the tests that carry it, as `path::name` below tests/."""
    found: dict[str, list[str]] = {}
    for path in sorted((ROOT / "tests").rglob("test_*.py")):
        tree = ast.parse(path.read_text(), str(path))
        for test, id in marks_of(tree.body, whole_module(tree)):
            found.setdefault(id, []).append(f"`{path.relative_to(ROOT / 'tests')}::{test}`")
    return found


def marks_of(
    body: list[ast.stmt], inherited: tuple[str, ...], inside: str = ""
) -> Iterator[tuple[str, str]]:
    """Yield (test, statement) for every test of *body*, classes included."""
    for node in body:
        match node:
            case ast.ClassDef(name=name) if name.startswith("Test"):
                yield from marks_of(
                    node.body, (*inherited, *otp_ids(node.decorator_list)), f"{name}."
                )
            case ast.FunctionDef(name=name) | ast.AsyncFunctionDef(name=name) if name.startswith(
                "test"
            ):
                for id in dict.fromkeys((*inherited, *otp_ids(node.decorator_list))):
                    yield f"{inside}{name}", id


def whole_module(tree: ast.Module) -> tuple[str, ...]:
    """The statements in `pytestmark = ...`."""
    return tuple(
        id
        for node in tree.body
        if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "pytestmark"
        for id in otp_ids([node.value])
    )


def otp_ids(nodes: list[ast.expr]) -> Iterator[str]:
    """Every id of every `pytest.mark.otp(...)` anywhere in *nodes*."""
    for top in nodes:
        for node in ast.walk(top):
            if isinstance(node, ast.Call) and ast.unparse(node.func).endswith("mark.otp"):
                yield from (str(ast.literal_eval(argument)) for argument in node.args)


def render(statements: list[Statement]) -> str:
    """The whole page."""
    lines = [HEAD, f"**{summary(statements)}.**"]
    for statement in statements:
        if statement.id in CHAPTERS:
            lines += ["", f"## {CHAPTERS[statement.id]}", ""]
            lines += ["| | OTP | shown by (in `tests/`) | status |", "|---|---|---|---|"]
        lines.append(statement.row())
    return "\n".join([*lines, *chapter(RECORD)]) + "\n"


def summary(statements: list[Statement]) -> str:
    """How many of each status."""
    counts = Counter(statement.status for statement in statements)
    words = ("same", "different", "not applicable", "missing")
    return f"{len(statements)} statements: " + ", ".join(f"{counts[word]} {word}" for word in words)


def number(id: str) -> int:
    """The number in `S110`."""
    return int(id.lstrip("S") or 0)


if __name__ == "__main__":
    sys.exit(main())
