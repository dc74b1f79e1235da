"""`SystemCommandManager`: what runs, in which surroundings, and what comes back."""

from __future__ import annotations

import asyncio
import os
import signal
import stat
import sys
from collections.abc import Iterator
from typing import Any

import pytest

import suptree as st
from suptree.errors import BadArgumentError
from suptree.services import (
    AnyArguments,
    ArgumentsNotAllowedError,
    CommandError,
    CommandLaunchError,
    CommandLimits,
    CommandNotAllowedError,
    CommandOutputError,
    CommandRule,
    CommandTimeoutError,
    ExactArguments,
    Secret,
    SystemCommandManager,
)
from tests.services.commands.world import FREE, PY, RULES, alive, eventually, manager, mark, py, sh

pytestmark = pytest.mark.suptree_loop("real")

execute = SystemCommandManager.execute


# -- results --------------------------------------------------------------------------------------


async def test_a_command_gives_its_output_its_errors_and_its_exit_code(runtime):
    await manager()

    result = await sh("echo out; echo err >&2; exit 3")

    assert (result.stdout, result.stderr) == (b"out\n", b"err\n")
    assert (result.exit_code, result.signal, result.ok) == (3, None, False)
    assert (result.command, result.args[0], result.text) == ("sh", "-c", "out\n")
    assert (result.stdout_truncated, result.stderr_truncated, result.cached) == (
        False,
        False,
        False,
    )
    assert 0 < result.duration_s < 10


async def test_a_command_that_a_signal_ended_says_which(runtime):
    await manager()

    result = await sh("kill -SEGV $$")

    assert (result.exit_code, result.signal) == (None, signal.SIGSEGV)


async def test_what_is_allowed_by_default_runs(runtime):
    await SystemCommandManager.child().start_link()

    assert b"load average" in (await execute("commands", "uptime")).stdout
    assert b"PID" in (await execute("commands", "ps", ["-e"])).stdout
    assert (await execute("commands", "df", ["-h", "/"])).ok


async def test_the_machine_is_read_truly_and_without_a_command(runtime):
    load = SystemCommandManager.load_average()
    memory = SystemCommandManager.memory_info()

    assert load == pytest.approx(os.getloadavg(), abs=1.0)
    assert memory.total == os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    assert 0 < memory.available <= memory.total
    assert 0 <= memory.percent <= 100
    assert 0 <= memory.swap_used <= memory.swap_total or memory.swap_total == 0


# -- what may run ---------------------------------------------------------------------------------


async def test_a_command_that_nobody_has_allowed_is_refused_with_a_near_name(runtime):
    await SystemCommandManager.child().start_link()

    with pytest.raises(CommandNotAllowedError, match="did you mean 'uptime'") as caught:
        await execute("commands", "uptme")

    assert caught.value.command == "uptme"
    assert (await SystemCommandManager.stats("commands")).refused == 1


async def test_arguments_that_its_rule_does_not_allow_are_refused_and_nothing_runs(runtime):
    await manager({"sh": CommandRule(arguments=ExactArguments(("-c", "echo fine")))})

    with pytest.raises(ArgumentsNotAllowedError) as caught:
        await execute("commands", "sh", ["-c", "echo fine; echo more"])

    assert (caught.value.command, caught.value.what) == ("sh", "arguments")
    stats = await SystemCommandManager.stats("commands")
    assert (stats.refused, stats.started) == (1, 0)


async def test_a_word_of_a_command_never_meets_a_shell(runtime):
    await manager({"printf": CommandRule(arguments=AnyArguments())})

    result = await execute("commands", "printf", ["%s|", "; rm -rf /", "$(id)", "a\nb", "ü\udcff"])

    assert result.stdout == b"; rm -rf /|$(id)|a\nb|\xc3\xbc\xff|"


async def test_commands_can_be_allowed_and_forbidden_and_the_declared_ones_come_back(runtime):
    rules = {"echo": CommandRule(arguments=AnyArguments())}
    await st.Supervisor.start_link([SystemCommandManager.child(allowed=rules)])
    update = SystemCommandManager.update_allowed_commands

    names = await update("commands", allow={"true": CommandRule()}, forbid=["echo"])
    assert names == ("true",)
    assert (await execute("commands", "true")).ok
    with pytest.raises(CommandNotAllowedError):
        await execute("commands", "echo", ["x"])
    with pytest.raises(CommandNotAllowedError, match="did you mean 'true'"):
        await update("commands", forbid=["treu"])

    server = st.whereis("commands.server")
    assert server is not None
    st.exit(server, st.KILL)
    await eventually(lambda: st.whereis("commands.server") not in (None, server))
    assert (await execute("commands", "echo", ["x"])).stdout == b"x\n"


