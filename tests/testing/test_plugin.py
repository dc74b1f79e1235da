"""The plugin: which tests it takes, on which loop, and what it tells when one fails."""

from __future__ import annotations

import re

import pytest

pytest_plugins = ["pytester"]

QUIET = ("-p", "no:cacheprovider")


@pytest.fixture(autouse=True)
def bare_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """The pytest inside is told by its own options alone."""
    for name in ("SUPTREE_TEST_LOOP", "SUPTREE_SEED", "SUPTREE_DIRECT_CALL"):
        monkeypatch.delenv(name, raising=False)


def test_async_test_and_its_async_fixtures_share_loop_task_and_context(
    pytester: pytest.Pytester,
) -> None:
    pytester.makepyfile(
        """
        import asyncio, contextvars, pytest
        who = contextvars.ContextVar("who")
        log = []

        @pytest.fixture
        def sync(): return "sync"

        @pytest.fixture
        async def plain(sync):
            await asyncio.sleep(1)
            return asyncio.current_task(), sync

        @pytest.fixture
        async def around(plain):
            who.set("fixture")
            await asyncio.sleep(1)
            yield asyncio.get_running_loop()
            await asyncio.sleep(1)
            log.append(asyncio.get_running_loop().time())

        class TestClass:
            value = 7

            @pytest.fixture
            async def method(self):
                return self.value

            async def test_it(self, around, plain, method):
                assert around is asyncio.get_running_loop()
                assert plain == (asyncio.current_task(), "sync")
                assert who.get() == "fixture"
                assert around.time() == 2.0
                assert method == 7

        def test_torn_down_in_the_same_loop():
            assert log == [3.0]
        """
    )

    pytester.runpytest_inprocess(*QUIET).assert_outcomes(passed=2)


