"""The caller's side of a protected call: it runs here, in the caller, and tells the breaker how it went."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from types import TracebackType
from typing import Any, Final, NamedTuple, ParamSpec, Protocol, TypeVar

from suptree.errors import (
    CallTimeoutError,
    NoProcessError,
    RuntimeClosedError,
    ServerExitError,
)
from suptree.otp import ServerRef
from suptree.services.breakers.entry import Grant, Refusal
from suptree.services.breakers.errors import BreakerOpenError, BreakerTimeoutError
from suptree.services.parts.awaited import NotAsyncError, awaitable
from suptree.services.parts.hold import give_back
from suptree.services.parts.window import CallOutcome

__all__ = ["Gate", "Guard", "run_protected"]

P = ParamSpec("P")
R = TypeVar("R")
_WHO: Final = "CircuitBreakers.run"


class Gate(NamedTuple):
    """The requests that a protected call makes of its service."""

    permit: Callable[[ServerRef[Any], str], Awaitable[Any]]
    """Gives a Grant, or a Refusal."""
    record: Record
    """Tells the outcome, and comes back when it is counted."""
    drop: Drop
    """Says that there is none, and does not wait."""


class Record(Protocol):
    """The request that tells an outcome."""

    def __call__(
        self,
        server: ServerRef[Any],
        name: str,
        grant: Grant,
        outcome: CallOutcome,
        duration: float,
        /,
    ) -> Awaitable[None]: ...


class Drop(Protocol):
    """The request that gives a permit back."""

    def __call__(
        self, server: ServerRef[Any], name: str, grant: Grant, duration: float, /
    ) -> None: ...


async def run_protected(
    gate: Gate,
    server: ServerRef[Any],
    name: str,
    function: Callable[P, Awaitable[R]],
    *args: P.args,
    **kwargs: P.kwargs,
) -> R:
    """Call *function* if the breaker lets it through, and tell the breaker how it went."""
    grant: Grant | Refusal = await gate.permit(server, name)
    if isinstance(grant, Refusal):
        raise BreakerOpenError(name, grant.state, grant.retry_after)
    if grant.config.call_timeout is not None:
        async with Guard(gate, server, name, grant):
            return await awaitable(_WHO, function, function(*args, **kwargs))
    now = grant.server.runtime.now
    told = False
    started = now()
    try:
        try:
            value = await awaitable(_WHO, function, function(*args, **kwargs))
        except NotAsyncError:
            raise
        except Exception as error:
            told = True
            await _tell(gate, name, grant, grant.config.outcome_of(error), now() - started)
            raise
        told = True
        await _tell(gate, name, grant, CallOutcome.SUCCESS, now() - started)
        return value
    finally:
        if not told:  # it was cancelled, or its process ends, or it was no call at all
            give_back(gate.drop, grant.server, name, grant, now() - started)


async def _tell(gate: Gate, name: str, grant: Grant, outcome: CallOutcome, duration: float) -> None:
    try:
        await gate.record(grant.server, name, grant, outcome, duration)
    except (NoProcessError, ServerExitError, CallTimeoutError, RuntimeClosedError):
        return  # the service ends, or hangs: that is no matter of the call, which has its outcome


class Guard:
    """`async with`: the block is the protected call."""

    __slots__ = ("_gate", "_grant", "_name", "_server", "_started", "_timeout")

    def __init__(
        self, gate: Gate, server: ServerRef[Any], name: str, grant: Grant | None = None
    ) -> None:
        self._gate = gate
        self._server = server
        self._name = name
        self._grant = grant
        self._timeout: asyncio.Timeout | None = None
        self._started = 0.0

    async def __aenter__(self) -> None:
        grant = self._grant
        if grant is None:
            answer: Grant | Refusal = await self._gate.permit(self._server, self._name)
            if isinstance(answer, Refusal):
                raise BreakerOpenError(self._name, answer.state, answer.retry_after)
            grant = self._grant = answer
        self._started = grant.server.runtime.now()
        if grant.config.call_timeout is not None:
            self._timeout = asyncio.timeout(grant.config.call_timeout)
            await self._timeout.__aenter__()

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        grant, self._grant = self._grant, None
        timeout, self._timeout = self._timeout, None
        assert grant is not None
        duration = grant.server.runtime.now() - self._started
        late: BreakerTimeoutError | None = None
        if timeout is not None:
            try:
                await timeout.__aexit__(kind, error, trace)
            except TimeoutError:
                late = BreakerTimeoutError(self._name, grant.config.call_timeout or 0.0)
        if late is not None:
            await _tell(self._gate, self._name, grant, CallOutcome.FAILURE, duration)
            raise late from error
        if isinstance(error, NotAsyncError) or not isinstance(error, Exception | None):
            give_back(self._gate.drop, grant.server, self._name, grant, duration)
            return
        outcome = grant.config.outcome_of(error)
        await _tell(self._gate, self._name, grant, outcome, duration)
