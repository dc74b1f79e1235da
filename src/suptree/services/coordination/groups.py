"""`Groups`: the contexts of a `CoordinationManager`, groups of receivers under names."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from suptree.core import Pid
from suptree.otp import Reply, call
from suptree.services.coordination import events
from suptree.services.coordination.asked import (
    check_class,
    name_asked,
    receiver_asked,
    receivers_asked,
)
from suptree.services.coordination.contexts import Context, ContextInfo
from suptree.services.coordination.outcomes import Receiver
from suptree.services.coordination.server import RouterServer

__all__ = ["Groups"]


class Groups(RouterServer):
    """See the module text."""

    __front__ = "CoordinationManager"

    @call
    def open_context(
        self,
        name: str,
        members: Sequence[Receiver] = (),
        *,
        data: object = None,
        owner: Pid[Any] | None = None,
    ) -> Reply[ContextInfo]:
        """Give a group of receivers a name, for `distribute` and `broadcast`.

        A member that is a pid leaves when it ends; one that is a name stays, since it comes back.

        Args:
            name: Unique in this router.
            members: Who belongs to it.
            data: What they share; any value.
            owner: Whose end closes it; default: the caller.

        Raises:
            ContextExistsError: The name is used.
            ContextsFullError: There are too many.
        """
        who = "open_context"
        name = name_asked(who, "name", name)
        listed = receivers_asked(self._runtime, who, members, "members")
        if owner is None:
            owner = self.sender.pid
        else:
            check_class(who, "owner", owner, Pid, "owner=st.self_pid()")
            receiver_asked(self._runtime, who, owner, "owner")
        info = self._contexts.open(name, listed, data, owner)
        self._watch(info)
        facts = {"context": name, "owner": owner}
        self._runtime.telemetry.emit(
            events.CONTEXT_OPENED, {"members_count": len(info.members)}, facts
        )
        return Reply(info)

    @call
    def close_context(self, name: str) -> Reply[ContextInfo]:
        """Close a context; messages that are on their way stay there.

        Raises:
            ContextNotFoundError: There is none of that name.
        """
        return Reply(self._close(name_asked("close_context", "name", name), "closed"))

    @call
    def join(self, name: str, member: Receiver) -> Reply[ContextInfo]:
        """Add *member* to a context, unless it belongs to it.

        Raises:
            ContextNotFoundError: There is none of that name.
        """
        name = name_asked("join", "name", name)
        member = receiver_asked(self._runtime, "join", member, "member")
        info = self._contexts.change(name, join=member)
        if isinstance(member, Pid):
            self._owners.add(member, (name, member))
        return Reply(info)

    @call
    def leave(self, name: str, member: Receiver) -> Reply[ContextInfo]:
        """Take *member* out of a context, if it belongs to it.

        Raises:
            ContextNotFoundError: There is none of that name.
        """
        name = name_asked("leave", "name", name)
        member = receiver_asked(self._runtime, "leave", member, "member")
        info = self._contexts.change(name, leave=member)
        if isinstance(member, Pid):
            self._owners.discard(member, (name, member))
        return Reply(info)

    @call
    def context(self, name: str) -> Reply[ContextInfo]:
        """One context.

        Raises:
            ContextNotFoundError: There is none of that name.
        """
        return Reply(self._contexts.get(name_asked("context", "name", name)))

    @call
    def contexts(self) -> list[ContextInfo]:
        """Every context, the oldest first."""
        return self._contexts.all()

    # -- for what stands on it -----------------------------------------------------------------

    def _members(self, who: str, to: Sequence[Receiver] | Context) -> list[Receiver]:
        """Those of a context, or of a list.

        Raises:
            ContextNotFoundError: There is no such context.
            ValueError, TypeError, CrossRuntimeError: It is no list of receivers.
        """
        if type(to) is Context:
            return list(self._contexts.get(name_asked(who, "to.name", to.name)).members)
        return receivers_asked(self._runtime, who, to)

    def _watch(self, context: ContextInfo) -> None:
        if context.owner is not None:
            self._owners.add(context.owner, (context.name, None))
        for member in context.members:
            if isinstance(member, Pid):
                self._owners.add(member, (context.name, member))

    def _gone(self, message: object) -> None:
        """A process may have ended that a context hangs on."""
        for name, member in self._owners.gone(message):
            if name not in self._contexts:
                continue
            if member is None:
                self._close(name, "owner_ended")
            else:
                self._contexts.change(name, leave=member)

    def _close(self, name: str, reason: str) -> ContextInfo:
        info = self._contexts.close(name)
        if info.owner is not None:
            self._owners.discard(info.owner, (name, None))
        for member in info.members:
            if isinstance(member, Pid):
                self._owners.discard(member, (name, member))
        facts = {"context": name, "reason": reason}
        self._runtime.telemetry.emit(
            events.CONTEXT_CLOSED, {"members_count": len(info.members)}, facts
        )
        return info
