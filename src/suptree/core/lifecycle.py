"""The life of a process: its state word, what a body must do, what is left of the dead.

INIT ─────► IDLE ◄────► READY ─► RUNNING ─► WAITING (an async handler is suspended)
  │          RESTING      ▲         │          │
  │          SUSPENDED    └─────────┴──────────┘
  └────────────► EXITING (not alive; frames unwind) ─► DEAD (links and monitors told)

IDLE       an empty mailbox, and nothing against a direct call (law 9)
RESTING    an empty mailbox, but calls must queue: an idle timeout runs, or it is traced
READY      on the run queue
RECEIVING  a plain process or a supervisor waits for a message
WAITING    its coroutine is suspended in something else, or runs in its own task
"""

from __future__ import annotations

import enum
from typing import TYPE_CHECKING, Any, Final, Protocol

from suptree.core.exits import NOPROC
from suptree.core.messages import DOWN, Down, Envelope
from suptree.core.slot import Slot

if TYPE_CHECKING:
    from suptree.core.pid import Pid, Ref
    from suptree.core.process import Process

__all__ = [
    "Body",
    "DEAD",
    "EXITING",
    "IDLE",
    "INIT",
    "LateLink",
    "LateMonitor",
    "Monitor",
    "READY",
    "RECEIVING",
    "RESTING",
    "RUNNING",
    "Remains",
    "SUSPENDED",
    "State",
    "WAITING",
]


class State(enum.IntEnum):
    """The state word; below EXITING a process is alive."""

    INIT = 0
    IDLE = 1
    RESTING = 2
    READY = 3
    RUNNING = 4
    RECEIVING = 5
    WAITING = 6
    SUSPENDED = 7
    EXITING = 8
    DEAD = 9


INIT: Final = State.INIT
IDLE: Final = State.IDLE
RESTING: Final = State.RESTING
READY: Final = State.READY
RUNNING: Final = State.RUNNING
RECEIVING: Final = State.RECEIVING
WAITING: Final = State.WAITING
SUSPENDED: Final = State.SUSPENDED
EXITING: Final = State.EXITING
DEAD: Final = State.DEAD


class Body(Protocol):
    """What a process does.  Made by `core/bodies.py` and by the behaviours."""

    kind: str
    """A word for introspection: 'server', 'supervisor', 'plain', 'guest', ..."""

    def begin(self, process: Process) -> None:
        """Run the init, inline; ends in `process.started()`, `process.start_failed(...)`, or later."""
        ...

    def run(self, quota: int) -> int:
        """Handle up to *quota* messages in one go (servers).  Returns how many.

        Called by the run loop, in the context of the process: entering it once for many
        messages is a good part of what a cast costs.
        """
        ...

    def turn(self, envelope: Envelope) -> None:
        """Handle one message (servers); runs in the context of the process."""
        ...

    def failed(self, reason: object) -> None:
        """User code ended with *reason*: say goodbye if the behaviour does, then `process.finish`."""
        ...

    def answers(self, error: BaseException) -> bool:
        """User code raised *error*: whether the request at hand has been answered with it."""
        ...

    def unwind(self, state: State) -> bool:
        """The process was in *state* and is to die: end its frames.  True when none are left."""
        ...

    def subject(self) -> object:
        """The object that people know the process by: the server instance, the function."""
        ...


class Remains:
    """The body of a process that is DEAD: the real one, and the user's state with it, is let go.

    Without it every dead process would be a cycle, and memory would grow until the
    garbage collector comes round.
    """

    __slots__ = ("kind",)

    def __init__(self, kind: str) -> None:
        self.kind = kind

    def begin(self, process: Process) -> None:
        """Nothing begins any more."""

    def run(self, quota: int) -> int:
        """It may still stand in the ready queue."""
        return 0

    def turn(self, envelope: Envelope) -> None:
        """Nothing is handled any more."""

    def failed(self, reason: object) -> None:
        """It has ended already."""

    def answers(self, error: BaseException) -> bool:
        """The end of the process is the answer."""
        return False

    def unwind(self, state: State) -> bool:
        """No frame is left."""
        return True

    def subject(self) -> object:
        """Nothing."""
        return None


class Monitor:
    """One monitor: *watcher* is told, or *slot* is filled, when *target* ends."""

    __slots__ = ("object", "ref", "slot", "target", "watcher")

    def __init__(
        self,
        ref: Ref | None,
        watcher: Process | None,
        target: Process,
        object: Pid[Any] | str,
        slot: Slot | None,
    ) -> None:
        self.ref = ref
        self.watcher = watcher
        self.target = target
        self.object = object
        self.slot = slot

    def tell(self, reason: object) -> None:
        """*target* has ended with *reason* (S11)."""
        watcher, ref = self.watcher, self.ref
        assert watcher is not None
        assert ref is not None
        if watcher.watching is not None:
            watcher.watching.pop(ref, None)
        watcher.deliver((DOWN, Down(ref, self.object, reason)))

    def take_back(self) -> None:
        """Nobody is told any more; no error if it was told, or taken back, before."""
        monitors = self.target.monitors
        if monitors is not None:
            monitors.pop(self, None)


class LateMonitor(Monitor):
    """A monitor of one who was not alive any more, but had frames that unwind.

    It is told that nobody was there, and in its turn: what the dying one owes to those who
    came before is sent first, as signals between two processes keep their order.
    """

    __slots__ = ()

    def tell(self, reason: object) -> None:
        """*target* has ended, and had been dead for *watcher* from the beginning."""
        super().tell(NOPROC)


class LateLink(Monitor):
    """A link of *watcher* to one who was not alive any more; as `LateMonitor` (S10).

    Invariant: it stands in `watcher.links`, with *target*, for as long as it is to be told.
    """

    __slots__ = ()

    def tell(self, reason: object) -> None:
        """*target* has ended: an exit signal."""
        process, dead = self.watcher, self.target
        assert process is not None
        assert process.links is not None
        del process.links[dead]
        process.runtime.exit_from_link(dead, process, NOPROC)
