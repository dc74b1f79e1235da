"""Ctrl-C in a loop that is not ours (law 13): the first one stops the runtime in order.

`asyncio.run` and the runner have handlers of their own, and those are left alone.  Where
Python's default handler stands (`loop.run_until_complete`, an embedding program), it
would raise KeyboardInterrupt between any two bytecodes, the run loop's own among them.
While a runtime is open there, the first Ctrl-C asks it to stop and sets a flag; from
the second on the default handler is called, which breaks even a handler that never yields.
"""

from __future__ import annotations

import signal
import threading
from types import FrameType
from typing import TYPE_CHECKING

from suptree.core.exits import SHUTDOWN

if TYPE_CHECKING:
    from suptree.core.runtime import Runtime

__all__ = ["Interrupts"]


class Interrupts:
    """Stands in for the default SIGINT handler while one runtime is open."""

    __slots__ = ("_pressed", "_runtime")

    def __init__(self, runtime: Runtime) -> None:
        self._runtime = runtime
        self._pressed = False

    def watch(self) -> None:
        """Take the place of the default handler, if it stands and this is the main thread."""
        if threading.current_thread() is not threading.main_thread():
            return
        if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
            signal.signal(signal.SIGINT, self._signalled)
            self._runtime.interrupt_hook = self.was_pressed

    def done(self) -> None:
        """Give the place back, unless somebody else has taken it since."""
        if signal.getsignal(signal.SIGINT) == self._signalled:
            signal.signal(signal.SIGINT, signal.default_int_handler)

    def was_pressed(self) -> bool:
        """Whether a KeyboardInterrupt that comes up now is a request to stop."""
        return self._pressed

    def _signalled(self, number: int, frame: FrameType | None) -> None:
        if self._pressed or self._runtime.loop.is_closed():
            signal.default_int_handler(number, frame)
        self._pressed = True
        self._runtime.loop.call_soon_threadsafe(self._stop)

    def _stop(self) -> None:
        if not self._runtime.closed:
            self._runtime.stop(SHUTDOWN, "Ctrl-C")
