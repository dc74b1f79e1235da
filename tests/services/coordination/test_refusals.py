"""Wrong values are refused to whoever gave them; the servers neither end nor count anything."""

from __future__ import annotations

import enum
import math
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

import suptree as st
from suptree.services import (
    Context,
    CoordinationManager,
    DeadLetterQueue,
    Delegation,
    LanePolicy,
    RedrivePolicy,
)

from .helpers import agent, got, letters, router

M, Q = CoordinationManager, DeadLetterQueue


class Evil:
    """Whatever is done with it raises."""

    def __raise(self, *_: object) -> Any:
        raise RuntimeError("code of a user ran in a server")

    __eq__ = __hash__ = __repr__ = __str__ = __bool__ = __len__ = __iter__ = __raise
    __lt__ = __le__ = __gt__ = __ge__ = __float__ = __int__ = __index__ = __contains__ = __raise
    __class__ = property(__raise)  # type: ignore[assignment]

    def __getattr__(self, name: str) -> Any:
        raise RuntimeError("code of a user ran in a server")


class EvilText(str):
    """A text whose hash, comparison and repr raise."""

    __slots__ = ()

    def __raise(self, *_: object) -> Any:
        raise RuntimeError("code of a user ran in a server")

    __eq__ = __hash__ = __repr__ = __str__ = __raise


class EvilNumber(float):
    """A number whose comparisons raise."""

    def __raise(self, *_: object) -> Any:
        raise RuntimeError("code of a user ran in a server")

    __eq__ = __hash__ = __repr__ = __str__ = __lt__ = __le__ = __gt__ = __ge__ = __abs__ = __raise


NO_RECEIVER: list[Any] = [
    None,
    5,
    1.5,
    b"a",
    [],
    ["a"],
    {},
    set(),
    object(),
    Evil(),
    st.via("reg", []),
    st.via("reg", Evil()),
    st.via([], "key"),
    st.via(Evil(), "key"),
    Context("crew"),
    math.nan,
    lambda: None,
    st.Pid,
]
NO_SECONDS: list[Any] = [
    math.nan,
    math.inf,
    -math.inf,
    -1,
    "5",
    b"5",
    [],
    {},
    object(),
    True,
    1j,
    10**400,
    10**5000,
    Evil(),
    EvilNumber("nan"),
    EvilText("5"),
]
NO_LIST: list[Any] = [
    None, 5, "a", b"a", {}, object(), Evil(), (one for one in "a"), range(3),
    [None], [5], ["a", []], [Evil()], Context(5), Context(""), Context(Evil()), Context([]),
    st.via("reg", "a"),
]  # fmt: skip
NO_NAME: list[Any] = [None, 5, 1.5, b"a", "", [], {}, object(), Evil(), math.nan, st.Pid]
NO_NUMBER: list[Any] = [None, -1, 1.5, "1", b"", [], {}, object(), Evil(), True, math.nan]
NO_NUMBERS: list[Any] = [5, 1.5, "1", b"1", {"1": 1}, object(), Evil(), [None], ["1"], [1.5], [[]],
    [Evil()], (n for n in (1, 2)), [-1], True]  # fmt: skip


def tame(values: list[Any]) -> list[Any]:
    """For what is looked at in the caller: there its own code may raise what it likes."""
    return [one for one in values if type(one) not in (Evil, EvilNumber)]


Ask = Callable[[Any], Awaitable[Any]]


def cases(name: str, values: list[Any], ask: Ask) -> list[Any]:
    return [pytest.param(ask, one, id=f"{name}-{n}") for n, one in enumerate(values)]


