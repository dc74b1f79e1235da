"""`Contexts`: groups of receivers, each under a name, with what they share."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, NamedTuple

from suptree.core import Pid
from suptree.services.coordination.errors import (
    ContextExistsError,
    ContextNotFoundError,
    ContextsFullError,
)
from suptree.services.coordination.outcomes import Receiver

__all__ = ["Context", "ContextInfo", "Contexts"]


class Context(NamedTuple):
    """A group instead of a list of receivers: ``broadcast(router, Context("crew"), message)``."""

    name: str


@dataclass(frozen=True, slots=True)
class ContextInfo:
    """A context at one moment.

    Attributes:
        name: Its name.
        members: Who belongs to it, in the order in which they joined.
        data: What it was opened with.
        owner: Whose end closes it; None: nobody's.
    """

    name: str
    members: tuple[Receiver, ...]
    data: Any
    owner: Pid[Any] | None


class Contexts:
    """The contexts of one router.

    Args:
        most: How many there may be.
    """

    __slots__ = ("_most", "_open")

    def __init__(self, most: int) -> None:
        self._open: dict[str, ContextInfo] = {}
        self._most = most

    def take_over(self, contexts: dict[str, ContextInfo]) -> None:
        """Go on with those of another router."""
        self._open = contexts

    def open(
        self, name: str, members: list[Receiver], data: object, owner: Pid[Any] | None
    ) -> ContextInfo:
        """Open one; a receiver that is named twice is one member.

        Raises:
            ContextExistsError: The name is used.
            ContextsFullError: There are too many.
        """
        if name in self._open:
            raise ContextExistsError(name)
        if len(self._open) >= self._most:
            raise ContextsFullError(self._most)
        info = ContextInfo(name, tuple(dict.fromkeys(members)), data, owner)
        self._open[name] = info
        return info

    def get(self, name: str) -> ContextInfo:
        """The context of that name.

        Raises:
            ContextNotFoundError: There is none.
        """
        info = self._open.get(name)
        if info is None:
            raise ContextNotFoundError(name, self._open)
        return info

    def close(self, name: str) -> ContextInfo:
        """Close it.

        Raises:
            ContextNotFoundError: There is none.
        """
        info = self.get(name)
        del self._open[name]
        return info

    def change(
        self, name: str, *, join: Receiver | None = None, leave: Receiver | None = None
    ) -> ContextInfo:
        """Add a member, or take one away; neither is an error when there is nothing to do.

        Raises:
            ContextNotFoundError: There is none of that name.
        """
        info = self.get(name)
        members = [one for one in info.members if one != leave]
        if join is not None and join not in members:
            members.append(join)
        info = self._open[name] = ContextInfo(name, tuple(members), info.data, info.owner)
        return info

    def all(self) -> list[ContextInfo]:
        """Every context, the oldest first."""
        return list(self._open.values())

    def __contains__(self, name: object) -> bool:
        return name in self._open

    def __len__(self) -> int:
        return len(self._open)
