"""`TaskResults`: the results of many tasks, to iterate over and to leave early.

    async with TaskSupervisor.stream("tasks", fetch, urls) as results:
        async for done in results:
            print(done.result())

A stream of tasks is one, a batch of a task pool another; each says where the next result comes
from, and what leaving it early ends.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import AsyncIterator
from types import TracebackType
from typing import Generic, Self, TypeVar

from suptree.otp.task_process import TaskExit, TaskValue

__all__ = ["TaskResults"]

R_co = TypeVar("R_co", covariant=True)


class TaskResults(AsyncIterator[TaskValue[R_co] | TaskExit], Generic[R_co]):
    """The results of many tasks: `TaskValue(value)` or `TaskExit(reason)` for each of them."""

    __slots__ = ()

    @abstractmethod
    async def aclose(self) -> None:
        """End what still runs, and wait until it is gone."""

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self.aclose()
