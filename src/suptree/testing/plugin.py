"""The pytest plugin: async tests on a loop of their own, a runtime, a leak check.

An `async def test_...` that no other plugin claims runs on a fresh loop: virtual by
default, so that waiting costs nothing.  Async fixtures (`async def`, with `return`
or `yield`) run in the same loop and the same task.

    --suptree-loop=virtual|asyncio|uvloop   which loop              SUPTREE_TEST_LOOP
    --suptree-seed=N|random                 shuffle ready queues    SUPTREE_SEED
    --suptree-direct-call=on|off|random     of the runtime fixture  SUPTREE_DIRECT_CALL
    --suptree-leaks=all|async|off           which tests are checked

    @pytest.mark.suptree_loop("asyncio")    a loop for this test; "real" is any that is not virtual
    @pytest.mark.suptree_leaks(allow=("thread",))   kinds that this test may leave behind
    @pytest.mark.suptree_leaks(strict=True)         its runtime must be empty when the test ends
    @pytest.mark.suptree_sharing("off")             it changes what it has sent, on purpose

Fixtures: `runtime`, an open `suptree.Runtime` whose root process is the test;
`runtime_options`, the keyword arguments it was made with, for tests that open their own;
`outliving`, for a wider fixture that makes something only when a test asks for it.
"""

from __future__ import annotations

import asyncio
import functools
import inspect
import os
import warnings
from collections.abc import AsyncGenerator, Callable, Generator, Iterator
from contextlib import AbstractContextManager, nullcontext
from typing import TYPE_CHECKING, Any, Final

import pytest

from suptree.testing.case import DIRECT_CALL, SCOPES, SETTINGS, Case, Settings
from suptree.testing.leaks import LeakError, loop_leaks
from suptree.testing.runner import LOOPS, TestRunner, loop_factory
from suptree.testing.sharing import SharedChangeWarning

if TYPE_CHECKING:
    from suptree.otp import Runtime

__all__ = ["outliving", "runtime", "runtime_options"]

FOREIGN_MARKERS: Final = ("asyncio", "anyio", "trio", "twisted", "tornado", "gen_test")


CASE: Final = pytest.StashKey[Case]()
"""In the stash of a test that is ours or is checked; while it runs in that of the config too."""
FAILED: Final = pytest.StashKey[bool]()
"""Whether a test failed by itself; it stays in the stash of every test that was ours."""


# -- options --------------------------------------------------------------------------


def pytest_addoption(parser: pytest.Parser) -> None:
    """Declare the options."""
    group = parser.getgroup("suptree")
    loop = os.environ.get("SUPTREE_TEST_LOOP", LOOPS[0])
    direct = os.environ.get("SUPTREE_DIRECT_CALL", DIRECT_CALL[0])
    group.addoption(
        "--suptree-loop",
        choices=LOOPS,
        default=loop,
        help="loop of async tests (default: %(default)s)",
    )
    group.addoption(
        "--suptree-direct-call",
        choices=DIRECT_CALL,
        default=direct,
        help="direct call of the runtime fixture (default: %(default)s)",
    )
    group.addoption(
        "--suptree-seed",
        default=os.environ.get("SUPTREE_SEED"),
        metavar="N|random",
        help="shuffle the ready queues of runtimes, reproducibly (default: arrival order)",
    )
    group.addoption(
        "--suptree-leaks",
        choices=SCOPES,
        default=None,
        help="which tests must leave nothing behind (default: ini suptree_leaks, else async)",
    )
    parser.addini(
        "suptree_leaks", "which tests must leave nothing behind: all, async, off", default="async"
    )
    parser.addini(
        "suptree_sharing", "what passed by reference and then changed: warn, off", default="warn"
    )


def pytest_configure(config: pytest.Config) -> None:
    """Read the options once, and declare the markers."""
    config.stash[SETTINGS] = Settings.of(config)
    config.addinivalue_line(
        "markers",
        "suptree_loop(kind): run on 'virtual', 'asyncio', 'uvloop', or 'real' (any of the last two)",
    )
    config.addinivalue_line(
        "markers",
        "suptree_leaks(allow=(), strict=False): kinds that may be left behind; "
        "strict: the runtime fixture must be empty when the test ends",
    )
    config.addinivalue_line(
        "markers", "suptree_sharing(what): 'off': what is passed by reference may change here"
    )


