"""Names of one runtime: name -> process, unique; freed at death.

A process has at most one name (S15); registries (`otp/registry.py`) give it more.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

from suptree.core.crashes import safe_repr
from suptree.errors import BadArgumentError, NameTakenError
from suptree.near import meant, near

if TYPE_CHECKING:
    from suptree.core.process import Process

__all__ = ["Names", "check_name"]


class Names:
    """The table of names.

    Attributes:
        table: Name -> process, for those who only look.
    """

    __slots__ = ("table",)

    def __init__(self) -> None:
        self.table: dict[str, Process] = {}

    def get(self, name: str) -> Process | None:
        """The process of that name, or None."""
        return self.table.get(name)

    def register(self, name: str, process: Process) -> None:
        """Give *process* the name.  Raises NameTakenError as OTP raises badarg (S15).

        Raises:
            BadArgumentError: *name* is no string.
        """
        check_name("register", name)
        holder = self.table.get(name)
        if holder is not None:
            raise NameTakenError(name, f"it is the name of {holder.pid!r}", holder.pid)
        if process.name is not None:
            raise NameTakenError(name, f"{process.pid!r} has a name already")
        if not process.is_alive():
            raise NameTakenError(name, f"{process.pid!r} is not alive")
        self.table[name] = process
        process.name = name

    def free(self, process: Process) -> None:
        """Take the name of *process* away, if it has one."""
        if process.name is not None and self.table.get(process.name) is process:
            del self.table[process.name]
        process.name = None

    def near(self, name: object) -> str | None:
        """The name somebody probably meant: the shortest path that ends in `.name`, or the one most like it."""
        text = str(name)
        path = min((one for one in self.table if one.endswith(f".{text}")), key=len, default=None)
        if path is not None:
            return path
        found = near(text, self.table)
        return found if found != name else None

    def hint_for(self, name: object) -> Callable[[], str]:
        """What to say of a name that nobody has, if one is near; looked for only when it is read."""

        def hint() -> str:
            found = self.near(name)
            return "" if found is None else meant(found)

        return hint

    def __len__(self) -> int:
        return len(self.table)

    def __iter__(self) -> Iterator[str]:
        return iter(sorted(self.table))


def check_name(who: str, name: object) -> None:
    """Refuse what is no name, where it is given: nobody could send to it."""
    if not isinstance(name, str):
        raise BadArgumentError(who, "name", "a string", safe_repr(name, 200))
