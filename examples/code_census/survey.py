"""One Python source file in, one row out: the pure part of the census.

Who owns it: nobody, it has no state. The workers' tasks call `analyse` in a thread, one
at a time; the plain run that chaos mode compares itself with calls it too.

What it refuses: nothing. A file that cannot be read, decoded or parsed is a row
like any other, with a status that says so and a message that says why. The same
bytes always give the same row, and the same row always gives the same line.

>>> row = analyse_source("hello.py", b"import os\\ndef f(x):\\n    return x or 1\\n")
>>> row.status, row.lines, row.functions, row.imports, row.complexity
(<Status.OK: 'ok'>, 3, 1, ('os',), 2)
"""

from __future__ import annotations

import ast
import io
import json
import stat
import tokenize
import warnings
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from enum import StrEnum
from pathlib import Path

SOURCE_NAME = "<census>"
"""The file name that the parser sees, so that its warnings can be told from all others."""


class Status(StrEnum):
    """What became of one file."""

    OK = "ok"
    SYNTAX_ERROR = "syntax_error"  # this interpreter does not accept it
    TOO_DEEP = "too_deep"  # nested beyond what the parser can hold
    NOT_TEXT = "not_text"  # binary junk, or bytes its declared encoding cannot mean
    UNREADABLE = "unreadable"  # the operating system would not hand it over


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """What the census knows about one file. Counts are 0 unless *status* is OK.

    `complexity` is McCabe's: 1 for each function plus 1 for each decision in the
    file (if, loop, except, case, conditional expression, comprehension and its
    ifs, each further operand of `and`/`or`). `imports` holds the distinct
    top-level names of absolute imports.
    """

    path: str
    status: Status
    message: str = ""
    bytes: int = 0
    lines: int = 0
    functions: int = 0
    classes: int = 0
    imports: tuple[str, ...] = ()
    complexity: int = 0
    hardest: str = ""
    hardest_complexity: int = 0

    def to_line(self) -> str:
        """One line of JSON: keys sorted, plain ASCII, no line break inside or after."""
        return json.dumps(asdict(self), sort_keys=True, ensure_ascii=True, separators=(",", ":"))

    @classmethod
    def from_line(cls, line: str) -> Row:
        """The row that `to_line` wrote.

        Raises:
            ValueError: *line* is not such a line (torn in the middle, say).
        """
        fields = json.loads(line)
        if not isinstance(fields, dict):
            raise ValueError(f"a row must be a JSON object; got {line[:40]!r}")
        try:
            fields["status"] = Status(fields["status"])
            fields["imports"] = tuple(fields["imports"])
            return cls(**fields)
        except (KeyError, TypeError) as error:
            raise ValueError(f"not a census row: {error}") from error


def analyse(root: Path, path: str) -> Row:
    """Read and survey the file *path* (relative to *root*). Never raises for what it finds."""
    try:
        source = _read(root / path)
    except OSError as error:
        return Row(path=path, status=Status.UNREADABLE, message=error.strerror or str(error))
    return analyse_source(path, source)


def plain_survey(root: Path, paths: Iterable[str]) -> list[str]:
    """The rows of *paths* as sorted lines, one file after another: no process, no thread.

    Chaos mode holds its own result against this one.
    """
    with quiet_parser():
        return sorted(analyse(root, path).to_line() for path in paths)


def analyse_source(path: str, source: bytes) -> Row:
    """Survey *source*, the bytes of the file called *path*."""
    size, lines = len(source), _count_lines(source)

    def failed(status: Status, message: str) -> Row:
        return Row(path=path, status=status, message=message, bytes=size, lines=lines)

    if b"\0" in source:
        return failed(Status.NOT_TEXT, "contains null bytes")
    try:
        text = _decode(source)
    except (SyntaxError, LookupError, UnicodeError) as error:
        return failed(Status.NOT_TEXT, str(error))
    try:
        tree = ast.parse(text, SOURCE_NAME)
    except SyntaxError as error:
        return failed(Status.SYNTAX_ERROR, f"line {error.lineno or 1}: {error.msg}")
    except ValueError as error:  # a literal that no Python value can hold
        return failed(Status.SYNTAX_ERROR, str(error))
    except (RecursionError, MemoryError):  # 3.11 reports a full parser stack as MemoryError
        return failed(Status.TOO_DEEP, "nested too deeply for the parser")
    return _measure(path, size, lines, tree)


