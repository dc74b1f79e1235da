"""Which files the census is about: every *.py under one directory, in a fixed order.

Who owns it: nobody; `find_sources` is called once, before anything is started.

What it refuses: a place that is not there, is not a directory, or holds no
Python file. Everything smaller is not refused but remembered: a directory that
cannot be listed is named in `Sources.problems`, a file that cannot be read
becomes a row that says so.

Links to directories are not followed, so a loop of links cannot hold the walk
and nothing outside the directory is counted. Links to files are followed.

>>> sources = find_sources(Path("examples"))  # doctest: +SKIP
>>> len(sources.paths)  # doctest: +SKIP
12
"""

from __future__ import annotations

import os
import sysconfig
from dataclasses import dataclass
from pathlib import Path

SKIPPED = frozenset({"__pycache__", "site-packages", "dist-packages", "node_modules"})
"""Directories of other people's or generated code. Those whose name starts with a dot go too."""


class InputError(Exception):
    """The census cannot begin; the message is one line that says what to do about it."""


@dataclass(frozen=True, slots=True)
class Sources:
    """What was found under *root*. Both tuples are sorted.

    Attributes:
        root: The directory, absolute.
        paths: Files relative to *root*, with forward slashes.
        problems: `(directory, reason)` for each directory that could not be listed.
        skipped: How many directories were left out by name (`SKIPPED`).
    """

    root: Path
    paths: tuple[str, ...]
    problems: tuple[tuple[str, str], ...] = ()
    skipped: int = 0


def standard_library() -> Path:
    """Where the standard library of the running interpreter lives."""
    return Path(sysconfig.get_paths()["stdlib"])


def find_sources(root: Path) -> Sources:
    """Every *.py file under *root*.

    Raises:
        InputError: *root* does not exist, is not a directory, or holds no such file.
    """
    root = _checked(root)
    paths: list[str] = []
    problems: list[tuple[str, str]] = []
    skipped = 0

    def unlistable(error: OSError) -> None:
        where = Path(error.filename).relative_to(root).as_posix()
        problems.append((where, error.strerror or str(error)))

    for directory, names, files in os.walk(root, onerror=unlistable):
        kept = [name for name in names if not _is_skipped(name)]
        skipped += len(names) - len(kept)
        names[:] = kept
        here = Path(directory).relative_to(root)
        paths += [(here / name).as_posix() for name in files if name.endswith(".py")]
    if not paths and not problems:
        raise InputError(f"no *.py files under {root}. Give a directory with Python sources.")
    if not paths:
        raise InputError(f"no *.py files under {root}: {problems[0][0]}: {problems[0][1]}.")
    return Sources(root, tuple(sorted(paths)), tuple(sorted(problems)), skipped)


def _checked(root: Path) -> Path:
    try:
        root = root.resolve(strict=True)
    except FileNotFoundError:
        raise InputError(f"no such directory: {root}. Check the spelling.") from None
    except (OSError, RuntimeError) as error:  # 3.11 reports a loop of links as RuntimeError
        raise InputError(f"cannot open {root}: {error}.") from None
    if not root.is_dir():
        raise InputError(f"not a directory: {root}. Give the directory that holds the file.")
    return root


def _is_skipped(name: str) -> bool:
    return name in SKIPPED or name.startswith(".")
