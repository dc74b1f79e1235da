"""The census under fire: the same tree, a chaos beside it, and what came of both."""

from __future__ import annotations

from dataclasses import dataclass

import suptree as st

from .chaos import Attack, Chaos
from .job import Job, Patience
from .names import CHAOS
from .report import row
from .tree import Census

ENDLESS = Patience(max_restarts=10_000, max_seconds=5.0, deliveries=1_000)
"""Of a tree under chaos: being shot at is no reason to give up, and no fault of a file."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of a chaos run.

    Attributes:
        seed: Repeats its choices.
        kills: How many landed on each role.
        killed: How many deaths by a kill telemetry tells of: those, and who was linked to one.
        enough: Whether the quota was met.
        identical: Whether its rows are, byte for byte, those of a plain run.
    """

    seed: int
    kills: dict[str, int]
    killed: int
    enough: bool
    identical: bool

    def adds_up(self) -> bool:
        """Whether telemetry saw every kill."""
        return self.killed >= sum(self.kills.values())

    def is_good(self) -> bool:
        return self.enough and self.identical and self.adds_up()

    def __str__(self) -> str:
        by_role = ", ".join(f"{count} {role}" for role, count in self.kills.items())
        lines = (
            row(
                "chaos",
                f"{sum(self.kills.values()):,} kills landed{_lacking(self.enough)}: {by_role}",
            ),
            row(
                "telemetry",
                f"{self.killed:,} deaths by a kill{_lacking(self.adds_up())}: these, "
                "and of those who were linked to one",
            ),
            row("seed", f"{self.seed}"),
            row(
                "identical",
                f"{'yes' if self.identical else 'NO'} "
                "(the rows, sorted, against a plain run without processes)",
            ),
        )
        return "\n".join(lines)


def _lacking(enough: bool) -> str:
    return "" if enough else ", too few"


class CensusUnderFire(Census):
    """The census, with a killer let loose on it once it is up."""

    def __init__(self, job: Job, attack: Attack) -> None:
        super().__init__(job)
        self.attack = attack
        self._chaos: st.Pid[Chaos] | None = None
        job.tally.kills_wanted = attack.quota.size

    def announcement(self) -> str:
        """What is going to happen, for people."""
        attack = self.attack
        return "\n".join(
            [
                row(
                    "chaos",
                    f"{attack.rate:g} kills a second until {attack.quota.size:,} have landed",
                    f"at least {attack.quota.each} on each role; repeat with --seed {attack.seed}",
                ),
                row("patience", f"{self.job.patience}; without chaos {Patience()}"),
                row(
                    "pace",
                    f"the files are spread over the time this takes, about {attack.seconds:g} s, "
                    "and the last few wait for the last kill",
                ),
            ]
        )

    def outcome(self, *, identical: bool) -> Outcome:
        """What has happened; *identical* is whether the rows are those of a plain run."""
        landed = self.attack.landed
        return Outcome(
            seed=self.attack.seed,
            kills=dict(landed.most_common()),
            killed=self.report.killed,
            enough=self.attack.quota.is_met(landed),
            identical=identical,
        )

    async def start(self) -> st.Pid[st.Supervisor]:
        top: st.Pid[st.Supervisor] = await super().start()
        assert self._chaos is not None
        Chaos.begin(self._chaos)
        return top

    async def start_beside(self) -> None:
        """The chaos is there before the files that wait for its end."""
        await super().start_beside()
        chaos = st.child(Chaos, self.attack, self.job.tally).with_(name=CHAOS)
        self._chaos = await chaos.start_link()
