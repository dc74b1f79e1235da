"""Which files the census finds, and what it says when there are none."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from examples.code_census.discover import InputError, find_sources, standard_library


def plant(root: Path, *paths: str) -> None:
    for path in paths:
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_text("")


def test_sources_are_all_python_files_in_sorted_order(tmp_path: Path) -> None:
    plant(tmp_path, "b.py", "a/z.py", "a/b/c.py", "a/notes.txt", "a.py", "a/types.pyi")

    sources = find_sources(tmp_path)

    assert sources.paths == ("a.py", "a/b/c.py", "a/z.py", "b.py")
    assert sources.root == tmp_path.resolve()


def test_generated_and_hidden_directories_are_left_out_and_counted(tmp_path: Path) -> None:
    plant(tmp_path, "a.py", "site-packages/b.py", ".venv/c.py", "x/__pycache__/d.py")

    sources = find_sources(tmp_path)

    assert sources.paths == ("a.py",)
    assert sources.skipped == 3


def test_a_skipped_name_can_still_be_asked_for_by_itself(tmp_path: Path) -> None:
    plant(tmp_path, "site-packages/b.py")

    assert find_sources(tmp_path / "site-packages").paths == ("b.py",)


def test_a_loop_of_links_ends(tmp_path: Path) -> None:
    plant(tmp_path, "a/b.py")
    (tmp_path / "a" / "loop").symlink_to(tmp_path)
    (tmp_path / "a" / "link.py").symlink_to("b.py")

    assert find_sources(tmp_path).paths == ("a/b.py", "a/link.py")


def test_a_directory_that_cannot_be_listed_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    plant(tmp_path, "a.py", "locked/b.py")
    scandir = os.scandir

    def guarded(path: str) -> object:
        if Path(path).name == "locked":
            raise PermissionError(13, "Permission denied", path)
        return scandir(path)

    monkeypatch.setattr(os, "scandir", guarded)

    sources = find_sources(tmp_path)

    assert sources.paths == ("a.py",)
    assert sources.problems == (("locked", "Permission denied"),)


def missing(root: Path) -> Path:
    return root / "nope"


def a_file(root: Path) -> Path:
    plant(root, "one.py")
    return root / "one.py"


def empty(root: Path) -> Path:
    plant(root, "notes.txt")
    return root


def link_to_itself(root: Path) -> Path:
    (root / "ouroboros").symlink_to("ouroboros")
    return root / "ouroboros"


@pytest.mark.parametrize(
    ("place", "complaint"),
    [
        (missing, "no such directory"),
        (a_file, "not a directory"),
        (empty, "no *.py files"),
        (link_to_itself, "cannot open"),
    ],
)
def test_a_place_that_cannot_be_surveyed_is_refused_in_one_line(
    tmp_path: Path, place: Callable[[Path], Path], complaint: str
) -> None:
    with pytest.raises(InputError) as refusal:
        find_sources(place(tmp_path))

    assert complaint in str(refusal.value)
    assert "\n" not in str(refusal.value)


def test_the_standard_library_is_a_real_input() -> None:
    sources = find_sources(standard_library())

    assert "asyncio/tasks.py" in sources.paths
    assert not any("site-packages" in path for path in sources.paths)
