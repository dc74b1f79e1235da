"""Declarations: each mistake is refused where it is made."""

from __future__ import annotations

from typing import Any

import pytest

from suptree.services.flags import Flag, FlagDeclarationError, FlagSetting, Migration, Stage
from suptree.services.flags.declared import Declared

A, B = Flag("a", default=False), Flag("b", default=True)


def of(*flags: Flag, migrations: Any = (), settings: Any = None) -> Declared:
    return Declared.of(flags, migrations, settings or {})


def test_a_flag_says_whether_it_is_on_by_default_and_nothing_assumes_that_it_is_off():
    with pytest.raises(TypeError):
        Flag("replacement")  # type: ignore[call-arg]


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda: Flag("", default=False), "name must begin with a letter"),
        (lambda: Flag("a b", default=False), "name must begin with a letter"),
        (lambda: Flag("a", default=101), "in steps of 0.01; got 101"),
        (lambda: Flag("a", default="on"), "got 'on'"),  # type: ignore[arg-type]
        (lambda: Stage("s", {"a": -1}), "Stage 's': 'a' must be true, false"),
        (lambda: Migration("m", []), "must be one or more"),
        (lambda: Migration("m", [Stage("s", {}), Stage("s", {})]), "each of its own name"),
        (lambda: of(A, A), "declared twice"),
        (lambda: of(A, migrations=[Migration("a", [Stage("s", {})])]), "a name of its own"),
        (
            lambda: of(A, migrations=[Migration("m", [Stage("s", {"aa": 1})])]),
            "got 'aa', did you mean 'a'",
        ),
        (
            lambda: of(A, migrations=[Migration(n, [Stage("s", {"a": 1})]) for n in ("m", "n")]),
            "must belong to one migration; got 'm' and 'n'",
        ),
        (lambda: of(A, settings={"aa": True}), "the settings must name declared flags"),
        (lambda: of(A, settings={"a": "yes"}), "the rollout of 'a'"),
        (lambda: of(A, settings={"a": FlagSetting(True, allow=("",))}), "texts that are not empty"),
        (lambda: of(A, settings=[("a", True)]), "values by the name of their flag"),
    ],
)
def test_a_wrong_declaration_is_refused_with_what_is_wrong(make, words):
    with pytest.raises(FlagDeclarationError, match=words.replace(".", r"\.")):
        make()


def test_what_fits_together_is_gathered():
    declared = of(
        *(A, B),
        migrations=[Migration("m", [Stage("s", {"a": 50}), Stage("t", {"a": True})])],
        settings={"b": 25, "a": FlagSetting(False, allow=("x",))},
    )

    assert declared.owners == {"a": "m"}
    assert declared.configured["b"] == FlagSetting(25)
    assert declared.migrations["m"].position("t") == 2
    assert declared.migrations["m"].position("") == 0
    assert declared.migrations["m"].position("u") is None