async def test_a_changed_rule_holds_for_the_next_call_and_old_results_are_not_given(runtime):
    await manager()
    first = await sh("echo x")
    await SystemCommandManager.update_allowed_commands("commands", allow={"sh": RULES["sh"]})

    second = await sh("echo x")

    assert (first.cached, second.cached) == (False, False)


@pytest.mark.parametrize(
    "ask",
    [
        lambda: execute("commands", "sh", "-c true"),
        lambda: execute("commands", None),  # type: ignore[arg-type]
        lambda: execute("commands", "sh", [3]),  # type: ignore[list-item]
        lambda: execute("commands", "sh", timeout=-1),
        lambda: execute("commands", "sh", timeout="1"),  # type: ignore[arg-type]
        lambda: execute("commands", "sh", cache_ttl=float("inf")),
        lambda: execute("commands", "sh", stdin=object()),  # type: ignore[arg-type]
        lambda: execute(None, "sh"),  # type: ignore[arg-type]
        lambda: SystemCommandManager.update_allowed_commands("commands", forbid="sh"),
        lambda: SystemCommandManager.update_allowed_commands("commands", forbid=None),  # type: ignore[arg-type]
        lambda: SystemCommandManager.update_allowed_commands("commands", forbid=[3]),  # type: ignore[list-item]
        lambda: SystemCommandManager.update_allowed_commands("commands", allow={"x": 3}),  # type: ignore[dict-item]
        lambda: SystemCommandManager.update_allowed_commands("commands", allow=[]),  # type: ignore[arg-type]
    ],
)
async def test_wrong_arguments_are_the_callers_error_and_end_nobody(runtime, ask):
    await manager()
    before = st.whereis("commands.server")

    with pytest.raises(BadArgumentError, match="must be"):
        await ask()

    assert st.whereis("commands.server") == before
    assert (await sh("echo x")).ok


# -- its surroundings -------------------------------------------------------------------------------


async def test_the_environment_is_clean_but_for_what_is_declared(runtime, monkeypatch):
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "hunter2")
    env = CommandRule(env={"TOKEN": Secret("t")}, env_from_caller=("COLOUR",))
    await manager({"env": env})

    result = await execute("commands", "env", env={"COLOUR": "red"})

    path = "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
    assert sorted(result.text.splitlines()) == ["COLOUR=red", "LANG=C.UTF-8", path, "TOKEN=t"]


async def test_a_variable_that_its_rule_does_not_name_is_refused(runtime):
    await manager({"env": CommandRule(env_from_caller=("COLOUR",))})

    with pytest.raises(ArgumentsNotAllowedError, match="variables must be COLOUR"):
        await execute("commands", "env", env={"LD_PRELOAD": "/tmp/x.so"})


async def test_it_runs_where_its_rule_says(runtime, tmp_path):
    await manager({"pwd": CommandRule(cwd=str(tmp_path)), "pwd2": CommandRule(path="/bin/pwd")})

    assert (await execute("commands", "pwd")).text.strip() == str(tmp_path)
    assert (await execute("commands", "pwd2")).text.strip() == "/"


async def test_it_reads_nothing_or_the_bytes_that_it_is_given(runtime):
    await manager({"cat": CommandRule(stdin=True, max_output=1 << 22)})
    much = os.urandom(1 << 21)

    assert (await execute("commands", "cat")).stdout == b""
    assert (await execute("commands", "cat", stdin=b"hello")).stdout == b"hello"
    assert (await execute("commands", "cat", stdin=much)).stdout == much


async def test_a_command_that_does_not_read_what_it_is_given_hinders_nobody(runtime):
    await manager({"true": CommandRule(stdin=True)})

    result = await execute("commands", "true", stdin=b"x" * (1 << 21))

    assert result.ok


SURROUNDINGS = """
import os, signal, sys
status = dict(line.split(":\\t", 1) for line in open("/proc/self/status").read().splitlines() if ":\\t" in line)
print(sorted(int(fd) for fd in os.listdir("/proc/self/fd"))[:3], len(os.listdir("/proc/self/fd")))
print(os.getsid(0) == os.getpid() == os.getpgid(0))
print(status["NoNewPrivs"], status["SigBlk"], signal.getsignal(signal.SIGTERM) == signal.SIG_DFL)
print(oct(os.umask(0)))
ignored = {number for number in range(1, 65) if int(status["SigIgn"], 16) >> number - 1 & 1}
# Python ignores two; what the C library keeps for itself, `make` leaves ignored, and nobody can set.
print((ignored & signal.valid_signals()) - {signal.SIGPIPE, signal.SIGXFSZ})
"""


