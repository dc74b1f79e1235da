"""`Secret`: a value that shows itself to nobody who does not ask for it by name.

In every text, that of a crash report included, it is `***`.  It is not pickled, and JSON
encoders that do not know it refuse it, rather than write it.

>>> password = Secret("hunter2")
>>> password, f"{password}", [password]
(Secret('***'), '***', [Secret('***')])
>>> password.reveal()
'hunter2'
"""

from __future__ import annotations

from typing import Any, Final, Generic, NoReturn, TypeVar, cast

__all__ = ["REDACTED", "Secret"]

T_co = TypeVar("T_co", covariant=True)

REDACTED: Final = "***"


class Secret(Generic[T_co]):
    """Holds a value; only `reveal` gives it.  Equal if the values are; true if the value is."""

    __slots__ = ("_value",)

    def __init__(self, value: T_co) -> None:
        self._value = value

    def reveal(self) -> T_co:
        """The value."""
        return self._value

    def __bool__(self) -> bool:
        return bool(self._value)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Secret) and bool(self._value == cast("Any", other).reveal())

    def __hash__(self) -> int:
        return hash((Secret, self._value))

    def __repr__(self) -> str:
        return f"Secret({REDACTED!r})"

    def __str__(self) -> str:
        return REDACTED

    def __format__(self, spec: str) -> str:
        return REDACTED

    def __copy__(self) -> Secret[T_co]:
        return self

    def __deepcopy__(self, memo: dict[int, Any]) -> Secret[T_co]:
        return self

    def __reduce__(self) -> NoReturn:
        raise TypeError("a Secret is not pickled. Send what `reveal()` gives, if it must be sent.")
