"""The judges, each opened when the first test needs it, for all that do, and closed at the end."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack
from typing import Any

import pytest

from tests.conformance.family import Family, Trace

Judge = Callable[[Any], Trace]


@pytest.fixture(scope="session")
def judge_of(
    outliving: Callable[[], AbstractContextManager[None]],
) -> Iterator[Callable[[Family[Any]], Judge]]:
    """The judge of a family. Where there is none the test is skipped with the reason, but fails if CI=true.

    A proof that quietly does not run is none.
    """
    judges: dict[str, Judge] = {}
    with ExitStack() as running:

        def find(family: Family[Any]) -> Judge:
            absent = family.missing()
            if absent is not None and os.environ.get("CI") == "true":
                pytest.fail(absent)
            if absent is not None:
                pytest.skip(absent)
            if family.name not in judges:
                with outliving():
                    judges[family.name] = running.enter_context(family.open_judge())
            return judges[family.name]

        yield find


@pytest.fixture(autouse=True, scope="module")
def asyncio_without_debug() -> Iterator[None]:
    """Have loops without asyncio's debug mode, whatever the environment asks for.

    Thousands of programs take ten times as long in it, and what it looks for shows in no trace; all other
    tests of the same code run in it.
    """
    with pytest.MonkeyPatch.context() as patch:
        patch.delenv("PYTHONASYNCIODEBUG", raising=False)
        yield
