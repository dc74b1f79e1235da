"""What the rows say, as a page for people or as JSON for programs.

Who owns it: nobody; both are pure functions of the rows, called once at the end.

>>> row = Row(path="pkg/a.py", status=Status.OK, bytes=20, lines=2, functions=1)
>>> summarise([row]).totals.lines
2
"""

from __future__ import annotations

import operator
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import astuple, dataclass

from .survey import Row, Status

ROOT_FILES = "(top level)"
"""The package name under which files directly in the surveyed directory are added up."""

FAILURES_SHOWN = 50
"""More failures than this are counted, and found in the rows."""


@dataclass(frozen=True, slots=True)
class Totals:
    """Sums over some rows. `bytes` is bytes, everything else a number of things."""

    files: int = 0
    failed: int = 0
    bytes: int = 0
    lines: int = 0
    functions: int = 0
    classes: int = 0
    complexity: int = 0

    def __add__(self, other: Totals) -> Totals:
        return Totals(*map(operator.add, astuple(self), astuple(other)))


@dataclass(frozen=True, slots=True)
class Summary:
    """Everything that the page shows; `dataclasses.asdict` makes it ready for JSON."""

    totals: Totals
    packages: dict[str, Totals]
    largest: list[tuple[str, int, int]]  # path, lines, bytes
    hardest: list[tuple[str, str, int]]  # path, function:line, complexity
    imports: list[tuple[str, int]]  # module, files that import it
    failures: list[tuple[str, str, str]]  # path, status, message


def summarise(rows: Iterable[Row], *, top: int = 10) -> Summary:
    """Add up *rows*; the lists of the largest and the like hold *top* entries."""
    rows = sorted(rows, key=operator.attrgetter("path"))
    by_package: defaultdict[str, list[Row]] = defaultdict(list)
    for row in rows:
        package, slash, _ = row.path.partition("/")
        by_package[package if slash else ROOT_FILES].append(row)
    packages = {name: _totals(group) for name, group in by_package.items()}
    imported = Counter(name for row in rows for name in row.imports)
    largest = sorted(rows, key=lambda row: (-row.lines, row.path))[:top]
    hardest = sorted(rows, key=lambda row: (-row.hardest_complexity, row.path))[:top]
    return Summary(
        totals=_totals(rows),
        packages=dict(sorted(packages.items(), key=lambda item: (-item[1].lines, item[0]))),
        largest=[(row.path, row.lines, row.bytes) for row in largest],
        hardest=[(row.path, row.hardest, row.hardest_complexity) for row in hardest if row.hardest],
        imports=sorted(imported.items(), key=lambda item: (-item[1], item[0]))[:top],
        failures=[(r.path, r.status.value, r.message) for r in rows if r.status is not Status.OK],
    )


def render(summary: Summary, *, title: str, top: int = 10) -> str:
    """The page: totals, packages, largest, most complex, most imported, failures."""
    parts = [title, "=" * len(title), "", *_headline(summary.totals)]
    parts += _section("By package", *_package_table(summary.packages, top))
    parts += _section(
        "Largest files",
        ["file", "lines", "size"],
        [[path, f"{lines:,}", _size(size)] for path, lines, size in summary.largest],
    )
    parts += _section(
        "Most complex functions (the hardest of each file)",
        ["function", "complexity", "file"],
        [[name, f"{value:,}", path] for path, name, value in summary.hardest],
        left={0, 2},
    )
    parts += _section(
        "Most imported modules",
        ["module", "files"],
        [[name, f"{count:,}"] for name, count in summary.imports],
    )
    parts += _failures(summary.failures)
    return "\n".join(parts) + "\n"


def printable(text: str) -> str:
    """*text* with whatever could upset a terminal (controls, lone surrogates) spelled out."""
    return "".join(
        char if char.isprintable() else char.encode("unicode_escape").decode("ascii")
        for char in text
    )


def _totals(rows: Iterable[Row]) -> Totals:
    ones = (
        Totals(
            files=1,
            failed=int(row.status is not Status.OK),
            bytes=row.bytes,
            lines=row.lines,
            functions=row.functions,
            classes=row.classes,
            complexity=row.complexity,
        )
        for row in rows
    )
    return sum(ones, start=Totals())


def _headline(totals: Totals) -> list[str]:
    per_function = totals.complexity / totals.functions if totals.functions else 0.0
    cells = [
        ["files", f"{totals.files:,}", "lines", f"{totals.lines:,}"],
        ["failed", f"{totals.failed:,}", "size", _size(totals.bytes)],
        ["functions", f"{totals.functions:,}", "complexity", f"{totals.complexity:,}"],
        ["classes", f"{totals.classes:,}", "per function", f"{per_function:.1f}"],
    ]
    return _aligned(cells, left={0, 2})


def _package_table(packages: dict[str, Totals], top: int) -> tuple[list[str], list[list[str]]]:
    shown = list(packages.items())[:top]
    rest = list(packages.values())[top:]
    if rest:
        shown.append((f"({len(rest):,} more)", sum(rest, start=Totals())))
    columns = ["files", "failed", "lines", "functions", "classes", "complexity"]
    body = [[name, *(f"{getattr(sums, key):,}" for key in columns)] for name, sums in shown]
    return ["package", *columns], body


def _failures(failures: Sequence[tuple[str, str, str]]) -> list[str]:
    if not failures:
        return ["", "Every file could be parsed."]
    kinds = Counter(status for _, status, _ in failures)
    counted = ", ".join(f"{count:,} {kind}" for kind, count in sorted(kinds.items()))
    body = [[path, status, message] for path, status, message in failures[:FAILURES_SHOWN]]
    lines = _section(f"Failed: {counted}", ["file", "status", "reason"], body, left={0, 1, 2})
    if len(failures) > FAILURES_SHOWN:
        lines.append(f"  and {len(failures) - FAILURES_SHOWN:,} more, all in the rows")
    return lines


def _section(
    title: str,
    header: Sequence[str],
    body: Sequence[Sequence[str]],
    left: Iterable[int] = (0,),
) -> list[str]:
    if not body:
        return []
    return ["", title, "-" * len(title), *_aligned([header, *body], left=set(left))]


def _aligned(cells: Sequence[Sequence[str]], *, left: set[int]) -> list[str]:
    """Columns two spaces apart: those in *left* flush left, the others flush right."""
    clean = [[printable(cell) for cell in line] for line in cells]
    widths = [max(map(len, column)) for column in zip(*clean, strict=True)]
    return [
        "  "
        + "  ".join(
            cell.ljust(width) if index in left else cell.rjust(width)
            for index, (cell, width) in enumerate(zip(line, widths, strict=True))
        ).rstrip()
        for line in clean
    ]


def _size(size: float) -> str:
    for unit in ("B", "kB", "MB"):
        if size < 1000:
            return f"{size:.0f} B" if unit == "B" else f"{size:.1f} {unit}"
        size /= 1000
    return f"{size:,.1f} GB"
