"""suptree's values in the words of the trace; the twin of the last part of `erl/suptree_signals.erl`."""

from __future__ import annotations

from dataclasses import fields

import suptree as st
from tests.conformance.signals.program import Action, Bare, Reason, Spawn

REASONS: dict[Reason, object] = {
    "normal": st.NORMAL,
    "shutdown": st.SHUTDOWN,
    "shutdown_x": st.Shutdown("x"),
    "boom": "boom",
    "kill": st.KILL,
    "killed": st.KILLED,
}
"""The reason words of `program.py` as the values that they stand for."""

PLAIN: dict[object, str] = {
    st.NORMAL: "normal",
    st.SHUTDOWN: "shutdown",
    st.KILL: "kill",
    st.KILLED: "killed",
    st.NOPROC: "noproc",
}


class ActionError(Exception):
    """What a `Quit` that raises raises."""

    def __init__(self, reason: object) -> None:
        super().__init__(reason)
        self.reason = reason


def reason_text(reason: object) -> str:
    """Render an exit reason; of a crash what was raised is kept, its traceback is not."""
    match reason:
        case st.Shutdown(detail):
            return f"{{shutdown,{detail}}}"
        case st.Crashed(exception=ActionError(reason=raised)):
            return f"crash({reason_text(raised)})"
        case st.Crashed(exception=st.NoProcessError() | st.NameTakenError() as error):
            return f"crash({error_text(error)})"
        case st.Crashed():
            return reason.traceback
        case str():
            return reason
        case _:
            return PLAIN.get(reason) or repr(reason)


def error_text(error: st.NoProcessError | st.NameTakenError) -> str:
    """What OTP raises in its place: `noproc` from link, `badarg` from whatever takes names."""
    if isinstance(error, st.NoProcessError) and error.doing == "link":
        return "noproc"
    return "badarg"


def action_text(action: Action) -> str:
    """What is done, as words."""
    if isinstance(action, Bare):
        return f"bare {action_text(action.action)}"
    if isinstance(action, Spawn):
        return f"{action.how} {action.child}"
    values = [getattr(action, field.name) for field in fields(action)]
    return " ".join([type(action).__name__.lower(), *map(word, filter(lambda v: v != "", values))])


def word(value: str | bool) -> str:
    """An atom of Erlang as text."""
    return value if isinstance(value, str) else str(value).lower()
