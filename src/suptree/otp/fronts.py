"""Front doors: by what name the user knows a request, for the text of a refusal.

A class of servers may be written in several parts, each with requests of its own, and a
client function may make a request that is private.  Whoever called that function knows
neither; so the refusal names the class that says ``__front__ = "RateLimiter"`` for its part,
and the function that was called.  Looked at only once something is refused.
"""

from __future__ import annotations

import inspect
import sys
from collections.abc import Callable
from types import FrameType
from typing import Any

__all__ = ["asked_for", "front_of", "with_article"]


def asked_for(function: Callable[..., Any], name: str) -> tuple[str, str]:
    """The class and the request that the user knows.

    Args:
        function: The handler of the request.
        name: The name of the request, which may be private.

    Returns:
        As ("RateLimiter", "RateLimiter.check").
    """
    part = function.__qualname__.rpartition(".")[0]
    cls = _class_of(function.__module__, part)
    owner = part.rpartition(".")[2] if cls is None else front_of(cls)
    called = _client_on_the_stack(cls, owner)
    if called is None and not name.startswith("_"):
        called = name
    return owner, f"a request of {owner}" if called is None else f"{owner}.{called}"


def _class_of(module: str, qualname: str) -> type | None:
    found: Any = sys.modules.get(module)
    for one in qualname.split("."):
        found = getattr(found, one, None)
    return found if isinstance(found, type) else None


def _client_on_the_stack(cls: type | None, owner: str) -> str | None:
    """The outermost client function of that class that is being called, the parts of the class included."""
    if cls is None:
        return None
    home = cls.__module__.rpartition(".")[0]
    called: str | None = None
    frame: FrameType | None = sys._getframe()
    while frame is not None:
        if _is_client(frame, cls, owner, home):
            called = frame.f_code.co_name
        elif called is not None:
            break
        frame = frame.f_back
    return called


def _is_client(frame: FrameType, cls: type, owner: str, home: str) -> bool:
    name = frame.f_code.co_name
    module = frame.f_globals.get("__name__", "")
    if name.startswith("_") or module.rpartition(".")[0] != home:
        return False
    part = _class_of(module, frame.f_code.co_qualname.rpartition(".")[0])
    if part is None or not (part is cls or issubclass(part, cls) or owner == front_of(part)):
        return False
    return isinstance(inspect.getattr_static(part, name, None), staticmethod | classmethod)


def front_of(part: type) -> str:
    """The name by which users know that class: its own, or that of the class it is a part of."""
    front: str = vars(part).get("__front__", part.__name__)
    return front


def with_article(name: str) -> str:
    """*name* with an indefinite article: 'an AgentRegistry'."""
    return f"{'an' if name[:1] in 'AEIO' else 'a'} {name}"
