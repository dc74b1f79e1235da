"""Leases against a model: never two holders, tokens grow, first come first served."""

from __future__ import annotations

import pytest
from hypothesis import settings
from hypothesis import strategies as some
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from suptree.services import LeaseLostError
from suptree.services.primitives.lease_table import Lease, LeaseTable, Waiter

NAMES = some.sampled_from(["a", "b"])


class LeaseMachine(RuleBasedStateMachine):
    """Asks, ends, renews, gives up; the model is a list of who asked, the holder first."""

    @initialize()
    def begin(self) -> None:
        self.table = LeaseTable(100, max_waiters=1000)
        self.now = 0.0
        self.lines: dict[str, list[object]] = {"a": [], "b": []}
        self.gone: set[object] = set()
        self.told: dict[object, Lease] = {}
        self.tokens: list[int] = []

    def _told(self, key: object, lease: Lease) -> bool:
        if key in self.gone:
            return False
        self.told[key] = lease
        self.tokens.append(lease.token)
        return True

    def _serve(self, name: str) -> None:
        """The model: those who are gone are never served."""
        line = self.lines[name]
        while line and line[0] in self.gone:
            line.pop(0)

    @rule(name=NAMES, ttl=some.floats(0.1, 10))
    def ask(self, name: str, ttl: float) -> None:
        key = object()
        waiter = Waiter(key, None, ttl, self.now, lambda lease: self._told(key, lease))  # type: ignore[arg-type]
        lease = self.table.ask(name, waiter, True, self.now)

        assert (lease is not None) is (not self.lines[name])
        self.lines[name].append(key)
        if lease is not None:
            self._told(key, lease)

    @rule(seconds=some.floats(0, 5))
    def pass_time(self, seconds: float) -> None:
        self.now += seconds

    @precondition(lambda self: any(self.lines.values()))
    @rule(data=some.data())
    def end(self, data: some.DataObject) -> None:
        name = data.draw(some.sampled_from([n for n, line in self.lines.items() if line]))
        ended, granted = self.table.end(name, "released", self.now)
        assert ended.waiter.key is self.lines[name].pop(0)
        self._serve(name)

        assert (granted is None) is (not self.lines[name])
        if granted is not None:
            assert granted.waiter.key is self.lines[name][0]
            assert granted.lease.expires_at == self.now + granted.lease.ttl

    @precondition(lambda self: any(len(line) > 1 for line in self.lines.values()))
    @rule(data=some.data(), told=some.booleans())
    def give_up(self, data: some.DataObject, told: bool) -> None:
        name = data.draw(some.sampled_from([n for n, line in self.lines.items() if len(line) > 1]))
        key = data.draw(some.sampled_from(self.lines[name][1:]))
        if told:
            waiter = self.table.leave(name, key)
            assert (waiter is None) is (key not in self.lines[name])
            self.lines[name].remove(key)
        self.gone.add(key)

    @precondition(lambda self: any(self.lines.values()))
    @rule(data=some.data(), ttl=some.one_of(some.none(), some.floats(0.1, 10)))
    def renew(self, data: some.DataObject, ttl: float | None) -> None:
        name = data.draw(some.sampled_from([n for n, line in self.lines.items() if line]))
        lease = self.told[self.lines[name][0]]
        renewed = self.table.renew(lease, ttl, self.now)

        assert renewed.token == lease.token
        assert renewed.expires_at == self.now + (renewed.ttl if ttl is None else ttl)

    @precondition(lambda self: len(self.tokens) > 1)
    @rule(name=NAMES)
    def renew_what_is_lost(self, name: str) -> None:
        held = [grant.lease.token for grant in self.table.held.values()]
        token = next((token for token in self.tokens if token not in held), 0)
        stale = Lease(name, None, token, 1.0, self.now)  # type: ignore[arg-type]

        with pytest.raises(LeaseLostError):
            self.table.renew(stale, 1.0, self.now)

    @invariant()
    def the_holder_is_the_first_who_asked_and_is_there(self) -> None:
        for name, line in self.lines.items():
            grant = self.table.held.get(name)
            assert (grant is None) is (not line)
            if grant is not None:
                assert grant.waiter.key is line[0]
                assert self.told[line[0]].token == grant.lease.token
            queue = list(self.table.waiting.get(name, ()))
            assert queue == line[1:]

    @invariant()
    def tokens_grow(self) -> None:
        assert self.tokens == sorted(set(self.tokens))


TestLeaseMachine = LeaseMachine.TestCase
TestLeaseMachine.settings = settings(max_examples=150, stateful_step_count=40, deadline=None)
