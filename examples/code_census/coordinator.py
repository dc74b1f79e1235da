"""The coordinator: leases files to workers and takes back those whose worker died.

Who owns it: the root of the tree. Workers ask it for the next file, one at a time; the
question also says that the file before is done. A worker is monitored from its first
question on, so its death returns its file to the front of the queue: no file is ever
lost, and nobody polls.

It keeps nothing worth saving: started again, it asks the collector what is missing. A
file may then be surveyed twice; the collector keeps the first row.
"""

from __future__ import annotations

from collections import deque
from typing import Any

import suptree as st

from .collector import Collector
from .job import COLLECTOR, Job


class Coordinator(st.GenServer):
    """Knows who has which file."""

    def __init__(self, job: Job) -> None:
        self._paths = job.sources.paths
        self._waiting: deque[str] = deque()
        self._leases: dict[st.Pid[Any], str | None] = {}  # None: the worker is idle
        self._idle: dict[st.Pid[Any], st.ReplyTo] = {}

    async def init(self) -> None:
        missing = await Collector.missing(COLLECTOR)
        self._waiting.extend(path for path in self._paths if path in missing)

    @st.call(timeout=None)
    def next_file(self, worker: st.Pid[Any]) -> str | st.NoReply:
        """Lease a file to *worker*; the answer comes when there is one."""
        if worker not in self._leases:
            st.monitor(worker)
        self._leases[worker] = None
        if not self._waiting:
            self._idle[worker] = self.sender
            return st.NoReply()
        return self._lease(worker)

    def handle_info(self, message: object) -> None:
        match message:
            case st.Down(process=st.Pid() as worker):
                self._idle.pop(worker, None)
                self._take_back(self._leases.pop(worker, None))

    def _lease(self, worker: st.Pid[Any]) -> str:
        path = self._leases[worker] = self._waiting.popleft()
        return path

    def _take_back(self, path: str | None) -> None:
        if path is None:
            return
        self._waiting.appendleft(path)
        if self._idle:
            worker, sender = self._idle.popitem()
            self.reply(sender, self._lease(worker))
