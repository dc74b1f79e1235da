"""Crash reports: which process, where in the tree, with what message, and what was done about it.

A report is made when a process crashes and written once its supervisor has decided,
so one record of `logging` tells the whole story; a process without a supervisor is
reported at once.  Nothing is rendered before somebody reads it.  In a storm the
first crashes of a second are reported and the rest counted.
"""

from __future__ import annotations

from collections.abc import Callable
from contextvars import copy_context
from typing import TYPE_CHECKING, Any, Final

from suptree.core.crashes import Crashed, safe_repr
from suptree.core.log import LOG
from suptree.core.messages import CALL, CAST, TIMER, Envelope

if TYPE_CHECKING:
    from suptree.core.pid import Pid
    from suptree.core.process import Process

__all__ = ["CrashReport", "Reporter"]

REPORTS_PER_SECOND: Final = 20


class CrashReport:
    """One crash.  The texts are rendered when they are read.

    Attributes:
        pid: The process that crashed.
        label: What it ran.
        path: Its place in the tree, from the top: labels of its ancestors.
        reason: The exit reason, a `Crashed` for an uncaught exception.
        action: What the supervisor did, in words.
        then_raised: What its terminate raised on top, the exit reason then; None usually.
    """

    __slots__ = (
        "_context",
        "_envelope",
        "_redacted",
        "action",
        "label",
        "name",
        "path",
        "pid",
        "reason",
        "supervisor",
        "then_raised",
    )

    def __init__(self, process: Process, reason: object) -> None:
        self.pid = process.pid
        self.name = process.name
        self.label = process.label
        self.path = tuple(_known_as(pid) for pid in reversed(process.lineage))
        self.reason = reason
        self.action = "no supervisor"
        self.then_raised: object = None
        self.supervisor = process.parent
        # Written later, by the supervisor: what travelled with the message is for the log too.
        self._context = None if process.carried is None else copy_context()
        self._envelope = process.current
        # A server that hides something is asked now; the others are rendered when read.
        redact = getattr(process.body, "redacted", None)
        self._redacted = None if redact is None else redact(reason)
        if self._redacted is not None:
            self._envelope = None
            self.reason = self._redacted.reason

    @property
    def last_message(self) -> str:
        """The message that was being handled, as bounded text; empty if none was."""
        if self._redacted is not None:
            message = self._redacted.message
            return "" if message is None else safe_repr(message)
        return "" if self._envelope is None else describe_envelope(self._envelope)

    def write(self) -> None:
        """Log it, in the context of the message that was being handled if that carried one."""
        if self._context is None:
            LOG.error("%s", self, extra={"crash_report": self})
        else:
            self._context.run(LOG.error, "%s", self, extra={"crash_report": self})

    def __str__(self) -> str:
        place = " / ".join([*self.path, self.name or self.label])
        lines = [f"{self.pid!r} {self.label} crashed: {self.reason!r}", f"  in the tree: {place}"]
        last_message = self.last_message
        if last_message:
            lines.append(f"  last message: {last_message}")
        if self.then_raised is not None:
            lines.append(f"  terminate raised as well: {self.then_raised!r}")
        hint = getattr(self.reason, "hint", None)
        if isinstance(hint, str):
            lines.append(f"  why: {hint}")
        lines.append(f"  then: {self.action}")
        if isinstance(self.reason, Crashed):
            lines.append(self.reason.traceback.rstrip())
        return "\n".join(lines)


def describe_envelope(envelope: Envelope) -> str:
    """An envelope as people know it: the handler and its arguments, or the message."""
    kind = envelope[0]
    if kind in (CALL, CAST):
        _, _, handler, args, kwargs = envelope
        word = "call" if kind == CALL else "cast"
        if handler is None:
            return f"{word} {safe_repr(args[0])}"
        inside = [safe_repr(arg) for arg in args]
        inside += [f"{key}={safe_repr(value)}" for key, value in kwargs.items()]
        return f"{word} {handler.__name__}({', '.join(inside)})"
    if kind == TIMER:
        return f"timer {safe_repr(envelope[1].message)}"
    return safe_repr(envelope[1])


