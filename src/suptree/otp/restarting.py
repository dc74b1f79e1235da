"""Restarts as a supervisor carries them out: counted first, given up, or put off.

What a restart is and when it has been too often is decided in `restart.py`; this is
the part of a supervisor's body that acts on it.
"""

from __future__ import annotations

import math
import random
from functools import cached_property
from typing import Any, Final

from suptree.core import CONTINUE, LOG, SHUTDOWN, KernelBody, Pid, is_normal, safe_repr
from suptree.otp import events
from suptree.otp.children import Child
from suptree.otp.directives import Stop
from suptree.otp.restart import Intensity

__all__ = ["RestartingBody"]

WORK_AT_ONCE: Final = 256
"""Starts, stops and messages after which a supervisor lets others run."""


class RestartingBody(KernelBody):
    """See the module text.

    Attributes:
        gave_up: The supervisor ends because there were too many restarts.
        window: The restarts that count.
        ending: Why it ends, once it has been told to.
    """

    kind = "supervisor"

    def __init__(self) -> None:
        super().__init__()
        self.gave_up = False
        self.window = Intensity(3, 5.0)
        self.ending: Stop | None = None
        self._work = 0

    def end(self, reason: object) -> None:
        """End with *reason*, once the message at hand is handled."""
        if self.ending is None:
            self.ending = Stop(reason)

    def tired(self) -> bool:
        """Count one piece of work; True when it is time to give way."""
        self._work += 1
        return self._work % WORK_AT_ONCE == 0

    def may_restart(self, id: object, reason: object, dead: Pid[Any] | None) -> bool:
        """Count a restart before it is tried; False when the supervisor gives up instead (S121)."""
        process = self.process
        runtime = process.runtime
        window = self.window
        if window.allows(runtime.now()):
            if dead is not None and not is_normal(reason):
                runtime.reporter.decided(dead, window.restarted)
            event = runtime.telemetry.slot(events.CHILD_RESTARTED)
            if event.handlers:
                event.emit(
                    {"restarts_count": window.count},
                    {"supervisor": process.pid, "id": id, "reason": reason},
                )
            return True
        limit = f"more than {window.limit} restarts in {window.period:g} s"
        if dead is not None:
            runtime.reporter.decided(dead, f"not restarted: {limit}, so its supervisor gives up")
        self._give_up(id, reason, limit)
        return False

    def _give_up(self, id: object, reason: object, limit: str) -> None:
        process = self.process
        self.gave_up = True
        self.end(SHUTDOWN)
        LOG.error(
            "%r %s gives up: %s. The last was child %s: %s",
            process.pid,
            process.name or process.label,
            limit,
            safe_repr(id, 200),
            safe_repr(reason, 400),
        )
        event = process.runtime.telemetry.slot(events.SUPERVISOR_GAVE_UP)
        if event.handlers:
            window = self.window
            event.emit(
                {
                    "restarts_count": window.count,
                    "max_restarts_count": window.limit,
                    "max_seconds_s": window.period,
                },
                {"supervisor": process.pid, "id": id, "reason": reason},
            )

    async def put_off(self, child: Child) -> float:
        """Have *child* tried again later: through the mailbox, behind what waits (S124).

        Never a hot loop: with a back-off after its time, without one after
        everybody else had a turn, so that a request to stop gets in between.

        Returns:
            The seconds to wait.
        """
        process = self.process
        runtime = process.runtime
        child.restarting = True
        backoff = child.spec.backoff
        if backoff is None:
            process.deliver((CONTINUE, child))
            await self.give_way()
            return 0.0
        if runtime.now() - child.started_at >= backoff.reset_after:
            child.tries = 0
        child.started_at = math.inf  # it does not run: it cannot have lived long
        delay = backoff.delay(child.tries, self._random.random())
        child.tries += 1
        child.timer = runtime.ticker.send_after(process, process, delay, child)
        return delay

    def calm(self, child: Child) -> None:
        """No restart of *child* is to come any more."""
        child.restarting = False
        timer, child.timer = child.timer, None
        if timer is not None:
            self.process.runtime.ticker.cancel(timer)

    @cached_property
    def _random(self) -> random.Random:
        """Jitter; reproducible under a seed, and different for each supervisor."""
        process = self.process
        seed = process.runtime.seed
        return random.Random() if seed is None else random.Random(f"{seed}:{process.pid.id}")
