"""Which arguments a command may have: values that say so, and no functions.  Pure.

>>> ArgumentPatterns("-[ahl]+", "/.*").allows(("-ah", "/var"))
True
>>> ExactArguments((), ("-p",)).allows(("-s",))
False
"""

from __future__ import annotations

import re
from typing import Any, Final, TypeAlias

from suptree.services.parts.checks import bad_argument, check_count

__all__ = ["AnyArguments", "ArgumentPatterns", "ArgumentPolicy", "ExactArguments", "is_policy"]

_MOST: Final = 64


class ExactArguments:
    """The arguments together are one of these lists, and no other; none given: no arguments at all.

    Args:
        lists: Each a tuple of strings; ``()`` is a command alone.

    Raises:
        BadArgumentError: One is no tuple of strings.
    """

    __slots__ = ("lists",)

    def __init__(self, *lists: tuple[str, ...]) -> None:
        for one in lists:
            given: Any = one
            if not isinstance(given, tuple) or not all(
                isinstance(word, str)
                for word in given  # pyright: ignore[reportUnknownVariableType]
            ):
                advice = "Write ExactArguments((), ('-p',))."
                raise bad_argument("ExactArguments", "each list", "a tuple of strings", one, advice)
        self.lists = frozenset(lists or ((),))

    def allows(self, args: tuple[str, ...]) -> bool:
        """Whether these will do."""
        return args in self.lists

    def __str__(self) -> str:
        return "exactly " + " or ".join(
            repr(" ".join(one)) if one else "nothing" for one in sorted(self.lists)
        )

    def __repr__(self) -> str:
        return f"ExactArguments({', '.join(map(repr, sorted(self.lists)))})"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, ExactArguments) and self.lists == other.lists

    def __hash__(self) -> int:
        return hash(self.lists)


class ArgumentPatterns:
    """Each argument is matched as a whole by one of these regular expressions.

    They are the author's: write none that takes for ever.  They run in the caller, as all checks do.

    Args:
        patterns: Regular expressions.
        most: So many arguments at most.

    Raises:
        BadArgumentError: One is no regular expression, or there are none.
    """

    __slots__ = ("_compiled", "most", "patterns")

    def __init__(self, *patterns: str, most: int = 16) -> None:
        check_count("ArgumentPatterns", "most", most, least=0)
        if not patterns:
            advice = "For a command without arguments write ExactArguments()."
            raise bad_argument("ArgumentPatterns", "patterns", "at least one", patterns, advice)
        try:
            self._compiled = tuple(re.compile(one) for one in patterns)
        except (re.error, TypeError) as error:
            raise bad_argument(
                "ArgumentPatterns", "patterns", "regular expressions", patterns, f"{error}."
            ) from error
        self.patterns = patterns
        self.most = most

    def allows(self, args: tuple[str, ...]) -> bool:
        """Whether these will do."""
        return len(args) <= self.most and all(
            any(pattern.fullmatch(word) for pattern in self._compiled) for word in args
        )

    def __str__(self) -> str:
        return f"at most {self.most}, each like {' or '.join(map(repr, self.patterns))}"

    def __repr__(self) -> str:
        return f"ArgumentPatterns({', '.join(map(repr, self.patterns))}, most={self.most})"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, ArgumentPatterns) and (self.patterns, self.most) == (
            other.patterns,
            other.most,
        )

    def __hash__(self) -> int:
        return hash((self.patterns, self.most))


class AnyArguments:
    """Whatever the caller gives.  Of a command that can do harm this allows all of it: say so on purpose.

    Args:
        most: So many arguments at most.
    """

    __slots__ = ("most",)

    def __init__(self, *, most: int = _MOST) -> None:
        check_count("AnyArguments", "most", most, least=0)
        self.most = most

    def allows(self, args: tuple[str, ...]) -> bool:
        """Whether these will do."""
        return len(args) <= self.most

    def __str__(self) -> str:
        return f"at most {self.most}"

    def __repr__(self) -> str:
        return f"AnyArguments(most={self.most})"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, AnyArguments) and self.most == other.most

    def __hash__(self) -> int:
        return hash((AnyArguments, self.most))


ArgumentPolicy: TypeAlias = ExactArguments | ArgumentPatterns | AnyArguments


def is_policy(value: object) -> bool:
    """Whether it is one of the three."""
    return isinstance(value, (ExactArguments, ArgumentPatterns, AnyArguments))
