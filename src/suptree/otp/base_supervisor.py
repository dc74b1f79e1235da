"""`BaseSupervisor`: what `Supervisor` and `DynamicSupervisor` have in common, for their users.

The child spec, the start, the stop.  The process side is `supervising.py`.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any, ClassVar, ParamSpec, TypeVar, cast

from suptree.core import SHUTDOWN, Body, Pid
from suptree.otp.behaviour import Behaviour, ServerStart
from suptree.otp.child_spec import ChildSpec, Restart, Shutdown
from suptree.otp.directives import Ignore, ServerRef

__all__ = ["BaseSupervisor"]

P = ParamSpec("P")
S = TypeVar("S")


class BaseSupervisor:
    """Base of supervisors; not for subclassing directly.

    Class arguments are the defaults of the child spec, as for servers:
    ``class Shop(Supervisor, restart="transient")``.
    """

    trap_exit: ClassVar[bool] = True
    spec_defaults: ClassVar[dict[str, Any]] = {}
    """The fields that its child spec has unless its own supervisor says otherwise."""
    in_place: ClassVar[bool] = False
    """The class takes everything as arguments, the name included, and needs no subclass."""

    def __init_subclass__(
        cls,
        *,
        in_place: bool = False,
        restart: Restart | None = None,
        shutdown: Shutdown | None = None,
        significant: bool | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init_subclass__(**kwargs)
        cls.in_place = in_place
        for callback in ("init", "children"):
            if inspect.iscoroutinefunction(getattr(cls, callback, None)):
                raise TypeError(
                    f"{cls.__qualname__}.{callback} must not be async: a supervisor runs no code "
                    "of its own. Do what takes time in the init of a child."
                )
        given = {"restart": restart, "shutdown": shutdown, "significant": significant}
        cls.spec_defaults = {
            **cls.spec_defaults,
            **{key: value for key, value in given.items() if value is not None},
        }

    # -- for subclasses ------------------------------------------------------------------

    def init(self) -> Ignore | None:
        """Called first, in the new process; `Ignore()` starts nothing, and that is no failure."""
        return None

    def check(self, who: str) -> None:
        """Refuse wrong options and children.

        Raises:
            SpecError: With what is wrong, what it must be, and what to do.
        """
        raise NotImplementedError

    @classmethod
    def make_body(cls, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Body:
        """The body of one new process of this class."""
        raise NotImplementedError

    # -- starting and stopping -----------------------------------------------------------

    @classmethod
    def child(cls: Callable[P, S], *args: P.args, **kwargs: P.kwargs) -> ChildSpec[S]:
        """The child spec of this supervisor: type 'supervisor', shutdown 'infinity'.

        Raises:
            SpecError: Options or children that are given here are wrong.
        """
        return _child(cast("type[BaseSupervisor]", cls), args, kwargs)

    @classmethod
    async def start_link(cls: Callable[P, S], *args: P.args, **kwargs: P.kwargs) -> Pid[S]:
        """Start it, linked to the current process, and wait until its children are up (S100).

        Raises:
            StartError: A child failed; `reason` is ``Shutdown(FailedToStartChild(id, reason))``.
            SpecError: Options or specs are wrong; nothing was started.
            StartIgnoredError: Its `init` answered Ignore.
        """
        # By way of `child`, which a class may make the place where its options are given.
        spec: ChildSpec[S] = cast("Any", cls).child(*args, **kwargs)
        return await spec.start_link()

    @staticmethod
    async def stop(
        supervisor: ServerRef[Any], reason: object = SHUTDOWN, timeout: float | None = None
    ) -> None:
        """Have it stop its children and end with *reason*; wait for that (S133).

        Args:
            supervisor: A pid, a name, or `via(registry, key)`.
            reason: Any value.
            timeout: Seconds; None waits for ever.

        Raises:
            NoProcessError: Nobody lives there.
            ServerExitError: It ended with another reason.
            CallTimeoutError: It did not end in time; it may still do so later.
        """
        await Behaviour.stop(supervisor, reason, timeout)


def _child(
    cls: type[BaseSupervisor], args: tuple[Any, ...], kwargs: dict[str, Any]
) -> ChildSpec[Any]:
    options = dict(cls.spec_defaults)
    if _takes_name(cls):
        options["name"] = kwargs.get("name")
    if cls.in_place:  # refused where it is written, before a process is made
        cls(*args, **kwargs).check(cls.__qualname__)
    start = ServerStart(cast("Any", cls), args, kwargs)
    return ChildSpec(start=start, type="supervisor", modules=(cls,), **options)


def _takes_name(cls: type[BaseSupervisor]) -> bool:
    """Whether its ``__init__`` is that of a class that takes the name as an argument."""
    owner = next(base for base in cls.__mro__ if "__init__" in base.__dict__)
    return bool(owner.__dict__.get("in_place"))
