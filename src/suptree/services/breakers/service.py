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

from collections.abc import Awaitable, Callable
from typing import Any, Final, ParamSpec, TypeVar

from suptree.otp import ServerRef, call, cast
from suptree.services.breakers.entry import BreakerStats, BreakerStatus, Grant, Refusal
from suptree.services.breakers.errors import (
    TooManyBreakersError,
    UnknownBreakerError,
)
from suptree.services.breakers.events import BREAKER_CONFIGURED, BREAKER_REMOVED
from suptree.services.breakers.guard import Gate, Guard, run_protected
from suptree.services.breakers.state import (
    HELD_SPACE,
    SPACE,
    BreakersState,
    ByHand,
    check_breaker,
)
from suptree.services.parts.breaker import BreakerConfig, BreakerState
from suptree.services.parts.checks import check_callable, check_count, check_name
from suptree.services.parts.plain import to_plain
from suptree.services.parts.store import Store
from suptree.services.parts.window import CallOutcome

__all__ = ["CircuitBreakers"]

P = ParamSpec("P")
R = TypeVar("R")


class CircuitBreakers(BreakersState):
    """The breakers of a system.

    Args:
        breakers: Name -> configuration; there again after a restart.
        store: Keeps what is configured, or opened by hand, at run time; None: that is lost
            with the service.
        max_breakers: So many at most.

    Raises:
        ValueError: A name or a configuration will not do.
    """

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
            NotAsyncError: *function* is not async; that counts neither way.
            UnknownBreakerError: There is no such breaker.

        Emits: `suptree.breaker.call.ended`, `.rejected`, `suptree.breaker.state.changed`.
        """
        if name.__class__ is not str or not callable(function):
            check_name("CircuitBreakers.run", "name", name)
            check_callable("CircuitBreakers.run", "function", function)
        return await run_protected(_GATE, server, name, function, *args, **kwargs)

    @staticmethod
    def guard(server: ServerRef[CircuitBreakers], name: str) -> Guard:
        """Protect a block: ``async with CircuitBreakers.guard("breakers", "bank"): ...``; as `run`."""
        check_name("CircuitBreakers.guard", "name", name)
        return Guard(_GATE, server, name)

    # -- looking -------------------------------------------------------------------------------

    @staticmethod
    async def status(server: ServerRef[CircuitBreakers], name: str) -> BreakerStatus:
        """How the breaker stands.

        Raises:
            UnknownBreakerError: There is no such breaker.
        """
        check_name("CircuitBreakers.status", "name", name)
        return await CircuitBreakers._ask_status(server, name)

    @call
    def all(self) -> dict[str, BreakerStatus]:
        """How all of them stand, by name."""
        return {name: self._status_of(name, entry) for name, entry in self._entries.items()}

    @call
    def stats(self) -> BreakerStats:
        """What the service as a whole has done."""
        now = self._now()
        states: list[BreakerState] = []
        for name, entry in self._entries.items():
            self._note(name, entry, entry.breaker.look(now))
            states.append(entry.breaker.state)
        return BreakerStats(
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
        check_breaker("CircuitBreakers.configure", name, config)
        plain = to_plain(config)
        store = await CircuitBreakers._ask_configure(server, name, config)
        if store is not None:
            await store.put(SPACE, name, plain)

    @staticmethod
    async def remove(server: ServerRef[CircuitBreakers], name: str) -> bool:
        """Forget a breaker; whether there was one.  One of the constructor is back after a restart."""
        check_name("CircuitBreakers.remove", "name", name)
        removed, store = await CircuitBreakers._ask_remove(server, name)
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

    @call(raises=UnknownBreakerError)
    def _permit(self, name: str) -> Grant | Refusal:
        """Leave for one call, or none.  For `run` and `guard`."""
        entry = self._entries.get(name)
        if entry is None:
            raise UnknownBreakerError(name, self._entries)
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
    def _drop(self, name: str, grant: Grant, duration: float) -> None:
        """A call that had leave has no outcome.  For `run` and `guard`."""
        self._record(name, grant, CallOutcome.IGNORED, duration)

    @call(timeout=1.0)
    def _record(self, name: str, grant: Grant, outcome: CallOutcome, duration: float) -> None:
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

    @call(raises=UnknownBreakerError)
    def _ask_status(self, name: str) -> BreakerStatus:
        """The request of `status`."""
        entry = self._entries.get(name)
        if entry is None:
            raise UnknownBreakerError(name, self._entries)
        return self._status_of(name, entry)

    # The store comes along in the answer: the caller keeps what it made, the service waits for none.

    @call(raises=TooManyBreakersError)
    def _ask_configure(self, name: str, config: BreakerConfig) -> Store | None:
        """The request of `configure`."""
        entry = self._entries.get(name)
        if entry is None and len(self._entries) >= self._limit:
            raise TooManyBreakersError(name, self._limit)
        if entry is None:
            self._add(name, config)
        elif entry.breaker.config != config:
            self._disown_all(name, entry)
            entry.breaker.configure(config)
        facts = {"breaker": name}
        self._telemetry.emit(BREAKER_CONFIGURED, {"breakers_count": len(self._entries)}, facts)
        return self._store

    @call
    def _ask_remove(self, name: str) -> tuple[bool, Store | None]:
        """The request of `remove`."""
        entry = self._entries.pop(name, None)
        if entry is None:
            return False, self._store
        self._disown_all(name, entry)
        self._first_epoch = max(self._first_epoch, entry.breaker.epoch + 1)
        facts = {"breaker": name}
        self._telemetry.emit(BREAKER_REMOVED, {"breakers_count": len(self._entries)}, facts)
        return True, self._store

    @call(raises=UnknownBreakerError)
    def _ask_by_hand(self, name: str, what: ByHand) -> tuple[BreakerStatus, Store | None]:
        """The request of `open`, `close` and `reset`."""
        if name not in self._entries:
            raise UnknownBreakerError(name, self._entries)
        self._by_hand(name, what)
        return self._status_of(name, self._entries[name]), self._store


_GATE: Final = Gate(
    CircuitBreakers._permit,  # pyright: ignore[reportPrivateUsage]
    CircuitBreakers._record,  # pyright: ignore[reportPrivateUsage]
    CircuitBreakers._drop,  # pyright: ignore[reportPrivateUsage]
)


async def _by_hand(server: ServerRef[Any], name: str, what: ByHand) -> BreakerStatus:
    check_name(f"CircuitBreakers.{what}", "name", name)
    ask = CircuitBreakers._ask_by_hand  # pyright: ignore[reportPrivateUsage]
    status, store = await ask(server, name, what)
    if store is not None:
        if what == "open":
            await store.put(HELD_SPACE, name, True)
        else:
            await store.delete(HELD_SPACE, name)
    return status
