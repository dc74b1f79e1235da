"""What `FeatureFlags` tells: messages to subscribers, and its figures."""

from __future__ import annotations

from dataclasses import dataclass

from suptree.services.flags.standing import FlagState, MigrationMove

__all__ = ["FlagChanged", "FlagStats", "MigrationMoved"]


@dataclass(frozen=True, slots=True)
class FlagChanged:
    """A message to subscribers: a flag stands otherwise."""

    flag: str
    old: FlagState
    new: FlagState


@dataclass(frozen=True, slots=True)
class MigrationMoved:
    """A message to subscribers: a migration came to another stage."""

    migration: str
    move: MigrationMove


@dataclass(frozen=True, slots=True)
class FlagStats:
    """What a server knows of itself.

    Attributes:
        flags: Flags that are declared.
        changes: Flags that changed since it started.
        refused: Requests that were refused since it started.
        told: Messages sent to subscribers since it started.
        lost: Messages that the full mailbox of a subscriber rejected.
        subscribers: Processes that are subscribed.
        undecided: Flags that are neither on nor off for everybody.
        off: Flags that are off for everybody: what is behind them does not run.
        undeclared: Names that the store has and nobody declares; they are kept.
    """

    flags: int
    changes: int
    refused: int
    told: int
    lost: int
    subscribers: int
    undecided: tuple[str, ...]
    off: tuple[str, ...]
    undeclared: tuple[str, ...]
