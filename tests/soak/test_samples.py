"""Samples are found again by their moments, and take no memory that they had not from the start."""

from __future__ import annotations

import pytest

from tests.soak.memory import bytes_in_use
from tests.soak.samples import Samples


def test_what_is_noted_is_given_back_from_a_moment_on():
    samples = Samples(room=5)
    for time in (1.0, 2.0, 3.0):
        samples.note(time, {"a": 10 * time, "b": 0})

    assert samples.since(2.0) == ([2.0, 3.0], {"a": [20.0, 30.0], "b": [0, 0]})
    assert samples.since(4.0) == ([], {"a": [], "b": []})
    assert (len(samples), samples.names(), samples.last()) == (3, ["a", "b"], {"a": 30.0, "b": 0})


def test_the_memory_of_all_samples_is_taken_with_the_first():
    samples = Samples(room=20_000)
    samples.note(0.0, {"a": 1.0})

    before = bytes_in_use()
    for moment in range(1, 20_000):
        samples.note(float(moment), {"a": 1.0})

    assert bytes_in_use() - before < 20_000


def test_what_there_is_no_room_for_is_refused():
    samples = Samples(room=1)
    samples.note(0.0, {"a": 1.0})

    with pytest.raises(OverflowError, match="room for 1 moments"):
        samples.note(1.0, {"a": 1.0})