ASKS = [
    *cases("coordinate.to", NO_RECEIVER, lambda x: M.coordinate("router", x, 1)),
    *cases(
        "coordinate.wait", [None, *NO_SECONDS], lambda x: M.coordinate("router", "a", 1, wait=x)
    ),
    *cases(
        "coordinate.expires", [0, *NO_SECONDS], lambda x: M.coordinate("router", "a", 1, expires=x)
    ),
    *cases("outcome.id", NO_NUMBER, lambda x: M.outcome("router", x)),
    *cases("outcome.wait", [None, *NO_SECONDS], lambda x: M.outcome("router", 1, wait=x)),
    *cases("delegate.to", NO_RECEIVER, lambda x: M.delegate("router", x, 1)),
    *cases("delegate.wait", [None, *NO_SECONDS], lambda x: M.delegate("router", "a", 1, wait=x)),
    *cases("delegate.expires", NO_SECONDS, lambda x: M.delegate("router", "a", 1, expires=x)),
    *cases(
        "delegate.on",
        [
            5,
            "a",
            [],
            ("task", ()),
            object(),
            Evil(),
            Delegation(1, 5),  # type: ignore[arg-type]
            Delegation(1, ([],)),  # type: ignore[arg-type]
            Delegation(1, (Evil(),)),  # type: ignore[arg-type]
            Delegation(1, Evil()),  # type: ignore[arg-type]
        ],
        lambda x: M.delegate("router", "a", 1, on=x),
    ),
    *cases("distribute.to", NO_LIST, lambda x: M.distribute("router", x, 1)),
    *cases("distribute.wait", NO_SECONDS, lambda x: M.distribute("router", ["a"], 1, wait=x)),
    *cases("distribute.expires", NO_SECONDS, lambda x: M.distribute("router", ["a"], 1, expires=x)),
    *cases("broadcast.to", NO_LIST, lambda x: M.broadcast("router", x, 1)),
    *cases("broadcast.wait", NO_SECONDS, lambda x: M.broadcast("router", ["a"], 1, wait=x)),
    *cases("broadcast.expires", NO_SECONDS, lambda x: M.broadcast("router", ["a"], 1, expires=x)),
    *cases(
        "broadcast.strategy",
        [None, 5, "", "all", [], Evil(), EvilText("all")],
        lambda x: M.broadcast("router", ["a"], 1, strategy=x),
    ),
    *cases("open_context.name", NO_NAME, lambda x: M.open_context("router", x)),
    *cases("open_context.members", NO_LIST[:-1], lambda x: M.open_context("router", "x", x)),
    *cases(
        "open_context.owner",
        [5, "a", [], object(), Evil(), math.nan],
        lambda x: M.open_context("router", "x", owner=x),
    ),
    *cases("close_context", NO_NAME, lambda x: M.close_context("router", x)),
    *cases("context", NO_NAME, lambda x: M.context("router", x)),
    *cases("join.name", NO_NAME, lambda x: M.join("router", x, "a")),
    *cases("join.member", NO_RECEIVER, lambda x: M.join("router", "crew", x)),
    *cases("leave.name", NO_NAME, lambda x: M.leave("router", x, "a")),
    *cases("leave.member", NO_RECEIVER, lambda x: M.leave("router", "crew", x)),
    *cases("redrive.dead_letters", ["a", *NO_RECEIVER], lambda x: M.redrive("router", x)),
    *cases("redrive.numbers", NO_NUMBERS, lambda x: M.redrive("router", "letters", x)),
    *cases("letters.limit", NO_NUMBER, lambda x: Q.letters("letters", limit=x)),
    *cases("letters.to", NO_RECEIVER[1:], lambda x: Q.letters("letters", to=x)),
    *cases("letter", NO_NUMBER, lambda x: Q.letter("letters", x)),
    *cases("purge", NO_NUMBERS, lambda x: Q.purge("letters", x)),
    *cases("reconfigure.policy", NO_NAME[1:], lambda x: M.reconfigure("router", policy=x)),
    *cases(
        "reconfigure.max_lanes", tame(NO_NUMBER[1:]), lambda x: M.reconfigure("router", max_lanes=x)
    ),
    *cases(
        "reconfigure.history", tame(NO_NUMBER[1:]), lambda x: M.reconfigure("router", history=x)
    ),
    *cases("reconfigure.idle", tame(NO_SECONDS), lambda x: M.reconfigure("router", idle_after=x)),
    *cases(
        "reconfigure.max_letters",
        tame(NO_NUMBER[1:]),
        lambda x: Q.reconfigure("letters", max_letters=x),
    ),
    *cases("reconfigure.age", tame(NO_SECONDS), lambda x: Q.reconfigure("letters", max_age=x)),
    *cases("lend", [None, 5, "a", [], object(), Evil()], lambda x: st.GenServer.call("letters", x)),
]


async def add(**wrong: Any) -> None:
    Q.add("letters", **{"to": "a", "message": 1, "reason": "why", **wrong})


ASKS += [
    *cases("add.to", NO_RECEIVER, lambda x: add(to=x)),
    *cases("add.attempts", NO_NUMBER, lambda x: add(attempts=x)),
    *cases("add.message_id", NO_NUMBER, lambda x: add(message_id=x)),
    *cases("add.redrives", NO_NUMBER, lambda x: add(redrives=x)),
]


async def everything() -> tuple[Any, ...]:
    return (
        st.whereis("router"),
        st.whereis("letters"),
        await M.stats("router"),
        await Q.stats("letters"),
        await M.contexts("router"),
        got("a"),
    )


@pytest.mark.parametrize(("ask", "value"), ASKS)
async def test_a_wrong_value_is_refused_in_the_caller_and_changes_nothing(runtime, ask, value):
    await letters()
    await router(dead_letters="letters")
    await agent("a")
    await M.open_context("router", "crew", ["a"])
    Q.add("letters", "a", "m", "why")
    before = await everything()

    with pytest.raises((ValueError, TypeError, st.SuptreeError)) as refused:
        await ask(value)

    assert not isinstance(refused.value, st.ServerExitError)
    assert await everything() == before


class Names(enum.StrEnum):
    """Names of receivers, as some people like to write them."""

    WORKER = "a"


