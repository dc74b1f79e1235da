"""The command line, as its user meets it: real OS processes, real signals."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from suptree.cli.commands.tree import render

SHOP = """
import suptree as st

class Till(st.GenServer):
    def __init__(self) -> None:
        self.sum = 0

class Shop(st.Application):
    def children(self):
        return [st.child(Till).with_(name="till")]

    async def start(self, *args):
        started = await super().start(*args)
        print("open", flush=True)
        return started

class Broken(st.Application):
    def children(self):
        raise RuntimeError("no goods")

class Branch(st.Application):
    def __init__(self, town):
        self.town = town
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "shop.py").write_text(SHOP)
    return tmp_path


def suptree(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "suptree.cli.main", *arguments],
        cwd=folder,
        env=environment(folder),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def environment(folder: Path) -> dict[str, str]:
    return {**os.environ, "XDG_RUNTIME_DIR": str(folder)}


@pytest.fixture
def running(folder: Path) -> Iterator[subprocess.Popen[str]]:
    """`suptree run shop:Shop`, known to listen."""
    program = subprocess.Popen(
        [sys.executable, "-m", "suptree.cli.main", "run", "shop:Shop"],
        cwd=folder,
        env=environment(folder),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert program.stdout is not None
    assert program.stdout.readline() == "open\n", program.communicate()[1]
    yield program
    program.kill()
    program.communicate()


def test_run_then_tree_and_info_then_sigterm_stops_in_order(
    folder: Path, running: subprocess.Popen[str]
) -> None:
    tree = suptree(folder, "tree")
    info = suptree(folder, "info", "till", "--json")
    running.send_signal(signal.SIGTERM)
    _, log = running.communicate(timeout=30)

    assert tree.returncode == 0, tree.stderr
    assert "└─ till" in tree.stdout
    assert json.loads(info.stdout)["name"] == "till"
    assert running.returncode == 0, log
    assert "SIGTERM: stopping in order" in log
    assert "ERROR" not in log, log
    assert list(folder.glob("suptree/*.sock")) == []


def test_tree_json_is_the_whole_snapshot(folder: Path, running: subprocess.Popen[str]) -> None:
    snapshot = json.loads(suptree(folder, "tree", "--json").stdout)

    assert snapshot["os_pid"] == running.pid
    assert snapshot["processes"] >= 4


def test_an_unknown_process_is_refused_with_what_to_do(
    folder: Path, running: subprocess.Popen[str]
) -> None:
    result = suptree(folder, "info", "nobody")

    assert result.returncode == 2
    assert "no process 'nobody'" in result.stderr
    assert "suptree tree" in result.stderr


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["tree"], "no running system found"),
        (["tree", "--os-pid", "1"], "no running system with OS pid 1"),
        (["info", "x", "--socket", "nowhere"], "no such socket"),
        (["run", "shop"], "must look like shop:Shop"),
        (["run", "nowhere:Shop"], "no module 'nowhere'"),
        (["run", "shop.py:Shop"], "write the module: shop:Shop"),
        (["run", "shop:Shap"], "Applications there: Branch, Broken, Shop"),
        (["run", "shop:Till"], "is the class Till (GenServer), no Application"),
        (["run", "shop:Branch"], "such as `app = Branch(...)`, and run shop:app"),
        (["run", "shop:Shop", "--stop-timeout", "-1"], "seconds, 0 or more"),
    ],
)
def test_wrong_use_says_what_to_do_and_exits_2(
    folder: Path, arguments: list[str], says: str
) -> None:
    result = suptree(folder, *arguments)

    assert result.returncode == 2, result.stderr
    assert says in result.stderr
    assert "Traceback" not in result.stderr


def test_an_application_that_does_not_start_exits_3_with_its_traceback(folder: Path) -> None:
    result = suptree(folder, "run", "shop:Broken")

    assert result.returncode == 3
    assert "no goods" in result.stderr


def test_a_module_that_exits_when_it_is_imported_is_wrong_use(folder: Path) -> None:
    (folder / "script.py").write_text("raise SystemExit(5)")
    result = suptree(folder, "run", "script:App")

    assert result.returncode == 2
    assert "importing 'script' failed" in result.stderr


