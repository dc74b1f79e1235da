"""suptree's values in the words of the trace; the twin of `erl/server_text.erl`."""

from __future__ import annotations

import suptree as st
from tests.conformance.servers.program import Reason

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


class Planned(Exception):
    """What a script raises; its text is the word of the reason."""


def reason_text(reason: object) -> str:
    """An exit reason. Of a crash the text is told, of a call that failed and was not caught the reason."""
    match reason:
        case st.Shutdown(detail=detail):
            return f"{{shutdown,{reason_text(detail)}}}"
        case st.BadReturn():
            return "bad_return"
        case st.Crashed(exception=Planned()):
            return f"crash({reason.text})"
        case st.Crashed(exception=st.SuptreeError() as error):
            return f"uncaught({failure_text(error)})"
        case str():
            return reason
        case _:
            return PLAIN.get(reason) or repr(reason)


def failure_text(error: st.SuptreeError) -> str:
    """What the client of a request is told: OTP's exit reason, without the request that the client knows."""
    match error:
        case st.NoProcessError():
            return "noproc"
        case st.ServerExitError(reason=reason):
            return reason_text(reason)
        case st.CallTimeoutError():
            return "timeout"
        case st.SelfCallError():
            return "calling_self"
        case _:
            return repr(error)
