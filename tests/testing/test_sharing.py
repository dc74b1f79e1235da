"""What passed by reference and then changed is told, and what did not is not (law 10)."""

from __future__ import annotations

import os
import subprocess
import sys
import textwrap
from pathlib import Path
from xml.etree import ElementTree

import pytest

from suptree.core import Mailbox
from suptree.testing.sharing import Sharing
from suptree.testing.sites import Sites

HEAD = """
import asyncio
import gc
import weakref
from collections import deque
from dataclasses import dataclass, field
from unittest import mock

import pytest

import suptree as st
from suptree.testing import wait_down, wait_mailbox_empty, wait_restarted

class Store(st.GenServer):
    def __init__(self, *items):
        self.items = items

    @st.cast
    def keep(self, *things, **more):
        pass

    @st.call
    def ask(self, things):
        return len(things)

    @st.cast
    def fail(self):
        raise RuntimeError("on purpose")

    def handle_info(self, message):
        pass

@dataclass
class Order:
    lines: list

@dataclass(frozen=True)
class Sealed:
    number: int
"""


IN_FLIGHT = {
    "list": ("things = [1, 2]", "things.append(3)", "it was [1, 2], and is [1, 2, 3]"),
    "dict": ("things = {'a': 1}", "things['a'] = 2", "it was {'a': 1}, and is {'a': 2}"),
    "set": ("things = {1}", "things.add(2)", "it was {1}, and is {1, 2}"),
    "bytearray": ("things = bytearray(b'a')", "things += b'b'", "and is bytearray(b'ab')"),
    "deque": ("things = deque([1])", "things.clear()", "and is deque([])"),
    "dataclass": ("things = Order([1])", "things.lines = []", "and is Order(lines=[])"),
    "nested": ("things = ({'a': [Order([])]},)", "things[0]['a'][0].lines.append(9)", "lines=[9]"),
}


QUIET = {
    "nothing changes": """
        store = await Store.start()
        Store.keep(store, [1], more={"a": Order([2])})
        await wait_mailbox_empty(store)
        """,
    "the receiver changes what is its own now": """
        async def reads():
            (await st.receive(list)).append(1)

        pid = runtime.spawn(reads)
        st.send(pid, [])
        await wait_down(pid)
        """,
    "what cannot change": """
        store = await Store.start()
        Store.keep(store, 1, "a", (2, Sealed(3)), frozenset({4}), None, float("nan"))
        await wait_mailbox_empty(store)
        """,
    "a class of its own is shared on purpose": """
        class Log(list):
            pass

        log = Log()
        store = await Store.start()
        Store.keep(store, log)
        log.append(1)
        await wait_mailbox_empty(store)
        """,
    "a fresh argument for each start": """
        make = st.start_function(lambda: st.child(Store, [1]))
        sup = await st.Supervisor.start_link([make.with_(id="s", name="s")])
        first = st.whereis("s")
        Store.fail("s")
        await wait_restarted(sup, "s", first)
        """,
    "an equal atom in the place of another": """
        store = await Store.start()
        things = {"ab"}
        table = {"ab": 1}
        Store.keep(store, things, table)
        things.clear(), things.add("".join(["a", "b"]))
        del table["ab"]
        table["".join(["a", "b"])] = 1
        await wait_mailbox_empty(store)
        """,
    "what a dataclass computes": """
        @dataclass
        class Row:
            number: int
            lazy: object = field(init=False, default=lambda self: 1)
            cache: object = field(default=None, compare=False)

        store = await Store.start()
        row = Row(1)
        Store.keep(store, row)
        row.cache = 5
        await wait_mailbox_empty(store)
        """,
    "a property that raises, a mock, a dead proxy": """
        @dataclass
        class Row:
            number: int

            def _load(self):
                raise RuntimeError("session closed")

        Row.lazy = property(Row._load)
        gone = Row(1)
        proxy = weakref.proxy(gone)
        store = await Store.start(mock.Mock(spec=dict))
        Store.keep(store, Row(1), mock.Mock(spec=list), [mock.Mock(spec=set)], proxy)
        del gone
        assert await Store.ask(store, [1]) == 1
        """,
    "a matrix, and one that holds itself many times": """
        store = await Store.start()
        many = []
        many.extend([many] * 60)
        Store.keep(store, [[0] * 1000 for _ in range(1000)], many)
        await wait_mailbox_empty(store)
        """,
    "what is kept alive": """
        kept = Order([])
        ref = weakref.ref(kept)
        store = await Store.start(kept)
        await st.GenServer.stop(store)
        other = await Store.start()
        await st.sys.suspend(other)
        Store.keep(other, kept)
        del kept
        st.exit(other, st.KILL)
        await wait_down(other)
        gc.collect()
        assert ref() is None
        """,
    "nan is what it was": """
        store = await Store.start()
        Store.keep(store, [float("nan")])
        await wait_mailbox_empty(store)
        """,
    "one that refers to itself": """
        things = []
        things.append(things)
        store = await Store.start()
        Store.keep(store, things)
        await wait_mailbox_empty(store)
        """,
}


