"""`Gathering`: collects what became of one message to many receivers, then answers once."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from suptree.core import ReplyTo, Runtime
from suptree.services.coordination.outcomes import (
    Acknowledged,
    Broadcast,
    Outcome,
    Receiver,
    Rejected,
)

if TYPE_CHECKING:
    from suptree.services.coordination.lane import Entry

__all__ = ["Gathering", "Strategy"]

Strategy = Literal["best_effort", "all_or_nothing", "at_least_one"]
"""When a broadcast is fulfilled.

best_effort: whatever happens.  at_least_one: somebody acknowledged it.  all_or_nothing:
everybody did; it is handed over to all of them in one turn of the router, or to nobody.
"""


class Gathering:
    """Waits for the outcomes of one broadcast."""

    __slots__ = ("_missing", "_outcomes", "_receivers", "_reply_to", "_runtime", "_strategy")

    def __init__(
        self, runtime: Runtime, reply_to: ReplyTo, receivers: list[Receiver], strategy: Strategy
    ) -> None:
        self._runtime = runtime
        self._reply_to = reply_to
        self._receivers = receivers
        self._strategy: Strategy = strategy
        self._outcomes: dict[Receiver, Outcome] = {}
        self._missing = len(receivers)

    def collect(self, entry: Entry, outcome: Outcome) -> None:
        """Take the outcome of one message; the last one answers the sender."""
        self.add(outcome.to, outcome)

    def add(self, to: Receiver, outcome: Outcome) -> None:
        """Take what became of the message to *to*."""
        self._outcomes[to] = outcome
        self._missing -= 1
        if not self._missing:
            self._runtime.reply(self._reply_to, self.result())

    def refuse(self, refusals: dict[Receiver, Rejected]) -> None:
        """Nobody gets it."""
        self._outcomes.update(refusals)
        self._missing = 0
        self._runtime.reply(self._reply_to, self.result())

    def done(self) -> bool:
        """Whether the sender has its answer, or waits no longer."""
        return self._reply_to.done()

    def result(self) -> Broadcast:
        """What became of it so far."""
        outcomes = {to: self._outcomes[to] for to in self._receivers if to in self._outcomes}
        reached = sum(isinstance(outcome, Acknowledged) for outcome in outcomes.values())
        match self._strategy:
            case "best_effort":
                fulfilled = True
            case "at_least_one":
                fulfilled = reached > 0
            case "all_or_nothing":
                fulfilled = reached == len(self._receivers)
        return Broadcast(fulfilled, outcomes)
