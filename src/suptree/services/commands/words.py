"""The words that a command is made of: checked, revealed to the program, and shown to people.  Pure.

>>> redacted(["-u", "me", "--password=hunter2", Secret("x")])
('-u', 'me', '--password=***', '***')
"""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence
from typing import Any, Final, TypeGuard, cast

from suptree.services.parts.checks import bad_argument
from suptree.services.parts.plain import is_mapping
from suptree.services.parts.secret import REDACTED, Secret

__all__ = ["Word", "check_names", "check_variables", "check_word", "plain", "redacted"]

Word = str | Secret[str]
"""An argument, or the value of a variable; a `Secret` is shown nowhere."""

_SECRET_OPTION: Final = re.compile(
    r"-{1,2}(?:[\w-]*(?:password|passwd|secret|token|api[-_]?key|credential)[\w-]*)", re.IGNORECASE
)


def redacted(args: Sequence[Any]) -> tuple[str, ...]:
    """Arguments as anybody may see them: no `Secret`, and no value of an option named like one."""
    shown: list[str] = []
    hide_next = False
    for word in args:
        text = str(word)
        option, equals, _ = text.partition("=")
        is_secret = _SECRET_OPTION.fullmatch(option) is not None
        if hide_next and not text.startswith("-"):
            text = REDACTED
        elif is_secret and equals:
            text = f"{option}={REDACTED}"
        hide_next = is_secret and not equals
        shown.append(text)
    return tuple(shown)


def plain(word: Word) -> str:
    """The word as the program gets it."""
    return word.reveal() if isinstance(word, Secret) else word


def check_word(who: str, field: str, word: Any) -> Word:
    """*word*, if a program can be given it.

    Raises:
        BadArgumentError: It is no text, or has a NUL in it.
    """
    text: Any = word.reveal() if _is_secret(word) else word
    if not isinstance(text, str) or "\0" in text:
        raise bad_argument(who, field, "strings without NUL, or Secrets of such", str(word))
    return cast("Word", word)


def check_variables(who: str, env: Any) -> dict[str, Word]:
    """The variables in *env*, if they can be some; None: there are none.

    Raises:
        BadArgumentError: They cannot.
    """
    if env is None:
        return {}
    if not is_mapping(env):
        raise bad_argument(who, "env", "a mapping of names to strings", env)
    check_names(who, tuple(env))
    return {name: check_word(who, f"env[{name!r}]", value) for name, value in env.items()}


def check_names(who: str, names: Any) -> frozenset[str]:
    """*names*, if variables can have them.

    Raises:
        BadArgumentError: They cannot.
    """
    if isinstance(names, str) or not _is_several(names):
        raise bad_argument(who, "names of variables", "a list", names)
    found = list(names)
    for name in found:
        if not isinstance(name, str) or not re.fullmatch(r"[A-Za-z_][A-Za-z0-9_]*", name):
            raise bad_argument(who, "the name of a variable", "a word", name)
    return frozenset(found)


def _is_several(value: object) -> TypeGuard[Collection[Any]]:
    return isinstance(value, Collection)


def _is_secret(value: object) -> TypeGuard[Secret[Any]]:
    return isinstance(value, Secret)
