"""What a newcomer does wrong is refused where it is done, in words that say what to do."""

from __future__ import annotations

import functools
import operator
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

import suptree as st
from suptree.testing import wait_down


class Till(st.GenServer):
    """Holds money; has an attribute named like one of its handlers."""

    def __init__(self) -> None:
        self.count = 0

    @st.call
    def count(self) -> int:  # type: ignore[no-redef]
        return self.count

    @st.call
    def take(self, amount: int, note: str = "") -> int:
        self.count += amount
        return self.count

    @st.cast
    def wrong(self) -> int:
        return 5


async def test_an_attribute_of_the_instance_does_not_hide_a_handler(runtime):
    pid = await Till.start()
    await Till.take(pid, 2)

    assert await Till.count(pid) == 2
    await st.sys.suspend(pid)
    asked = Till.count.send_request(pid)
    await st.sys.change_code(pid, None)
    await st.sys.resume(pid)
    assert await asked == 2


async def test_an_argument_that_does_not_fit_shows_what_the_handler_takes(runtime):
    pid = await Till.start()
    with pytest.raises(st.BadRequestError, match=r"It takes take\(amount, note=''\)"):
        await Till.take(pid, amont=1)  # type: ignore[call-arg]


def passing(function: Callable[..., Any]) -> Callable[..., Any]:
    """A decorator that hands everything on."""

    @functools.wraps(function)
    def wrapper(self: Any, *args: Any, **kwargs: Any) -> Any:
        return function(self, *args, **kwargs)

    return wrapper


def injecting(function: Callable[..., Any]) -> Callable[..., Any]:
    """A decorator that adds an argument; the signature that it shows fits no request."""

    @functools.wraps(function)
    def wrapper(self: Any, *args: Any, **kwargs: Any) -> Any:
        return function(self, "token", *args, **kwargs)

    return wrapper


class Wrapped(st.GenServer):
    """Handlers that were entered, and that raise what a wrong call raises."""

    @st.call
    def plain(self, amount: int) -> int:
        return len(amount)  # type: ignore[arg-type]

    @st.call
    @passing
    def passed(self, amount: int) -> int:
        return len(amount)  # type: ignore[arg-type]

    @st.call
    @injecting
    def injected(self, token: str, amount: int) -> int:
        return len(amount)  # type: ignore[arg-type]

    @st.call
    @injecting
    async def injected_async(self, token: str, amount: int) -> int:
        return len(amount)  # type: ignore[arg-type]

    @st.call
    @injecting
    def injected_helper(self, token: str, amount: int) -> Any:
        return self.help(amount)

    async def help(self, amount: int) -> int:
        return len(amount)  # type: ignore[arg-type]

    @st.call
    def in_c(self, amount: int) -> int:
        return amount

    @st.call
    def in_c_without_signature(self, amount: int) -> int:
        return amount

    @st.call
    async def ready(self) -> None:
        """From now on its class is known and its task kept: what follows is called directly."""


class WrappedInC(Wrapped):
    """Some of its handlers are written in C."""

    in_c = operator.add  # type: ignore[assignment]
    in_c_without_signature = max  # type: ignore[assignment]


ENTERED = [
    "plain",
    "passed",
    "injected",
    "injected_async",
    "injected_helper",
    "in_c",
    "in_c_without_signature",
]


@pytest.mark.parametrize("name", ENTERED)
async def test_a_type_error_out_of_a_handler_is_a_crash_however_it_is_decorated(runtime, name):
    request = getattr(Wrapped, name)
    for _ in range(2):  # the second is called directly, if the run has direct calls
        pid = await WrappedInC.start()
        await Wrapped.ready(pid)

        with pytest.raises(st.ServerExitError, match="TypeError"):
            await request(pid, 5)
        assert not pid.is_alive()


