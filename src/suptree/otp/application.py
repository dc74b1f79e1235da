"""Application: a tree with a name, that starts and stops as one, after those it depends on.

>>> class Shop(Application):
...     strategy = "rest_for_one"
...     depends_on = (Storage,)
...     env = {"tills": 3}
...     def children(self) -> list[ChildSpec[Any]]:
...         return [child(Ledger).with_(name="ledger"), child(Till, self.get_env("tills"))]

``await rt.start(Shop())`` starts it in an open runtime; ``st.run(Shop())`` makes it a
whole program.  Who starts and stops it is the `Applications` of the runtime; each runs
under a process of its own, its master, which the callbacks run in too.

After OTP's application.  There is one node, so no start type and no group leader.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar, Literal

from suptree.core import Pid, require_process
from suptree.errors import ApplicationError
from suptree.otp.child_spec import ChildSpec
from suptree.otp.plan import children_of
from suptree.otp.restart import AutoShutdown, Strategy
from suptree.otp.start_order import StartOrder
from suptree.otp.supervisor import Supervisor

__all__ = ["Application", "StartType"]

StartType = Literal["permanent", "transient", "temporary"]
"""What its end does to the runtime: end it always, unless it was normal, or never (S232)."""


class Application:
    """Base class of applications; `children` is all that most need.

    Attributes:
        name: Its name among the applications of a runtime; default the name of the class.
        depends_on: Applications, or their classes, that must run before it starts.
        env: Defaults of its environment, see `get_env`.
        start_phases: Names with arguments; `start_phase` is called for each, in order,
            once the tree is up.
        strategy: These five are the options of its top supervisor, see `Supervisor`.
        max_restarts: See `Supervisor`.
        max_seconds: See `Supervisor`.
        auto_shutdown: See `Supervisor`.
        start_order: See `Supervisor`.
    """

    name: str = ""
    depends_on: ClassVar[Sequence[Application | type[Application]]] = ()
    env: ClassVar[Mapping[str, Any]] = {}
    start_phases: ClassVar[Sequence[tuple[str, Any]]] = ()
    strategy: Strategy = "one_for_one"
    max_restarts: int = 3
    max_seconds: float = 5.0
    auto_shutdown: AutoShutdown = "never"
    start_order: StartOrder = "listed"

    _environment: dict[str, Any] | None = None

    # -- callbacks -------------------------------------------------------------------------

    def children(self) -> Sequence[ChildSpec[Any] | type[Any]]:
        """The children of its top supervisor, in start order."""
        return ()

    async def start(self) -> Any:
        """Start the tree (S231); override it to start another top supervisor.

        Returns:
            The pid of a supervisor that was started here with `start_link`, or a pair of
            that pid and a state for `prep_stop` and `stop`.

        Raises:
            StartError: A child failed to start.
        """
        master = require_process("Application.start")
        spec = Supervisor.child(
            children_of(name_of(self), self.children()),
            strategy=self.strategy,
            max_restarts=self.max_restarts,
            max_seconds=self.max_seconds,
            auto_shutdown=self.auto_shutdown,
            start_order=self.start_order,
        )
        options = dataclasses.replace(spec.options(), label=name_of(self))
        pid: Pid[Any] = await spec.start.start(master.runtime, master, options)
        return pid

    def start_phase(self, phase: str, argument: Any) -> Any:
        """One of `start_phases`; may be async (S237).  What it raises fails the start."""

    def prep_stop(self, state: Any) -> Any:
        """Called before the tree is stopped, may be async; returns the state for `stop` (S233).

        After a tree that died by itself it is called too, when that is gone (S234).
        """
        return state

    def stop(self, state: Any) -> Any:
        """Called when the tree is gone; may be async (S233)."""

    # -- for callbacks -----------------------------------------------------------------------

    def get_env(self, key: str, default: Any = None) -> Any:
        """A value of its environment: what `put_env` or the start gave it, else `env` (S235)."""
        environment = self.env if self._environment is None else self._environment
        return environment.get(key, default)


def name_of(application: Application | type[Application] | str) -> str:
    """The name of an application, its class, or itself.

    Raises:
        ApplicationError: It is none of these.
    """
    if isinstance(application, str):
        return application
    if isinstance(application, Application):
        return application.name or type(application).__name__
    if isinstance(application, type) and issubclass(application, Application):
        return application.name or application.__name__
    raise ApplicationError(
        application, "it is no Application; write a subclass of suptree.Application"
    )
