"""Every Python block of the README and of docs/ runs, and prints what the page says it prints.

- ```` ```python ```` runs as a script of its own.
- ```` ```python continues ```` runs after the blocks above it on its page.
- ```` ```python pytest ```` is a test file, run by pytest.
- ```` ```python notest ```` is a fragment, compiled and not run.
- ```` ```toml shop ```` is a file, `shop.toml`, that the blocks after it on its page may read.
- ```` ```text output ```` right after a block is exactly what that block prints.
"""

from __future__ import annotations

import ast
import os
import re
import subprocess
import sys
from dataclasses import dataclass
from itertools import zip_longest
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
FENCE = re.compile(r"^```(\w*) ?([\w ]*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
TAGS = {"", "continues", "pytest", "notest"}


@dataclass(frozen=True, slots=True)
class Block:
    """One fenced Python block."""

    page: Path
    line: int
    tag: str
    source: str
    output: str | None
    files: dict[str, str]

    def __str__(self) -> str:
        return f"{self.page.relative_to(ROOT)}:{self.line}"


def blocks_of(page: Path) -> list[Block]:
    """The Python blocks of *page*; one that continues holds what it continues."""
    blocks: list[Block] = []
    text = page.read_text()
    fences = list(FENCE.finditer(text))
    above = ""
    files: dict[str, str] = {}
    for fence, following in zip_longest(fences, fences[1:]):
        language, tag, source = fence.groups()
        if language == "toml" and tag:
            files[f"{tag}.toml"] = source
        if language != "python":
            continue
        line = text.count("\n", 0, fence.start()) + 1
        padded = "\n" * (line - above.count("\n")) + source  # tracebacks name the line of the page
        whole = above + padded if tag == "continues" else "\n" * line + source
        output = None
        if following is not None and following.groups()[:2] == ("text", "output"):
            output = following.group(3)
        blocks.append(Block(page, line, tag, whole, output, dict(files)))
        if tag in {"", "continues"}:
            above = whole
    return blocks


BLOCKS = [block for page in PAGES for block in blocks_of(page)]


@pytest.mark.parametrize("block", BLOCKS, ids=str)
def test_an_example_of_the_docs_runs_and_prints_what_the_page_says(
    block: Block,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert block.tag in TAGS, f"{block}: the tag must be one of {TAGS}; got {block.tag!r}"
    monkeypatch.chdir(tmp_path)
    for name, text in block.files.items():
        (tmp_path / name).write_text(text)

    if block.tag == "notest":
        ast.parse(block.source)
    elif block.tag == "pytest":
        run_with_pytest(block, tmp_path)
    else:
        # A script of its own: it does not inherit the __future__ imports of this file.
        code = compile(block.source, str(block.page), "exec", dont_inherit=True)
        exec(code, {"__name__": "__main__"})
        if block.output is not None:
            assert capsys.readouterr().out == block.output


def run_with_pytest(block: Block, folder: Path) -> None:
    """Run *block* as a test file of a project that has suptree installed."""
    (folder / "test_example.py").write_text(block.source)
    # Pages show the virtual loop, whatever loop the suite runs on.
    environment = {k: v for k, v in os.environ.items() if k != "SUPTREE_TEST_LOOP"}
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", str(folder)],
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
        env=environment,
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_the_readme_and_the_tutorial_have_examples() -> None:
    pages = {block.page.relative_to(ROOT).as_posix() for block in BLOCKS if block.tag != "notest"}

    tutorial = {f"docs/tutorial/first-{part}.md" for part in ("process", "tree", "system")}
    assert {"README.md", *tutorial} <= pages


def test_every_relative_link_of_the_docs_leads_to_a_file() -> None:
    broken = [
        f"{page.relative_to(ROOT)}: {target}"
        for page in PAGES
        for target in re.findall(r"\]\((?!https?://|#)([^)#\s]+)", page.read_text())
        if not (page.parent / target).exists()
    ]

    assert broken == []


def test_every_page_of_the_docs_is_in_the_index() -> None:
    docs = ROOT / "docs"
    index = (docs / "index.md").read_text()
    linked = set(re.findall(r"\]\(([^)#\s]+)", index))

    pages = {page.relative_to(docs).as_posix() for page in docs.rglob("*.md")} - {"index.md"}
    assert pages - linked == set()
