"""Listening changes nothing: not what is called, and not what stands there afterwards."""

from __future__ import annotations

import pytest

from suptree.core import Runtime
from suptree.testing.ledger import Ledger
from suptree.testing.listening import listening
from suptree.testing.sites import Sites


class Base:
    def greet(self, name: str, *, mark: str = ".") -> str:
        return f"hello {name}{mark}"


class Below(Base):
    pass


class Line(list[int]):
    pass


ORIGINAL = Base.greet


def as_they_were() -> bool:
    return Base.greet is ORIGINAL and "greet" not in vars(Below)


@pytest.mark.parametrize("owner", [Base, Below])
def test_every_call_is_told_before_and_after_and_the_method_is_given_back(
    owner: type[Base],
) -> None:
    heard: list[object] = []

    with listening(
        owner,
        "greet",
        before=lambda self, *args: heard.append(args),
        after=lambda self, args, result: heard.append((args, result)),
    ):
        assert owner().greet("you", mark="!") == "hello you!"

    assert heard == [("you",), (("you",), "hello you!")]
    assert as_they_were()


def test_a_method_of_a_built_in_class_is_heard_in_the_class_below_it() -> None:
    heard: list[object] = []

    with listening(Line, "append", before=lambda self, one: heard.append(one)):
        Line().append(1)

    assert heard == [1]
    assert "append" not in vars(Line)


def test_a_method_that_raises_has_no_result_to_tell_of() -> None:
    heard: list[object] = []

    with listening(Base, "greet", after=lambda *told: heard.append(told)):
        with pytest.raises(TypeError):
            Base().greet()  # type: ignore[call-arg]

    assert not heard
    assert as_they_were()


@pytest.mark.parametrize("planted_in", [Base, Below])
def test_a_method_that_a_test_plants_while_it_is_watched_is_the_one_that_runs(
    planted_in: type[Base], monkeypatch: pytest.MonkeyPatch
) -> None:
    with listening(Below, "greet"):
        monkeypatch.setattr(planted_in, "greet", lambda self, name: "planted")
        said = Below().greet("you")
        monkeypatch.undo()

    assert said == "planted"
    assert as_they_were()


def test_a_method_that_a_test_planted_and_took_away_is_not_brought_back(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(Base, "greet", lambda self, name: "planted")
    with listening(Base, "greet"):
        monkeypatch.undo()

    assert as_they_were()


def test_a_method_that_is_to_stay_is_not_taken_away(monkeypatch: pytest.MonkeyPatch) -> None:
    heard: list[object] = []
    with listening(Base, "greet", before=lambda self, *args: heard.append(args)):
        beneath = Base.greet
        monkeypatch.setattr(Base, "greet", lambda self, name: beneath(self, name, mark="?"))

    assert Base().greet("you") == "hello you?"
    assert not heard  # the listener is held from above, but its time is over


async def test_a_fault_planted_in_what_runtimes_are_made_of_ends_with_its_test(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The ledger begins to listen there when the first runtime is opened: the fault is there by then."""
    names = type(Runtime().names)
    whole = names.register
    monkeypatch.setattr(names, "register", lambda self, name, process: None)
    with Ledger(Sites()).watch():
        async with Runtime():
            pass
        monkeypatch.undo()

    assert names.register is whole
