"""`Owners`: which process holds which of a service's things, so that they go when it goes.

For use inside a server, in its handlers: the monitors are the server's.  There is one for
each owner, however much it holds, and none for one that holds nothing any more.

>>> class Cloakroom(st.GenServer):
...     def __init__(self) -> None:
...         self.owners: Owners[int] = Owners()
...     @st.call
...     def leave(self, ticket: int, owner: st.Pid) -> None:
...         self.owners.add(owner, ticket)
...     def handle_info(self, message: object) -> None:
...         for ticket in self.owners.gone(message):
...             ...  # its owner has ended
"""

from __future__ import annotations

from typing import Any, Generic, TypeVar

from suptree.core import Down, Pid, Ref, demonitor, find_runtime, monitor
from suptree.errors import CrossRuntimeError

__all__ = ["Owners", "stranger"]

K = TypeVar("K")


def stranger(doing: str, *pids: object) -> CrossRuntimeError | None:
    """The error of a request about a process of another runtime; None if none of *pids* is one.

    To be asked before anything is noted: such a process cannot be watched, and `Owners.add`
    of it raises in the server's turn.
    """
    runtime = find_runtime(doing)
    for pid in pids:
        if isinstance(pid, Pid) and pid.runtime is not runtime:
            return CrossRuntimeError(
                f"{doing}: {pid!r} lives in runtime {pid.runtime.name!r}, not {runtime.name!r}."
            )
    return None


class Owners(Generic[K]):
    """Keys by owner, each owner watched once."""

    __slots__ = ("_held",)

    def __init__(self) -> None:
        self._held: dict[Pid[Any], tuple[Ref, dict[K, None]]] = {}

    def add(self, owner: Pid[Any], key: K) -> None:
        """*owner* holds *key* from now on.  A dead owner is `gone` at once, by its Down."""
        held = self._held.get(owner)
        if held is None:
            held = self._held[owner] = monitor(owner), {}
        held[1][key] = None

    def discard(self, owner: Pid[Any], key: K) -> None:
        """*owner* holds *key* no longer; no error if it did not."""
        held = self._held.get(owner)
        if held is None:
            return
        held[1].pop(key, None)
        if not held[1]:
            del self._held[owner]
            demonitor(held[0], flush=True)

    def gone(self, message: object) -> list[K]:
        """What the owner held whose Down *message* is, oldest first; [] for any other message."""
        if not isinstance(message, Down):
            return []
        owner = message.process
        if not isinstance(owner, Pid):
            return []
        held = self._held.get(owner)
        if held is None or held[0] != message.ref:
            return []
        del self._held[owner]
        return list(held[1])

    def keys_of(self, owner: Pid[Any]) -> list[K]:
        """What *owner* holds, oldest first."""
        held = self._held.get(owner)
        return [] if held is None else list(held[1])

    def __len__(self) -> int:
        """How many owners hold something."""
        return len(self._held)

    def __contains__(self, owner: object) -> bool:
        return owner in self._held
