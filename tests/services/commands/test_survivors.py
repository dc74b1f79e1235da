"""With a command ends all that it has started, whatever that does against it, and whyever it ends."""

from __future__ import annotations

import asyncio
import os
import random
import signal
import subprocess
import sys
import textwrap
from typing import Any

import pytest

import suptree as st
from suptree.services import CommandLostError, CommandTimeoutError, SystemCommandManager
from suptree.testing import wait_down
from tests.services.commands.world import (
    DAEMON,
    IGNORES_TERM,
    RULES,
    TREE,
    alive,
    eventually,
    guardian_of,
    manager,
    mark,
    process,
    py,
    sh,
)

pytestmark = [
    pytest.mark.suptree_loop("real"),
    pytest.mark.skipif(sys.platform != "linux", reason="looks into /proc"),
]


@pytest.mark.parametrize(
    ("payload", "swept"),
    [
        (IGNORES_TERM, 0),
        (DAEMON + "print('ready', flush=True); time.sleep(1000)", 1),
        (TREE, 0),
        (
            "print('ready', flush=True); import os, time; os.close(1); os.close(2); time.sleep(1000)",
            0,
        ),
    ],
    ids=["ignores SIGTERM", "a daemon", "a tree", "closes its output"],
)
async def test_a_timeout_ends_the_command_and_all_that_it_started(runtime, payload, swept):
    await manager()
    word = mark()

    with pytest.raises(CommandTimeoutError) as caught:
        await py(payload, word, timeout=1.5)

    assert alive(word) == []
    assert (caught.value.stdout, caught.value.began, caught.value.gone) == (b"ready\n", True, True)
    stats = await SystemCommandManager.stats("commands")
    assert (stats.stopped, stats.running) == (1, 0)
    assert stats.swept >= swept
    assert stats.isolation == "subreaper"


async def test_what_outlives_a_command_that_ends_by_itself_is_ended_too(runtime):
    await manager()
    word = mark()

    result = await py(DAEMON, word)

    assert (result.exit_code, result.swept) == (0, 1)
    assert alive(word) == []


async def test_a_grandchild_that_holds_the_pipe_open_holds_nobody_up(runtime):
    await manager()
    word = mark()

    result = await sh(f"sleep 1000 {word} 2>&1 | sleep 1000 & echo done", timeout=30.0)

    assert result.stdout == b"done\n"
    assert result.duration_s < 10.0
    assert alive(word) == []


async def test_who_asked_is_told_before_the_command_is_killed(runtime):
    await manager()

    with pytest.raises(CommandTimeoutError) as caught:
        await sh(
            "trap 'echo bye; exit 3' TERM; echo hello; while :; do sleep 0.05; done", timeout=0.5
        )

    assert caught.value.stdout == b"hello\nbye\n"


@pytest.mark.parametrize("how", ["cancelled", "killed"])
async def test_a_command_ends_with_the_caller_that_waits_for_it(runtime, how):
    await manager()
    word = mark()
    caller = runtime.spawn(py, TREE, word)
    await eventually(lambda: len(alive(word)) >= 16)

    if how == "killed":
        st.exit(caller, st.KILL)
    else:
        st.exit(caller, st.SHUTDOWN)
    await wait_down(caller)

    await eventually(lambda: alive(word) == [])
    await eventually_idle()


async def test_a_shared_command_goes_on_while_somebody_waits_for_it(runtime):
    await manager()
    word = mark()
    script = f"echo {word}; sleep 1; echo done"
    first = runtime.spawn(sh, script)
    await eventually(lambda: alive(word) != [])
    second = st.Task.async_(sh, script)
    await until_waiting(2)

    st.exit(first, st.KILL)
    result = await st.Task.await_(second, timeout=30.0)

    assert result.stdout.endswith(b"done\n")
    assert (await SystemCommandManager.stats("commands")).started == 1


@pytest.mark.parametrize("who", ["top", "server", "runs", "guardian"])
async def test_whoever_of_the_manager_is_killed_no_command_survives_and_it_works_again(
    runtime, who
):
    top = await st.Supervisor.start_link([SystemCommandManager.child(allowed=RULES)])
    word = mark()
    caller = runtime.spawn(py, TREE, word)
    await eventually(lambda: len(alive(word)) >= 16)
    server = await process("server")

    st.exit(await process(who), st.KILL)
    await wait_down(server)

    await eventually(lambda: alive(word) == [])
    await eventually(lambda: st.whereis("commands.server") not in (None, server))
    assert (await sh("echo again")).stdout == b"again\n"
    await wait_down(caller)
    await st.Supervisor.stop(top)
    await eventually(lambda: guardian_of(runtime) == [])


async def test_when_the_runtime_ends_every_command_has_ended_and_is_reaped():
    word = mark()
    async with st.Runtime() as runtime:
        await manager()
        runtime.spawn(py, TREE, word)
        runtime.spawn(py, DAEMON + "time.sleep(1000)", word)
        await eventually(lambda: len(alive(word)) >= 18)
        guardian = guardian_of(runtime)

    assert alive(word) == []
    assert len(guardian) == 1
    with pytest.raises(ChildProcessError):
        os.waitpid(guardian[0], os.WNOHANG)


async def test_a_lost_minder_is_an_error_and_what_it_minded_is_ended(runtime):
    await manager()
    word = mark()
    running = asyncio.ensure_future(lost(py, DAEMON + "time.sleep(1000)", word))
    await eventually(lambda: len(alive(word)) == 2)
    (guardian,) = guardian_of(runtime)

    (minder,) = children(guardian)
    os.kill(minder, signal.SIGKILL)

    assert "gone" in str(await running)
    assert alive(word) == []
    assert guardian_of(runtime) == [guardian]