@pytest.mark.skipif(sys.platform != "linux", reason="looks into /proc")
async def test_it_gets_three_descriptors_a_session_usual_signals_and_no_more_rights(runtime):
    await manager()

    lines = (await py(SURROUNDINGS)).text.splitlines()

    assert lines == ["[0, 1, 2] 4", "True", "1 0000000000000000 True", "0o77", "set()"]


LIMITS = """
import resource
for name in ("CPU", "AS", "NOFILE", "FSIZE", "CORE"):
    print(name, resource.getrlimit(getattr(resource, "RLIMIT_" + name))[0])
import os; print("NICE", os.nice(0))
"""


async def test_its_limits_are_those_of_its_rule(runtime):
    limits = CommandLimits(
        cpu_s=7, memory_bytes=1 << 30, open_files=50, file_bytes=1000, core_bytes=0, nice=3
    )
    await manager({"py": CommandRule(path=sys.executable, arguments=AnyArguments(), limits=limits)})

    found = dict(line.split() for line in (await py(LIMITS)).text.splitlines())

    nice = str(os.nice(0) + 3)
    assert found == {
        "CPU": "7",
        "AS": str(1 << 30),
        "NOFILE": "50",
        "FSIZE": "1000",
        "CORE": "0",
        "NICE": nice,
    }


@pytest.mark.parametrize(
    ("limits", "code", "ended"),
    [
        (CommandLimits(cpu_s=1, memory_bytes=None), "while True: pass", signal.SIGXCPU),
        (CommandLimits(memory_bytes=200 << 20), "x = bytearray(1 << 30)", b"MemoryError"),
        (
            CommandLimits(file_bytes=1000, memory_bytes=None),
            "import os, tempfile; f = tempfile.TemporaryFile(); f.write(b'x' * 5000); f.flush()",
            b"File too large",
        ),
    ],
    ids=["cpu", "memory", "file"],
)
async def test_a_command_that_takes_more_than_its_limits_is_hindered(runtime, limits, code, ended):
    await manager({"py": CommandRule(path=sys.executable, arguments=AnyArguments(), limits=limits)})

    result = await py(code, timeout=30.0)

    assert not result.ok
    assert result.signal == ended or (isinstance(ended, bytes) and ended in result.stderr)


# -- output ---------------------------------------------------------------------------------------

FLOOD = """
import os
for _ in range(2000):
    os.write(1, b"o" * 4096); os.write(2, b"e" * 4096)
"""


async def test_more_output_than_is_kept_is_dropped_and_counted_and_the_command_goes_on(runtime):
    rule = CommandRule(
        path=sys.executable, arguments=AnyArguments(), limits=FREE, max_output=10_000
    )
    seen: list[Any] = []
    runtime.telemetry.attach(
        "test", "suptree.command.finished", lambda _, numbers, __: seen.append(numbers)
    )
    await manager({"py": rule})

    result = await py(FLOOD)

    assert (result.stdout, result.stderr) == (b"o" * 10_000, b"e" * 10_000)
    assert (result.stdout_truncated, result.stderr_truncated, result.ok) == (True, True, True)
    assert (seen[0]["stdout_bytes"], seen[0]["stderr_bytes"]) == (2000 * 4096, 2000 * 4096)
    assert (await SystemCommandManager.stats("commands")).truncated == 1


async def test_a_command_that_writes_too_much_is_ended_if_its_rule_says_so(runtime):
    rule = CommandRule(arguments=AnyArguments(), overflow="kill", max_output=1000)
    await manager({"yes": rule})
    word = mark()

    with pytest.raises(CommandOutputError, match="more than 1000 bytes") as caught:
        await execute("commands", "yes", [word])

    assert len(caught.value.stdout) == 1000
    assert alive(word) == []
    assert (await SystemCommandManager.stats("commands")).overflowed == 1


async def test_what_was_written_before_the_time_was_over_is_in_the_error(runtime):
    await manager()

    with pytest.raises(CommandTimeoutError, match=r"not done within 0\.5 s") as caught:
        await sh("echo out; echo err >&2; sleep 1000", timeout=0.5)

    error = caught.value
    assert (error.stdout, error.stderr, error.timeout, error.gone) == (
        b"out\n",
        b"err\n",
        0.5,
        True,
    )


