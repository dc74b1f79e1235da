"""The coordinator: hires the workers, and gives each file to the one that has the least to do.

Who owns it: the root of the tree.  The collector orders files; as many senders as
there are workers take one after another and wait until it is acknowledged, so that files go
out as fast as rows are kept, and no faster.

It keeps nothing worth saving: started again, it is given the order anew.  What its
predecessor had sent is done all the same, so a file may be surveyed twice; the collector
keeps the first row.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass

import suptree as st
from suptree.services import Acknowledged, DeadLettered, Expired, Rejected, SchedulerManager

from .job import Job
from .messages import NotDeliveredError, Order, Survey, distribute
from .names import AGENTS, SCHEDULER
from .worker import Worker

PAUSE = 0.05
"""Seconds until a file is offered again that nobody could take."""


@dataclass(frozen=True, slots=True)
class _SendMore:
    """To itself: there may be somebody again who takes a file."""


class Coordinator(st.GenServer):
    """Knows which files are to be surveyed, and who may be asked."""

    def __init__(self, job: Job) -> None:
        self._job = job
        self._waiting: deque[str] = deque()
        self._in_hand: set[str] = set()  # ordered and not done: those that wait, and those sent
        self._senders = 0

    async def init(self) -> None:
        """Fill the places that are free: all of them, unless a predecessor has hired before."""
        counts = await st.DynamicSupervisor.count_children(AGENTS)
        for name in self._job.crew()[counts.specs :]:
            worker = st.child(Worker, self._job).with_(name=name)
            await st.DynamicSupervisor.start_child(AGENTS, worker)

    def handle_call(self, request: object, sender: st.ReplyTo) -> None:
        match request:
            case Order(paths):
                new = [path for path in paths if path not in self._in_hand]
                self._in_hand.update(new)
                self._waiting.extend(new)
                self._send_more()
            case _:
                super().handle_call(request, sender)

    def handle_info(self, message: object) -> None:
        match message:
            case _SendMore():
                self._send_more()
            case _:
                super().handle_info(message)

    def _send_more(self) -> None:
        free = self._job.workers - self._senders
        for _ in range(min(free, len(self._waiting))):
            self._senders += 1
            self.start_task(self._send(), name="sender")

    async def _send(self) -> None:
        """One file after another; until there is none, or nobody who takes one."""
        while self._waiting:
            path = self._waiting.popleft()
            if not await self._is_done(path):
                self._waiting.appendleft(path)
                await SchedulerManager.after(SCHEDULER, PAUSE, _SendMore(), id="send more")
                break
        self._senders -= 1

    async def _is_done(self, path: str) -> bool:
        outcome = await distribute(self._job.crew(), Survey(path))
        match outcome:
            case Acknowledged():
                self._in_hand.discard(path)
                return True
            case Rejected(why="no_process" | "buffer_full" | "breaker_open") | Expired():
                return False
            case DeadLettered(reason=reason):
                raise PoisonedFileError(path, reason)
            case _:
                raise NotDeliveredError(outcome)


class PoisonedFileError(st.SuptreeError):
    """Worker after worker died over a file: a fault of the census, not of the file.

    Attributes:
        path: The file.
        reason: What the last one died of.
    """

    def __init__(self, path: str, reason: object) -> None:
        super().__init__(path, reason)
        self.path = path
        self.reason = reason

    def __str__(self) -> str:
        return f"census: workers die over {self.path!r}: {self.reason!r}"
