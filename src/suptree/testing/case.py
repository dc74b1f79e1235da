"""One test as the plugin sees it: its loop, its runtimes, what it left behind.

A `Case` is made before the fixtures of a test are set up and asked after they
are torn down.  It owns the test's loop and everything that watches; it refuses to
judge a test that failed by itself (the plugin does that).
"""

from __future__ import annotations

import asyncio
import contextlib
import random
import zlib
from collections.abc import Generator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import pytest

from suptree.testing.leaks import KINDS, Leak, Snapshot, loop_leaks
from suptree.testing.ledger import Ledger
from suptree.testing.runner import LOOPS, TestRunner, loop_factory
from suptree.testing.sharing import Sharing
from suptree.testing.sites import Sites

if TYPE_CHECKING:
    from suptree.otp import Runtime

__all__ = ["DIRECT_CALL", "SCOPES", "SETTINGS", "SHARING", "Case", "Settings"]

DIRECT_CALL: Final = ("on", "off", "random")
SCOPES: Final = ("all", "async", "off")
SHARING: Final = ("warn", "off")


@dataclass(frozen=True, slots=True)
class Settings:
    """How this run was asked to be."""

    loop: str
    seed: int | None
    direct_call: str
    leaks: str
    sharing: str

    def header(self) -> str:
        """One line for the head of the report and of each failure."""
        seed = "none" if self.seed is None else str(self.seed)
        return f"suptree: loop {self.loop}, direct call {self.direct_call}, seed {seed}"

    def arguments(self) -> str:
        """What to type to get the same again."""
        words = [f"--suptree-loop={self.loop}", f"--suptree-direct-call={self.direct_call}"]
        if self.seed is not None:
            words.append(f"--suptree-seed={self.seed}")
        return " ".join(words)

    def seed_of(self, item: pytest.Item) -> int | None:
        """The seed of a test: that of the run mixed with its name, so that order is free."""
        seed = self.seed
        return None if seed is None else zlib.crc32(item.nodeid.encode(), seed & 0xFFFFFFFF)

    @classmethod
    def of(cls, config: pytest.Config) -> Settings:
        """Read the options of a run."""
        direct_call = _choice(
            "SUPTREE_DIRECT_CALL", str(config.getoption("--suptree-direct-call")), DIRECT_CALL
        )
        seed_text = config.getoption("--suptree-seed")
        if seed_text in (None, ""):
            seed = random.randrange(2**31) if direct_call == "random" else None
        elif seed_text == "random":
            seed = random.randrange(2**31)
        elif str(seed_text).lstrip("-").isdigit():
            seed = int(seed_text)
        else:
            raise pytest.UsageError(
                f"--suptree-seed must be a whole number or 'random'; got {seed_text!r}."
            )
        leaks = config.getoption("--suptree-leaks") or config.getini("suptree_leaks")
        return cls(
            loop=_choice("SUPTREE_TEST_LOOP", str(config.getoption("--suptree-loop")), LOOPS),
            seed=seed,
            direct_call=direct_call,
            leaks=_choice("suptree_leaks", str(leaks), SCOPES),
            sharing=_choice("suptree_sharing", str(config.getini("suptree_sharing")), SHARING),
        )


SETTINGS: Final = pytest.StashKey[Settings]()


