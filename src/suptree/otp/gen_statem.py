"""GenStateMachine: a process whose answer to an event depends on the state that it is in.

Each state is a method that gets the events of that state; it returns where to go and
what to do on the way.  Everything that is not the state itself is kept in attributes.

>>> class Door(GenStateMachine):
...     def __init__(self, code: str) -> None:
...         self.code = code
...     def init(self) -> Transition:
...         return Next(self.locked)
...     def locked(self, event: Event) -> Transition:
...         match event:
...             case CallMessage(_, code):
...                 return Next(self.open, Reply(True), StateTimeout(5.0)) if code == self.code else Reply(False)
...     def open(self, event: Event) -> Transition:
...         match event:
...             case StateExpired():
...                 return Next(self.locked)
...             case CallMessage():
...                 return Keep(Postpone())

After OTP's gen_statem (S60 to S70).
"""

from __future__ import annotations

from inspect import isfunction
from typing import Any, ClassVar, cast

from suptree.core import Body
from suptree.otp import requests
from suptree.otp.behaviour import Behaviour
from suptree.otp.directives import NOTHING, ServerRef
from suptree.otp.machine_body import MachineBody

__all__ = ["GenStateMachine"]


class GenStateMachine(Behaviour):
    """Base class of state machines.  Subclass it and write one method per state.

    Class arguments are those of `GenServer`, and ``state_enter=True``: then each state
    gets `Enter(previous)` when it is entered, before any event (S64).

    A state is the method itself, ``Next(self.open)``, or its name; an enum member
    stands for the method of its name in lower case.  A class that overrides
    `handle_event` has that one function for every state instead, and any values as
    states.  State functions may be async: then events wait.

    Methods marked `@call` and `@cast` are typed requests that are the same in every
    state: what they return is the reply, or a transition as from a state function.

    Two states are one if they are equal, so use values that compare well.
    """

    __slots__ = ()

    state_enter: ClassVar[bool] = False
    call_timeout: ClassVar[float | None] = None
    """The default deadline of calls: none (S60)."""

    def __init_subclass__(cls, *, state_enter: bool | None = None, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        if state_enter is not None:
            cls.state_enter = state_enter

    # -- callbacks, to override -----------------------------------------------------------

    def init(self) -> Any:
        """Runs after ``__init__``; says the first state.  May be async.

        Returns:
            A state, `Next(state, *actions)`, `Ignore()` or `Stop(reason)`.
        """
        return None

    def handle_event(self, event: Any, state: Any) -> Any:
        """Every event of every state, for a class that overrides it.

        Args:
            event: An `Event`, or `Enter` with ``state_enter=True``.
            state: The state that the machine is in.

        Returns:
            A `Transition`.
        """
        raise NotImplementedError

    # -- for handlers -----------------------------------------------------------------------

    @property
    def state(self) -> Any:
        """The state that the machine is in; None before `init` has said one."""
        state = cast("MachineBody", self._process.body).state
        return None if state is NOTHING else state

    # -- for the process side -----------------------------------------------------------------

    @classmethod
    def make_body(cls, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Body:
        """The body of one new machine."""
        return MachineBody(cls, args, kwargs)

    @classmethod
    def handles_all_events(cls) -> bool:
        """Whether `handle_event` is used, not a method per state."""
        return cls.handle_event is not GenStateMachine.handle_event

    @classmethod
    def is_state(cls, name: str) -> bool:
        """Whether *name* is a method that a subclass wrote."""
        return isfunction(getattr(cls, name, None)) and not hasattr(GenStateMachine, name)

    @classmethod
    def states(cls) -> list[str]:
        """The methods that may be state functions, by name."""
        return [name for name in dir(cls) if not name.startswith("_") and cls.is_state(name)]

    # -- the client half -----------------------------------------------------------------------

    @staticmethod
    async def call(machine: ServerRef[Any], request: object, timeout: float | None = None) -> Any:
        """Send *request* as a call event and wait for the reply; by default for ever (S60).

        Raises:
            NoProcessError, ServerExitError, CallTimeoutError, SelfCallError: As `GenServer.call`.
        """
        return await requests.call(machine, request, timeout)
