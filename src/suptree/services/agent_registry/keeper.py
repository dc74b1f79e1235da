"""`AgentKeeper`: inherits the entries of a registry that crashed, for the next one to take.

It starts before the registry and does nothing else, so that there is nothing in it to
crash.  Agents then stay registered over a crash of the registry, and those that ended
meanwhile are taken out when the next one begins.
"""

from __future__ import annotations

from typing import Any

from suptree.core import Table, TableTransfer
from suptree.otp import GenServer, call

__all__ = ["AgentKeeper"]


class AgentKeeper(GenServer):
    """Holds one table at most: the one that it inherited last."""

    def __init__(self) -> None:
        self.table: Table[str, Any] | None = None

    @call
    def take(self) -> Table[str, Any] | None:
        """Give what was inherited to the caller; None if there is nothing."""
        table, self.table = self.table, None
        heir = self.sender.pid
        if table is not None and heir is not None and heir.is_alive():
            table.give_away(heir)
            return table
        return None

    def handle_info(self, message: object) -> None:
        """A table is inherited; the one before it, which nobody took, is deleted."""
        if isinstance(message, TableTransfer):
            if self.table is not None:
                self.table.delete()
            self.table = message.table
        else:
            super().handle_info(message)
