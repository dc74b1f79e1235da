"""The selector of a `VirtualLoop`: decides what happens when the loop would sleep.

asyncio asks its selector once per pass, with the time until the next timer.
This one polls, and then jumps, really waits, or reports a deadlock by the rule
that `suptree.testing.loop` states.  It belongs to one loop, which it sees
through `Host`; it refuses to guess whether a silent stranger will speak again
after `patience`.
"""

from __future__ import annotations

import os
import selectors
import socket
import stat
from typing import TYPE_CHECKING, Any, Final, Protocol

from suptree.clock import ManualClock, monotonic

if TYPE_CHECKING:
    from _typeshed import FileDescriptorLike

__all__ = ["Host", "IdleSelector"]

Events = list[tuple[selectors.SelectorKey, int]]

# For that long (real seconds) time stands still while others outside work, so that
# what is quick outside leaves no trace in virtual time; after it time passes as outside,
# so that an endless stream does not keep an overall timeout from firing.
_STAND_STILL: Final = 1.0


class Host(Protocol):
    """What the selector asks of its loop."""

    clock: ManualClock
    grace: float
    patience: float

    def is_busy(self) -> bool:
        """Say whether work outside is known to be under way."""
        ...

    def has_strangers(self) -> bool:
        """Say whether threads run that may call back, though nobody said so."""
        ...

    def jump(self, timeout: float) -> None:
        """Move time to the next timer, *timeout* seconds away."""
        ...

    def deadlock(self, why: str) -> None:
        """Report that nothing can happen any more; may raise."""
        ...

    def ripen(self) -> None:
        """Note that the loop has polled."""
        ...

    def turned(self) -> bool:
        """Wake who waited for one pass of the loop; say whether anybody did."""
        ...


class IdleSelector(selectors.DefaultSelector):
    """The platform's best selector, with virtual waiting."""

    def __init__(self, host: Host) -> None:
        super().__init__()
        self._host = host
        self._own: set[int] = set()  # the loop's wake-up pipe
        self._kinds: dict[int, str] = {}  # of every other descriptor
        # Real time until which time stands still while others outside are at work.
        self._still_until: float | None = None
        # The next timer (virtual), and since when (real) it is waited for.
        self._head: tuple[float, float] = (0.0, 0.0)

    # -- descriptors ---------------------------------------------------------------------

    def adopt(self) -> None:
        """Take everything registered so far for the loop's own."""
        self._own = set(self._kinds)
        self._kinds.clear()

    def children(self) -> list[str]:
        """Name the child processes that are waited for through a pidfd."""
        return [
            f"child process (pidfd {fd})" for fd, kind in self._kinds.items() if kind == "child"
        ]

    def register(
        self, fileobj: FileDescriptorLike, events: int, data: Any = None
    ) -> selectors.SelectorKey:
        """Register a descriptor and remember what it is."""
        key = super().register(fileobj, events, data)
        if key.fd not in self._own:
            self._kinds[key.fd] = _kind(key.fd)
        return key

    def unregister(self, fileobj: FileDescriptorLike) -> selectors.SelectorKey:
        """Forget a descriptor."""
        key = super().unregister(fileobj)
        self._kinds.pop(key.fd, None)
        return key

    # -- waiting ---------------------------------------------------------------------------

    def select(self, timeout: float | None = None) -> Events:
        """Return what is ready; wait for more as the rule of the module says."""
        events = super().select(0)
        if self._host.turned():  # they look first: perhaps nothing is missing any more
            return events
        if timeout is None or timeout > 0:
            events = self._idle(events, timeout)
        self._host.ripen()
        return events

    def _idle(self, events: Events, timeout: float | None) -> Events:
        host = self._host
        busy = host.is_busy() or "child" in self._kinds.values()
        if not busy and "io" not in self._kinds.values() and not host.has_strangers():
            self._still_until = None
            if not events:
                self._nobody_outside(timeout)
            return events
        if self._still_until is None:
            self._still_until = monotonic() + _STAND_STILL
        if timeout is None or not host.clock.autojump:
            return events or self._wait_without_timer(timeout, busy)
        return self._wait_with_timer(events, timeout, busy)

    def _nobody_outside(self, timeout: float | None) -> None:
        host = self._host
        if timeout is not None and host.clock.autojump:
            host.jump(timeout)
        elif timeout is not None:
            host.deadlock(
                f"the next timer is due in {timeout:.6g} s, autojump is off and everybody waits. "
                "Call loop.clock.advance(...) before waiting."
            )
        elif not self._kinds or not super().select(host.patience):  # listeners: perhaps somebody
            host.deadlock(
                "nothing is ready, no timer is armed, nothing outside is under way. "
                "Wake somebody up, or wrap what will call back in loop.external_work()."
            )

    def _wait_without_timer(self, timeout: float | None, busy: bool) -> Events:
        events = super().select(None if busy else self._host.patience)
        if not events and not busy:
            self._host.deadlock(
                f"only descriptors or threads that were silent for {self._host.patience:.6g} real "
                "seconds could wake somebody up. Wrap slow work in loop.external_work()."
                if timeout is None
                else "autojump is off and everybody waits. Call loop.clock.advance(...) first."
            )
        return events

    def _wait_with_timer(self, events: Events, timeout: float, busy: bool) -> Events:
        host = self._host
        due = host.clock.now() + timeout
        now = monotonic()
        if self._head[0] != due:
            self._head = due, now
        since = self._head[1]
        left = timeout - (now - since)
        if not events and left > 0:
            events = super().select(left if busy else min(left, host.grace))
            now = monotonic()
        silent = not events and not busy
        if now - since >= (min(timeout, host.grace) if silent else timeout):
            host.jump(timeout)
            self._still_until = None if silent else max(now, self._still_until or now)
        elif self._still_until is not None and now > self._still_until:
            host.clock.advance(now - self._still_until)
            self._still_until = now
            self._head = due, now
        return events


def _kind(fd: int) -> str:
    """Return what a descriptor is: "listener" (idle until somebody comes), "child", or "io"."""
    try:
        if stat.S_ISSOCK(os.fstat(fd).st_mode):
            borrowed = socket.socket(fileno=fd)
            try:
                listens = borrowed.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN)
            finally:
                borrowed.detach()
            return "listener" if listens else "io"
        if os.readlink(f"/proc/self/fd/{fd}") == "anon_inode:[pidfd]":
            return "child"
    except OSError:  # no /proc here, or an exotic descriptor
        return "io"
    return "io"
