"""`ErrorPolicy`: of which category an error is, and what is done about it.  A value.

Of the classes that an error is of, the nearest one in the table says what it is: a rule for
`OSError` holds for its subclasses, unless one of these has a rule of its own.

>>> policy = ErrorPolicy().extended({KeyError: "resource"}, {"resource": "fallback"})
>>> str(policy.classify(KeyError("x"))), str(policy.strategy_for(KeyError("x")))
('resource', 'fallback')
>>> str(policy.classify(ConnectionResetError()))
'transient'
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from types import MappingProxyType
from typing import Any, Final, TypeVar, cast

from suptree.services.parts.backoff import TRANSIENT
from suptree.services.parts.checks import bad_argument, check_kind, check_word

__all__ = ["ErrorCategory", "ErrorPolicy", "RecoveryStrategy", "as_category", "as_strategy"]

W = TypeVar("W", bound=StrEnum)


class ErrorCategory(StrEnum):
    """What kind of trouble an error tells of."""

    TRANSIENT = "transient"
    """It may be over the next time: timeouts, the network, nobody there just now."""
    PERMANENT = "permanent"
    """It will be the same the next time."""
    RESOURCE = "resource"
    """Something is used up: to ask again at once makes it worse."""
    VALIDATION = "validation"
    """The caller gave what will not do."""
    SYSTEM = "system"
    """The machine or the program is in trouble, perhaps in the middle of something."""


class RecoveryStrategy(StrEnum):
    """What is done about an error; `ErrorHandler.with_recovery` says it in full."""

    RETRY = "retry"
    PROPAGATE = "propagate"
    CIRCUIT_BREAK = "circuit_break"
    COMPENSATE = "compensate"
    FALLBACK = "fallback"


_CATEGORIES: Final[Mapping[type[Exception], ErrorCategory]] = MappingProxyType(
    {
        **dict.fromkeys(TRANSIENT, ErrorCategory.TRANSIENT),
        ValueError: ErrorCategory.VALIDATION,  # BadArgumentError is one
        TypeError: ErrorCategory.VALIDATION,
        MemoryError: ErrorCategory.RESOURCE,
        BlockingIOError: ErrorCategory.RESOURCE,
        OSError: ErrorCategory.SYSTEM,
        FileNotFoundError: ErrorCategory.PERMANENT,
        FileExistsError: ErrorCategory.PERMANENT,
        PermissionError: ErrorCategory.PERMANENT,
        SystemError: ErrorCategory.SYSTEM,
        RecursionError: ErrorCategory.SYSTEM,
    }
)
_STRATEGIES: Final[Mapping[ErrorCategory, RecoveryStrategy]] = MappingProxyType(
    {
        ErrorCategory.TRANSIENT: RecoveryStrategy.RETRY,
        ErrorCategory.PERMANENT: RecoveryStrategy.PROPAGATE,
        ErrorCategory.RESOURCE: RecoveryStrategy.CIRCUIT_BREAK,
        ErrorCategory.VALIDATION: RecoveryStrategy.PROPAGATE,
        ErrorCategory.SYSTEM: RecoveryStrategy.COMPENSATE,
    }
)


@dataclass(frozen=True, slots=True)
class ErrorPolicy:
    """See the module text.  `extended` makes another one with rules of your own.

    Attributes:
        categories: Class of error -> its category; given, it takes the place of the whole table.
        strategies: Category -> what is done; those that are not given are as by default:
            transient retry, permanent propagate, resource circuit_break, validation propagate,
            system compensate.
        unknown: The category of errors that have no rule.  By default permanent: an error that
            nobody knows is raised at once.

    Raises:
        BadArgumentError: A table holds what it must not.
    """

    categories: Mapping[type[Exception], ErrorCategory | str] = field(
        default_factory=lambda: _CATEGORIES
    )
    strategies: Mapping[ErrorCategory | str, RecoveryStrategy | str] = field(
        default_factory=lambda: cast(
            "Mapping[ErrorCategory | str, RecoveryStrategy | str]", _STRATEGIES
        )
    )
    unknown: ErrorCategory | str = ErrorCategory.PERMANENT

    def __post_init__(self) -> None:
        check_kind("ErrorPolicy", "categories", self.categories, Mapping, "a mapping")
        check_kind("ErrorPolicy", "strategies", self.strategies, Mapping, "a mapping")
        categories = {
            _error_class(key): as_category("ErrorPolicy", "categories", value)
            for key, value in self.categories.items()
        }
        strategies = {
            as_category("ErrorPolicy", "strategies", key): as_strategy(
                "ErrorPolicy", "strategies", value
            )
            for key, value in self.strategies.items()
        }
        put = object.__setattr__
        put(self, "categories", MappingProxyType(categories))
        put(self, "strategies", MappingProxyType({**_STRATEGIES, **strategies}))
        put(self, "unknown", as_category("ErrorPolicy", "unknown", self.unknown))

    def extended(
        self,
        categories: Mapping[type[Exception], ErrorCategory | str] | None = None,
        strategies: Mapping[ErrorCategory | str, RecoveryStrategy | str] | None = None,
    ) -> ErrorPolicy:
        """The same with more rules; of two for the same class or category the new one holds.

        Raises:
            BadArgumentError: A table holds what it must not.
        """
        return ErrorPolicy(
            {**self.categories, **(categories or {})},
            {**self.strategies, **(strategies or {})},
            self.unknown,
        )

    def classify(self, error: BaseException) -> ErrorCategory:
        """The category of *error*; of a group: of its errors, if they are of one, else `unknown`."""
        for cls in type(error).__mro__:
            found = self.categories.get(cast("Any", cls))
            if found is not None:
                return cast("ErrorCategory", found)
        if isinstance(error, BaseExceptionGroup):
            several = cast("BaseExceptionGroup[BaseException]", error).exceptions
            kinds = {self.classify(one) for one in several}
            if len(kinds) == 1:
                return kinds.pop()
        return cast("ErrorCategory", self.unknown)

    def strategy_for(self, error: BaseException) -> RecoveryStrategy:
        """What is done about *error*."""
        return self.strategy_of(self.classify(error))

    def strategy_of(self, category: ErrorCategory) -> RecoveryStrategy:
        """What is done about errors of that category."""
        return cast("RecoveryStrategy", self.strategies[category])


def as_category(who: str, field: str, value: object) -> ErrorCategory:
    """*value* as a category; refuses what is none."""
    return _word(who, field, value, ErrorCategory)


def as_strategy(who: str, field: str, value: object) -> RecoveryStrategy:
    """*value* as a strategy; refuses what is none."""
    return _word(who, field, value, RecoveryStrategy)


def _word(who: str, field: str, value: object, kind: type[W]) -> W:
    if isinstance(value, kind):
        return value
    check_word(who, field, value, [one.value for one in kind])
    return kind(cast("str", value))


def _error_class(value: object) -> type[Exception]:
    if not isinstance(value, type) or not issubclass(value, Exception):
        raise bad_argument(
            "ErrorPolicy",
            "categories",
            "exception classes below Exception as keys",
            cast("Any", value),
        )
    return value
