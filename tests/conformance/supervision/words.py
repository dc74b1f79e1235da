"""suptree's values in the words of the trace format; the twin of `erl/trace_text.erl`."""

from __future__ import annotations

import suptree as st
from tests.conformance.supervision.scenario import Reason

REFUSALS: dict[type[BaseException], str] = {
    st.ChildNotFoundError: "not_found",
    st.ChildRunningError: "running",
    st.ChildRestartingError: "restarting",
    st.ChildAlreadyPresentError: "already_present",
}
"""What OTP returns as `{error, Word}`."""

REASONS: dict[Reason, object] = {
    "normal": st.NORMAL,
    "shutdown": st.SHUTDOWN,
    "shutdown_why": st.Shutdown("why"),
    "boom": "boom",
    "kill": st.KILL,
}
"""The reason words of `scenario.py` as the values that they stand for."""

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
        case st.Shutdown(detail=st.FailedToStartChild(id=id_, reason=why)):
            return f"{{failed_to_start_child,{id_},{reason_text(why)}}}"
        case st.Shutdown(detail=detail):
            return f"{{shutdown,{reason_text(detail)}}}"
        case st.SpecError():
            return "bad_spec"
        case st.Crashed(exception=st.SpecError()):
            return "bad_spec"
        case st.Crashed(text=text):
            return f"crash({text})"
        case str():
            return reason
        case _:
            return PLAIN.get(reason) or repr(reason)
