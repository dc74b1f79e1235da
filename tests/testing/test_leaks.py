"""One test of each kind plants a leak, and the check names it and the line that made it."""

from __future__ import annotations

import importlib.util
import os
import re
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

pytest_plugins = ["pytester"]

QUIET = ("-p", "no:cacheprovider")
LOOPS = ["virtual", "asyncio"] + (["uvloop"] if importlib.util.find_spec("uvloop") else [])


@pytest.fixture(autouse=True)
def bare_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """The pytest inside is told by its own options alone."""
    for name in ("SUPTREE_TEST_LOOP", "SUPTREE_SEED", "SUPTREE_DIRECT_CALL"):
        monkeypatch.delenv(name, raising=False)


PLANTED = {
    "task": """
        async def test_NAME():
            asyncio.create_task(asyncio.sleep(3600))  # HERE
        """,
    "timer": """
        async def test_NAME():
            asyncio.get_running_loop().call_later(3600, print)  # HERE
        """,
    "thread": """
        async def test_NAME():
            threading.Thread(target=time.sleep, args=(3,), name="lingerer", daemon=True).start()  # HERE
        """,
    "fd": """
        async def test_NAME():
            KEPT.append(os.open("/etc/hostname", os.O_RDONLY))
        """,
    "child": """
        async def test_NAME():
            KEPT.append(subprocess.Popen(["sleep", "7"]))  # HERE
        """,
    "process": """
        async def test_NAME():
            rt = await st.Runtime().__aenter__()
            rt.spawn(idle, label="loiterer")  # HERE
            KEPT.append(rt)
        """,
    "name": """
        async def test_NAME():
            rt = await st.Runtime().__aenter__()
            rt.spawn(idle, name="squatter")  # HERE
            KEPT.append(rt)
        """,
    "monitor": """
        async def test_NAME():
            rt = await st.Runtime().__aenter__()
            st.monitor(rt.spawn(idle))  # HERE
            KEPT.append(rt)
        """,
    "st_timer": """
        async def test_NAME():
            rt = await st.Runtime().__aenter__()
            st.send_after(3600, "tick")  # HERE
            KEPT.append(rt)
        """,
    "unhandled": """
        async def test_NAME():
            def stumble():
                raise OSError("nobody catches this")
            asyncio.get_running_loop().call_soon(stumble)
            await asyncio.sleep(0)
            await asyncio.sleep(0)
        """,
}
NAMED = {
    "task": r"task: task 'Task-\d+' \(sleep\) at .*, made at {here}",
    "timer": r"timer: print due in 3.6e\+03 s, made at {here}",
    "thread": r"thread: 'lingerer' \(daemon\), made at {here}",
    "fd": r"fd: \d+ -> /etc/hostname",
    "child": r"child: pid \d+: sleep 7, made at {here}",
    "process": r"process: <0.\d+> loiterer \(receiving, 0 messages\), made at {here}",
    "name": r"name: 'squatter' of <0.\d+ squatter> \S+, made at {here}",
    "monitor": r"monitor: #Ref<\d+> of <0.\d+> \S+ on <0.\d+>, made at {here}",
    "unhandled": r"unhandled: Exception in callback .*stumble.*: OSError\('nobody catches this'\)",
    "st_timer": r"timer: #Timer<\d+> of <0.\d+> \S+, made at {here}",
}
PREAMBLE = """\
import asyncio, os, subprocess, threading, time
import pytest
import suptree.core as st

KEPT = []

async def idle():
    await st.receive()

"""


def planted(kind: str, name: str = "planted") -> str:
    """The source of a test that leaks one thing of that kind."""
    return textwrap.dedent(PLANTED[kind]).strip().replace("test_NAME", f"test_{name}") + "\n\n"


def place(source: str, file: str, function: str) -> str:
    """`file:line in function` of the line of *function* that is marked HERE."""
    lines = source.splitlines()
    start = lines.index(next(line for line in lines if f"def {function}(" in line))
    marked = [number for number, line in enumerate(lines[start:], start + 1) if "# HERE" in line]
    return f"{file}:{marked[0] if marked else 0} in {function}"


