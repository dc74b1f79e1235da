"""`CircuitBreakers`: named breakers, and calls that they protect.

The service decides and counts.  The protected call itself runs in its caller, so that a
slow one keeps nobody else waiting.  A probe of a half-open breaker belongs to the process
that makes it: if that ends, or is cancelled, its place is free again.

Breakers given to the constructor are there again after a restart of the service, closed.  With a
`store`, so are those that were configured at run time, and whatever was opened by hand stays open.

>>> import asyncio, suptree as st
>>> from suptree.services import BreakerConfig, BreakerOpenError, CircuitBreakers
>>> async def pay(cents: int) -> int:
...     raise ConnectionError("the bank is away")
>>> async def main():
...     async with st.Runtime():
...         breakers = await CircuitBreakers.start_link({"bank": BreakerConfig(failure_threshold=2)})
...         for _ in range(3):
...             try:
...                 await CircuitBreakers.run(breakers, "bank", pay, 250)
...             except (ConnectionError, BreakerOpenError) as error:
...                 print(type(error).__name__)
>>> asyncio.run(main())
ConnectionError
ConnectionError
BreakerOpenError
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final, Literal, ParamSpec, TypeVar

from suptree.otp import GenServer, ServerRef, call, cast
from suptree.services.breakers.entry import BreakerStatus, Entry, Grant
from suptree.services.breakers.errors import (
    BreakerError,
    BreakerOpenError,
    TooManyBreakersError,
    UnknownBreakerError,
)
from suptree.services.breakers.events import (
    BREAKER_CALL_ENDED,
    BREAKER_CALL_REJECTED,
    BREAKER_CONFIGURED,
    BREAKER_REMOVED,
    BREAKER_STATE_CHANGED,
)
from suptree.services.breakers.guard import Gate, Guard, run_protected
from suptree.services.parts.breaker import (
    Breaker,
    BreakerConfig,
    BreakerState,
    Permit,
    Transition,
)
from suptree.services.parts.checks import check_count, check_name
from suptree.services.parts.owners import Owners
from suptree.services.parts.plain import from_plain, to_plain
from suptree.services.parts.store import Store
from suptree.services.parts.window import CallOutcome

__all__ = ["BreakersStats", "CircuitBreakers"]

P = ParamSpec("P")
R = TypeVar("R")

SPACE: Final = "breakers"
HELD_SPACE: Final = "breakers.held_open"
ByHand = Literal["open", "close", "reset"]


@dataclass(frozen=True, slots=True, kw_only=True)
class BreakersStats:
    """What the service has done since it started.

    Attributes:
        breakers: How many there are.
        open: How many of them are open.
        half_open: How many of them are half open.
        probers: Processes that make probes now.
        released: Probes given back because their process ended.
    """

    breakers: int
    open: int
    half_open: int
    probers: int
    released: int


class CircuitBreakers(GenServer):
    """The breakers of a system.

    Args:
        breakers: Name -> configuration; there again after a restart.
        store: Keeps what is configured, or opened by hand, at run time; None: that is lost
            with the service.
        max_breakers: So many at most.

    Raises:
        ValueError: A name or a configuration will not do.
    """

    def __init__(
        self,
        breakers: Mapping[str, BreakerConfig] | None = None,
        *,
        store: Store | None = None,
        max_breakers: int = 1000,
    ) -> None:
        check_count("CircuitBreakers", "max_breakers", max_breakers)
        self._store = store
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
        for name, config in (breakers or {}).items():
            _check("CircuitBreakers", name, config)
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

    # -- protected calls: these run in the caller ------------------------------------------

    @staticmethod
    async def run(
        server: ServerRef[CircuitBreakers],
        name: str,
        function: Callable[P, Awaitable[R]],
        /,
        *args: P.args,
        **kwargs: P.kwargs,
    ) -> R:
        """Call ``function(*args, **kwargs)`` here, in the caller, if the breaker lets it through.

        Args:
            server: The service: pid or name.
            name: The breaker.
            function: An async function; what it raises is raised.
            args: Its arguments.
            kwargs: Its arguments by name.

        Returns:
            What *function* returned.

        Raises:
            BreakerOpenError: The call was not made.
            BreakerTimeoutError: It took longer than `call_timeout`.
            UnknownBreakerError: There is no such breaker.

        Emits: `suptree.breaker.call.ended`, `.rejected`, `suptree.breaker.state.changed`.
        """
        return await run_protected(_GATE, server, name, function, *args, **kwargs)

    @staticmethod
    def guard(server: ServerRef[CircuitBreakers], name: str) -> Guard:
        """Protect a block: ``async with CircuitBreakers.guard("breakers", "bank"): ...``; as `run`."""
        return Guard(_GATE, server, name)

    # -- looking -------------------------------------------------------------------------------

    @staticmethod
    async def status(server: ServerRef[CircuitBreakers], name: str) -> BreakerStatus:
        """How the breaker stands.

        Raises:
            UnknownBreakerError: There is no such breaker.
        """
        return _right(BreakerStatus, await CircuitBreakers._ask_status(server, name))

    @call
    def all(self) -> dict[str, BreakerStatus]:
        """How all of them stand, by name."""
        return {name: self._status_of(name, entry) for name, entry in self._entries.items()}

    @call
    def stats(self) -> BreakersStats:
        """What the service as a whole has done."""
        now = self._now()
        states: list[BreakerState] = []
        for name, entry in self._entries.items():
            self._note(name, entry, entry.breaker.look(now))
            states.append(entry.breaker.state)
        return BreakersStats(
            breakers=len(states),
            open=states.count(BreakerState.OPEN),
            half_open=states.count(BreakerState.HALF_OPEN),
            probers=len(self._owners),
            released=self._released,
        )

    # -- changing ------------------------------------------------------------------------------

    @staticmethod
    async def configure(
        server: ServerRef[CircuitBreakers], name: str, config: BreakerConfig
    ) -> None:
        """Make a breaker, or give one another configuration: its state stays, its window is empty.

        Raises:
            ValueError: *name* or *config* will not do, or *config* cannot be stored.
            TooManyBreakersError: It would be one more than `max_breakers`.
        """
        _check("CircuitBreakers.configure", name, config)
        plain = to_plain(config)
        _right(type(None), await CircuitBreakers._ask_configure(server, name, config))
        store = await CircuitBreakers.store(server)
        if store is not None:
            await store.put(SPACE, name, plain)

    @staticmethod
    async def remove(server: ServerRef[CircuitBreakers], name: str) -> bool:
        """Forget a breaker; whether there was one.  One of the constructor is back after a restart."""
        removed = await CircuitBreakers._ask_remove(server, name)
        store = await CircuitBreakers.store(server)
        if store is not None:
            await store.delete(SPACE, name)
            await store.delete(HELD_SPACE, name)
        return removed

    @staticmethod
    async def open(server: ServerRef[CircuitBreakers], name: str) -> BreakerStatus:
        """Refuse every call until `close` or `reset`.

        Raises:
            UnknownBreakerError: There is no such breaker.
        """
        return await _by_hand(server, name, "open")

    @staticmethod
    async def close(server: ServerRef[CircuitBreakers], name: str) -> BreakerStatus:
        """Let calls through again, at once; see `open`."""
        return await _by_hand(server, name, "close")

    @staticmethod
    async def reset(server: ServerRef[CircuitBreakers], name: str) -> BreakerStatus:
        """Have it as new: closed, with an empty window, deaf to calls under way; see `open`."""
        return await _by_hand(server, name, "reset")

    @staticmethod
    async def reconfigure(
        server: ServerRef[CircuitBreakers], *, max_breakers: int | None = None
    ) -> None:
        """Go by another bound from now on; None: by the one that holds.

        No breaker is removed where it gets smaller: it holds for new ones.

        Raises:
            ValueError: *max_breakers* is no whole number above 0; nothing was changed.
        """
        check_count("CircuitBreakers.reconfigure", "max_breakers", max_breakers, optional=True)
        await CircuitBreakers._reconfigure(server, max_breakers)

    @call
    def _reconfigure(self, max_breakers: int | None) -> None:
        self._limit = max_breakers or self._limit

    # -- requests of the functions above -----------------------------------------------------------

    @call
    def permit(self, name: str) -> Grant | BreakerError:
        """Leave for one call, or the error to raise.  For `run` and `guard`."""
        entry = self._entries.get(name)
        if entry is None:
            return UnknownBreakerError(name, self._entries)
        admission = entry.breaker.permit(self._now())
        if admission.transition is not None:
            self._note(name, entry, admission.transition)
        grant = entry.grant(admission)
        if grant is None:
            return self._refused(name, entry, admission.retry_after)
        entry.permitted += 1
        if grant.permit.probe and self.sender.pid is not None:
            entry.probers[grant.permit] = self.sender.pid
            self._owners.add(self.sender.pid, (name, grant.permit))
        return grant

    @cast
    def drop(self, name: str, grant: Grant, duration: float) -> None:
        """A call that had leave has no outcome.  For `run` and `guard`."""
        self.record(name, grant, CallOutcome.IGNORED, duration)

    @call(timeout=1.0)
    def record(self, name: str, grant: Grant, outcome: CallOutcome, duration: float) -> None:
        """How a call went that had leave.  For `run` and `guard`."""
        entry = self._entries.get(name)
        if entry is None:
            return
        entry.totals[outcome] += 1
        permit = grant.permit
        if permit.probe:
            self._disown(name, entry, permit)
        transition = entry.breaker.record(permit, outcome, self._now(), duration)
        if transition is not None:
            self._note(name, entry, transition)
        if self._ended.handlers:
            self._ended.emit({"duration_s": duration}, {"breaker": name, "outcome": str(outcome)})

    @call
    def _ask_status(self, name: str) -> BreakerStatus | BreakerError:
        """The request of `status`."""
        entry = self._entries.get(name)
        return (
            UnknownBreakerError(name, self._entries)
            if entry is None
            else self._status_of(name, entry)
        )

    @call
    def store(self) -> Store | None:
        """Where what is made at run time is kept: the caller does it, the service waits for no store."""
        return self._store

    @call
    def _ask_configure(self, name: str, config: BreakerConfig) -> BreakerError | None:
        """The request of `configure`."""
        entry = self._entries.get(name)
        if entry is None and len(self._entries) >= self._limit:
            return TooManyBreakersError(name, self._limit)
        if entry is None:
            self._add(name, config)
        elif entry.breaker.config != config:
            self._disown_all(name, entry)
            entry.breaker.configure(config)
        facts = {"breaker": name}
        self._telemetry.emit(BREAKER_CONFIGURED, {"breakers_count": len(self._entries)}, facts)
        return None

    @call
    def _ask_remove(self, name: str) -> bool:
        """The request of `remove`."""
        entry = self._entries.pop(name, None)
        if entry is None:
            return False
        self._disown_all(name, entry)
        self._first_epoch = max(self._first_epoch, entry.breaker.epoch + 1)
        facts = {"breaker": name}
        self._telemetry.emit(BREAKER_REMOVED, {"breakers_count": len(self._entries)}, facts)
        return True

    @call
    def _ask_by_hand(self, name: str, what: ByHand) -> BreakerStatus | BreakerError:
        """The request of `open`, `close` and `reset`."""
        if name not in self._entries:
            return UnknownBreakerError(name, self._entries)
        self._by_hand(name, what)
        return self._status_of(name, self._entries[name])

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

    def _refused(self, name: str, entry: Entry, retry_after: float | None) -> BreakerOpenError:
        entry.rejected += 1
        state = str(entry.breaker.state)
        if self._rejected.handlers:
            facts = {"breaker": name, "state": state, "retry_after_s": retry_after}
            self._rejected.emit({"count": 1}, facts)
        return BreakerOpenError(name, state, retry_after)

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


A = TypeVar("A")


_GATE: Final = Gate(CircuitBreakers.permit, CircuitBreakers.record, CircuitBreakers.drop)


async def _by_hand(server: ServerRef[Any], name: str, what: ByHand) -> BreakerStatus:
    ask = CircuitBreakers._ask_by_hand  # pyright: ignore[reportPrivateUsage]
    status = _right(BreakerStatus, await ask(server, name, what))
    store = await CircuitBreakers.store(server)
    if store is not None:
        if what == "open":
            await store.put(HELD_SPACE, name, True)
        else:
            await store.delete(HELD_SPACE, name)
    return status


def _right(kind: type[A], answer: object) -> A:
    """The answer; or raise what it is instead, here, where the caller's code is."""
    if isinstance(answer, kind):
        return answer
    assert isinstance(answer, BreakerError)
    raise answer


def _check(who: str, name: object, config: object) -> None:
    check_name(who, "name", name)
    if not isinstance(config, BreakerConfig):
        raise ValueError(f"{who}: config of {name!r} must be a BreakerConfig; got {config!r}.")
