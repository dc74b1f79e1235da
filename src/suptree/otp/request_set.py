"""`RequestSet`: wait for many requests at once, in the order in which they are answered.

Owned by whoever made it; one task waits on it at a time.  What it holds when its
block is left is given up: late replies are dropped, and nothing is left behind.

>>> async with RequestSet() as asking:
...     for counter in counters:
...         asking.add(Counter.increment.send_request(counter), label=counter)
...     async for counter, request in asking:
...         print(counter, request.error or request.result())
"""

from __future__ import annotations

from collections import deque
from collections.abc import AsyncIterator
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from suptree.core import Slot, SlotExpiredError, check_delay, find_runtime
from suptree.errors import UsageError
from suptree.otp.pending import Request

if TYPE_CHECKING:
    from types import TracebackType

__all__ = ["RequestSet"]

L = TypeVar("L")


class RequestSet(Generic[L]):
    """Requests that are waited for together (OTP: `reqids`)."""

    def __init__(self) -> None:
        self._open: dict[Request[Any], L] = {}
        self._answered: deque[tuple[L, Request[Any]]] = deque()
        self._waiter: Slot | None = None

    def add(self, request: Request[Any], label: L) -> None:
        """Take *request* in; *label* comes back with its answer.

        Raises:
            UsageError: It is in the set already.
        """
        if request in self._open:
            raise UsageError(f"RequestSet: {request!r} is in the set already, as {label!r}.")
        self._open[request] = label
        request.when_done(self._done)

    def __len__(self) -> int:
        """How many were added and not yet taken out."""
        return len(self._open) + len(self._answered)

    async def wait_any(self, timeout: float | None = None) -> tuple[L, Request[Any]] | None:
        """Take out the next one that is answered.

        Args:
            timeout: Seconds; None waits until one is; 0 looks.

        Returns:
            Label and request, which is done; None if none was answered in time, or the
            set is empty.
        """
        if timeout is not None:
            check_delay("RequestSet", "timeout", timeout)
        if not self._answered and self._open:
            await self._wait(timeout)
        return self._answered.popleft() if self._answered else None

    async def __aiter__(self) -> AsyncIterator[tuple[L, Request[Any]]]:
        """Take all out, as they are answered; more may be added meanwhile."""
        while (answer := await self.wait_any()) is not None:
            yield answer

    def cancel(self) -> None:
        """Give up what is open, and forget what is answered."""
        still_open, self._open = self._open, {}
        for request in still_open:
            request.cancel()
        self._answered.clear()

    async def __aenter__(self) -> RequestSet[L]:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.cancel()

    async def _wait(self, timeout: float | None) -> None:
        if self._waiter is not None:
            raise UsageError(
                "RequestSet: somebody waits on this set already. Make one for each task."
            )
        runtime = find_runtime("RequestSet")
        waiter = self._waiter = runtime.park()
        if timeout is not None:
            runtime.ticker.expire_after(waiter, timeout)
        try:
            await waiter
        except SlotExpiredError:
            return
        finally:
            self._waiter = None

    def _done(self, request: Request[Any]) -> None:
        if request not in self._open:  # given up
            return
        self._answered.append((self._open.pop(request), request))
        if self._waiter is not None:
            self._waiter.set(None)
