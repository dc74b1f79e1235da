"""The collector: keeps the rows, each exactly once, and knows when the census is complete.

Who owns it: the root of the tree. Workers give it rows, the coordinator asks it
what is done. All it knows is in the file of rows, which it reads back when it is
started again, so it can be killed at any moment.

It ends by itself, with reason normal, when every file has its row. It is the
*significant* child of the tree: the rest is then shut down in order.
"""

from __future__ import annotations

import suptree as st

from .job import Job
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

    @st.call
    def record(self, row: Row) -> st.Stop | None:
        """Keep *row*; a second one for the same file changes nothing."""
        self._rows.add(row)
        self._missing.discard(row.path)
        self._publish()
        return None if self._missing else st.Stop(st.NORMAL, reply=None)

    @st.call
    def missing(self) -> set[str] | st.Stop:
        """The files that have no row yet.

        When there are none (it was killed after the last one) the collector ends with this
        answer, and not before: who starts after it, and asks, must find it.
        """
        return set(self._missing) if self._missing else st.Stop(st.NORMAL, reply=set())

    def _publish(self) -> None:
        tally = self._job.tally
        tally.done, tally.failed = len(self._rows.done), self._rows.failed