def pytest_report_header(config: pytest.Config) -> str:
    """Say how the run was asked to be."""
    return config.stash[SETTINGS].header()


# -- one test ---------------------------------------------------------------------------


def _is_ours(item: pytest.Item) -> bool:
    """Say whether *item* is an async test that nobody else claims."""
    return (
        type(item) is pytest.Function
        and inspect.iscoroutinefunction(_inner(item.obj))
        and not any(item.get_closest_marker(name) for name in FOREIGN_MARKERS)
        and "anyio_backend" not in item.fixturenames
    )


def _inner(function: Any) -> Any:
    """Look through `hypothesis.given`."""
    hypothesis = getattr(function, "hypothesis", None)
    return getattr(hypothesis, "inner_test", function)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_setup(item: pytest.Item) -> Generator[None, object, object]:
    """Begin to look before any fixture is set up."""
    scope = item.config.stash[SETTINGS].leaks
    ours = _is_ours(item)
    if ours or scope == "all":
        case = item.stash[CASE] = item.config.stash[CASE] = Case(item)
        item.stash[FAILED] = False
        if scope == "all" or (ours and scope == "async"):
            case.watch()
    return (yield)


@pytest.hookimpl(tryfirst=True)
def pytest_pyfunc_call(pyfuncitem: pytest.Function) -> bool | None:
    """Run an async test of ours in its loop."""
    __tracebackhide__ = True
    if not _is_ours(pyfuncitem):
        return None
    case = pyfuncitem.stash[CASE]
    names = pyfuncitem._fixtureinfo.argnames  # pyright: ignore[reportPrivateUsage]
    arguments = {name: pyfuncitem.funcargs[name] for name in names}
    if _inner(pyfuncitem.obj) is pyfuncitem.obj:
        case.runner.run(_body(case, pyfuncitem.obj, arguments))
    else:
        _run_examples(case, pyfuncitem.obj, arguments)
    return True


async def _body(case: Case, test: Any, arguments: dict[str, Any]) -> None:
    __tracebackhide__ = True
    try:
        await test(**arguments)
    except asyncio.CancelledError as error:
        # A tree that gave up cancels the body of its runtime: the test is that body, so
        # it ends here as an `async with` block would, with RuntimeStoppedError.
        for opened in reversed(case.runtimes):
            if not opened.closed:
                await opened.__aexit__(type(error), error, error.__traceback__)
        raise


def _run_examples(case: Case, test: Any, arguments: dict[str, Any]) -> None:
    """Run a Hypothesis test: each example in a fresh loop."""
    inner = test.hypothesis.inner_test

    @functools.wraps(inner)
    def one_example(*args: Any, **kwargs: Any) -> None:
        runner = TestRunner(loop_factory(case.kind), case.sites)
        try:
            runner.run(inner(*args, **kwargs))
            case.leaks += loop_leaks(runner.loop, runner.leftover_tasks(), case.sites)
        finally:
            runner.close()

    test.hypothesis.inner_test = one_example
    try:
        test(**arguments)
    finally:
        test.hypothesis.inner_test = inner


@pytest.hookimpl(wrapper=True)
def pytest_fixture_setup(
    fixturedef: pytest.FixtureDef[Any], request: pytest.FixtureRequest
) -> Generator[None, object, object]:
    """Run async fixtures of our tests in their loop; account for what wider fixtures make."""
    case = _case_of(request)
    function = fixturedef.func
    is_async = inspect.iscoroutinefunction(function) or inspect.isasyncgenfunction(function)
    ours = case is not None and is_async and _is_ours(case.item) and not _is_foreign(function)
    if ours and fixturedef.scope != "function":
        raise pytest.UsageError(
            f"{fixturedef.argname}: an async fixture must have the scope 'function'; got "
            f"{fixturedef.scope!r}. Every test has a loop of its own, which this would outlive."
        )
    if case is not None and fixturedef.scope != "function":
        with case.outliving():
            return (yield)
    if case is None or not ours:
        return (yield)
    fixturedef.func = _synchronous(case, function, request)  # type: ignore[misc]
    try:
        return (yield)
    finally:
        fixturedef.func = function  # type: ignore[misc]


def _case_of(request: pytest.FixtureRequest) -> Case | None:
    item: object = getattr(request, "_pyfuncitem", None)
    return item.stash.get(CASE, None) if isinstance(item, pytest.Item) else None


