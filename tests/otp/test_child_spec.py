"""A child spec refuses each wrong field where it is written, not at the first restart."""

from __future__ import annotations

import pytest

import suptree as st


class Worker(st.GenServer):
    """Does nothing."""


@pytest.mark.otp("S103")
@pytest.mark.parametrize(
    ("field", "value", "told"),
    [
        ("restart", "permanant", "did you mean 'permanent'?"),
        ("shutdown", "infinite", "'brutal_kill' or 'infinity'; got 'infinite'"),
        ("shutdown", -1, "got -1"),
        ("name", 3, "a string or via(registry, key); got 3"),
        ("bound", 5, "a MailboxBound; got 5"),
        ("backoff", 1.0, "a Backoff; got 1.0"),
        ("start_timeout", "2", "seconds (0 or more) or None; got '2'"),
        ("start_timeout", -1, "got -1"),
        ("depends_on", "ledger", "a tuple of ids; got 'ledger'"),
    ],
)
def test_a_wrong_field_is_refused_with_what_it_must_be(field, value, told):
    with pytest.raises(st.ChildSpecError, match=f"child 'Worker': {field} must be") as refusal:
        st.child(Worker).with_(**{field: value})

    assert told in str(refusal.value)


def test_right_fields_pass():
    spec = st.child(Worker).with_(
        name=st.via("workers", 1),
        bound=st.MailboxBound(5),
        backoff=st.Backoff(),
        start_timeout=0.5,
        depends_on=("ledger",),
    )

    assert spec.depends_on == ("ledger",)


def test_an_instance_is_no_child():
    with pytest.raises(st.ChildSpecError, match=r"is made already\. Give its class"):
        st.child(Worker())  # type: ignore[arg-type]


def test_what_is_no_behaviour_has_no_child_spec():
    with pytest.raises(st.ChildSpecError, match="has no child spec"):
        st.child(dict)


def test_an_async_init_method_of_python_is_refused_where_the_class_is_made():
    with pytest.raises(TypeError, match=r"__init__ must not be async\. Put what waits into"):

        class Wrong(st.GenServer):
            async def __init__(self) -> None: ...  # type: ignore[misc]
