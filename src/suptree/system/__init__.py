"""Floor 5: the system as operators meet it.  Its tree, snapshots, and the socket that gives them out."""

from suptree.system.inspector import Inspector
from suptree.system.sockets import SocketNotFoundError, ask, find_socket, socket_folder
from suptree.system.tree import Branch, PlanLine, Service, Tree

__all__ = [
    "Branch",
    "Inspector",
    "PlanLine",
    "Service",
    "SocketNotFoundError",
    "Tree",
    "ask",
    "find_socket",
    "socket_folder",
]
