"""The census as it would be, for who wants to see its plan.

suptree tree --plan examples.code_census.plan:census
"""

from __future__ import annotations

from pathlib import Path

from .discover import Sources
from .job import Job
from .pace import Pace
from .progress import Tally
from .tree import Census

census = Census(
    Job(sources=Sources(Path(), ()), out=Path("rows.jsonl"), pace=Pace.free(), tally=Tally())
)
