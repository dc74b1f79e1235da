"""A `Secret` tells its value to nobody who does not ask for it."""

from __future__ import annotations

import copy
import json
import pickle

import msgspec
import pytest

from suptree.services.parts.secret import Secret


def test_a_secret_redacts_itself_in_every_text():
    secret = Secret("hunter2")

    shown = f"{secret} {secret!r} {secret!s:>10} {[secret]} %s" % secret

    assert "hunter2" not in shown
    assert secret.reveal() == "hunter2"


def test_encoders_that_do_not_know_it_refuse_it():
    for encode in (json.dumps, msgspec.json.encode, pickle.dumps):
        with pytest.raises(TypeError):
            encode(Secret("hunter2"))  # type: ignore[operator]


def test_secrets_compare_by_value_and_copy_as_themselves():
    secret = Secret("a")

    assert secret == Secret("a") != Secret("b")
    assert secret != "a"
    assert len({secret, Secret("a")}) == 1
    assert copy.deepcopy(secret) is copy.copy(secret) is secret
    assert bool(secret)
    assert not Secret("")
