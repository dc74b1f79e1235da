"""Those who wait for a rate, key by key, first come first served, with one timer for all.

For use inside the server, in its handlers: the timer and the monitors are the server's.
"""

from __future__ import annotations

from collections.abc import Callable

from suptree.core import ReplyTo
from suptree.otp import GenServer
from suptree.services.limits.book import SHORTEST, Key, Waiter
from suptree.services.limits.errors import CostTooHighError
from suptree.services.parts.alarm import Alarm
from suptree.services.parts.deadlines import NEVER, Deadlines
from suptree.services.parts.owners import Owners
from suptree.services.parts.turnstile import Ticket

__all__ = ["Lines"]


class Lines:
    """All lines of one server.

    Args:
        server: Whose timer and monitors these are, and who replies.
        passed: Called with the key, the cost and the seconds waited when somebody passes.

    Attributes:
        released: Places given back because their process ended.
    """

    __slots__ = (
        "_alarm",
        "_due",
        "_owners",
        "_passed",
        "_server",
        "_waiters",
        "released",
    )

    def __init__(self, server: GenServer, passed: Callable[[Key, int, float], None]) -> None:
        self._server = server
        self._passed = passed
        self._waiters: dict[Ticket, Waiter] = {}
        self._owners: Owners[Ticket] = Owners()
        self._due: Deadlines[Key] = Deadlines()
        self._alarm = Alarm(server)
        self.released = 0

    def join(self, key: Key, cost: int, ticket: Ticket, sender: ReplyTo, now: float) -> None:
        """*sender* waits at the end of the line of *key*, and is answered when it passes."""
        owner = sender.pid
        waiter = Waiter(key, cost, sender, owner, now)
        key.line[ticket] = self._waiters[ticket] = waiter
        if owner is not None:
            self._owners.add(owner, ticket)
        if key.due == NEVER:
            self.serve(key, now)

    def leave(self, ticket: Ticket, now: float) -> Waiter | None:
        """Somebody gives up; None: it does not wait any more."""
        waiter = self._waiters.get(ticket)
        if waiter is not None:
            self._forget(ticket)
            self.serve(waiter.key, now)
        return waiter

    def serve(self, key: Key, now: float) -> None:
        """Let those pass who may, in the order of the line; the next one has a time then."""
        meter = key.meter
        assert meter is not None
        self._due.clear(key)
        limit = key.limiter.limit.limit
        while key.line:
            ticket, waiter = next(iter(key.line.items()))
            if waiter.reply_to.done():  # it has given up, and says so soon
                self._forget(ticket)
            elif waiter.cost > limit:  # that was lowered meanwhile
                self._forget(ticket)
                error = CostTooHighError(key.limiter.name, waiter.cost, limit)
                self._server.reply_error(waiter.reply_to, error)
            elif meter.take(waiter.cost, now):
                self._forget(ticket)
                self._passed(key, waiter.cost, now - waiter.since)
                verdict = key.verdict(meter, True, waiter.cost, now)
                self._server.reply(waiter.reply_to, verdict)
            else:
                self._due.set(key, now + max(meter.wait(waiter.cost, now), SHORTEST))
                break
        self._alarm.arm(self._due.next_due(), now)

    def serve_due(self, message: object, now: float) -> bool:
        """If *message* is the ring of the timer, let those pass whose time has come; whether it was."""
        if not self._alarm.rang(message):
            return False
        while (key := self._due.take_due(now + SHORTEST / 2)) is not None:
            self.serve(key, now)
        self._alarm.arm(self._due.next_due(), now)
        return True

    def gone(self, message: object, now: float) -> None:
        """If *message* is the Down of somebody who waits, its places are free."""
        tickets = self._owners.gone(message)
        waiters = [self._waiters.pop(ticket) for ticket in tickets]
        self.released += len(tickets)
        for ticket, waiter in zip(tickets, waiters, strict=True):
            del waiter.key.line[ticket]  # of all first: none is served in the place of another
        for waiter in waiters:
            self.serve(waiter.key, now)

    def evict(self, key: Key) -> list[ReplyTo]:
        """Nobody waits for *key* any more; the replies due to those who did."""
        replies = [waiter.reply_to for waiter in key.line.values()]
        for ticket in list(key.line):
            self._forget(ticket)
        self._due.clear(key)
        return replies

    def owners(self) -> int:
        """How many processes wait."""
        return len(self._owners)

    def _forget(self, ticket: Ticket) -> None:
        waiter = self._waiters.pop(ticket)
        del waiter.key.line[ticket]
        if waiter.owner is not None:
            self._owners.discard(waiter.owner, ticket)
