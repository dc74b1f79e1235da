"""suptree's values in the words of the trace format; the twin of the words in `erl/scripted_machine.erl`."""

from __future__ import annotations

import suptree as st
from tests.conformance.machines.program import Reason

REASONS: dict[Reason, object] = {
    "normal": st.NORMAL,
    "shutdown": st.SHUTDOWN,
    "shutdown_why": st.Shutdown("why"),
    "boom": "boom",
    "kill": st.KILL,
}
"""The reason words of `program.py` as the values that they stand for."""

PLAIN: dict[object, str] = {
    st.NORMAL: "normal",
    st.SHUTDOWN: "shutdown",
    st.KILL: "kill",
    st.KILLED: "killed",
    st.NOPROC: "noproc",
}


def reason_text(reason: object) -> str:
    """Render an exit reason; of a crash the exception's text is kept, its traceback is not."""
    match reason:
        case st.Shutdown(detail=detail):
            return f"{{shutdown,{reason_text(detail)}}}"
        case st.BadReturn():
            return "bad"
        case st.Crashed(text=text):
            return f"crash({text})"
        case str():
            return reason
        case _:
            return PLAIN.get(reason) or repr(reason)
