"""PartitionSupervisor: n children of one kind behind one name, and a key that finds one of them.

    PartitionSupervisor.child(child(Cache), name="caches", partitions=8)
    await Cache.get(partition("caches", user_id), user_id)

Takes the load of one busy server off it when the work divides by a key.  The key is
looked up at each use, so a restarted partition is found under the same key.

    key                                   partition
    a whole number                        abs(key) % n, as in Elixir
    a pid                                 its number % n
    str, bytes                            crc32 of it (UTF-8) % n
    anything else with a repr of its own  crc32 of its repr % n
    anything else, and sets               refused: the same key would not stay where it is

Equal keys of different types (1 and 1.0) may go to different partitions.

After Elixir's PartitionSupervisor; the hash is not the BEAM's.
"""

from __future__ import annotations

import os
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any, ParamSpec, TypeVar

from suptree.core import Body, Pid, Process, Runtime, safe_repr
from suptree.errors import ChildSpecError, NameTakenError, NoProcessError, SupervisorOptionsError
from suptree.otp.child_spec import ChildSpec, change_arguments
from suptree.otp.children import Child
from suptree.otp.directives import ServerRef, resolve
from suptree.otp.plan import PlanSource, spec_of
from suptree.otp.supervisor import Supervisor
from suptree.otp.supervisor_body import SupervisorBody

__all__ = ["Partition", "PartitionSupervisor", "partition", "partition_of"]

P = ParamSpec("P")
S = TypeVar("S")

WithArguments = Callable[[tuple[Any, ...], int], tuple[Any, ...]]


class PartitionSupervisor(Supervisor, in_place=True):
    """Children with the ids 0 to n-1, one_for_one (S180).

    Args:
        child_spec: The spec of every partition; it must not have a name.
        name: Required: partitions are found through it.
        partitions: How many; default: the processors of the machine.
        with_arguments: Gives each partition its arguments, from those of the spec and
            its number: ``lambda args, partition: (*args, partition)`` (S182).
        max_restarts: As Supervisor's.
        max_seconds: As Supervisor's.
    """

    def __init__(
        self,
        child_spec: ChildSpec[Any] | type[Any],
        *,
        name: Any,
        partitions: int | None = None,
        with_arguments: WithArguments | None = None,
        max_restarts: int | None = None,
        max_seconds: float | None = None,
    ) -> None:
        super().__init__(max_restarts=max_restarts, max_seconds=max_seconds)
        self.name = name
        self.child_spec = child_spec
        self.partition_count = (os.cpu_count() or 1) if partitions is None else partitions
        self.with_arguments = with_arguments

    def children(self) -> list[ChildSpec[Any]]:
        """One spec for each partition."""
        spec = spec_of(self.child_spec)
        return [self._one(spec, number) for number in range(self.partition_count)]

    def _one(self, spec: ChildSpec[Any], number: int) -> ChildSpec[Any]:
        if self.with_arguments is not None:
            spec = change_arguments(spec, lambda args: self.with_arguments(args, number))  # type: ignore[misc]
        return spec.with_(id=number)

    def check(self, who: str) -> None:
        """Refuse wrong options."""
        if not isinstance(self.name, str) or not self.name:
            raise SupervisorOptionsError(
                f"{who}: name must be a string, through which partitions are found; got {self.name!r}."
            )
        count: object = self.partition_count
        if not isinstance(count, int) or isinstance(count, bool) or count < 1:
            raise SupervisorOptionsError(
                f"{who}: partitions must be an int of 1 or more; got {count!r}."
            )
        spec = spec_of(self.child_spec)
        if spec.name is not None:
            raise ChildSpecError(
                f"{who}: child {spec.id!r}: name must be None: {count} partitions cannot share "
                f"{spec.name!r}. Reach them with partition(name, key)."
            )
        super().check(who)

    @classmethod
    def make_body(cls, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Body:
        """The body of one new supervisor."""
        return PartitionBody(partial(cls, *args, **kwargs))

    @staticmethod
    def partitions(name: ServerRef[Any]) -> int:
        """The number of partitions (S182).

        Raises:
            NoProcessError: No partition supervisor has that name.
        """
        process = resolve(name, "partitions")
        body = _body_of(process)
        if body is None:
            raise NoProcessError(name, "partitions")
        count: int = body.instance.partition_count
        return count


class PartitionBody(SupervisorBody):
    """The process side: also remembers the last pid of each partition (S183)."""

    def __init__(self, make: Callable[[], PlanSource]) -> None:
        super().__init__(make)
        self.last: dict[int, Pid[Any]] = {}

    async def launch(self, child: Child) -> None:
        """Start a partition, and note where it lives now."""
        await super().launch(child)
        assert child.pid is not None
        self.last[child.spec.id] = child.pid


@dataclass(frozen=True, slots=True)
class Partition:
    """A server reference: the partition that *key* belongs to.  Made by `partition`."""

    name: str
    key: Any

    def whereis(self, runtime: Runtime) -> Pid[Any] | None:
        """The last pid that the partition had, which may be dead; None if it never came up (S183).

        Raises:
            TypeError: The key has no stable place.
        """
        body = _body_of(runtime.names.get(self.name))
        if body is None:
            return None
        return body.last.get(partition_of(self.key, body.instance.partition_count))

    def claim(self, process: Process) -> None:
        """Refused: a partition's name is its supervisor's to give."""
        raise NameTakenError(str(self), "it names a partition, not a process that you start.")

    def __str__(self) -> str:
        return f"partition({self.name!r}, {safe_repr(self.key, 100)})"


def partition(name: str, key: object) -> Partition:
    """The partition of *key* under the PartitionSupervisor *name*, wherever a server is named."""
    return Partition(name, key)


def partition_of(key: object, count: int) -> int:
    """Which of *count* partitions *key* belongs to; the table is in the module text.

    Raises:
        TypeError: The key would not stay where it is.
    """
    if isinstance(key, int):
        return abs(key) % count
    if isinstance(key, Pid):
        return key.id % count
    if isinstance(key, str):
        return zlib.crc32(key.encode("utf-8", "surrogatepass")) % count
    if isinstance(key, (bytes, bytearray)):
        return zlib.crc32(key) % count
    kind: type[object] = type(key)
    if kind.__repr__ is object.__repr__ or issubclass(kind, (set, frozenset)):
        raise TypeError(
            f"partition: key must have a repr that is the same for equal keys; got a "
            f"{kind.__qualname__}. Use a number, a string, or a tuple of such."
        )
    return zlib.crc32(repr(key).encode("utf-8", "surrogatepass")) % count


def _body_of(process: Process | None) -> PartitionBody | None:
    body = None if process is None else process.body
    return body if isinstance(body, PartitionBody) else None
