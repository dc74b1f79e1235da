"""`Request`: a call that was sent and not yet waited for (OTP: `send_request`).

Made by `send_request(server, request)` and by `Counter.increment.send_request(counter)`;
waited for alone, or many at once in a `RequestSet`.  No monitor is made: the callee's
death answers it, so every wait ends.  Refused: waiting for oneself.

>>> asking = Counter.increment.send_request(counter, by=2)
>>> ...                            # do something else meanwhile
>>> await asking
2
"""

from __future__ import annotations

from collections.abc import Callable, Generator
from typing import Any, Generic, NoReturn, TypeVar

from suptree.core import (
    CURRENT,
    ReplyTo,
    Slot,
    SlotExpiredError,
    check_delay,
    describe_wait,
    limited,
)
from suptree.errors import CallTimeoutError, SelfCallError, UsageError

__all__ = ["Request"]

R_co = TypeVar("R_co", covariant=True)


class Request(Generic[R_co]):
    """The reply that is still to come.

    Attributes:
        server: Whom it was sent to: a pid or a name.
        text: The request, for people.
    """

    __slots__ = ("_listeners", "_slot", "server", "text")

    def __init__(self, server: object, text: str, slot: Slot) -> None:
        self.server = server
        self.text = text
        self._slot = slot
        self._listeners: list[Callable[[Request[Any]], object]] = []
        slot.add_done_callback(self._filled)

    def __repr__(self) -> str:
        return f"<Request {self.text} to {self.server!r}, {self._slot.state.name.lower()}>"

    # -- looking ------------------------------------------------------------------------

    def done(self) -> bool:
        """Say whether the reply, or the error in its place, is there."""
        return self._slot.done()

    def result(self) -> R_co:
        """The reply; raises the error in its place.

        Raises:
            NoProcessError, ServerExitError, BadRequestError, MailboxFullError: As for a call.
            UsageError: It is not there yet.
        """
        if not self._slot.done():
            raise UsageError(f"{self!r} has no reply yet. Await it, or look at done() first.")
        value: R_co = self._slot.outcome()
        return value

    @property
    def error(self) -> BaseException | None:
        """The error in the place of the reply; None if there is a reply, or nothing yet."""
        value = self._slot.value
        return value if self._slot.done() and isinstance(value, BaseException) else None

    # -- waiting --------------------------------------------------------------------------

    def __await__(self) -> Generator[Any, None, R_co]:
        """Wait for the reply for ever; a deadline comes with `response`."""
        return self.response(None).__await__()

    async def response(self, timeout: float | None = 5.0) -> R_co:
        """Wait for the reply, and give up when *timeout* seconds are over (OTP: `receive_response`).

        Raises:
            CallTimeoutError: No reply in time; a late one is dropped.
            As `result` does.
        """
        timeout = limited(timeout)
        if not await self.wait(timeout):
            error = self._timed_out(timeout)
            self.cancel()
            raise error
        return self.result()

    async def wait(self, timeout: float | None = None) -> bool:
        """Wait until it is done, at most *timeout* seconds; nothing is given up (OTP: `wait_response`).

        Returns:
            Whether it is done.
        """
        slot = self._slot
        if timeout is not None:
            check_delay(f"{self.text}", "timeout", timeout)
        if slot.done():
            return True
        if isinstance(slot, ReplyTo) and CURRENT.get() is slot.callee:
            raise SelfCallError(self.server, self.text)
        place: Slot
        if isinstance(slot, ReplyTo):  # seen in wait chains
            place = ReplyTo(slot.runqueue, slot.callee, slot.caller)
        else:
            place = Slot(slot.runqueue)
        self.when_done(place.set)
        if timeout is not None:
            _runtime_of(slot).ticker.expire_after(place, timeout)
        try:
            await place
        except SlotExpiredError:
            return slot.done()
        finally:
            if place.set in self._listeners:
                self._listeners.remove(place.set)
        return True

    def cancel(self) -> None:
        """Want the reply no more; the server is unaffected, and a late reply is dropped."""
        slot = self._slot
        if slot.cancel() and isinstance(slot, ReplyTo) and slot.callee.pending is not None:
            slot.callee.pending.discard(slot)

    def when_done(self, listener: Callable[[Request[Any]], object]) -> None:
        """Have ``listener(self)`` called by the run loop once it is done."""
        if self._slot.done():
            listener(self)
        else:
            self._listeners.append(listener)

    # -- inside ---------------------------------------------------------------------------

    def _filled(self, _slot: object) -> None:
        listeners, self._listeners = self._listeners, []
        for listener in listeners:
            listener(self)

    def _timed_out(self, timeout: float | None) -> CallTimeoutError:
        slot = self._slot
        detail = describe_wait(slot.callee, slot.caller) if isinstance(slot, ReplyTo) else ""
        return CallTimeoutError(self.server, self.text, timeout or 0.0, detail)

    def __reduce__(self) -> NoReturn:
        raise TypeError(f"{self!r} cannot be pickled: it is meaningful in its own runtime only.")


def _runtime_of(slot: Slot) -> Any:
    assert isinstance(slot, ReplyTo)
    return slot.callee.runtime