async def test_a_lost_guardian_takes_the_commands_along_and_the_next_one_gets_a_new_one(runtime):
    told: list[Any] = []
    runtime.telemetry.attach(
        "test",
        "suptree.command.guardian.*",
        lambda event, _, facts: told.append((event.name, facts)),
    )
    await manager()
    word = mark()
    running = asyncio.ensure_future(lost(py, DAEMON + "time.sleep(1000)", word))
    await eventually(lambda: len(alive(word)) == 2)
    (guardian,) = guardian_of(runtime)

    os.kill(guardian, signal.SIGKILL)

    await running
    await eventually(lambda: alive(word) == [])
    assert (await sh("echo again")).stdout == b"again\n"
    names = [name.rpartition(".")[2] for name, _ in told]
    assert names == ["started", "lost", "started"]
    assert told[1][1] == {"os_pid": guardian, "why": "ended"}


async def test_a_guardian_that_does_not_answer_is_replaced(runtime, monkeypatch):
    monkeypatch.setattr("suptree.services.commands.run.LAUNCH_LIMIT", 0.3)
    await manager()
    await sh("true")
    (guardian,) = guardian_of(runtime)

    os.kill(guardian, signal.SIGSTOP)
    with pytest.raises(st.SuptreeError, match="guardian"):
        await sh("echo one")

    assert (await sh("echo two")).stdout == b"two\n"
    await eventually(lambda: guardian not in guardian_of(runtime))


async def test_a_minder_that_does_not_answer_is_killed_with_what_it_minds(runtime, monkeypatch):
    monkeypatch.setattr("suptree.services.commands.run.SWEEP_LIMIT", 0.3)
    await manager()
    word = mark()
    running = asyncio.ensure_future(lost(py, TREE, word, timeout=3.0))
    await eventually(lambda: len(alive(word)) >= 16)
    (guardian,) = guardian_of(runtime)
    (minder,) = children(guardian)

    os.kill(minder, signal.SIGSTOP)

    await running
    assert alive(word) == []


async def test_a_call_cancelled_at_any_moment_leaves_nothing_behind(runtime):
    await manager(max_concurrency=100)
    word = mark()
    chance = random.Random(4)
    for _ in range(60):
        call = asyncio.ensure_future(sh(f"sleep 1000 {word}", use_cache=False))
        await asyncio.sleep(chance.random() * 0.03)
        call.cancel()
        await asyncio.wait([call])

    await eventually_idle()
    assert alive(word) == []


PROGRAM = textwrap.dedent(
    """
    import asyncio, sys
    import suptree as st
    from suptree.services import SystemCommandManager
    from tests.services.commands.world import DAEMON, IGNORES_TERM, RULES, TREE, py

    async def main(word):
        async with st.Runtime() as runtime:
            await SystemCommandManager.child(allowed=RULES, max_concurrency=20).start_link()
            print("up", flush=True)
            for _ in range(3):
                for payload in (DAEMON + "time.sleep(1000)", IGNORES_TERM, TREE):
                    runtime.spawn(py, payload, word, use_cache=False)
            await asyncio.sleep(1000)

    asyncio.run(main(sys.argv[1]))
    """
)


async def test_when_the_program_is_killed_at_any_moment_no_command_survives():
    chance = random.Random(7)
    for moment in [0.0, 0.02, 2.0, *(chance.random() * 0.6 for _ in range(5))]:
        word = mark()
        program = subprocess.Popen(
            [sys.executable, "-c", PROGRAM, word],
            stdout=subprocess.PIPE,
            env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
        )
        assert program.stdout is not None
        with program.stdout:
            program.stdout.readline()
            await asyncio.sleep(moment)

            program.kill()
            program.wait()

            await eventually(lambda word=word: alive(word) == [], timeout=5.0)


COPY = """
import asyncio, os, time

async def forked():
    await asyncio.sleep(0.5)  # the guardian has its socket by then
    if (copy := os.fork()) == 0:
        time.sleep(30)
        os._exit(0)
    print(copy, flush=True)
    await asyncio.sleep(1000)
"""
"""A copy of the whole program holds its sockets open, as a worker of multiprocessing may."""


async def test_a_forked_copy_of_the_program_keeps_no_command_alive_when_the_program_is_killed():
    word = mark()
    text = PROGRAM.replace("await asyncio.sleep(1000)", "await forked()")
    program = subprocess.Popen(
        [sys.executable, "-c", COPY + text, word],
        stdout=subprocess.PIPE,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
    )
    assert program.stdout is not None
    with program.stdout:
        program.stdout.readline()
        copy = int(program.stdout.readline())
        await eventually(lambda: len(alive(word)) >= 16)

        program.kill()
        program.wait()

        await eventually(lambda: alive(word) == [copy], timeout=5.0)
    os.kill(copy, signal.SIGKILL)


async def lost(function: Any, *args: Any, **options: Any) -> CommandLostError:
    with pytest.raises(CommandLostError) as caught:
        await function(*args, **options)
    return caught.value


async def eventually_idle() -> None:
    while True:
        stats = await SystemCommandManager.stats("commands")
        if (stats.running, stats.queued, stats.waiting) == (0, 0, 0):
            return
        await asyncio.sleep(0.01)


async def until_waiting(count: int) -> None:
    while (await SystemCommandManager.stats("commands")).waiting != count:
        await asyncio.sleep(0.01)


def children(pid: int) -> list[int]:
    from suptree.services.commands.guard.kernel import children as kernel_children

    return kernel_children(pid)
