"""The testing kit: virtual time, waiting for events, a leak check; for pytest and by hand.

The pytest plugin (`suptree.testing.plugin`) is found by pytest itself once suptree
is installed.  `VirtualLoop` and the `wait_*` helpers work without it.
"""

from suptree.testing.kit import (
    WaitTimeoutError,
    turn,
    wait_down,
    wait_mailbox_empty,
    wait_restarted,
    wait_until,
)
from suptree.testing.leaks import Leak, LeakError
from suptree.testing.loop import VirtualDeadlockError, VirtualLoop
from suptree.testing.sharing import SharedChangeWarning

__all__ = [
    "Leak",
    "LeakError",
    "SharedChangeWarning",
    "VirtualDeadlockError",
    "VirtualLoop",
    "WaitTimeoutError",
    "turn",
    "wait_down",
    "wait_mailbox_empty",
    "wait_restarted",
    "wait_until",
]