@pytest.mark.parametrize("name", ["plain", "passed", "injected", "injected_async", "in_c"])
async def test_arguments_that_fit_no_handler_harm_no_server_however_it_is_decorated(runtime, name):
    request = getattr(Wrapped, name)
    pid = await WrappedInC.start()
    await Wrapped.ready(pid)
    for _ in range(2):
        with pytest.raises(st.BadRequestError):
            await request(pid, 1, 2, 3)
        with pytest.raises(st.BadRequestError):
            await request.send_request(pid, 1, 2, 3)
    assert pid.is_alive()


async def test_a_request_asked_of_the_pid_itself_says_how_to_ask(runtime):
    pid = await Till.start()
    with pytest.raises(AttributeError, match=r"Server\.take\(pid, \.\.\.\), not pid\.take"):
        pid.take(5)  # type: ignore[attr-defined]


async def test_a_name_that_nobody_has_tells_the_nearest_one(runtime):
    await st.child(Till).with_(name="account").start_link()
    with pytest.raises(st.NoProcessError, match=r"at 'acount', did you mean 'account'\? It was"):
        await Till.take("acount", 1)
    with pytest.raises(st.NoProcessError, match=r"at 'acount', did you mean 'account'\? It was"):
        st.send("acount", 1)


async def test_a_key_of_a_registry_that_is_not_there_says_so(runtime):
    with pytest.raises(st.NoProcessError, match="There is no registry 'nosuch'"):
        await Till.take(st.via("nosuch", "key"), 1)


async def test_a_handler_that_returns_what_it_may_not_is_told_what_it_may(runtime, caplog):
    pid = await Till.start()
    Till.wrong(pid)
    assert await wait_down(pid) == st.BadReturn(5)
    assert "why: a callback returned it. Only a call returns a reply" in caplog.text


async def work() -> None:
    """Something to run."""


async def test_a_coroutine_in_the_place_of_a_function_is_refused(runtime):
    tasks = await st.TaskSupervisor.start_link()
    match = r"Give work and its arguments, not work\(\.\.\.\)"
    with pytest.raises(TypeError, match=match):
        st.spawn(work())  # type: ignore[arg-type]
    with pytest.raises(TypeError, match=match):
        st.Task.async_(work())  # type: ignore[arg-type]
    with pytest.raises(TypeError, match=match):
        await st.TaskSupervisor.async_nolink(tasks, work())  # type: ignore[arg-type]
    with pytest.raises(TypeError, match="must be given a function; got 5"):
        await st.TaskSupervisor.start_child(tasks, 5)  # type: ignore[arg-type]


@pytest.mark.parametrize("children", [None, 5, st.child(Till), "ab"])
async def test_children_that_are_no_list_are_refused(runtime, children):
    class Shop(st.Application):
        def children(self):  # type: ignore[no-untyped-def]
            return children

    with pytest.raises(st.ChildSpecError, match="Supervisor: children must be a list"):
        await st.Supervisor.start_link(children)
    with pytest.raises(st.ApplicationError, match="Shop: children must be a list"):
        await runtime.start(Shop())


async def test_children_that_are_a_coroutine_are_refused(runtime):
    class Shop(st.Application):
        async def children(self):  # type: ignore[no-untyped-def,override]
            return []

    with pytest.raises(st.ApplicationError, match="`def children` without async"):
        await runtime.start(Shop())


class Silent(st.GenServer):
    """Never answers."""

    @st.call
    def ask(self) -> st.NoReply:
        return st.NoReply()


async def wait_for_ever() -> None:
    await st.receive(lambda message: False)


def _asking_set(pid: st.Pid[Silent]) -> st.RequestSet[int]:
    asking = st.RequestSet[int]()
    asking.add(Silent.ask.send_request(pid), label=1)
    return asking


