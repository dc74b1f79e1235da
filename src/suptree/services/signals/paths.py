"""`SignalPath`: which types of signals are meant.

Words joined by dots.  `*` stands for one word, whatever it is; `**` for any number of
them, none included.  Pure.

>>> orders = SignalPath("shop.order.**")
>>> orders.matches("shop.order"), orders.matches("shop.order.placed.twice"), orders.matches("shop")
(True, True, False)
>>> SignalPath("shop.*.placed").matches("shop.order.placed")
True

The more specific of two paths goes first: they are compared word by word from the left,
where a word goes before `*`, and that before `**`; a path that ends goes before one that goes on
with `**`, and behind one that goes on with anything else.
"""

from __future__ import annotations

import itertools
from typing import Final

from suptree.services.parts.checks import is_text
from suptree.services.signals.errors import SignalPathError

__all__ = ["ANY", "ONE", "SignalPath"]

ONE: Final = "*"
ANY: Final = "**"
_LONGEST: Final = 64


class SignalPath:
    """A path, taken apart.

    Attributes:
        text: As it was written.
        words: Its words, `*` and `**` among them.
        rank: Sorts before the rank of a less specific path.

    Raises:
        SignalPathError: It is not written like one.
    """

    __slots__ = ("rank", "text", "words")

    def __init__(self, text: str) -> None:
        self.text = text
        self.words = _words(text)
        self.rank = _rank(self.words)

    def matches(self, type: str) -> bool:
        """Whether a signal of that type is meant; its length times that of the path at most."""
        ends = {0}  # how many words of the path may have been used up
        words = self.words
        for given in type.split("."):
            ends = {
                after
                for used in _skip(ends, words)
                if used < len(words)
                for after in _step(used, words[used], given)
            }
            if not ends:
                return False
        return len(words) in _skip(ends, words)

    def __eq__(self, other: object) -> bool:
        return self.text == other.text if isinstance(other, SignalPath) else NotImplemented

    def __hash__(self) -> int:
        return hash(self.text)

    def __repr__(self) -> str:
        return f"SignalPath({self.text!r})"


def _words(text: object) -> tuple[str, ...]:
    if not isinstance(text, str) or not is_text(text):
        raise SignalPathError(text, "it must be a string such as 'shop.order.*'.")
    words = tuple(text.split("."))
    if "" in words:
        raise SignalPathError(text, "there must be a word between two dots, and none may be empty.")
    if len(words) > _LONGEST:
        raise SignalPathError(text, f"it must have {_LONGEST} words at most; it has {len(words)}.")
    for word in words:
        if "*" in word and word not in (ONE, ANY):
            raise SignalPathError(
                text, f"a `*` must stand alone between the dots; got {word!r}. Write '*' or '**'."
            )
    for before, word in itertools.pairwise(words):
        if before == word == ANY:
            raise SignalPathError(text, "`**.**` says no more than `**`. Write it once.")
    return words


def _rank(words: tuple[str, ...]) -> bytes:
    return bytes([*(1 if word == ONE else 3 if word == ANY else 0 for word in words), 2])


def _skip(ends: set[int], words: tuple[str, ...]) -> set[int]:
    """A `**` may stand for no word at all."""
    return ends | {used + 1 for used in ends if used < len(words) and words[used] == ANY}


def _step(used: int, word: str, given: str) -> tuple[int, ...]:
    if word == ANY:
        return (used,)
    return (used + 1,) if word in (ONE, given) else ()
