"""Paths and the router: which, and in which order."""

from __future__ import annotations

import itertools
from functools import cmp_to_key

import pytest
from hypothesis import given, settings
from hypothesis import strategies as some
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from suptree.services.signals import (
    Signal,
    SignalOptionsError,
    SignalPath,
    SignalPathError,
    SignalRouter,
)

WORDS = some.sampled_from(["a", "b", "c"])
TYPES = some.lists(WORDS, min_size=1, max_size=6).map(".".join)


def _valid(words: list[str]) -> bool:
    return not any(a == b == "**" for a, b in itertools.pairwise(words))


PATHS = (
    some.lists(some.sampled_from(["a", "b", "c", "*", "**"]), min_size=1, max_size=6)
    .filter(_valid)
    .map(".".join)
)


def fits(path: list[str], words: list[str]) -> bool:
    """The naive way to say what a path means."""
    if not path:
        return not words
    if path[0] == "**":
        return any(fits(path[1:], words[i:]) for i in range(len(words) + 1))
    return bool(words) and path[0] in ("*", words[0]) and fits(path[1:], words[1:])


def compare(one: str, other: str) -> int:
    """The naive way to say which path is more specific."""
    rank = {"*": 1, None: 2, "**": 3}  # None: it has ended
    for a, b in itertools.zip_longest(one.split("."), other.split(".")):
        if rank.get(a, 0) != rank.get(b, 0):
            return rank.get(a, 0) - rank.get(b, 0)
    return 0


@pytest.mark.parametrize(
    ("path", "type", "matches"),
    [
        ("a.b", "a.b", True),
        ("a.b", "a", False),
        ("a.b", "a.b.c", False),
        ("*", "a", True),
        ("*", "a.b", False),
        ("a.*", "a", False),
        ("a.*.c", "a.b.c", True),
        ("**", "a", True),
        ("**", "a.b.c", True),
        ("a.**", "a", True),
        ("a.**", "b.a", False),
        ("**.c", "c", True),
        ("**.c", "a.b.c", True),
        ("**.c", "a.c.b", False),
        ("a.**.c", "a.c", True),
        ("a.**.c", "a.b.b.c", True),
        ("**.b.**", "a.b.c", True),
        ("**.b.**", "a.c", False),
        ("**.*", "a", True),
        ("a.*", "a.", True),  # a type of another program may have an empty word
    ],
)
def test_a_star_is_one_word_and_two_stars_are_any_number(path: str, type: str, matches: bool):
    assert SignalPath(path).matches(type) is matches
    router: SignalRouter[int] = SignalRouter()
    router.add(path, 1)
    assert bool(router.routes(type)) is matches


@pytest.mark.parametrize(
    ("path", "says"),
    [
        ("", "word between two dots"),
        ("a..b", "word between two dots"),
        (".a", "word between two dots"),
        ("a.", "word between two dots"),
        ("a.b*", "must stand alone"),
        ("***", "must stand alone"),
        ("a.**.**", "says no more than"),
        (None, "must be a string"),
        (".".join("a" * 65), "64 words at most"),
    ],
)
def test_a_path_that_is_not_written_like_one_is_refused_in_words(path: str, says: str):
    with pytest.raises(SignalPathError) as refused:
        SignalRouter[int]().add(path, 1)

    assert says in str(refused.value)


@pytest.mark.parametrize("priority", [101, -101, 1.0, "1", True, None])
def test_a_priority_goes_from_minus_100_to_100(priority: object):
    with pytest.raises(SignalOptionsError, match="priority must be an integer from -100 to 100"):
        SignalRouter[int]().add("a", 1, priority=priority)  # type: ignore[arg-type]


def test_a_route_needs_a_target():
    with pytest.raises(SignalOptionsError, match="targets must be one or more"):
        SignalRouter[int]().add("a")


@given(PATHS, TYPES)
def test_a_path_matches_what_the_naive_reading_of_it_matches(path: str, type: str):
    assert SignalPath(path).matches(type) == fits(path.split("."), type.split("."))