def _known_as(pid: Pid[Any]) -> str:
    process = pid._process  # pyright: ignore[reportPrivateUsage]
    return repr(pid) if process is None else process.name or process.label


class Reporter:
    """Collects crash reports of one runtime and writes them to the logger `suptree`."""

    __slots__ = (
        "_later",
        "_now",
        "_pending",
        "_suppressed",
        "_window",
        "_written",
        "on_crash",
        "total",
    )

    def __init__(
        self, now: Callable[[], float], later: Callable[[float, Callable[[], None]], object]
    ) -> None:
        self._now = now
        self._later = later
        # Whose supervisor has not decided: the report, or that supervisor of one too many to report.
        self._pending: dict[Pid[Any], CrashReport | Process] = {}
        self._window = 0.0
        self._written = 0
        self._suppressed = 0
        self.total = 0
        self.on_crash: Callable[[Process, object], None] | None = None

    def crashed(self, process: Process, reason: object) -> None:
        """Note a crash; its supervisor will say what it did about it."""
        self.total += 1
        if self.on_crash is not None:
            self.on_crash(process, reason)
        report = CrashReport(process, reason) if self._is_admitted() else None
        parent = process.parent
        if process.supervised and parent is not None and parent.is_alive():
            self._pending[process.pid] = parent if report is None else report
        elif report is not None:
            report.write()

    def crashed_again(self, process: Process, reason: object) -> None:
        """What its terminate raised is the exit reason now; the crash is told already (S44)."""
        report = self._pending.get(process.pid)
        if isinstance(report, CrashReport):
            report.then_raised = reason
        elif report is None:
            LOG.error("%r %s: terminate raised as well: %r", process.pid, process.label, reason)

    def decided(self, pid: Pid[Any], action: Callable[[], str] | str) -> bool:
        """The supervisor of *pid* has decided: write the report; False if it had not crashed.

        Args:
            action: What it did, or what says so when it is written.
        """
        report = self._pending.pop(pid, None)
        if report is None:
            return False
        if isinstance(report, CrashReport):
            report.action = action if isinstance(action, str) else action()
            report.write()
        return True

    def refused(self, process: Process, error: Exception) -> None:
        """A cast whose arguments do not fit was dropped: its sender waits for nothing."""
        LOG.warning("a cast was dropped: %s", error)

    def unexpected(self, process: Process, message: object) -> None:
        """A server got a message that it has no handle_info for."""
        LOG.warning(
            "%r %s got a message that it does not handle: %s. Write handle_info, or find the sender.",
            process.pid,
            process.label,
            safe_repr(message, 300),
        )

    def flush(self, supervisor: Process | None = None) -> None:
        """Write what waits for a supervisor that has ended (None: every one)."""
        for pid, report in list(self._pending.items()):
            decides = report.supervisor if isinstance(report, CrashReport) else report
            if supervisor is None or decides is supervisor:
                self.decided(pid, "its supervisor ended before it could decide")
        if supervisor is None:
            self._tell_suppressed()

    def _is_admitted(self) -> bool:
        """Whether one more crash may be reported now; counts it either way."""
        now = self._now()
        if now - self._window >= 1.0:
            self._window = now
            self._written = 0
            self._tell_suppressed()
        if self._written >= REPORTS_PER_SECOND:
            if self._suppressed == 0:  # also when this was the last crash for a long time
                self._later(self._window + 1.0 - now, self._tell_suppressed)
            self._suppressed += 1
            return False
        self._written += 1
        return True

    def _tell_suppressed(self) -> None:
        if self._suppressed == 0:
            return
        LOG.error(
            "%d more crashes were not written in full (more than %d a second); %d in all so far",
            self._suppressed,
            REPORTS_PER_SECOND,
            self.total,
        )
        self._suppressed = 0
