"""`Alarm`: the one timer with which a server waits for the first of many deadlines.

For use inside a server, in its handlers: the timer is the server's and ends with it.

>>> class Waiter(st.GenServer):
...     def __init__(self) -> None:
...         self.due: Agenda[str] = Agenda()
...         self.alarm = Alarm(self)
...     def handle_info(self, message: object) -> None:
...         if self.alarm.rang(message):
...             for key in self.due.pop(now):
...                 ...  # it is due
...             self.alarm.arm(self.due.earliest(), now)
"""

from __future__ import annotations

from suptree.core import Timer
from suptree.otp import GenServer
from suptree.services.parts.deadlines import NEVER

__all__ = ["Alarm"]


class _Ring:
    __slots__ = ()

    def __repr__(self) -> str:
        return "<an alarm rings>"


class Alarm:
    """Rings once, at the time for which it was armed or earlier.

    It is not moved to a later time when its reason goes away: it rings for nothing then,
    which costs less than to cancel a timer for each wait that ended well.

    Attributes:
        due: When it rings; `NEVER`: it is not armed.
    """

    __slots__ = ("_ring", "_server", "_timer", "due")

    def __init__(self, server: GenServer) -> None:
        self._server = server
        self._ring = _Ring()
        self._timer: Timer | None = None
        self.due = NEVER

    def arm(self, due: float | None, now: float) -> None:
        """Ring at *due* unless it rings before; None or `NEVER`: there is nothing to wait for."""
        if due is None or due >= self.due:
            return
        if self._timer is not None:
            self._server.cancel_timer(self._timer)
        self._timer = self._server.send_after(max(0.0, due - now), self._ring)
        self.due = due

    def rang(self, message: object) -> bool:
        """Whether *message* is its ring; it is armed for nothing then."""
        if message is not self._ring:
            return False
        self._timer, self.due = None, NEVER
        return True