def test_more_specific_paths_go_first_whatever_their_priority():
    router: SignalRouter[str] = SignalRouter()
    paths = ["a.b", "a.b.**", "a.*", "a.**.b", "a.**.b.**", "a.**", "*.b", "*.**", "**.b", "**"]
    for priority, path in enumerate(reversed(paths)):
        router.add(path, path, priority=-priority)

    assert router.match(Signal("a.b", source="/s")) == paths


def test_among_equally_specific_paths_priority_decides_and_then_registration():
    router: SignalRouter[str] = SignalRouter()
    router.add("a.*", "first, 0")
    router.add("a.*", "low", priority=-100)
    router.add("a.*", "high", priority=100)
    router.add("a.*", "second, 0")

    assert router.match(Signal("a.b", source="/s")) == ["high", "first, 0", "second, 0", "low"]


def test_several_targets_of_a_route_keep_their_order():
    router: SignalRouter[int] = SignalRouter()
    router.add("a", 3, 1, 2)

    assert router.match(Signal("a", source="/s")) == [3, 1, 2]


def test_a_match_function_is_asked_only_for_signals_whose_path_fits():
    asked: list[object] = []

    def is_large(signal: Signal) -> bool:
        asked.append(signal.data)
        return signal.data == "large"

    router: SignalRouter[str] = SignalRouter()
    router.add("a", "large ones", match=is_large)
    assert router.has_matches()

    assert router.match(Signal("a", source="/s", data="large")) == ["large ones"]
    assert router.match(Signal("a", source="/s", data="small")) == []
    assert router.match(Signal("b", source="/s", data="large")) == []
    assert asked == ["large", "small"]


def test_removing_every_route_leaves_no_node_behind():
    router: SignalRouter[int] = SignalRouter()
    routes = [router.add(path, 1) for path in ("a.b.c", "a.**.c", "*.b", "**", "a.b")]
    assert len(router) == len(list(router)) == 5

    assert all(router.remove(route) for route in routes)

    assert not router.remove(routes[0])
    assert router._root.is_empty()
    assert router._nodes_any == 0
    assert len(router) == 0
    assert not router.has_matches()


def test_a_hostile_path_costs_no_more_than_its_length_times_that_of_the_type():
    path = ".".join(["**", "a"] * 31 + ["b"])
    type = ".".join("a" * 2000)
    router: SignalRouter[int] = SignalRouter()
    router.add(path, 1)

    assert router.routes(type) == ()
    assert not SignalPath(path).matches(type)


def test_what_is_remembered_has_a_bound():
    router: SignalRouter[int] = SignalRouter(remember=10)
    router.add("**", 1)
    for i in range(100):
        router.routes(f"a.{i}")

    assert len(router._found) <= 10


class AgainstAList(RuleBasedStateMachine):
    """The trie beside a list that is scanned, with additions and removals in between."""

    def __init__(self) -> None:
        super().__init__()
        self.router: SignalRouter[int] = SignalRouter(remember=4)
        self.routes: list[tuple[str, int, int, object]] = []

    @rule(path=PATHS, priority=some.integers(-2, 2))
    def add(self, path: str, priority: int) -> None:
        number = max((n for _, _, n, _ in self.routes), default=0) + 1
        route = self.router.add(path, number, priority=priority)
        self.routes.append((path, priority, number, route))

    @rule(data=some.data())
    def remove(self, data: some.DataObject) -> None:
        if self.routes:
            gone = data.draw(some.sampled_from(self.routes))
            self.routes.remove(gone)
            assert self.router.remove(gone[3])  # type: ignore[arg-type]

    @rule(type=TYPES)
    def match(self, type: str) -> None:
        matching = [one for one in self.routes if fits(one[0].split("."), type.split("."))]
        matching.sort(
            key=cmp_to_key(
                lambda a, b: compare(a[0], b[0]) or b[1] - a[1] or a[2] - b[2]  # type: ignore[misc,index]
            )
        )
        assert self.router.match(Signal(type, source="/s")) == [one[2] for one in matching]

    @invariant()
    def counts(self) -> None:
        assert len(self.router) == len(self.routes)


TestTheRouterAgainstAList = AgainstAList.TestCase
TestTheRouterAgainstAList.settings = settings(max_examples=150, stateful_step_count=30)