class Case:
    """What the plugin holds for one test: its loop, its runtimes, what it saw being made."""

    def __init__(self, item: pytest.Item) -> None:
        self.item = item
        self.settings = item.config.stash[SETTINGS]
        self.sites = Sites()
        self.ledger = Ledger(self.sites)
        self.sharing = Sharing(self.sites)
        self.leaks: list[Leak] = []
        self.runtimes: list[Runtime] = []
        self.kind = self._kind()
        self.allowed, self.strict = self._allowed()
        self._runner: TestRunner | None = None
        self._looked_at_runtimes = False
        self._watching = contextlib.ExitStack()
        self._before: Snapshot | None = None

    def _kind(self) -> str:
        marker = self.item.get_closest_marker("suptree_loop")
        if marker is not None and len(marker.args) != 1:
            raise pytest.UsageError(
                "suptree_loop: the marker must name one loop, e.g. @pytest.mark.suptree_loop('real')."
            )
        kind = self.settings.loop if marker is None else str(marker.args[0])
        if kind == "real":
            return "asyncio" if self.settings.loop == "virtual" else self.settings.loop
        return kind

    def _allowed(self) -> tuple[set[str], bool]:
        allowed: set[str] = set()
        strict = False
        for marker in self.item.iter_markers("suptree_leaks"):
            kinds = marker.kwargs.get("allow", ())
            allowed |= set((kinds,) if isinstance(kinds, str) else kinds)
            strict = strict or bool(marker.kwargs.get("strict", False))
        for kind in allowed - set(KINDS):
            raise pytest.UsageError(
                f"suptree_leaks: allow must name some of {', '.join(KINDS)}; got {kind!r}."
            )
        return allowed, strict

    def _sharing(self) -> str:
        marker = self.item.get_closest_marker("suptree_sharing")
        if marker is None:
            return self.settings.sharing
        if len(marker.args) != 1:
            raise pytest.UsageError(
                "suptree_sharing: the marker must say 'warn' or 'off', "
                "e.g. @pytest.mark.suptree_sharing('off')."
            )
        return _choice("suptree_sharing", str(marker.args[0]), SHARING)

    @property
    def runner(self) -> TestRunner:
        """The runner of this test, made when the first coroutine needs it."""
        if self._runner is None:
            try:
                self._runner = TestRunner(loop_factory(self.kind), self.sites)
            except (ValueError, ImportError) as error:
                raise pytest.UsageError(str(error)) from error
            self._runner.loop.set_exception_handler(self._unhandled)
            self.item.addfinalizer(self._close_runner)
        return self._runner

    def _unhandled(self, loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
        """An exception that nobody handled, in a callback or a forgotten task: only logged otherwise."""
        loop.default_exception_handler(context)
        error = context.get("exception")
        what = context.get("message", "an error in the loop")
        self.leaks.append(Leak("unhandled", f"{what}: {error!r}" if error is not None else what))

    def watch(self) -> None:
        """Begin to look; before the fixtures are set up."""
        if self.kind == "uvloop":
            loop_factory("uvloop")().close()  # libuv opens a pipe of its own with the first loop
        self._watching.enter_context(self.sites.watch_process())
        self._watching.enter_context(self.ledger.watch())
        if self._sharing() == "warn":
            self._watching.enter_context(self.sharing.watch())
        self._before = Snapshot.take()

    @contextlib.contextmanager
    def outliving(self) -> Generator[None, None, None]:
        """What is made inside belongs to a fixture that outlives this test, and is no leak of it."""
        before = None if self._before is None else Snapshot.take()
        try:
            with self.ledger.outliving():
                yield
        finally:
            if self._before is not None and before is not None:
                self._before.absorb(before, Snapshot.take())

    def _close_runner(self) -> None:
        runner, self._runner = self._runner, None
        assert runner is not None
        self.leaks += self.ledger.leaks()
        self._looked_at_runtimes = True
        tasks = set(runner.leftover_tasks()) - self.ledger.tasks()
        self.leaks += loop_leaks(runner.loop, tasks, self.sites)
        runner.close()

    def end(self) -> list[Leak]:
        """Stop looking; return what was left behind and is not allowed."""
        self._watching.close()
        if not self._looked_at_runtimes:  # a plain test, which ran loops of its own
            self.leaks += self.ledger.leaks()
        if self._before is not None:
            self.leaks += self._before.leaked_since(self.sites)
        return [leak for leak in self.leaks if leak.kind not in self.allowed]


def _choice(where: str, value: str, choices: tuple[str, ...]) -> str:
    if value not in choices:
        raise pytest.UsageError(f"{where} must be one of {', '.join(choices)}; got {value!r}.")
    return value