@contextmanager
def quiet_parser() -> Iterator[None]:
    """Silence what the parser has to say about the style of surveyed files.

    Once around a whole run, not around each parse: warning filters are shared by
    all threads. Warnings about any other code are left as they are.
    """
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", module=SOURCE_NAME)
        yield


def _read(path: Path) -> bytes:
    mode = path.stat().st_mode
    if not stat.S_ISREG(mode):  # opening a pipe would wait for ever for a writer
        raise OSError(0, "not a regular file")
    return path.read_bytes()


def _count_lines(source: bytes) -> int:
    return source.count(b"\n") + (bool(source) and not source.endswith(b"\n"))


def _decode(source: bytes) -> str:
    """The text of *source* by its byte order mark, coding cookie or the UTF-8 default."""
    encoding, _ = tokenize.detect_encoding(io.BytesIO(source).readline)
    return source.decode(encoding)


@dataclass(slots=True)
class _Function:
    name: str
    line: int
    complexity: int


# What the walk looks at, by exact type: it visits millions of nodes and most mean nothing to it.
_DEFINITIONS = frozenset({ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef})
_IMPORTS = frozenset({ast.Import, ast.ImportFrom})
_DECISIONS = frozenset(
    {ast.If, ast.IfExp, ast.For, ast.AsyncFor, ast.While, ast.ExceptHandler}
    | {ast.BoolOp, ast.comprehension, ast.match_case}
)
_LEAVES = frozenset({ast.Name, ast.Constant, ast.Load, ast.Store, ast.Del, ast.Pass, ast.alias})


def _decisions(node: ast.AST) -> int:
    match node:
        case ast.BoolOp(values=values):
            return len(values) - 1
        case ast.comprehension(ifs=ifs):
            return 1 + len(ifs)
        case ast.match_case(pattern=ast.MatchAs(pattern=None, name=None), guard=None):
            return 0  # `case _` decides nothing
        case _:
            return 1


def _imported(node: ast.AST) -> list[str]:
    match node:
        case ast.Import(names=names):
            return [alias.name.partition(".")[0] for alias in names]
        case ast.ImportFrom(module=str(name), level=0):
            return [name.partition(".")[0]]
        case _:
            return []  # relative: a name inside its own package


def _measure(path: str, size: int, lines: int, tree: ast.Module) -> Row:
    """Count what is in *tree*. A loop with its own stack: nesting is the file's choice, not ours."""
    functions: list[_Function] = []
    classes = 0
    imports: set[str] = set()
    module = _Function("<module>", 1, 0)
    todo: list[tuple[ast.AST, _Function, str]] = [(tree, module, "")]
    while todo:
        node, owner, prefix = todo.pop()
        kind = type(node)
        if kind in _DEFINITIONS:
            assert isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef)
            if isinstance(node, ast.ClassDef):
                classes += 1
            else:
                owner = _Function(prefix + node.name, node.lineno, 1)
                functions.append(owner)
            prefix = f"{prefix}{node.name}."
        elif kind in _DECISIONS:
            owner.complexity += _decisions(node)
        elif kind in _IMPORTS:
            imports.update(_imported(node))
        for child in ast.iter_child_nodes(node):
            if type(child) not in _LEAVES:
                todo.append((child, owner, prefix))
    hardest = max(functions, key=lambda f: (f.complexity, -f.line, f.name), default=None)
    return Row(
        path=path,
        status=Status.OK,
        bytes=size,
        lines=lines,
        functions=len(functions),
        classes=classes,
        imports=tuple(sorted(imports)),
        complexity=module.complexity + sum(f.complexity for f in functions),
        hardest=f"{hardest.name}:{hardest.line}" if hardest else "",
        hardest_complexity=hardest.complexity if hardest else 0,
    )