def _is_foreign(function: object) -> bool:
    return hasattr(function, "_force_asyncio_fixture")  # pytest_asyncio.fixture


def _synchronous(
    case: Case, function: Callable[..., Any], request: pytest.FixtureRequest
) -> Callable[..., Any]:
    """Return a fixture function that runs *function* in the loop of the test."""
    if inspect.ismethod(function) and request.instance is not None:
        function = function.__func__.__get__(request.instance)

    def generator(**arguments: Any) -> Iterator[Any]:
        agen: AsyncGenerator[Any, None] = function(**arguments)
        yield case.runner.run(agen.__anext__())
        case.runner.run(_last_step(agen))

    def plain(**arguments: Any) -> Any:
        return case.runner.run(function(**arguments))

    return generator if inspect.isasyncgenfunction(function) else plain


async def _last_step(agen: AsyncGenerator[Any, None]) -> None:
    async for _ in agen:
        await agen.aclose()
        raise RuntimeError("an async fixture must yield once; this one yielded again.")


@pytest.hookimpl(wrapper=True)
def pytest_runtest_teardown(item: pytest.Item) -> Generator[None, object, object]:
    """After every fixture is torn down: what is left behind?"""
    case = item.stash.get(CASE, None)
    try:
        result = yield
    finally:
        leaks = [] if case is None else case.end()
        for stash in (item.stash, item.config.stash):  # pytest keeps them to the end of its run
            if CASE in stash:
                del stash[CASE]
    shared = [] if case is None else list(case.sharing.found)
    if leaks and not item.stash.get(FAILED, False):
        leaked = LeakError(leaks)
        for text in shared:
            leaked.add_note(text)
        raise leaked
    if shared:
        warnings.warn("\n".join(shared), SharedChangeWarning, stacklevel=1)
    return result


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Say with each failure how to get it again; one that was expected is a failure too."""
    report = yield
    if FAILED not in item.stash:
        return report
    raised = call.excinfo is not None and not call.excinfo.errisinstance(pytest.skip.Exception)
    if raised or report.failed:
        item.stash[FAILED] = True
    if report.failed:
        settings = item.config.stash[SETTINGS]
        head = f"{settings.header()} (of this test: {settings.seed_of(item)})"
        again = f'{head}\nagain: pytest "{item.nodeid}" {settings.arguments()}'
        report.sections.append(("suptree", again))
    return report


# -- fixtures ---------------------------------------------------------------------------------


@pytest.fixture(scope="session")
def outliving(request: pytest.FixtureRequest) -> Callable[[], AbstractContextManager[None]]:
    """For a fixture of a wider scope that makes something only when a test asks for it.

    What is made inside `with outliving():` belongs to that fixture, which is to release it
    when it is torn down; it is no leak of the test that happened to be the first to ask.
    """
    stash = request.config.stash

    def outliving() -> AbstractContextManager[None]:
        case = stash.get(CASE, None)
        return nullcontext() if case is None else case.outliving()

    return outliving


@pytest.fixture
def runtime_options(request: pytest.FixtureRequest) -> dict[str, Any]:
    """Keyword arguments for `suptree.Runtime` as this run asks: direct call and seed."""
    settings = request.config.stash[SETTINGS]
    direct: dict[str, Any] = {"on": True, "off": False, "random": "random"}
    ours = CASE in request.node.stash
    return {
        "direct_call": direct[settings.direct_call],
        "seed": settings.seed_of(request.node) if ours else None,
    }


@pytest.fixture
def runtime(request: pytest.FixtureRequest, runtime_options: dict[str, Any]) -> Iterator[Runtime]:
    """An open runtime in the loop of the test; the test is its root process.

    It is closed after the test, which stops everything in order.  A tree that
    gives up ends the test with RuntimeStoppedError, as it ends an `async with` block.
    """
    from suptree.otp import Runtime

    case = _case_of(request)
    if case is None or not _is_ours(case.item):
        raise pytest.UsageError(
            "runtime: the test must be an `async def` that no other async plugin claims. "
            "Elsewhere write `async with suptree.Runtime() as rt:`."
        )
    opened = Runtime(**runtime_options)
    case.runner.run(opened.__aenter__())
    case.runtimes.append(opened)
    yield opened
    if not opened.closed:
        if case.strict:
            case.leaks += case.ledger.leaks_of(opened, after_close=False)
        case.runner.run(opened.__aexit__(None, None, None))