@pytest.fixture(scope="module", params=LOOPS)
def report(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> str:
    """What pytest prints for a file in which every test leaks one thing."""
    folder: Path = tmp_path_factory.mktemp("leaks")
    (folder / "test_it.py").write_text(SOURCE)
    command = [sys.executable, "-m", "pytest", *QUIET, f"--suptree-loop={request.param}"]
    environment = {key: value for key, value in os.environ.items() if "SUPTREE" not in key}
    done = subprocess.run(
        command, cwd=folder, capture_output=True, text=True, timeout=100, env=environment
    )
    return done.stdout


SOURCE = PREAMBLE + "".join(planted(kind, kind) for kind in PLANTED)


@pytest.mark.parametrize("kind", PLANTED)
def test_planted_leak_is_named_with_the_line_that_made_it(report: str, kind: str) -> None:
    here = re.escape(place(SOURCE, "test_it.py", f"test_{kind}"))
    section = re.search(rf"(?s)ERROR at teardown of test_{kind} __+\n(.*?)(\n__+ |\n==+ )", report)

    assert section is not None, report
    assert "LeakError: this test left" in section[1]
    assert re.search(NAMED[kind].format(here=here), section[1]), section[1]


def test_every_planted_test_passes_but_for_its_leak(report: str) -> None:
    assert f"{len(PLANTED)} passed, {len(PLANTED)} errors in" in report


def write(pytester: pytest.Pytester, name: str, test: str, before: str = "") -> str:
    """Write a test file; return `file:line in test_planted` of its line marked HERE."""
    source = PREAMBLE + before + textwrap.dedent(test).lstrip()
    pytester.makepyfile(**{name: source})
    return place(source, f"{name}.py", "test_planted") if "# HERE" in source else ""


def test_test_that_cleans_up_leaves_nothing(pytester: pytest.Pytester) -> None:
    write(
        pytester,
        "test_clean",
        """
        async def test_planted(tmp_path, runtime):
            task = asyncio.create_task(asyncio.sleep(3600))
            await asyncio.to_thread(time.sleep, 0.01)
            thread = threading.Thread(target=time.sleep, args=(0.05,))
            thread.start()
            async with asyncio.timeout(3600):
                child = await asyncio.create_subprocess_exec("true")
                await child.wait()
            with open(tmp_path / "file", "w") as file:
                file.write("x")
            st.monitor(runtime.spawn(idle, name="tenant"))
            st.send_after(3600, "tick")
            task.cancel()
            await asyncio.wait([task])
        """,
    )

    pytester.runpytest_subprocess(*QUIET).assert_outcomes(passed=1)


def test_marker_allows_the_kinds_it_names_and_no_other(pytester: pytest.Pytester) -> None:
    write(pytester, "test_allowed", planted("task"), '@pytest.mark.suptree_leaks(allow="task")\n')
    write(pytester, "test_other", planted("task"), '@pytest.mark.suptree_leaks(allow=["fd"])\n')
    write(pytester, "test_typo", planted("task"), '@pytest.mark.suptree_leaks(allow=["taks"])\n')

    result = pytester.runpytest_subprocess(*QUIET)

    result.assert_outcomes(passed=2, errors=2)
    result.stdout.fnmatch_lines(["*allow must name some of process, *; got 'taks'*"])


def test_strict_test_must_leave_its_runtime_empty(pytester: pytest.Pytester) -> None:
    strict = "@pytest.mark.suptree_leaks(strict=True)\n"
    here = write(
        pytester,
        "test_strict",
        """
        async def test_planted(runtime):
            runtime.spawn(idle, name="left")  # HERE
        """,
        strict,
    )
    write(
        pytester,
        "test_tidy",
        """
        async def test_planted(runtime):
            from suptree.testing import wait_down
            pid = runtime.spawn(idle)
            st.send(pid, "go")
            await wait_down(pid)
        """,
        strict,
    )

    result = pytester.runpytest_subprocess(*QUIET)

    result.assert_outcomes(passed=2, errors=1)
    result.stdout.fnmatch_lines([f"*process: <0.* left> idle (*, made at {here}"])


def test_what_a_wider_fixture_makes_is_no_leak(pytester: pytest.Pytester) -> None:
    write(
        pytester,
        "test_wide",
        """
        @pytest.fixture(scope="module")
        def server():
            file = open("/etc/hostname")
            child = subprocess.Popen(["sleep", "60"])
            done = threading.Event()
            thread = threading.Thread(target=done.wait)
            thread.start()
            yield
            file.close(), child.kill(), child.wait(), done.set(), thread.join()

        async def test_one(server):
            pass

        async def test_two(server):
            pass
        """,
    )

    pytester.runpytest_subprocess(*QUIET).assert_outcomes(passed=2)


def test_what_a_wider_fixture_makes_when_it_is_asked_is_no_leak_if_it_says_so(
    pytester: pytest.Pytester,
) -> None:
    write(
        pytester,
        "test_lazy",
        """
        @pytest.fixture(scope="session", params=[True, False], ids=["said", "unsaid"])
        def server(request, outliving):
            children = []
            said = request.param
            def serve():
                if not children:
                    with outliving() if said else contextlib.nullcontext():
                        children.append(subprocess.Popen(["sleep", "60"]))
                        rt = st.Runtime()
                        asyncio.run(rt.__aenter__())
            yield serve
            for child in children:
                child.kill(), child.wait()

        def test_first(server):
            server()

        async def test_second(server):
            server()
        """,
        before="import contextlib\n",
    )

    result = pytester.runpytest_subprocess(*QUIET, "--suptree-leaks=all")

    result.assert_outcomes(passed=4, errors=1)
    result.stdout.fnmatch_lines(["*ERROR at teardown of test_first?unsaid?*", "*child: pid*"])


def test_a_shell_that_becomes_the_program_it_starts_is_the_child_that_was_there(
    pytester: pytest.Pytester,
) -> None:
    write(
        pytester,
        "test_shell",
        """
        @pytest.fixture(scope="module")
        def shell():
            pipe = dict(stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
            child = subprocess.Popen(["sh", "-c", "read line; exec cat"], **pipe)
            yield child
            child.communicate()

        async def test_first(shell):
            pass

        async def test_second(shell):
            print("go\\nback", file=shell.stdin, flush=True)
            assert shell.stdout.readline() == "back\\n"

        async def test_third(shell):
            pass
        """,
    )

    pytester.runpytest_subprocess(*QUIET).assert_outcomes(passed=3)


def test_a_runtime_that_a_plain_test_leaves_open_is_a_leak(pytester: pytest.Pytester) -> None:
    here = write(
        pytester,
        "test_plain",
        """
        def test_planted():
            async def main():
                async with st.Runtime():
                    pass
                rt = await st.Runtime().__aenter__()  # HERE
                KEPT.append(rt)
            asyncio.run(main())
        """,
    )

    result = pytester.runpytest_subprocess(*QUIET, "--suptree-leaks=all")

    result.assert_outcomes(passed=1, errors=1)
    result.stdout.fnmatch_lines([f"*process: <Runtime *> was never closed, made at {here}.*main"])


def test_many_threads_that_stay_hold_the_run_up_no_longer_than_one(
    pytester: pytest.Pytester,
) -> None:
    write(
        pytester,
        "test_crowd",
        """
        async def test_crowd():
            for _ in range(50):
                threading.Thread(target=threading.Event().wait, daemon=True).start()
        """,
    )

    result = pytester.runpytest_subprocess(*QUIET, timeout=30)

    result.assert_outcomes(passed=1, errors=1)


def test_failed_test_is_not_told_of_leaks_too(pytester: pytest.Pytester) -> None:
    write(
        pytester,
        "test_failing",
        """
        async def test_planted():
            asyncio.get_running_loop().call_later(3600, print)
            assert False
        """,
    )

    pytester.runpytest_subprocess(*QUIET).assert_outcomes(failed=1)


def test_a_test_that_fails_as_it_is_expected_to_is_not_told_of_leaks_too(
    pytester: pytest.Pytester,
) -> None:
    write(
        pytester,
        "test_failing",
        """
        @pytest.mark.xfail(raises=AssertionError, strict=True)
        async def test_marked():
            asyncio.get_running_loop().call_later(3600, print)
            assert False

        async def test_says_so():
            asyncio.get_running_loop().call_later(3600, print)
            pytest.xfail("known")

        async def test_that_is_skipped():
            asyncio.get_running_loop().call_later(3600, print)
            pytest.skip("it did not fail")
        """,
    )

    result = pytester.runpytest_subprocess(*QUIET)

    result.assert_outcomes(xfailed=2, skipped=1, errors=1)
    result.stdout.fnmatch_lines(["*ERROR at teardown of test_that_is_skipped*"])


@pytest.mark.parametrize(("scope", "errors"), [("off", 0), ("async", 1), ("all", 2)])
def test_scope_says_which_tests_are_checked(
    pytester: pytest.Pytester, scope: str, errors: int
) -> None:
    write(pytester, "test_async", planted("fd"))
    write(pytester, "test_sync", planted("fd").replace("async def", "def"))

    result = pytester.runpytest_subprocess(*QUIET, f"--suptree-leaks={scope}")

    result.assert_outcomes(passed=2, errors=errors)


@pytest.mark.parametrize("loop", LOOPS)
def test_a_timer_that_is_due_is_no_leak_on_any_loop(pytester: pytest.Pytester, loop: str) -> None:
    write(
        pytester,
        "test_due",
        """
        async def test_due():
            KEPT.append(asyncio.get_running_loop().call_later(0, print))
        """,
    )

    result = pytester.runpytest_subprocess(*QUIET, f"--suptree-loop={loop}")

    result.assert_outcomes(passed=1)