def test_every_test_has_a_loop_of_its_own(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(
        """
        import asyncio
        async def test_one(): await asyncio.sleep(50)
        async def test_two(): assert asyncio.get_running_loop().time() == 0.0
        """
    )

    pytester.runpytest_inprocess(*QUIET).assert_outcomes(passed=2)


@pytest.mark.parametrize("loop", ["virtual", "asyncio", "uvloop"])
@pytest.mark.parametrize("how", ["option", "variable"])
def test_loop_is_chosen_by_option_variable_or_marker(
    pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch, loop: str, how: str
) -> None:
    if loop == "uvloop":
        pytest.importorskip("uvloop", reason="uvloop is not installed (extra 'speed')")
    pytester.makepyfile(
        f"""
        import asyncio, pytest
        KINDS = {{"virtual": "VirtualLoop", "uvloop": "Loop"}}

        def kind():
            return type(asyncio.get_running_loop()).__name__

        async def test_asked():
            assert kind() == KINDS.get({loop!r}, kind())
            assert kind() != "VirtualLoop" or {loop!r} == "virtual"

        @pytest.mark.suptree_loop("virtual")
        async def test_marked_virtual():
            assert kind() == "VirtualLoop"

        @pytest.mark.suptree_loop("asyncio")
        async def test_marked_asyncio():
            assert "SelectorEventLoop" in kind()

        @pytest.mark.suptree_loop("real")
        async def test_marked_real():
            assert kind() != "VirtualLoop"
        """
    )
    options: tuple[str, ...] = (f"--suptree-loop={loop}",)
    if how == "variable":
        monkeypatch.setenv("SUPTREE_TEST_LOOP", loop)
        options = ()

    result = pytester.runpytest_inprocess(*QUIET, *options)

    result.assert_outcomes(passed=4)
    result.stdout.fnmatch_lines([f"suptree: loop {loop}, direct call *, seed *"])


def test_async_tests_that_another_plugin_claims_are_left_alone(pytester: pytest.Pytester) -> None:
    pytest.importorskip("anyio")
    pytester.makepyfile(
        """
        import asyncio, pytest

        def virtual():
            return type(asyncio.get_running_loop()).__name__ == "VirtualLoop"

        @pytest.fixture
        def anyio_backend(): return "asyncio"

        @pytest.fixture
        async def fixture_of_anyio(anyio_backend):
            assert not virtual()
            return 5

        @pytest.mark.anyio
        async def test_anyio(fixture_of_anyio):
            assert not virtual() and fixture_of_anyio == 5

        async def test_ours():
            assert virtual()
        """
    )

    pytester.runpytest_inprocess(*QUIET).assert_outcomes(passed=2)


def test_test_marked_for_pytest_asyncio_is_not_run_by_us(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(
        conftest="""
        import pytest
        seen = []

        def pytest_configure(config):
            config.addinivalue_line("markers", "asyncio: as pytest-asyncio declares it")

        @pytest.hookimpl(tryfirst=True)
        def pytest_pyfunc_call(pyfuncitem):
            if pyfuncitem.get_closest_marker("asyncio"):
                seen.append(pyfuncitem.name)
                return True

        def pytest_terminal_summary(terminalreporter):
            terminalreporter.write_line(f"foreign plugin ran: {seen}")
        """,
        test_it="""
        import pytest

        @pytest.mark.asyncio
        async def test_theirs(): assert False, "somebody ran it"

        async def test_ours(): pass
        """,
    )

    result = pytester.runpytest_inprocess(*QUIET)

    result.assert_outcomes(passed=2)
    result.stdout.fnmatch_lines(["foreign plugin ran: ['test_theirs']"])


def test_hypothesis_runs_each_example_in_a_fresh_loop(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(
        """
        import asyncio
        from hypothesis import given, settings, strategies as st

        @settings(max_examples=20, database=None, deadline=None)
        @given(st.integers(0, 9))
        async def test_it(n):
            assert asyncio.get_running_loop().time() == 0.0
            await asyncio.sleep(n)
            assert asyncio.get_running_loop().time() == n
        """
    )

    pytester.runpytest_inprocess(*QUIET).assert_outcomes(passed=1)


def test_deadlocked_test_fails_at_the_line_where_it_waits_and_is_cleaned_up(
    pytester: pytest.Pytester,
) -> None:
    pytester.makepyfile(
        """
        import asyncio, pytest

        @pytest.fixture
        async def around():
            yield
            await asyncio.sleep(1)
            print("fixture torn down")

        async def test_it(around):
            try:
                await asyncio.Event().wait()  # this line
            finally:
                print("test cleaned up")
        """
    )

    result = pytester.runpytest_inprocess(*QUIET)

    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(
        ["> *await asyncio.Event().wait()  # this line", "*VirtualDeadlockError: *stuck at 0 s*"]
    )
    assert "test cleaned up" in result.stdout.str()
    assert "run_until_complete" not in result.stdout.str()


def test_pytest_outcomes_work_inside_async_tests_and_fixtures(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(
        """
        import pytest

        @pytest.fixture
        async def unavailable(): pytest.skip("not here")

        async def test_skips(): pytest.skip("not now")
        async def test_fails(): pytest.fail("on purpose")
        async def test_needs_it(unavailable): assert False
        @pytest.mark.xfail(strict=True)
        async def test_xfails(): assert False
        """
    )

    pytester.runpytest_inprocess(*QUIET).assert_outcomes(skipped=2, failed=1, xfailed=1)


def test_fixture_that_yields_twice_is_refused(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(
        """
        import pytest

        @pytest.fixture
        async def twice():
            yield 1
            yield 2

        async def test_it(twice): pass
        """
    )

    result = pytester.runpytest_inprocess(*QUIET)

    result.assert_outcomes(passed=1, errors=1)
    result.stdout.fnmatch_lines(["*an async fixture must yield once*"])


@pytest.mark.parametrize("fixture", ["runtime", "plain", "generator"])
def test_async_fixture_that_is_asked_for_while_the_test_runs_is_refused_and_the_test_goes_on(
    pytester: pytest.Pytester, fixture: str
) -> None:
    pytester.makepyfile(
        f"""
        import asyncio
        import pytest
        import suptree

        @pytest.fixture
        async def plain(): return 1

        @pytest.fixture
        async def generator(): yield 1

        async def test_it(request):
            with pytest.raises(suptree.UsageError, match="Name it among the arguments"):
                request.getfixturevalue({fixture!r})
            await asyncio.sleep(1)
        """
    )

    pytester.runpytest_inprocess(*QUIET, "-W", "error").assert_outcomes(passed=1)


def test_async_fixture_of_a_wider_scope_is_refused(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(
        """
        import pytest

        @pytest.fixture(scope="module")
        async def wide(): return 1

        async def test_it(wide): pass
        """
    )

    result = pytester.runpytest_inprocess(*QUIET)

    result.assert_outcomes(errors=1)
    result.stdout.fnmatch_lines(["*wide: an async fixture must have the scope 'function'*"])


# -- seeds and the runtime fixture -------------------------------------------------------------


RUNTIME_TEST = """
    import suptree.core as suptree

    async def test_it(runtime, runtime_options):
        print("direct call", runtime.direct_call, "seed", runtime.seed)
        assert runtime_options == {"direct_call": runtime.direct_call, "seed": runtime.seed}
        assert suptree.current() == runtime.root.pid
        assert FAIL != 1
    """


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ((), "direct call True seed None"),
        (("--suptree-direct-call=off",), "direct call False seed None"),
        (("--suptree-direct-call=random",), r"direct call random seed \d+"),
        (("--suptree-seed=42",), r"direct call True seed \d+"),
        (("--suptree-seed=random",), r"direct call True seed \d+"),
    ],
)
def test_runtime_is_made_as_the_options_say(
    pytester: pytest.Pytester, options: tuple[str, ...], told: str
) -> None:
    pytester.makepyfile(RUNTIME_TEST.replace("FAIL", "0"))

    result = pytester.runpytest_inprocess(*QUIET, "-s", *options)

    result.assert_outcomes(passed=1)
    assert re.search(told, result.stdout.str())


def test_failure_tells_what_to_type_to_see_it_again(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(RUNTIME_TEST.replace("FAIL", "1"))
    wanted = ("--suptree-seed=random", "--suptree-direct-call=random", "--suptree-loop=asyncio")

    first = pytester.runpytest_inprocess(*QUIET, *wanted)

    first.assert_outcomes(failed=1)
    again = re.search(r'again: pytest "(\S+)" (.*)', first.stdout.str())
    told = re.search(r"direct call random seed \d+", first.stdout.str())
    assert again is not None
    assert told is not None
    second = pytester.runpytest_inprocess(*QUIET, again[1], *again[2].split())
    assert told[0] in second.stdout.str()


@pytest.mark.parametrize(
    ("option", "variable", "text"),
    [
        ("--suptree-seed=lucky", ("X", "x"), "must be a whole number or 'random'; got 'lucky'"),
        ("-q", ("SUPTREE_TEST_LOOP", "uvlop"), "SUPTREE_TEST_LOOP must be one of"),
        (
            "-q",
            ("SUPTREE_DIRECT_CALL", "yes"),
            "SUPTREE_DIRECT_CALL must be one of on, off, random",
        ),
    ],
)
def test_wrong_options_are_refused_by_name(
    pytester: pytest.Pytester,
    monkeypatch: pytest.MonkeyPatch,
    option: str,
    variable: tuple[str, str],
    text: str,
) -> None:
    monkeypatch.setenv(*variable)
    pytester.makepyfile("def test_it(): pass")

    result = pytester.runpytest_inprocess(*QUIET, option)

    assert result.ret == pytest.ExitCode.USAGE_ERROR
    assert text in result.stderr.str()


def test_runtime_needs_an_async_test(pytester: pytest.Pytester) -> None:
    pytester.makepyfile("def test_it(runtime): pass")

    result = pytester.runpytest_inprocess(*QUIET)

    result.assert_outcomes(errors=1)
    result.stdout.fnmatch_lines(["*runtime: the test must be an `async def`*"])


def test_tree_that_gives_up_ends_the_test_as_it_would_end_a_block(
    pytester: pytest.Pytester,
) -> None:
    pytester.makepyfile(
        """
        import asyncio

        async def test_it(runtime):
            runtime.stop("flooded", "the cellar")
            await asyncio.sleep(3600)
        """
    )

    result = pytester.runpytest_inprocess(*QUIET)

    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(["*RuntimeStoppedError: *the cellar ended: 'flooded'*"])


def test_nothing_of_a_test_is_kept_to_the_end_of_the_run(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(
        """
        import weakref
        import suptree as st

        BEFORE = []

        async def test_one(runtime):
            runtime.spawn(st.receive)
            BEFORE.append(weakref.ref(runtime))

        async def test_two():
            import gc
            gc.collect()
            assert BEFORE[0]() is None
        """
    )
    pytester.runpytest_subprocess(*QUIET).assert_outcomes(passed=2)
