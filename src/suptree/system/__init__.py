"""Floor 5: the system as operators meet it.  Its whole tree, snapshots, and the socket that gives them out.

`System` opens every service with its libraries, and is opened itself when it is asked for;
who only asks a running system does without.
"""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final

from suptree.system.inspector import Inspector
from suptree.system.sockets import SocketNotFoundError, ask, find_socket, socket_folder

if TYPE_CHECKING:
    from suptree.system.announcer import Announcer
    from suptree.system.declarations import Declarations
    from suptree.system.health_sink import RegistrySink
    from suptree.system.reconfigurer import Reconfigurer, ReconfigurerStats
    from suptree.system.settings import SystemSettings
    from suptree.system.system import System
    from suptree.system.tree import Branch, PlanLine, Service, Tree

__all__ = [
    "Announcer",
    "Branch",
    "Declarations",
    "Inspector",
    "PlanLine",
    "Reconfigurer",
    "ReconfigurerStats",
    "RegistrySink",
    "Service",
    "SocketNotFoundError",
    "System",
    "SystemSettings",
    "Tree",
    "ask",
    "find_socket",
    "socket_folder",
]

_HOME: Final[Mapping[str, str]] = {
    "Announcer": "announcer",
    "Branch": "tree",
    "Declarations": "declarations",
    "PlanLine": "tree",
    "Reconfigurer": "reconfigurer",
    "ReconfigurerStats": "reconfigurer",
    "RegistrySink": "health_sink",
    "Service": "tree",
    "System": "system",
    "SystemSettings": "settings",
    "Tree": "tree",
}


def __getattr__(name: str) -> Any:
    home = _HOME.get(name)
    if home is None:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = globals()[name] = getattr(importlib.import_module(f"{__name__}.{home}"), name)
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
