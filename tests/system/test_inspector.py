"""The Inspector: snapshots through a Unix socket, for its user alone."""

from __future__ import annotations

import asyncio
import json
import os
import socket
import stat
from pathlib import Path
from typing import Any

import pytest

import suptree as st
from suptree.system import Inspector, SocketNotFoundError, ask, find_socket, socket_folder
from suptree.testing import wait_until

pytestmark = pytest.mark.suptree_loop("real")


class Till(st.GenServer):
    def __init__(self) -> None:
        self.sum = 0


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "here.sock"


async def asked(path: Path, question: dict[str, Any]) -> Any:
    return await asyncio.to_thread(ask, path, question)


async def test_tree_and_info_are_answered_as_json(runtime: st.Runtime, path: Path) -> None:
    await st.Supervisor.start_link(
        [st.child(Till).with_(name="till"), st.child(Inspector, str(path))]
    )

    tree = await asked(path, {"ask": "tree"})
    info = await asked(path, {"ask": "info", "pid": "till"})

    assert tree["os_pid"] == os.getpid()
    assert "till" in json.dumps(tree["tree"])
    assert (info["name"], info["state"], info["mailbox"]) == ("till", "idle", 0)


async def test_a_process_is_found_by_name_and_by_every_way_to_write_its_pid(
    runtime: st.Runtime, path: Path
) -> None:
    till = await st.child(Till).with_(name="till").start_link()
    await Inspector.start_link(str(path))

    for wanted in ("till", str(till.id), f"0.{till.id}", f"<0.{till.id}>", repr(till)):
        assert (await asked(path, {"ask": "info", "pid": wanted}))["name"] == "till"


async def test_a_process_that_is_not_there_is_answered_with_the_near_name(
    runtime: st.Runtime, path: Path
) -> None:
    await st.child(Till).with_(name="shop.till").start_link()
    await Inspector.start_link(str(path))

    with pytest.raises(LookupError, match=r"did you mean 'shop\.till'"):
        await asked(path, {"ask": "info", "pid": "till"})


async def test_a_process_that_a_registry_names_is_shown_and_found_by_its_key(
    runtime: st.Runtime, path: Path
) -> None:
    await st.Registry.start_link(name="tills")
    for key in ("ada", "till.7", 3):
        await st.child(Till).with_(name=st.via("tills", key)).start_link()
    await Inspector.start_link(str(path))

    tree = json.dumps((await asked(path, {"ask": "tree"}))["tree"])
    assert "via('tills', 'ada')" in tree
    for wanted in ("ada", "till.7", "via('tills', 3)"):
        assert (await asked(path, {"ask": "info", "pid": wanted}))["label"] == "Till"


async def test_unknown_processes_and_questions_are_refused_with_a_reason(
    runtime: st.Runtime, path: Path
) -> None:
    await Inspector.start_link(str(path))

    with pytest.raises(LookupError, match="no process 'nobody'"):
        await asked(path, {"ask": "info", "pid": "nobody"})
    with pytest.raises(LookupError, match="unknown question"):
        await asked(path, {"ask": "stop everything"})
    with pytest.raises(LookupError, match="one JSON line"):
        await asked(path, {})


async def test_socket_is_for_its_user_alone_and_goes_with_the_process(
    runtime: st.Runtime, path: Path
) -> None:
    inspector = await Inspector.start_link(str(path))
    assert stat.S_IMODE(path.stat().st_mode) == 0o600

    await st.GenServer.stop(inspector)

    assert not path.exists()


async def test_socket_left_behind_by_the_dead_is_replaced(runtime: st.Runtime, path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as left_behind:
        left_behind.bind(str(path))

    await Inspector.start_link(str(path))

    assert (await asked(path, {"ask": "tree"}))["runtime"] == runtime.name


async def test_socket_in_use_is_never_taken_over(runtime: st.Runtime, path: Path) -> None:
    await Inspector.start_link(str(path))

    with pytest.raises(st.StartError, match="cannot listen"):
        await Inspector.start_link(str(path))

    assert (await asked(path, {"ask": "tree"}))["runtime"] == runtime.name


async def test_a_client_that_sends_too_much_or_nothing_hurts_nobody(
    runtime: st.Runtime, path: Path
) -> None:
    await Inspector.start_link(str(path))
    reader, writer = await asyncio.open_unix_connection(str(path))
    writer.write(b"x" * 100_000)
    _, silent = await asyncio.open_unix_connection(str(path))

    assert await reader.read() == b""
    assert (await asked(path, {"ask": "tree"}))["runtime"] == runtime.name

    for one in (writer, silent):
        one.close()


async def test_garbage_is_answered_with_a_reason_whatever_it_is(
    runtime: st.Runtime, path: Path
) -> None:
    await Inspector.start_link(str(path))

    for garbage in (b"", b"[]", b"[" * 4000, b"\xff\xfe", b'"ask"', b'{"ask": {"ask": 1}}'):
        reader, writer = await asyncio.open_unix_connection(str(path))
        writer.write(garbage + b"\n")
        assert "error" in json.loads(await reader.read())
        writer.close()


async def test_a_tree_that_is_very_deep_is_cut_and_says_so(runtime: st.Runtime, path: Path) -> None:
    bottom = asyncio.Event()

    async def link(below: int) -> None:
        if below:
            st.spawn_link(link, below - 1)
        else:
            bottom.set()
        await st.receive()

    await Inspector.start_link(str(path))
    st.spawn(link, 1000)
    await bottom.wait()

    snapshot = await asked(path, {"ask": "tree"})

    assert snapshot["processes"] > 1000
    assert json.dumps(snapshot).count('"left_out": 1') == 1


async def test_who_asks_and_does_not_read_holds_nothing_once_the_inspector_has_ended(
    runtime: st.Runtime, path: Path
) -> None:
    inspector = await Inspector.start_link(str(path))
    await st.Supervisor.start_link([st.child(Till).with_(id=id) for id in range(3000)])
    reader, writer = await asyncio.open_unix_connection(str(path), limit=1024)
    writer.write(b'{"ask": "tree"}\n')
    assert await reader.readexactly(100)
    silent_reader, silent = await asyncio.open_unix_connection(str(path))
    before = asyncio.all_tasks()

    await st.GenServer.stop(inspector)

    assert await silent_reader.read() == b""
    await wait_until(
        lambda: not any("inspector" in task.get_name() for task in before if not task.done())
    )
    for one in (writer, silent):
        one.close()


async def test_nobody_listening_is_said_with_what_to_do(path: Path) -> None:
    with pytest.raises(SocketNotFoundError, match="Is the system running"):
        find_socket(str(path))
    with pytest.raises(SocketNotFoundError, match="does not answer"):
        await asked(path, {"ask": "tree"})


@pytest.mark.parametrize("what", ["link", "link to nowhere", "file"])
async def test_a_socket_folder_that_another_could_have_put_there_is_not_used(
    what: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path))
    folder = socket_folder()
    (tmp_path / "theirs").mkdir()
    match what:
        case "link":
            folder.symlink_to(tmp_path / "theirs")
        case "link to nowhere":
            folder.symlink_to(tmp_path / "nowhere")
        case _:
            folder.touch()

    with pytest.raises(PermissionError, match="must be a folder of this user"):
        Inspector()
    for pid in (None, 1):
        with pytest.raises(SocketNotFoundError, match="belongs to somebody else"):
            find_socket(pid=pid)
