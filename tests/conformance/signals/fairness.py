"""What a program may not ask, because the BEAM leaves the answer to its scheduler.

A *burst* is what one process does in a row: the actions of one `Do`, or, of a process that was held, of all that were
queued meanwhile. The driver lets everything come to rest between bursts, so a race can only be between a burst, what
its deaths cause, and the script of a child that it started. These are refused:

- **Two reasons.** A process that is linked to two victims dies of the one that is faster: all deaths of a burst
  have the same reason.
- **A look at the dying.** An exit signal is asynchronous: whether the victim's name is still known, and whether `link`
  fails or is answered by a signal, depends on how far it got. What follows from signal order alone is asked:
  monitor, demonitor, unlink and send to the victim, and `is_alive`, which waits for its own turn.
- **A message after a death.** It may overtake the death's signals on the way to a third process.
- **A way back.** The Down of a monitor of the dead, the exit of a link to the dying and a signal to oneself are on the
  way as soon as they are caused. Whether they are there when a process looks for them, or ends what they come from, or
  stops trapping, is open.
- **A hold of one that is held.** Its release would end one of the two, and a burst does not know which.
- **A script beside a death**, and two scripts beside one another.
- **More than the death of a child that has not begun.** suptree ends it at once, the BEAM when its turn comes.

>>> burst = Burst("p1")
>>> burst.take(Exit("p2", "boom"))
True
>>> burst.take(Exit("p3", "shutdown")), burst.take(Unlink("p2"))
(False, True)
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from tests.conformance.signals.program import (
    Action,
    Alive,
    Bare,
    Demonitor,
    Do,
    Exit,
    Hold,
    Link,
    Monitor,
    Op,
    Program,
    Quit,
    Register,
    Release,
    Send,
    Soon,
    Spawn,
    Take,
    Trap,
    Unlink,
    Unregister,
    Whereis,
)


@dataclass
class Burst:
    """What one process does in a row, as far as it is known.

    Attributes:
        actor: Who does it.
        reason: What those who are linked to its victims see; None as long as there are none.
        over: Nothing may follow.
        fresh: Children that it started: they have not begun.
        victims: Others to whom it sent a deadly signal.
        watches: Monitors that it made of others who may be dead.
        late_links: Victims that it tried to link to or unlink from.
        shot_itself: It sent itself an exit signal; it lives if it traps.
        scripted: It started a child with a script.
        traps: Whether the actor is known to trap exits by now.
    """

    actor: str
    reason: str | None = None
    over: bool = False
    fresh: set[str] = field(default_factory=set[str])
    victims: set[str] = field(default_factory=set[str])
    watches: set[str] = field(default_factory=set[str])
    late_links: set[str] = field(default_factory=set[str])
    shot_itself: bool = False
    scripted: bool = False
    traps: bool = False

    def take(self, action: Action) -> bool:
        """Add *action* if that is fair; say whether it was."""
        if self.over or not self._is_fair(action):
            return False
        self._note(action)
        return True

    def take_all(self, actions: Iterable[Action]) -> bool:
        """Add *actions*; say whether all were fair."""
        return all(self.take(action) for action in actions)

    def _is_fair(self, action: Action) -> bool:
        match action:
            case Quit() | Exit() if (seen := seen_reason(action)) is not None:
                return self._may_kill(seen)
            case Quit():
                return not self.scripted
            case Exit(target):
                return self._may_tell(target) and not (self.scripted and target == self.actor)
            case Bare(inner):
                return self._may_kill(f"bare {inner}") and self._is_fair(inner)
            case Send(target):
                return self._may_tell(target)
            case Trap(False):
                return not self.shot_itself and not self.late_links
            case Take(kind, of):
                return not self._may_be_on_the_way(kind, of)
            case Unlink(target):
                return target not in self.late_links
            case Link(target):
                return target not in self.victims or (self.traps and target not in self.late_links)
            case Monitor(_, target):
                return not self.victims or not is_name(target)
            case Demonitor(ref, flush):
                return ref not in self.watches and not (flush and self._is_followed())
            case Register() | Unregister() | Whereis():
                return not self.victims
            case Alive(target):
                return not self.fresh and (
                    not self.victims or (self.traps and target in self.victims)
                )
            case Soon():
                return not self._is_followed()
            case Spawn(script=script) if script:
                return (
                    not self.scripted
                    and self.reason is None
                    and not any(isinstance(part, Spawn) and part.script for part in script)
                    and Burst(action.child, fresh=set(self.fresh)).take_all(script)
                )
            case _:
                return True

    def _may_kill(self, seen: str) -> bool:
        return not self.scripted and self.reason in (None, seen)

    def _is_followed(self) -> bool:
        """Whether others will run as soon as the actor pauses, as it may in a flush."""
        return self.scripted or bool(self.victims or self.fresh)

    def _may_be_on_the_way(self, kind: str, of: str) -> bool:
        if self.victims or self.scripted:
            return True
        match kind:
            case "all":
                return bool(self.watches or self.late_links)
            case "down":
                return of in self.watches
            case _:
                return of in self.late_links

    def _may_tell(self, target: str) -> bool:
        if target == self.actor or not self.victims:
            return True
        return self.victims == {target}

    def _note(self, action: Action) -> None:
        match action:
            case Quit():
                self.over = True
                self.reason = self.reason or seen_reason(action)
            case Exit(target) if target == self.actor:
                self.shot_itself = True
                self.reason = self.reason or seen_reason(action)
            case Exit(target) if (seen := seen_reason(action)) is not None:
                self.reason = seen
                self.victims.add(target)
                self.over = target in self.fresh
            case Bare(inner):
                self.reason = f"bare {inner}"
                self._note(inner)
            case Monitor(ref, target) if target not in self.fresh:
                self.watches.add(ref)
            case Link(target) | Unlink(target) if target in self.victims:
                self.late_links.add(target)
            case Alive():
                self.over = bool(self.victims)
            case Trap(on):
                self.traps = on
            case Spawn(child=child, script=script):
                self.fresh.add(child)
                self.scripted = self.scripted or bool(script)
            case _:
                pass


def is_fair(program: Program) -> bool:
    """Say whether nothing in *program* is left open but what the rules forgive."""
    held: dict[str, Burst] = {}
    return all(_is_fair_op(op, held) for op in program.ops)


def _is_fair_op(op: Op, held: dict[str, Burst]) -> bool:
    match op:
        case Do(process, actions):
            return held.get(process, Burst(process)).take_all(actions)
        case Hold(process):
            once = process not in held
            held[process] = Burst(process)
            return once
        case Release(process):
            held.pop(process, None)
            return True


def seen_reason(action: Exit | Quit) -> str | None:
    """What a process linked to the victim would die of; None for `normal`, of which nobody dies."""
    if action.reason == "normal" and not (isinstance(action, Quit) and action.how == "error"):
        return None
    if isinstance(action, Exit):
        return "killed" if action.reason == "kill" else action.reason
    return {"return": None, "exit": action.reason, "error": f"crash {action.reason}"}[action.how]


def is_name(target: str) -> bool:
    """Say whether *target* is a name and no process id."""
    return target.startswith("n")
