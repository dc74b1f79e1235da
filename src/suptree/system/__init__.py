"""Floor 5: the system as operators meet it.  Snapshots, and the socket that gives them out."""

from suptree.system.inspector import Inspector
from suptree.system.sockets import SocketNotFoundError, ask, find_socket, socket_folder

__all__ = ["Inspector", "SocketNotFoundError", "ask", "find_socket", "socket_folder"]
