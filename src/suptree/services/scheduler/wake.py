"""`Wake`: the one timer of a scheduler, which goes off when the next thing is due."""

from __future__ import annotations

import math

from suptree.core import Timer
from suptree.otp import GenServer

__all__ = ["Wake"]


class _Tick:
    __slots__ = ()

    def __repr__(self) -> str:
        return "<a scheduler wakes>"


class Wake:
    """Goes off at the time for which it was armed, or earlier, which does no harm."""

    __slots__ = ("_armed_for", "_server", "_tick", "_timer")

    def __init__(self, server: GenServer) -> None:
        self._server = server
        self._tick = _Tick()
        self._timer: Timer | None = None
        self._armed_for = math.inf

    def arm(self, wait: float | None, now: float) -> None:
        """Go off in *wait* seconds, unless it does so before; None: there is nothing to wait for."""
        if wait is None or now + wait >= self._armed_for:
            return
        if self._timer is not None:
            self._server.cancel_timer(self._timer)
        # Not `send_after`: what travels with the request that is handled is not for every job that
        # comes then (test_a_job_comes_without_the_context_of_whoever_armed_the_timer).
        process = self._server._process
        ticker = self._server.pid.runtime.ticker
        self._timer = ticker.send_after(process, process, wait, self._tick)
        self._armed_for = now + wait

    def went_off(self, message: object) -> bool:
        """Whether *message* is its own; it is armed for nothing then."""
        if message is not self._tick:
            return False
        self._timer = None
        self._armed_for = math.inf
        return True
