"""What the processes of one program know in common: who is who, and what each of them has seen."""

from __future__ import annotations

from collections import Counter
from typing import Any

import suptree as st


class World:
    """The twin of `erl/server_world.erl`.

    Attributes:
        asynchronous: Whether handlers are async and suspend once.
        driver: The pid of the driver.
        goodbyes: The servers whose `terminate` ran.
    """

    def __init__(self, driver: st.Pid[Any], *, asynchronous: bool) -> None:
        self.asynchronous = asynchronous
        self.driver = driver
        self.goodbyes: set[str] = set()
        self._names: dict[st.Pid[Any], str] = {driver: "driver"}
        self._pids: dict[str, st.Pid[Any]] = {}
        self._starts = Counter[str]()
        self._lines: dict[str, list[str]] = {}

    def arrive(self, server: str, pid: st.Pid[Any]) -> str:
        """Called in init: gives the process its number, and returns the name that traces use."""
        watcher = self.driver.runtime.find(self.driver)
        assert watcher is not None
        self.driver.runtime.monitor(
            watcher, pid
        )  # from within init: each end is seen with its reason
        self._starts[server] += 1
        name = self._names[pid] = f"{server}#{self._starts[server]}"
        self._pids[server] = pid
        return name

    def note(self, who: str, text: str) -> None:
        """Write down what *who* saw."""
        self._lines.setdefault(who, []).append(text)

    def take(self) -> list[str]:
        """All lines since the last take, each process's in its own order, the processes by name."""
        lines, self._lines = self._lines, {}
        return [f"{who} {text}" for who in sorted(lines) for text in lines[who]]

    def pid(self, server: str) -> st.Pid[Any] | None:
        """The newest process that was started under that name, dead or alive."""
        return self._pids.get(server)

    def target(self, server: str, by: str) -> st.Pid[Any] | str | None:
        """How a message to *server* is addressed; None if there never was one."""
        return server if by == "name" else self._pids.get(server)

    def name(self, pid: object) -> str:
        """What traces call that process."""
        if pid is None:
            return "nobody"
        return self._names.get(pid, "somebody") if isinstance(pid, st.Pid) else str(pid)