WAITS: dict[str, Callable[[st.Pid[Silent], Any], Awaitable[object]]] = {
    "call": lambda pid, timeout: st.GenServer.call(pid, 1, timeout),
    "response": lambda pid, timeout: Silent.ask.send_request(pid).response(timeout),
    "wait": lambda pid, timeout: Silent.ask.send_request(pid).wait(timeout),
    "wait_any": lambda pid, timeout: _asking_set(pid).wait_any(timeout),
    "get_state": lambda pid, timeout: st.sys.get_state(pid, timeout),
    "suspend": lambda pid, timeout: st.sys.suspend(pid, timeout),
    "install": lambda pid, timeout: st.sys.install(pid, print, timeout=timeout),
    "terminate": lambda pid, timeout: st.sys.terminate(pid, timeout=timeout),
    "await_": lambda pid, timeout: st.Task.await_(st.Task.async_(wait_for_ever), timeout),
    "yield_": lambda pid, timeout: st.Task.yield_(st.Task.async_(wait_for_ever), timeout),
    "shutdown": lambda pid, timeout: st.Task.shutdown(st.Task.async_(wait_for_ever), timeout),
}


@pytest.mark.parametrize("timeout", [float("nan"), float("inf"), -1, "5", True])
@pytest.mark.parametrize("name", WAITS)
async def test_a_timeout_that_is_no_number_of_seconds_is_refused_where_it_is_given(
    runtime, name, timeout
):
    pid = await Silent.start()

    with pytest.raises(ValueError, match="timeout must be a finite number of seconds"):
        await WAITS[name](pid, timeout)
    assert pid.is_alive()
    assert runtime.ticker.timers.deadlines() == 0


@pytest.mark.parametrize("timeout", [float("nan"), -1, "5"])
async def test_a_portal_with_a_timeout_that_is_no_number_of_seconds_is_refused(runtime, timeout):
    with pytest.raises(ValueError, match="timeout must be a finite number of seconds"):
        runtime.portal.within(timeout)


@pytest.mark.parametrize("timeout", [float("nan"), -1, "5"])
@pytest.mark.parametrize("base", [st.GenServer, st.GenStateMachine])
def test_a_call_timeout_that_is_no_number_of_seconds_is_refused_when_the_class_is_made(
    base, timeout
):
    with pytest.raises(ValueError, match=r"Hasty: call_timeout must be a finite number of seconds"):
        type("Hasty", (base,), {"call_timeout": timeout})
    mixin = type("Mixin", (), {"call_timeout": timeout})
    with pytest.raises(ValueError, match=r"Mixed: call_timeout must be a finite number of seconds"):
        type("Mixed", (mixin, base), {})
    for fine in (None, 0, 1, 2.5):
        type("Patient", (base,), {"call_timeout": fine})


async def test_what_is_no_application_or_needs_arguments_is_refused(runtime):
    class Shop(st.Application):
        def __init__(self, path: str) -> None:
            self.path = path

    with pytest.raises(st.ApplicationError, match="it is no Application"):
        await runtime.start(Till)  # type: ignore[arg-type]
    with pytest.raises(st.ApplicationError, match="give an instance that has them"):
        await runtime.start(Shop)


def test_two_marks_on_one_handler_are_refused():
    with pytest.raises(TypeError, match="A handler has one mark"):

        class Wrong(st.GenServer):
            @st.call
            @st.cast
            def both(self) -> None: ...


async def test_a_portal_asked_with_a_name_is_told_what_it_takes(runtime):
    with pytest.raises(TypeError, match=r"a client such as Counter\.increment"):
        runtime.portal.submit("take")  # type: ignore[arg-type]


def test_a_propagator_of_names_is_refused():
    with pytest.raises(TypeError, match="Give the variable itself"):
        st.ContextPropagator("trace_id")  # type: ignore[arg-type]


async def test_what_is_no_propagator_is_taken_off(runtime, caplog):
    runtime.propagator = 5  # type: ignore[assignment]
    pid = await Till.start()

    assert await Till.take(pid, 1) == 1

    assert runtime.propagator is None
    assert "is taken off" in caplog.text
