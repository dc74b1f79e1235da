"""`Deliveries`: what the bus does to bring signals to subscribers; a part of its process.

A `Lane` decides, and this sends, watches, and arms one timer for whatever is due first.
A turn does a bounded amount of work for each lane.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Final, Literal

from suptree.clock import wall_clock
from suptree.core import EXITING, Process
from suptree.errors import MailboxFullError
from suptree.otp import GenServer
from suptree.services.parts.owners import Owners
from suptree.services.signals import events
from suptree.services.signals.agenda import Agenda
from suptree.services.signals.dead_letters import DeadLetters
from suptree.services.signals.lane import Lane, Parcel
from suptree.services.signals.router import SignalRoute, SignalRouter
from suptree.services.signals.signal import Signal
from suptree.services.signals.subscription import Subscription
from suptree.services.signals.tickets import Ticket
from suptree.services.signals.totals import Totals
from suptree.services.signals.values import SignalDeadLetter, SignalOutcome, SignalReceived
from suptree.services.signals.waiting import WaitingPublishers
from suptree.telemetry import Event

__all__ = ["Deliveries", "Ending"]

Ending = Literal["unsubscribed", "down", "absent"]
DRAIN: Final = 0.02
"""Seconds until the bus looks again at a mailbox that was full."""
SENT: Final = SignalOutcome.SENT
AT_ONCE: Final = 1000
"""Signals of one lane, and lanes, that are looked after in one turn."""


class Deliveries:
    """The lanes of one bus.

    Args:
        server: The bus.
        label: What it is called in telemetry.
        max_dead_letters: How many dead letters are kept.
        ended: Told when a lane has ended, and why.
    """

    def __init__(
        self,
        server: GenServer,
        label: str,
        max_dead_letters: int,
        ended: Callable[[Lane, Ending], None],
    ) -> None:
        self._server = server
        self._runtime = server._process.runtime
        self._bus = server.pid
        self._label = label
        self._ended = ended
        self.lanes: dict[str, Lane] = {}
        self.router: SignalRouter[Lane] = SignalRouter()
        self.dead = DeadLetters(max_dead_letters)
        self.totals = Totals()
        self._subscribers: Owners[str] = Owners()
        self._agenda: Agenda[Lane | Ticket] = Agenda(server)
        self.publishers = WaitingPublishers(server, self.totals, self._agenda)
        telemetry = self._runtime.telemetry
        self._overflowed = telemetry.slot(events.OVERFLOWED)
        self._redelivered = telemetry.slot(events.REDELIVERED)

    # -- subscriptions ------------------------------------------------------------------

    def subscribe(self, subscription: Subscription, now: float, *, declared: bool = False) -> Lane:
        """Add a lane, or change the one that has this id and subscriber."""
        lane = self.lanes.get(subscription.id)
        if lane is None:
            lane = self.lanes[subscription.id] = Lane(subscription, now, declared=declared)
        else:
            self.router.remove(lane.route)
            lane.change(subscription)
        lane.route = self.router.add(
            subscription.path, lane, priority=subscription.priority, match=subscription.match
        )
        if lane.process is None:
            process = self._runtime.find(subscription.subscriber, "subscribe")
            if process is not None:
                self._attach(lane, process)
            elif subscription.name is None:  # dead before it was added: its Down ends it
                self._subscribers.add(subscription.subscriber, lane.id)  # type: ignore[arg-type]
        self._emit(
            events.SUBSCRIBED,
            {"subscriptions_count": len(self.lanes)},
            {**_names(lane), "path": subscription.path},
        )
        self._tend(lane, now)
        return lane

    def end(self, lane: Lane, reason: Ending, now: float) -> int:
        """Take a lane out; returns how many signals were left in it."""
        del self.lanes[lane.id]
        self.router.remove(lane.route)
        if lane.process is not None:
            self._subscribers.discard(lane.process.pid, lane.id)
        self.publishers.dismiss(lane, now)
        left = lane.close()
        if lane.delivery.ack and reason != "unsubscribed":
            for parcel in left:
                lane.dead_lettered += 1
                self._bury(lane, parcel, reason, now)
        else:
            self.totals.discarded += len(left)
            if left and reason != "unsubscribed":
                self.totals.last_loss = now
        self._emit(
            events.UNSUBSCRIBED, {"left_count": len(left)}, {**_names(lane), "reason": reason}
        )
        self._ended(lane, reason)
        return len(left)

    # -- publishing ---------------------------------------------------------------------

    def publish(
        self,
        signal: Signal,
        seq: int,
        routes: tuple[SignalRoute[Lane], ...],
        accepted: frozenset[SignalRoute[Lane]],
        ticket: Ticket | None,
        now: float,
    ) -> list[tuple[str, SignalOutcome]]:
        """Bring *signal* to everyone who wants it, or keep it for them."""
        outcomes: list[tuple[str, SignalOutcome]] = []
        for route in routes:
            if route.match is not None and route not in accepted:
                continue
            lane = route.targets[0]
            process = lane.process
            if process is None or process.state >= EXITING:
                process = self._present(lane, now)
                if process is not None and lane.pending:
                    self._flush(lane, now)
            if process is None and lane.subscription.name is None:
                outcome = self._gone(lane, Parcel(signal, seq), now)
            elif process is None or lane.pending or lane.blocked or not lane.has_room(process):
                outcome = self._keep(lane, Parcel(signal, seq), ticket, len(outcomes), now)
            elif lane.delivery.ack:
                parcel = Parcel(signal, seq)
                if self._send(lane, process, parcel, now):
                    outcome = SENT
                else:
                    outcome = self._keep(lane, parcel, ticket, len(outcomes), now)
            else:  # as `_send` does for one that is not acknowledged, in fewer steps
                try:
                    message = SignalReceived(signal, lane.id, seq, 1, self._bus, False)
                    self._runtime.send(process.pid, message)
                except MailboxFullError:
                    outcome = self._keep(lane, Parcel(signal, seq), ticket, len(outcomes), now)
                else:
                    lane.sent_count += 1
                    self.totals.sent += 1
                    outcome = SENT
            outcomes.append((lane.id, outcome))
        if ticket is not None:
            ticket.outcomes.append(outcomes)
        return outcomes

    # -- what subscribers say -----------------------------------------------------------

    def ack(self, id: str, seq: int, now: float) -> None:
        """A subscriber has dealt with a signal."""
        lane = self.lanes.get(id)
        if lane is not None and lane.ack(seq):
            self.totals.acked += 1
            if lane.pending or lane.blocked:
                self._flush(lane, now)

    def nack(self, id: str, seq: int, now: float) -> None:
        """A subscriber could not deal with a signal."""
        lane = self.lanes.get(id)
        if lane is None:
            return
        known, last = lane.fail(seq, now)
        if last is not None:
            self._bury(lane, last, "attempts", now)
        if known:
            self._flush(lane, now)

    # -- dead letters -------------------------------------------------------------------

    def redrive(self, letters: list[SignalDeadLetter], now: float) -> tuple[int, int]:
        """Send dead letters on their way again; returns how many, and how many stayed."""
        lanes: dict[Lane, None] = {}
        redriven = kept = 0
        for letter in letters:
            lane = self.lanes.get(letter.subscription)
            if lane is None or lane.is_full():
                kept += 1
                continue
            lane.pending.append(Parcel(letter.signal, letter.seq))
            self.dead.remove(letter.number)
            lanes[lane] = None
            redriven += 1
        for lane in lanes:
            self._flush(lane, now)
        self._emit(events.REDRIVEN, {"redriven_count": redriven, "kept_count": kept}, {})
        return redriven, kept

    # -- time and death -----------------------------------------------------------------

    def tick(self, message: object, now: float) -> bool:
        """If *message* is that of the timer, look after what is due; whether it was."""
        if not self._agenda.rang(message):
            return False
        for thing in self._agenda.due(now, AT_ONCE):
            if isinstance(thing, Ticket):
                self.publishers.overdue(thing, now)
            elif self.lanes.get(thing.id) is thing:
                self._tend(thing, now)
        return True

    def down(self, message: object, reason: object, now: float) -> None:
        """A subscriber or a waiting publisher has ended, if *message* says so."""
        for id in self._subscribers.gone(message):
            lane = self.lanes.get(id)
            if lane is None:
                continue
            if lane.subscription.name is None:
                self.end(lane, "down", now)
            else:
                self._detach(lane, reason, now)
                self._tend(lane, now)
        self.publishers.down(message, now)

    # -- inside: one lane ---------------------------------------------------------------

    def _present(self, lane: Lane, now: float) -> Process | None:
        """The living subscriber, who may be the next one of the name."""
        process = lane.process
        if process is not None and process.state < EXITING:
            return process
        name = lane.subscription.name
        if name is None:
            return None  # its Down is on its way
        if process is not None:
            self._detach(lane, None, now)
        process = self._runtime.find(name, "publish")
        if process is not None:
            self._attach(lane, process)
        return process

    def _attach(self, lane: Lane, process: Process) -> None:
        lane.process = process
        self._subscribers.add(process.pid, lane.id)
        if lane.subscription.name is not None:
            absent = max(0.0, self._runtime.now() - lane.absent_since)
            self._emit(
                events.SUBSCRIBER_RESUMED,
                {"pending_len": len(lane.pending), "absent_s": absent},
                {**_names(lane), "pid": process.pid},
            )

    def _detach(self, lane: Lane, reason: object, now: float) -> None:
        if lane.process is not None:
            self._subscribers.discard(lane.process.pid, lane.id)
        for parcel in lane.detach(now):
            self._bury(lane, parcel, "attempts", now)
        self._emit(
            events.SUBSCRIBER_GONE,
            {"pending_len": len(lane.pending)},
            {**_names(lane), "reason": reason},
        )

    def _tend(self, lane: Lane, now: float) -> None:
        """Do what is due in *lane*, and arm it for what is due next."""
        process = self._present(lane, now)
        if process is None and lane.is_given_up(now) and lane.subscription.name is not None:
            self.end(lane, "absent", now)
            return
        lane.drain_at = math.inf
        for parcel in lane.overdue(now, AT_ONCE):
            self._bury(lane, parcel, "attempts", now)
        if process is not None:
            for parcel in lane.again(now, AT_ONCE):
                if not self._send(lane, process, parcel, now):
                    lane.put_back(parcel, now)
        self._flush(lane, now)

    def _flush(self, lane: Lane, now: float) -> None:
        """Send what is pending and has room, and let publishers that wait take the places."""
        sent = 0
        while lane.pending:
            process = self._present(lane, now)
            if process is None:
                break
            if sent >= AT_ONCE:
                lane.drain_at = now
                break
            if not lane.has_room(process):
                if not lane.delivery.ack:
                    lane.drain_at = now + DRAIN
                break
            if not self._send(lane, process, lane.pending[0], now):
                lane.drain_at = now + DRAIN
                break
            lane.pending.popleft()
            sent += 1
            self.publishers.admit(lane, now)
        if lane.subscription.name is None and self._present(lane, now) is None:
            return  # its Down is on its way, and ends the lane
        due = lane.next_due(now)
        if due < lane.armed:
            self._agenda.arm(lane, due)

    def _send(self, lane: Lane, process: Process, parcel: Parcel, now: float) -> bool:
        """Put *parcel* into the mailbox; False if that is bounded and full."""
        message = SignalReceived(
            parcel.signal, lane.id, parcel.seq, parcel.attempts + 1, self._bus, lane.delivery.ack
        )
        try:
            self._runtime.send(process.pid, message)
        except MailboxFullError:
            return False
        lane.note_sent(parcel, now)
        self.totals.sent += 1
        if parcel.due < lane.armed:
            self._agenda.arm(lane, parcel.due)
        if parcel.attempts > 1:
            self.totals.redelivered += 1
            if self._redelivered.handlers:
                self._redelivered.emit(
                    {"attempts_count": parcel.attempts}, self._facts(lane, parcel.signal)
                )
        return True

    def _keep(
        self, lane: Lane, parcel: Parcel, ticket: Ticket | None, place: int, now: float
    ) -> SignalOutcome:
        """Hold what cannot be sent now, or have its publisher wait, or do as the policy says."""
        if ticket is not None and lane.delivery.overflow == "block" and lane.is_full():
            self.publishers.block(lane, parcel, ticket, place)
            return SignalOutcome.REJECTED  # what it is when nothing changes until the deadline
        outcome = lane.hold(parcel)
        self.totals.note(outcome, now)
        if outcome is not SignalOutcome.BUFFERED and self._overflowed.handlers:
            self._overflowed.emit(
                {"pending_len": len(lane.pending), "limit_count": lane.delivery.max_pending},
                {**self._facts(lane, parcel.signal), "outcome": outcome.value},
            )
        if len(lane.pending) == 1:
            self._flush(lane, now)
        return outcome

    def _gone(self, lane: Lane, parcel: Parcel, now: float) -> SignalOutcome:
        """Its subscriber has ended, and the Down that ends the lane is on its way."""
        if lane.delivery.ack:
            lane.dead_lettered += 1
            self._bury(lane, parcel, "down", now)
        self.totals.note(SignalOutcome.GONE, now)
        return SignalOutcome.GONE

    def _bury(
        self, lane: Lane, parcel: Parcel, reason: Literal["attempts", "down", "absent"], now: float
    ) -> None:
        self.dead.add(lane, parcel, reason, wall_clock())
        self.totals.dead_lettered += 1
        self.totals.last_loss = now
        self._emit(
            events.DEAD_LETTERED,
            {"attempts_count": parcel.attempts},
            {**self._facts(lane, parcel.signal), "reason": reason},
        )

    # -- inside: telemetry --------------------------------------------------------------

    def _emit(
        self, event: Event, measurements: dict[str, float], metadata: dict[str, object]
    ) -> None:
        slot = self._runtime.telemetry.slot(event)
        if slot.handlers:
            slot.emit(measurements, {"bus": self._label, **metadata})

    def _facts(self, lane: Lane, signal: Signal) -> dict[str, object]:
        return {"bus": self._label, **_names(lane), "type": signal.type, "id": signal.id}


def _names(lane: Lane) -> dict[str, object]:
    return {"subscription": lane.id, "subscriber": lane.subscription.subscriber}
