"""`BreakersState`: what the process of a `CircuitBreakers` holds, and what happens there of itself."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, Literal

from suptree.otp import GenServer
from suptree.services.breakers.entry import BreakerStatus, Entry, Refusal
from suptree.services.breakers.events import (
    BREAKER_CALL_ENDED,
    BREAKER_CALL_REJECTED,
    BREAKER_STATE_CHANGED,
)
from suptree.services.parts.breaker import Breaker, BreakerConfig, Permit, Transition
from suptree.services.parts.checks import check_count, check_kind, check_name, checked_by_name
from suptree.services.parts.owners import Owners
from suptree.services.parts.plain import from_plain
from suptree.services.parts.store import Store, checked_store

__all__ = ["HELD_SPACE", "SPACE", "BreakersState", "ByHand", "check_breaker"]

SPACE: Final = "breakers"
"""The space of the store in which configurations of run time are kept."""
HELD_SPACE: Final = "breakers.held_open"
"""That of the names of breakers that were opened by hand."""
ByHand = Literal["open", "close", "reset"]


class BreakersState(GenServer):
    """The state of the breakers; see `CircuitBreakers` for the arguments."""

    def __init__(
        self,
        breakers: Mapping[str, BreakerConfig] | None = None,
        *,
        store: Store | None = None,
        max_breakers: int = 1000,
    ) -> None:
        check_count("CircuitBreakers", "max_breakers", max_breakers)
        self._store = checked_store("CircuitBreakers", store)
        self._limit = max_breakers
        self._owners: Owners[tuple[str, Permit]] = Owners()
        self._entries: dict[str, Entry] = {}
        self._first_epoch = 0  # permits of a removed breaker mean nothing to its successor
        self._released = 0
        runtime = self._process.runtime
        self._now = runtime.now
        self._ended = runtime.telemetry.slot(BREAKER_CALL_ENDED)
        self._rejected = runtime.telemetry.slot(BREAKER_CALL_REJECTED)
        self._telemetry = runtime.telemetry
        for name, config in checked_by_name(
            "CircuitBreakers", "breakers", breakers, "BreakerConfig"
        ).items():
            check_breaker("CircuitBreakers", name, config)
            self._add(name, config)

    async def init(self) -> None:
        """Bring back what was configured, or opened by hand, at run time."""
        if self._store is None:
            return
        for name, data in (await self._store.load(SPACE)).items():
            config = from_plain(BreakerConfig, data)
            if name in self._entries:
                self._entries[name].breaker.configure(config)
            else:
                self._add(name, config)
        for name in await self._store.load(HELD_SPACE):
            if name in self._entries:
                self._by_hand(name, "open")

    def handle_info(self, message: object) -> None:
        """A process that made probes has ended: their places are free."""
        for name, permit in self._owners.gone(message):
            self._released += 1
            entry = self._entries[name]
            del entry.probers[permit]
            entry.breaker.release(permit)

    # -- inside ------------------------------------------------------------------------------------

    def _add(self, name: str, config: BreakerConfig) -> None:
        self._entries[name] = Entry(self.pid, Breaker(config, epoch=self._first_epoch))

    def _status_of(self, name: str, entry: Entry) -> BreakerStatus:
        now = self._now()
        self._note(name, entry, entry.breaker.look(now))
        return entry.status(name, now)

    def _by_hand(self, name: str, what: ByHand) -> None:
        entry, now = self._entries[name], self._now()
        match what:
            case "open":
                transition = entry.breaker.open(now)
            case "close":
                transition = entry.breaker.close(now)
            case "reset":
                transition = entry.breaker.reset(now)
        self._note(name, entry, transition)

    def _refused(self, name: str, entry: Entry, retry_after: float | None) -> Refusal:
        entry.rejected += 1
        state = str(entry.breaker.state)
        if self._rejected.handlers:
            facts = {"breaker": name, "state": state, "retry_after_s": retry_after}
            self._rejected.emit({"count": 1}, facts)
        return Refusal(state, retry_after)

    def _note(self, name: str, entry: Entry, transition: Transition | None) -> None:
        if transition is None:
            return
        entry.changed(transition)
        self._disown_all(name, entry)
        counts = transition.counts
        self._telemetry.emit(
            BREAKER_STATE_CHANGED,
            {
                "calls_count": counts.calls,
                "failures_count": counts.failures,
                "slow_count": counts.slow,
            },
            {
                "breaker": name,
                "before": str(transition.before),
                "after": str(transition.after),
                "reason": str(transition.reason),
            },
        )

    def _disown(self, name: str, entry: Entry, permit: Permit) -> None:
        prober = entry.probers.pop(permit, None)
        if prober is not None:
            self._owners.discard(prober, (name, permit))

    def _disown_all(self, name: str, entry: Entry) -> None:
        for permit in list(entry.probers):
            self._disown(name, entry, permit)


def check_breaker(who: str, name: object, config: object) -> None:
    """Refuse a name that is none, and what is no configuration.

    Raises:
        ValueError: It will not do.
    """
    check_name(who, "name", name)
    check_kind(who, f"config of {name!r}", config, BreakerConfig, "a BreakerConfig")