OTHERS = {
    "names_the_request_and_its_line": """
        store = await Store.start()
        things = [1]
        request = Store.ask.send_request(store, things)  # HERE
        things.append(2)
        assert await request == 2
        """,
    "a_plain_process": """
        async def reads():
            await st.receive(list)

        things = [1]
        pid = runtime.spawn(reads)
        st.send(pid, "another one")
        st.send(pid, things)
        things.clear()
        await wait_down(pid)
        """,
    "two_starts": """
        items = [1]
        sup = await st.Supervisor.start_link([st.child(Store, items).with_(id="s", name="s")])
        items.append(2)
        first = st.whereis("s")
        Store.fail("s")
        await wait_restarted(sup, "s", first)
        """,
}
SENDS = {"cast": "Store.keep(store, things)", "send": "st.send(store, things)"}
MARKED = """
@pytest.mark.suptree_sharing("off")
async def test_marked(runtime):
    store = await Store.start()
    things = [1]
    Store.keep(store, things)
    things.clear()
    await wait_mailbox_empty(store)
"""


def source_of(name: str, body: str) -> str:
    """The source of one async test."""
    return f"\nasync def test_{name}(runtime):\n" + textwrap.indent(textwrap.dedent(body), "    ")


@pytest.fixture(scope="module")
def inner(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """Run every test of this page once, in one pytest of its own; gives what each one was told."""
    source = HEAD + MARKED
    for kind, (make, change, _) in IN_FLIGHT.items():
        for word, send in SENDS.items():
            lines = [
                "store = await Store.start()",
                make,
                send,
                change,
                "await wait_mailbox_empty(store)",
            ]
            source += source_of(f"{kind}_{word}", "\n".join(lines))
    for number, body in enumerate(QUIET.values()):
        source += source_of(f"quiet_{number}", body)
    for name, body in OTHERS.items():
        source += source_of(name, body)
    return run(tmp_path_factory.mktemp("inner"), source)


def run(folder: Path, source: str, *options: str) -> dict[str, str]:
    """The name of each test with the text of its error, '' if it has none."""
    (folder / "test_inner.py").write_text(source)
    quiet = {"SUPTREE_TEST_LOOP", "SUPTREE_SEED", "SUPTREE_DIRECT_CALL"}
    environment = {key: value for key, value in os.environ.items() if key not in quiet}
    words = ["-m", "pytest", "-q", "-p", "no:cacheprovider", "-W", "error", "--junitxml=told.xml"]
    subprocess.run(
        [sys.executable, *words, *options],
        cwd=folder,
        env=environment,
        check=False,
        capture_output=True,
        timeout=120,
    )
    told: dict[str, str] = {}
    for case in ElementTree.parse(folder / "told.xml").iter("testcase"):
        assert case.find("failure") is None, ElementTree.tostring(case).decode()
        error = case.find("error")
        name = str(case.get("name")).removeprefix("test_")
        told[name] = told.get(name, "") + ("" if error is None else str(error.text))
    return told


@pytest.mark.parametrize("kind", IN_FLIGHT)
@pytest.mark.parametrize("word", SENDS)
def test_law10_a_message_that_changes_in_flight_is_told(inner, kind, word):
    text = inner[f"{kind}_{word}"]

    assert "SharedChangeWarning: a message changed after it was sent" in text
    assert IN_FLIGHT[kind][2] in text


def test_law10_the_warning_names_the_request_and_the_line_that_sent_it(inner):
    text = inner["names_the_request_and_its_line"]

    assert "the call ask, sent at test_inner.py:" in text
    assert "in test_names_the_request_and_its_line" in text


def test_law10_a_plain_process_that_receives_a_changed_message_is_told_too(inner):
    assert "it was [1], and is []" in inner["a_plain_process"]


def test_law10_an_argument_that_changes_between_two_starts_is_told(inner):
    text = inner["two_starts"]

    assert "an argument of Store changed between two starts: it was [1], and is [1, 2]" in text
    assert "start_function" in text


@pytest.mark.parametrize("number", range(len(QUIET)), ids=QUIET)
def test_law10_what_is_not_shared_or_does_not_change_is_not_told(inner, number):
    assert inner[f"quiet_{number}"] == ""


def test_law10_a_test_can_say_that_it_shares_on_purpose(inner):
    assert inner["marked"] == ""


def test_law10_the_watch_can_be_switched_off(tmp_path):
    body = "\n".join(
        ["store = await Store.start()", "things = [1]", SENDS["cast"], "things.clear()"]
    )
    source = HEAD + source_of("off", body + "\nawait wait_mailbox_empty(store)")

    assert run(tmp_path, source, "-o", "suptree_sharing=off") == {"off": ""}
    assert "it was [1], and is []" in run(tmp_path, source)["off"]


async def test_law10_after_the_test_the_mailbox_is_as_it_was():
    watched = Mailbox.popleft
    with Sharing(Sites()).watch():
        assert Mailbox.popleft is not watched
    assert Mailbox.popleft is watched


def test_law10_leaks_are_told_beside_it_and_it_beside_leaks(tmp_path):
    body = "\n".join(
        [
            "store = await Store.start()",
            "things, others = [1], [2]",
            "Store.keep(store, things, others)",
            "things.clear(), others.clear()",
            "await wait_mailbox_empty(store)",
            "asyncio.get_running_loop().call_later(3600, print)",
        ]
    )

    told = run(tmp_path, HEAD + source_of("both", body))["both"]

    assert "this test left 1 thing(s) behind" in told
    assert "it was [1], and is []" in told
    assert "it was [2], and is []" in told