def test_a_reader_that_has_enough_is_no_error(folder: Path, running: subprocess.Popen[str]) -> None:
    reader, writer = os.pipe()
    os.close(reader)
    result = subprocess.run(
        [sys.executable, "-m", "suptree.cli.main", "tree", "--json"],
        cwd=folder,
        env=environment(folder),
        stdout=writer,
        stderr=subprocess.PIPE,
        text=True,
        timeout=60,
        check=False,
    )
    os.close(writer)

    assert result.returncode == 0
    assert result.stderr == ""


def test_version_and_help(folder: Path) -> None:
    assert suptree(folder, "--version").stdout.startswith("suptree 0.")
    assert "exit codes" in suptree(folder, "run", "--help").stdout
    assert "tree" in suptree(folder, "--help").stdout


def node(label: str, *children: object) -> dict[str, object]:
    return {
        "name": None,
        "label": label,
        "pid": "<0.1 x>",
        "state": "idle",
        "mailbox": 0,
        "children": list(children),
    }


def test_a_tree_as_deep_as_there_are_processes_is_drawn_and_can_be_cut() -> None:
    deep = node("leaf")
    for _ in range(5_000):
        deep = node("chain", deep)
    snapshot = {
        "runtime": "r",
        "os_pid": 1,
        "processes": 5_001,
        "crashes": 0,
        "losses": {"unread": 2},
        "tree": [deep],
    }

    assert sum(1 for _ in render(snapshot)) == 5_002
    assert list(render(snapshot, 2))[-1].endswith("… 1 below")


def test_the_tree_prints_the_wait_chain_of_a_call_cycle() -> None:
    stuck = node("till") | {"wait_chain": ["<0.7 till>", "<0.8 bank>", "<0.7 till>"]}
    snapshot = {
        "runtime": "r",
        "os_pid": 1,
        "processes": 1,
        "crashes": 0,
        "losses": {},
        "tree": [stuck],
    }

    assert list(render(snapshot))[-1].endswith("waits: <0.7 till> -> <0.8 bank> -> <0.7 till>")


def test_control_characters_in_labels_never_reach_the_terminal() -> None:
    snapshot = {
        "runtime": "r\x1b[2J",
        "os_pid": 1,
        "processes": 1,
        "crashes": 0,
        "losses": {"unread": 2},
        "tree": [node("evil\x1b[31m\r\n")],
    }

    assert all("\x1b" not in line and "\r" not in line for line in render(snapshot))


def test_tree_plan_prints_what_a_declared_tree_starts_and_in_which_order(folder):
    (folder / "plan.py").write_text(
        "import suptree as st\n"
        "from suptree.system import Branch, Service, Tree\n"
        "class Till(st.GenServer): pass\n"
        "class Shop(st.Application):\n"
        "    tree = Tree(Branch('shop', Service('till', st.child(Till), needs=['ledger']),\n"
        "                       Service('ledger', st.child(Till))))\n"
    )

    done = suptree(folder, "tree", "--plan", "plan:Shop")

    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines() == [
        "shop  one_for_one, 3 restarts in 5 s",
        "├─ 1  shop.ledger  Till, permanent, shutdown 5 s",
        "└─ 2  shop.till    Till, permanent, shutdown 5 s, needs ledger",
    ]


def test_tree_plan_shows_the_whole_system_when_nothing_is_named(folder):
    done = suptree(folder, "tree", "--plan", "--json")

    lines = json.loads(done.stdout)
    assert lines[0]["path"] == "system"
    assert [line["path"] for line in lines if line["number"] == 1] == ["system.state"]


@pytest.mark.parametrize(
    ("target", "text"),
    [
        ("shop:Shop", "'shop:Shop' is the class Shop (Application), without a declared tree"),
        ("shop", "MODULE:SYSTEM must look like shop:Shop; got 'shop'"),
        ("nowhere:Shop", "no module 'nowhere'"),
    ],
)
def test_tree_plan_of_something_else_says_what_is_wrong(folder, target, text):
    done = suptree(folder, "tree", "--plan", target)

    assert done.returncode == 2
    assert text in done.stderr


def test_an_application_that_refuses_its_configuration_ends_with_a_line_and_not_with_a_traceback(
    folder, monkeypatch
):
    monkeypatch.setenv("SUPTREE_COORDINATION__BUFER", "7")

    done = suptree(folder, "run", "suptree.system:System", "--no-socket")

    assert done.returncode == 2
    assert "did you mean" in done.stderr
    assert "Traceback" not in done.stderr
