"""What every test of suptree's own suite stands on."""

from __future__ import annotations

import importlib.util
import signal
from collections.abc import Iterator

import pytest

from tests.event_ledger import EventLedger, declared_events, is_whole

MISSED = pytest.StashKey[list[str]]()


def pytest_configure() -> None:
    """Have the process as every test may expect it.

    SIGINT is taken back if it is ignored, as it is for a job that a shell runs in the background: a
    runner obeys that, rightly; the tests that press Ctrl-C would wait for ever.  And uvloop opens,
    with the first loop of a process, a pipe that stays: no test is to look as if it had left it.
    """
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)
    if importlib.util.find_spec("uvloop") is not None:
        importlib.import_module("uvloop").new_event_loop().close()


@pytest.hookimpl(wrapper=True)
def pytest_runtestloop(session: pytest.Session) -> Iterator[None]:
    """Run the tests, and fail a whole run in which a declared event was never emitted."""
    ledger = EventLedger()
    ledger.open()
    try:
        result = yield
    finally:
        ledger.close()
    config = session.config
    option = config.option
    by_hand = ("keyword", "deselect", "lf", "collectonly")
    narrowed = session.shouldstop or any(getattr(option, name, None) for name in by_hand)
    paths = [argument.split("::")[0] for argument in config.args]
    whole = (
        is_whole(paths, config.rootpath, narrowed=bool(narrowed)) and option.markexpr == "not soak"
    )
    if whole and (missed := ledger.missing(declared_events())):
        config.stash[MISSED] = missed
        session.testsfailed += 1
    return result


def pytest_terminal_summary(
    terminalreporter: pytest.TerminalReporter, config: pytest.Config
) -> None:
    """Name the events that no test emitted."""
    missed = config.stash.get(MISSED, [])
    if missed:
        terminalreporter.section("declared, but emitted by no test", red=True)
        for name in missed:
            terminalreporter.write_line(name)
