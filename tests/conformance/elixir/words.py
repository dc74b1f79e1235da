"""suptree's values in the words of the trace format; the twin of `ex/words.ex`."""

from __future__ import annotations

import suptree as st

REASONS: dict[str, object] = {
    "normal": st.NORMAL,
    "shutdown": st.SHUTDOWN,
    "shutdown_why": st.Shutdown("why"),
    "kill": st.KILL,
}

PLAIN: dict[object, str] = {
    st.NORMAL: "normal",
    st.SHUTDOWN: "shutdown",
    st.KILL: "kill",
    st.KILLED: "killed",
    st.NOPROC: "noproc",
}


def from_word(word: str) -> object:
    """A reason word of a program as the value that it stands for."""
    return REASONS.get(word, word)


def reason_text(reason: object) -> str:
    """Render an exit reason; of a crash the exception's text is kept, its traceback is not."""
    match reason:
        case st.Shutdown(detail=detail):
            return f"{{shutdown,{reason_text(detail)}}}"
        case st.Crashed(exception=st.TaskExitError(reason=why)):
            return f"await({reason_text(why)})"
        case st.Crashed(exception=st.TaskTimeoutError()):
            return "await(timeout)"
        case st.Crashed(exception=st.MaxChildrenError()):
            return "crash(max_children)"
        case st.Crashed(exception=st.NoProcessError()):
            return "noproc"
        case st.Crashed(text=text):
            return f"crash({text})"
        case str():
            return reason
        case _:
            return PLAIN.get(reason) or repr(reason)
