"""What every test of suptree's own suite stands on."""

from __future__ import annotations

import signal


def pytest_configure() -> None:
    """Take SIGINT back if it is ignored, as it is for a job that a shell runs in the background.

    A runner obeys that, rightly; the tests that press Ctrl-C would wait for ever.
    """
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)