# -- starts that fail -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("make", "step", "name"),
    [
        (lambda folder: {"path": "/nowhere/x"}, "exec", "ENOENT"),
        (lambda folder: {"path": str(folder)}, "exec", "EACCES"),
        (lambda folder: {"path": str(_file(folder, "echo no", 0o644))}, "exec", "EACCES"),
        (lambda folder: {"path": str(_file(folder, "echo no", 0o755))}, "exec", "ENOEXEC"),
        (lambda folder: {"path": "/bin/echo", "cwd": "/nowhere"}, "cwd", "ENOENT"),
    ],
    ids=["missing", "a directory", "no program", "no format", "no directory"],
)
async def test_a_start_that_fails_is_an_error_and_is_not_remembered(
    runtime, tmp_path, make, step, name
):
    await manager({"x": CommandRule(**make(tmp_path))})

    for _ in range(2):
        with pytest.raises(CommandLaunchError, match=name) as caught:
            await execute("commands", "x")
        assert caught.value.step == step

    stats = await SystemCommandManager.stats("commands")
    assert (stats.launch_failures, stats.cached, stats.started, stats.running) == (2, 0, 0, 0)


async def test_a_program_that_is_on_no_path_is_a_launch_error(runtime):
    await manager({"no-such-program": CommandRule()})

    with pytest.raises(CommandLaunchError, match="ENOENT"):
        await execute("commands", "no-such-program")


def _file(folder: Any, text: str, mode: int) -> Any:
    path = folder / "program"
    path.write_text(text)
    path.chmod(mode)
    assert stat.S_IMODE(path.stat().st_mode) == mode
    return path


# -- seen from outside ------------------------------------------------------------------------------


async def test_each_running_command_is_a_process_in_the_tree(runtime):
    await manager()
    word = mark()
    caller = runtime.spawn(sh, f"sleep 1000; : {word}", "--password=hunter2")
    await eventually(lambda: alive(word) != [])

    labels = list(labels_below(runtime.tree()))
    (label,) = [one for one in labels if one.startswith("command ")]
    assert word in label
    assert "hunter2" not in label
    st.exit(caller, st.KILL)


def labels_below(nodes: Any) -> Iterator[str]:
    for node in nodes:
        yield str(node.label)
        yield from labels_below(node.children)


async def test_secrets_reach_the_program_and_no_event_no_error_and_no_result(runtime):
    told: list[str] = []
    runtime.telemetry.attach("test", "*", lambda event, numbers, facts: told.append(repr(facts)))
    rule = CommandRule(arguments=AnyArguments(), env_from_caller=("TOKEN",))
    await manager({"sh": rule})

    result = await execute(
        "commands",
        "sh",
        ["-c", 'test "$1$TOKEN" = hunter2hunter3', "x", Secret("hunter2")],
        env={"TOKEN": Secret("hunter3")},
    )

    assert result.ok
    assert result.args[-1] == "***"
    assert "hunter" in " ".join(told)  # of the script itself
    assert "hunter2'" not in " ".join(told).replace("hunter2hunter3", "")
    assert "'hunter3'" not in " ".join(told)


async def test_every_event_is_emitted_as_declared(runtime):
    from suptree.services.commands import events

    declared = {getattr(events, name).name for name in events.__all__}
    runtime.telemetry.strict = True
    told: dict[str, Any] = {}
    runtime.telemetry.attach(
        "test",
        "suptree.command.*",
        lambda event, numbers, facts: told.setdefault(event.name, facts),
    )
    await manager()

    await sh("echo x")
    await sh("echo x")
    with pytest.raises(CommandError):
        await execute("commands", "rm")
    await SystemCommandManager.update_allowed_commands("commands", allow={"py": PY}, forbid=["sh"])
    assert await SystemCommandManager.clear_cache("commands") == 0
    guardian = told["suptree.command.guardian.started"]["os_pid"]
    os.kill(guardian, signal.SIGKILL)
    await eventually(lambda: "suptree.command.guardian.lost" in told)

    assert set(told) == declared
    assert told["suptree.command.finished"]["exit_code"] == 0
    assert told["suptree.command.answered"]["answer"] == "result"
    assert told["suptree.command.requested"]["caller"] == st.current()


async def test_many_commands_at_once_leave_no_descriptor_and_no_process(runtime):
    await manager(max_concurrency=20, max_queued=200)
    await sh("true")
    before = len(os.listdir("/dev/fd"))

    results = await asyncio.gather(*(sh(f"echo {number}") for number in range(100)))

    assert [one.stdout for one in results] == [b"%d\n" % number for number in range(100)]
    assert len(os.listdir("/dev/fd")) == before


async def test_the_tree_can_be_started_by_itself_with_the_options_of_its_child_spec(runtime):
    await SystemCommandManager.start_link(name="alone")  # type: ignore[call-arg]

    assert (await SystemCommandManager.stats("alone")).running == 0
