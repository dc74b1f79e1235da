"""Losses: messages that reached nobody, counted.  Delivery is at most once, and every loss is a number."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["Losses"]


@dataclass(slots=True)
class Losses:
    """What one runtime has lost since it was opened; numbers only ever grow.

    Attributes:
        to_dead: Sends and casts to a process that has ended, and casts to a name that
            nobody has (S15, S34).
        unread: Messages that waited in the mailbox of a process when it ended.
        overflowed: Messages dropped by the bound of a mailbox; each is an event too.
        late_replies: Replies that came after the deadline, or after the caller had gone (S31).
    """

    to_dead: int = 0
    unread: int = 0
    overflowed: int = 0
    late_replies: int = 0

    @property
    def total(self) -> int:
        """All of them."""
        return self.to_dead + self.unread + self.overflowed + self.late_replies
