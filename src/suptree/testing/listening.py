"""Has something told of every call of a method, for as long as a test is watched.

What the test itself puts in the place of a method is left alone.  The listener stands in the
class that defines the method, so a method that is planted there or below is what runs.  It
takes away nothing but itself: it brings back no method that the test has taken away again,
and takes away none that is to stay.  A listener that cannot leave, because what was put over
it holds it, says nothing any more.
"""

from __future__ import annotations

import contextlib
import functools
from collections.abc import Callable, Generator
from typing import Any, Final

__all__ = ["listening"]

_IMMUTABLE: Final = 1 << 8  # Py_TPFLAGS_IMMUTABLETYPE: a built-in class, which takes no methods


@contextlib.contextmanager
def listening(
    owner: type,
    name: str,
    *,
    before: Callable[..., object] | None = None,
    after: Callable[[Any, tuple[Any, ...], Any], object] | None = None,
) -> Generator[None, None, None]:
    """Have every call of a method told inside the block.

    Args:
        owner: A class that has the method, or inherits it.
        name: Of the method.
        before: Called with what the method is about to be called with, keywords apart.
        after: Called with self, the other positional arguments, and what the method returned.
    """
    place = _place(owner, name)
    own = vars(place).get(name)
    method = getattr(place, name)
    listens = True

    @functools.wraps(method)
    def told(self: Any, *args: Any, **options: Any) -> Any:
        if before is not None and listens:
            before(self, *args)
        result = method(self, *args, **options)
        if after is not None and listens:
            after(self, args, result)
        return result

    setattr(place, name, told)
    try:
        yield
    finally:
        listens = False
        if vars(place).get(name) is told:
            if own is None:
                delattr(place, name)
            else:
                setattr(place, name, own)


def _place(owner: type, name: str) -> type:
    """Return the class that defines the method, or the nearest one below it that takes methods."""
    place = owner
    for kind in owner.__mro__:
        if not kind.__flags__ & _IMMUTABLE:
            place = kind
        if name in vars(kind):
            break
    return place
