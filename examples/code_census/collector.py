"""The collector: keeps the rows, each exactly once, and knows when the census is complete.

Who owns it: the root of the tree. All it knows is in the file of rows, which it reads back
when it is started again, so it can be killed at any moment. Then it orders what is
missing; workers give it the rows.

It ends by itself, with reason normal, when every file has its row. It is the
*significant* child of the tree: the rest is then shut down in order.
"""

from __future__ import annotations

import suptree as st

from .job import Job
from .messages import Keep, Order, deliver
from .names import COORDINATOR
from .rowfile import RowFile
from .survey import Row


class Collector(st.GenServer):
    """Appends rows to `job.out`."""

    def __init__(self, job: Job) -> None:
        self._job = job
        self._rows = RowFile(job.out)
        self.own(self._rows, RowFile.close)  # closed however this process dies
        self._missing = set(job.sources.paths) - self._rows.done
        self._publish()

    def init(self) -> st.Continue:
        return st.Continue("order what is missing")

    async def handle_continue(self, argument: object) -> st.Stop | None:
        if not self._missing:  # its predecessor was killed after the last row
            return st.Stop(st.NORMAL)
        paths = tuple(path for path in self._job.sources.paths if path in self._missing)
        await deliver(COORDINATOR, Order(paths))
        return None

    def handle_call(self, request: object, sender: st.ReplyTo) -> st.Stop | None:
        match request:
            case Keep(row):
                self._keep(row)
                return None if self._missing else st.Stop(st.NORMAL, reply=None)
            case _:
                super().handle_call(request, sender)
                return None

    def _keep(self, row: Row) -> None:
        """A second row for the same file changes nothing."""
        self._rows.add(row)
        self._missing.discard(row.path)
        self._publish()

    def _publish(self) -> None:
        tally = self._job.tally
        tally.done, tally.failed = len(self._rows.done), self._rows.failed
