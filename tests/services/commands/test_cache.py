"""The cache of results is bounded in number, in size and in time, whatever is put there."""

from __future__ import annotations

from typing import Any

from hypothesis import strategies as some
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from suptree.services import CommandResult, CommandRule
from suptree.services.commands.cache import ResultCache
from suptree.services.commands.spec import Command

RULE = CommandRule()
NAMES = some.sampled_from("abcdef")


def result(size: int) -> CommandResult:
    return CommandResult(
        command="x",
        args=(),
        stdout=b"x" * size,
        stderr=b"",
        exit_code=0,
        signal=None,
        duration_s=0.0,
        stdout_truncated=False,
        stderr_truncated=False,
        swept=0,
    )


class Caches(RuleBasedStateMachine):
    """A cache beside a dictionary that forgets nothing."""

    def __init__(self) -> None:
        super().__init__()
        self.cache = ResultCache(3, 100)
        self.put_at: dict[str, tuple[float, float, int]] = {}
        self.now = 0.0

    @rule(name=NAMES, size=some.integers(0, 120), ttl=some.sampled_from([0.0, 1.0, 5.0]))
    def put(self, name: str, size: int, ttl: float) -> None:
        self.cache.put((Command(name), RULE), result(size), ttl, self.now)
        self.put_at[name] = (self.now, ttl, size)

    @rule(name=NAMES, ttl=some.sampled_from([0.5, 3.0, 100.0]))
    def get(self, name: str, ttl: float) -> None:
        found = self.cache.get((Command(name), RULE), ttl, self.now)
        if found is None:
            return
        at, kept_for, size = self.put_at[name]
        age = self.now - at
        assert age < ttl
        assert age < kept_for
        assert (found.cached, found.age, len(found.stdout)) == (True, age, size)

    @rule(name=NAMES)
    def a_result_is_found_right_after_it_was_put(self, name: str) -> None:
        self.put(name, 10, 5.0)
        assert self.cache.get((Command(name), RULE), 1.0, self.now) is not None

    @rule(name=NAMES)
    def forget(self, name: str) -> None:
        self.cache.forget(name)
        assert self.cache.get((Command(name), RULE), 100.0, self.now) is None

    @rule(seconds=some.sampled_from([0.1, 1.0, 4.0]))
    def wait(self, seconds: float) -> None:
        self.now += seconds

    @invariant()
    def it_is_bounded(self) -> None:
        assert len(self.cache) <= 3
        assert 0 <= self.cache.size <= 100


TestCaches: Any = Caches.TestCase
TestCaches.__doc__ = "Whatever is put and asked for."


def test_what_was_used_longest_ago_goes_first() -> None:
    cache = ResultCache(3, 100)
    keys = {name: (Command(name), RULE) for name in "abcd"}
    for now, name in enumerate("abc"):
        cache.put(keys[name], result(1), 60.0, float(now))
    assert cache.get(keys["a"], 60.0, 3.0) is not None

    cache.put(keys["d"], result(1), 60.0, 4.0)

    left = {name for name, key in keys.items() if cache.get(key, 60.0, 5.0) is not None}
    assert left == {"a", "c", "d"}
