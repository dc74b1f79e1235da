"""The caller's side of a protected call: it runs here, in the caller, and tells the breaker how it went."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from types import TracebackType
from typing import Any, NamedTuple, ParamSpec, Protocol, TypeVar

from suptree.otp import ServerRef
from suptree.services.breakers.entry import Grant
from suptree.services.breakers.errors import BreakerTimeoutError
from suptree.services.parts.window import Outcome

__all__ = ["Guard", "Gate", "run_protected"]

P = ParamSpec("P")
R = TypeVar("R")


class Gate(NamedTuple):
    """The two requests that a protected call makes of its service."""

    enter: Callable[[ServerRef[Any], str], Awaitable[Grant]]
    """Gives leave, or raises."""
    leave: Leave


class Leave(Protocol):
    """Tells the outcome; nobody waits for an answer."""

    def __call__(
        self, server: ServerRef[Any], name: str, grant: Grant, outcome: Outcome, duration: float, /
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
    grant = await gate.enter(server, name)
    if grant.config.call_timeout is not None:
        async with Guard(gate, server, name, grant):
            return await function(*args, **kwargs)
    now = grant.server.runtime.now
    outcome = Outcome.IGNORED  # whatever is no Exception: cancelled, or the process ends
    started = now()
    try:
        value = await function(*args, **kwargs)
        outcome = Outcome.SUCCESS
        return value
    except Exception as error:
        outcome = grant.config.outcome_of(error)
        raise
    finally:
        gate.leave(grant.server, name, grant, outcome, now() - started)


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
            grant = self._grant = await self._gate.enter(self._server, self._name)
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
        assert grant is not None
        duration = grant.server.runtime.now() - self._started
        outcome = grant.config.outcome_of(error)
        try:
            if self._timeout is not None:
                await self._timeout.__aexit__(kind, error, trace)
        except TimeoutError:
            outcome = Outcome.FAILURE
            limit = grant.config.call_timeout
            raise BreakerTimeoutError(self._name, limit or 0.0) from error
        finally:
            self._timeout = None
            self._gate.leave(grant.server, self._name, grant, outcome, duration)
