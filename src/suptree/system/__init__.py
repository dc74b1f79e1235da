"""Floor 5: the system as operators meet it.  Its whole tree, snapshots, and the socket that gives them out."""

from suptree.system.announcer import Announcer
from suptree.system.health_sink import RegistrySink
from suptree.system.inspector import Inspector
from suptree.system.settings import SystemSettings
from suptree.system.sockets import SocketNotFoundError, ask, find_socket, socket_folder
from suptree.system.system import Declarations, System
from suptree.system.tree import Branch, PlanLine, Service, Tree

__all__ = [
    "Announcer",
    "Branch",
    "Declarations",
    "Inspector",
    "PlanLine",
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
