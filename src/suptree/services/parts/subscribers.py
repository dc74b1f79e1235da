"""`Subscribers`: which processes hear of what, by name, until they end.

For use inside a server, in its handlers, as `Owners` is.

>>> subscribers.add(self.sender.pid, "scheduler")
>>> subscribers.tell(message, "scheduler")
>>> subscribers.gone(message)              # in handle_info: forgets whoever has ended
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from suptree.core import Down, Pid, send
from suptree.errors import MailboxFullError
from suptree.services.parts.owners import Owners

__all__ = ["Subscribers"]


class Subscribers:
    """Processes by the name that they subscribed to; a process may have many names.

    Attributes:
        told: Messages sent.
        lost: Messages that a full mailbox rejected; its owner does not hear of that change.
    """

    __slots__ = ("_by_name", "_owners", "lost", "told")

    def __init__(self) -> None:
        self.told = 0
        self.lost = 0
        self._owners: Owners[str] = Owners()
        self._by_name: dict[str, dict[Pid[Any], None]] = {}

    def add(self, pid: Pid[Any], name: str) -> None:
        """*pid* hears of *name* from now on; once is enough."""
        self._by_name.setdefault(name, {})[pid] = None
        self._owners.add(pid, name)

    def discard(self, pid: Pid[Any], name: str) -> None:
        """*pid* does not hear of *name* any more; no error if it did not."""
        self._owners.discard(pid, name)
        self._forget(pid, name)

    def gone(self, message: object) -> bool:
        """Whether *message* is the Down of a subscriber, who is forgotten then."""
        names = self._owners.gone(message)
        if isinstance(message, Down):
            for name in names:
                self._forget(message.process, name)
        return bool(names)

    def of(self, *names: str) -> list[Pid[Any]]:
        """Who hears of any of *names*, each once."""
        return list(dict.fromkeys(pid for name in names for pid in self._by_name.get(name, ())))

    def tell(self, message: object, *names: str) -> int:
        """Send *message* to each who hears of any of *names*; returns to how many it went."""
        told = 0
        for pid in self.of(*names):
            try:
                send(pid, message)
            except MailboxFullError:  # it asked for this: the others and the server go on
                self.lost += 1
            else:
                told += 1
        self.told += told
        return told

    def names(self) -> Iterator[str]:
        """The names that somebody subscribed to."""
        return iter(list(self._by_name))

    def __len__(self) -> int:
        """How many processes are subscribed to something."""
        return len(self._owners)

    def _forget(self, pid: Any, name: str) -> None:
        pids = self._by_name.get(name)
        if pids is not None:
            pids.pop(pid, None)
            if not pids:
                del self._by_name[name]
