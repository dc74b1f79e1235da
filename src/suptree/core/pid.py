"""Pid and Ref: opaque identities, comparable by identity, printable, never pickled.

A pid outlives its process: once the process has ended it is a small dead name.
`Pid[Counter]` carries the server class for type checkers only.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Generic, NoReturn, TypeVar

if TYPE_CHECKING:
    from suptree.core.process import Process
    from suptree.core.runtime import Runtime

__all__ = ["Pid", "Ref"]

S_co = TypeVar("S_co", covariant=True)


class Pid(Generic[S_co]):
    """The address of one process in one runtime.  Made by the runtime only."""

    # Invariant: _process is None exactly when the process is DEAD.
    __slots__ = ("__weakref__", "_id", "_process", "_runtime")

    def __init__(self, id: int, runtime: Runtime) -> None:
        self._id = id
        self._runtime = runtime
        self._process: Process | None = None

    @property
    def id(self) -> int:
        """The number of this process in its runtime, counted from 1 and never used again."""
        return self._id

    @property
    def runtime(self) -> Runtime:
        """The runtime that the process lives, or lived, in."""
        return self._runtime

    def is_alive(self) -> bool:
        """Say whether the process lives; an exiting one does not (S14)."""
        process = self._process
        return process is not None and process.is_alive()

    if not TYPE_CHECKING:  # a type checker must not take any attribute for real

        def __getattr__(self, name: str) -> NoReturn:
            raise AttributeError(
                f"a Pid has no {name!r}. Call the server through its class: "
                f"Server.{name}(pid, ...), not pid.{name}(...)."
            )

    def __lt__(self, other: Pid[object]) -> bool:
        return self._id < other._id

    def __repr__(self) -> str:
        process = self._process
        name = process.name if process is not None else None
        return f"<0.{self._id}>" if name is None else f"<0.{self._id} {name}>"

    def __reduce__(self) -> NoReturn:
        raise TypeError(
            f"{self!r} cannot be pickled: a pid is meaningful in its own runtime only. "
            "Send a name or a registry key instead."
        )


class Ref:
    """A reference unique within its runtime: of a monitor, a timer or a request."""

    __slots__ = ("_id",)

    def __init__(self, id: int) -> None:
        self._id = id

    def __repr__(self) -> str:
        return f"#{type(self).__name__}<{self._id}>"

    def __reduce__(self) -> NoReturn:
        raise TypeError(f"{self!r} cannot be pickled: it is meaningful in its own runtime only.")