async def test_a_name_may_be_of_a_class_of_its_own(runtime):
    await router()
    await agent("a")

    outcome = await M.coordinate("router", Names.WORKER, 1)

    assert (outcome.to, outcome.value) == ("a", 1)
    assert [one.to for one in await M.lanes("router")] == ["a"]


async def test_a_value_of_any_kind_is_a_message(runtime):
    await letters()
    await router(dead_letters="letters")
    await agent("a")
    evil = Evil()

    outcome = await M.coordinate("router", "a", [evil])
    Q.add("letters", "a", evil, evil)

    assert outcome.value[0] is evil
    assert len(await Q.letters("letters")) == 1


@pytest.mark.parametrize(
    ("ask", "text"),
    [
        (
            lambda: M.broadcast("router", ["a"], 1, strategy="all_or_nothin"),  # type: ignore[arg-type]
            "broadcast: strategy must be 'best_effort', 'all_or_nothing' or 'at_least_one'; "
            "got 'all_or_nothin', did you mean 'all_or_nothing'?",
        ),
        (
            lambda: Q.purge("letters", 5),  # type: ignore[arg-type]
            "DeadLetterQueue.purge: numbers must be a list of the numbers of letters, or None for "
            r"all; got 5. Write \[5\].",
        ),
        (
            lambda: M.redrive("router", "a"),
            "redrive: dead_letters must be a DeadLetterQueue; got 'a'. Name the queue.",
        ),
        (
            lambda: M.coordinate("router", 17, 1),  # type: ignore[arg-type]
            r"coordinate: to must be a name, a pid or via\(registry, key\); got 17.",
        ),
        (
            lambda: M.coordinate("router", "a", 1, wait="5"),  # type: ignore[arg-type]
            "coordinate: wait must be a finite number, 0 or more; got '5'.",
        ),
        (
            lambda: M.open_context("router", "x", owner="a"),  # type: ignore[arg-type]
            "open_context: owner must be a Pid; got 'a'. Write it like owner=",
        ),
    ],
)
async def test_a_refusal_says_what_would_be_right(runtime, ask, text):
    await letters()
    await router()
    await agent("a")

    with pytest.raises((ValueError, TypeError), match=text):
        await ask()


@pytest.mark.parametrize(
    ("options", "text"),
    [
        ({"policy": 5}, "policy must be a LanePolicy; got 5"),
        ({"policy": Evil()}, "policy must be a LanePolicy; got <Evil"),
        ({"policies": 5}, "policies must be a Mapping; got 5"),
        ({"policies": {"a": 5}}, "policies must be a LanePolicy; got 5"),
        ({"policies": {5: LanePolicy()}}, "policies must be a name, a pid or via"),
        ({"dead_letters": 5}, "dead_letters must be a name, a pid or via"),
        ({"redrive": 5}, "redrive must be a RedrivePolicy; got 5"),
        ({"redrive": RedrivePolicy()}, "dead_letters must be given with redrive; got None"),
        ({"store": 5}, "store must keep references"),
        ({"space": 5}, "space must be a text that is not empty; got 5"),
        ({"max_lanes": 0}, "max_lanes must be a whole number, 1 or more; got 0"),
        ({"max_contexts": 0}, "max_contexts must be a whole number, 1 or more; got 0"),
        ({"idle_after": math.nan}, "idle_after must be a finite number, above 0; got nan"),
        ({"history": -1}, "history must be a whole number, 0 or more; got -1"),
    ],
)
async def test_a_router_that_is_declared_wrongly_does_not_start_and_says_why(
    runtime, options, text
):
    with pytest.raises(st.StartError, match=text):
        await router(**options)


@pytest.mark.parametrize(
    ("options", "text"),
    [
        ({"retry": 5}, "retry must be a RetryPolicy; got 5"),
        ({"retry": None}, "retry must be a RetryPolicy; got None"),
        ({"breaker": "closed"}, "breaker must be a BreakerConfig; got 'closed'"),
        ({"overflow": []}, r"overflow must be 'reject', 'drop_oldest' or 'wait'; got \[\]"),
        ({"overflow": "drop_old"}, "got 'drop_old', did you mean 'drop_oldest'?"),
        ({"expires": math.nan}, "expires must be a finite number, above 0; got nan"),
    ],
)
def test_a_policy_of_wrong_values_says_what_would_be_right(options, text):
    with pytest.raises(ValueError, match=text):
        LanePolicy(**options)


@pytest.mark.parametrize(
    ("options", "text"),
    [
        ({"every": 0}, "every must be a finite number, above 0; got 0"),
        ({"older_than": -1}, "older_than must be a finite number, 0 or more; got -1"),
        ({"max_redrives": 0}, "max_redrives must be a whole number, 1 or more; got 0"),
    ],
)
def test_a_redrive_policy_of_wrong_values_says_what_would_be_right(options, text):
    with pytest.raises(ValueError, match=text):
        RedrivePolicy(**options)
