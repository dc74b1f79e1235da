"""Each primitive is one small file: a table and a deadline."""

from __future__ import annotations

import ast
import io
import tokenize
from pathlib import Path

import pytest

from suptree.services import primitives

FOLDER = Path(primitives.__file__).parent
LIMIT = 150
SPACE = {
    tokenize.COMMENT,
    tokenize.NL,
    tokenize.NEWLINE,
    tokenize.INDENT,
    tokenize.DEDENT,
    tokenize.ENDMARKER,
}


def code_lines(source: str) -> int:
    """Lines that hold code: neither blank, nor only a comment, nor text that stands for itself."""
    texts: set[int] = set()
    for node in ast.walk(ast.parse(source)):
        match node:
            case ast.Expr(value=ast.Constant(value=str()), end_lineno=int(end)):
                texts |= set(range(node.lineno, end + 1))
            case _:
                pass
    code: set[int] = set()
    for token in tokenize.generate_tokens(io.StringIO(source).readline):
        if token.type not in SPACE:
            code |= set(range(token.start[0], token.end[0] + 1))
    return len(code - texts)


@pytest.mark.parametrize("name", ["leases", "barriers", "elections", "consensus"])
def test_a_primitive_the_server_and_its_table_is_under_150_lines_of_code(name: str) -> None:
    assert code_lines((FOLDER / f"{name}.py").read_text()) < LIMIT


def test_what_stands_beside_the_primitives_is_small_too_and_holds_no_table_of_theirs() -> None:
    beside = {path.stem for path in FOLDER.glob("*.py")}

    assert beside - {"leases", "barriers", "elections", "consensus"} == {
        "__init__",
        "arguments",
        "base",
        "epochs",
        "errors",
        "events",
        "stats",
        "values",
    }
    assert all(code_lines((FOLDER / f"{name}.py").read_text()) < LIMIT for name in beside)


def test_the_lines_of_code_are_counted_without_docstrings_comments_and_blanks() -> None:
    source = (
        '"""A text\nof two lines."""\n\n# why\nx = [\n    1,\n]  # so\n\ndef f():\n    "Nothing."\n'
    )

    assert code_lines(source) == 4
