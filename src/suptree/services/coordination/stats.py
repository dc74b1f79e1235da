"""`CoordinationStats`: what a router has done, so that every message is somewhere in it.

At every moment

    accepted + taken_over == acknowledged + refused + expired + dead_lettered + waiting

and whoever was told `Rejected` before that is in `rejected` or, still waiting for a place, in
`parked`.
"""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["CoordinationStats"]


@dataclass(slots=True)
class CoordinationStats:
    """What a router has done since it was started.  All but the last five only ever grow.

    Attributes:
        accepted: Messages taken in, those of senders that wait for a place not included.
        taken_over: Messages that it has from the router before it.
        acknowledged: Those that were answered.
        refused: Those that a receiver answered with an error.
        expired: Those whose time was over.
        dead_lettered: Those given up for another reason.
        rejected: Messages that were not taken in.
        buffered: Times that a sender was told to look later.
        retried: Attempts that failed and were followed by another.
        redriven: Dead letters that were taken in again; `accepted` has them too.
        letters_lost: Dead letters that no queue was there to take.
        waiting: Messages taken in and not ended, those with receivers included.
        in_flight: Those of them that receivers have.
        parked: Messages of senders that wait for a place.
        lanes: Lanes now.
        contexts: Contexts now.
    """

    accepted: int = 0
    taken_over: int = 0
    acknowledged: int = 0
    refused: int = 0
    expired: int = 0
    dead_lettered: int = 0
    rejected: int = 0
    buffered: int = 0
    retried: int = 0
    redriven: int = 0
    letters_lost: int = 0
    waiting: int = 0
    in_flight: int = 0
    parked: int = 0
    lanes: int = 0
    contexts: int = 0
