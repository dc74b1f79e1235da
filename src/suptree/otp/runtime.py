"""Runtime: core's, and the applications that run in it.

>>> async def main():
...     async with Runtime() as rt:
...         await rt.start(Shop())
...         await Counter.increment("counter", by=2)

This is `suptree.Runtime`.  A program of its own is rather started by `suptree.run`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

from suptree.core import Pid, find_runtime
from suptree.core import Runtime as CoreRuntime
from suptree.errors import UsageError
from suptree.otp.application import Application, StartType
from suptree.otp.application_controller import Applications
from suptree.telemetry import TelemetryBus

__all__ = ["Runtime", "applications"]


class Runtime(CoreRuntime):
    """The processes and applications of one event loop.  Use as ``async with Runtime() as rt:``.

    Args:
        name: For people, when several runtimes are open.
        direct_call: Whether a call to an idle server runs in the caller's turn, up
            to where its handler suspends; 'random' throws a die per call (testing).
        seed: Shuffles the ready queue, reproducibly (testing); None keeps arrival order.
        keep_frames: `Crashed.exception` keeps its traceback (development: it also
            keeps every local variable alive).
        stop_timeout: Seconds that everything together has to end in order when the
            block is left; what is still there then is killed.
        telemetry: The bus to emit to; default: one of its own.

    Attributes:
        applications: Starts, stops and lists the applications.
    """

    def __init__(
        self,
        *,
        name: str = "suptree",
        direct_call: bool | Literal["random"] = True,
        seed: int | None = None,
        keep_frames: bool = False,
        stop_timeout: float = 10.0,
        telemetry: TelemetryBus | None = None,
    ) -> None:
        super().__init__(
            name=name,
            direct_call=direct_call,
            seed=seed,
            keep_frames=keep_frames,
            stop_timeout=stop_timeout,
            telemetry=telemetry,
        )
        self.applications = Applications(self)

    async def __aenter__(self) -> Runtime:
        await super().__aenter__()
        return self

    async def start(
        self,
        application: Application | type[Application],
        type: StartType = "transient",
        *,
        env: Mapping[str, Any] | None = None,
    ) -> Pid[Any]:
        """Start an application; see `Applications.start`.

        'transient' by default, where `Applications.start` and OTP have 'temporary': when
        its tree gives up, the block that opened the runtime is cancelled and raises
        RuntimeStoppedError, as a TaskGroup would, rather than waiting for what is gone.

        Raises:
            ApplicationError: It runs already, one that it depends on does not, or it failed.
        """
        return await self.applications.start(application, type, env=env)


def applications() -> Applications:
    """The applications of the runtime whose code runs here.

    Raises:
        NoRuntimeError, AmbiguousRuntimeError: It is not clear which that is.
    """
    runtime = find_runtime("applications")
    if not isinstance(runtime, Runtime):
        raise UsageError("applications: this runtime is a core one. Open a suptree.Runtime.")
    return runtime.applications
