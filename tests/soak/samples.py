"""Series of samples, whose memory is all taken at the first one: what is noted must not look like a leak."""

from __future__ import annotations

from array import array
from collections.abc import Mapping

__all__ = ["Samples"]


class Samples:
    """Numbers by name, for a row of moments.

    Args:
        room: For how many moments at most.
    """

    def __init__(self, room: int) -> None:
        self._room = room
        self._times = array("d", bytes(8 * room))
        self._columns: dict[str, array[float]] = {}
        self._noted = 0

    def __len__(self) -> int:
        return self._noted

    def note(self, time: float, counted: Mapping[str, float]) -> None:
        """One moment; the same names each time."""
        if self._noted == self._room:
            raise OverflowError(f"Samples: there is room for {self._room} moments and no more.")
        if not self._columns:
            self._columns = {name: array("d", bytes(8 * self._room)) for name in counted}
        self._times[self._noted] = time
        for name, value in counted.items():
            self._columns[name][self._noted] = value
        self._noted += 1

    def names(self) -> list[str]:
        """What is noted."""
        return list(self._columns)

    def last(self) -> dict[str, float]:
        """The last moment; empty before the first."""
        return {name: column[self._noted - 1] for name, column in self._columns.items()}

    def since(self, time: float) -> tuple[list[float], dict[str, list[float]]]:
        """The moments from *time* on, and what was noted at them."""
        times = self._times[: self._noted].tolist()
        first = sum(moment < time for moment in times)
        return times[first:], {
            name: column[first : self._noted].tolist() for name, column in self._columns.items()
        }
