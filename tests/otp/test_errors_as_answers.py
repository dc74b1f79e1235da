"""Errors that a request declares are answers, and everything else that a handler raises is a crash."""

from __future__ import annotations

import asyncio
import gc
import traceback
import weakref
from collections.abc import Callable
from contextvars import ContextVar
from dataclasses import dataclass
from sys import getrecursionlimit
from typing import Any

import pytest

import suptree as st
from suptree.core import detached
from suptree.otp import sys
from suptree.testing import wait_down, wait_until
from tests.depth import at_depth_async


class LedgerError(Exception):
    """What the callers of a ledger are to handle."""


class ClosedError(LedgerError):
    """With an `__init__` that takes something else than `args`."""

    def __init__(self, page: int, *, since: str) -> None:
        super().__init__(f"page {page} is closed")
        self.page = page
        self.since = since


class OtherError(Exception):
    """Nobody declares it."""


class HouseError(Exception):
    """Declared by the class, for all of its calls."""


class Ledger(st.GenServer):
    """One request for each way to end."""

    call_raises = (HouseError,)

    def __init__(self) -> None:
        self.entries = 0

    @st.call(raises=LedgerError)
    def enter(self, error: BaseException | None = None) -> int:
        if error is not None:
            raise error
        self.entries += 1
        return self.entries

    @st.call(raises=(KeyError, LedgerError), timeout=60.0)
    async def enter_later(self, error: BaseException | None = None, wait: float = 0.0) -> int:
        if wait:
            await asyncio.sleep(wait)
        return self.enter(error)  # type: ignore[no-any-return]

    @st.call
    def strict(self, error: Exception) -> None:
        raise error

    @st.call(raises=LedgerError)
    def by(self, give: Callable[[Any], Any]) -> Any:
        return give(self)

    @st.call(raises=LedgerError)
    async def by_and_by(self, give: Callable[[Any], Any]) -> Any:
        await asyncio.sleep(0)
        return give(self)

    @st.call(raises=LedgerError)
    def __secret(self) -> None:
        raise LedgerError("secret")

    reveal = __secret

    @st.cast
    def note(self, error: Exception) -> None:
        raise error

    def handle_call(self, request: Any, sender: st.ReplyTo) -> Any:
        raise request


@pytest.fixture(params=[True, False], ids=["direct", "queued"])
async def rt(request: Any) -> Any:
    async with st.Runtime(direct_call=request.param) as runtime:
        yield runtime


ENDS = pytest.mark.parametrize(
    "ask",
    [
        Ledger.enter,
        Ledger.enter_later,
        Ledger.enter.within(1.0),
        lambda pid, error: Ledger.enter.send_request(pid, error),
        lambda pid, error: Ledger.enter_later(pid, error, 0.001),
    ],
    ids=["sync", "async", "within", "send_request", "suspended"],
)


@ENDS
async def test_a_declared_error_is_raised_in_the_caller_and_the_server_goes_on(rt, ask):
    pid = await Ledger.start()
    assert await Ledger.enter_later(pid) == 1  # its task is there

    with pytest.raises(ClosedError, match="page 7 is closed") as caught:
        await ask(pid, ClosedError(7, since="may"))

    assert (caught.value.page, caught.value.since) == (7, "may")
    assert await Ledger.enter(pid) == 2
    assert rt.losses.late_replies == 0


async def test_the_first_async_handler_of_a_server_may_answer_with_an_error(rt):
    pid = await Ledger.start()

    with pytest.raises(LedgerError):
        await Ledger.enter_later(pid, LedgerError())

    assert await Ledger.enter_later(pid) == 1


@ENDS
async def test_an_error_that_is_not_declared_is_a_crash(rt, ask):
    pid = await Ledger.start()

    with pytest.raises(st.ServerExitError) as caught:
        await ask(pid, OtherError("boom"))

    assert isinstance(caught.value.reason, st.Crashed)
    assert not pid.is_alive()


class SecretiveError(LedgerError):
    """Looked at in any way of its own, it raises."""

    def __getattribute__(self, name: str) -> Any:
        if name in ("__class__", "__dict__", "args"):
            raise ZeroDivisionError(name)
        return super().__getattribute__(name)


class UnruledError(LedgerError):
    """Raises over whatever is done to make a copy of it, or to let its frames go."""

    @property
    def args(self) -> Any:
        raise ZeroDivisionError("args")

    def with_traceback(self, tb: Any) -> Any:
        raise ZeroDivisionError("with_traceback")


@ENDS
@pytest.mark.parametrize("error", [SecretiveError, UnruledError])
async def test_an_error_that_raises_when_it_is_looked_at_is_an_answer_too(rt, ask, error):
    pid = await Ledger.start()

    with pytest.raises(error):
        await ask(pid, error("odd"))

    assert await Ledger.enter(pid) == 1


@pytest.mark.parametrize("ask", [Ledger.strict, st.GenServer.call])
async def test_an_error_that_raises_when_it_is_looked_at_is_a_crash_like_any_other(rt, ask):
    pid = await Ledger.start()

    with pytest.raises(st.ServerExitError):
        await ask(pid, SecretiveError("odd"))

    assert not pid.is_alive()


async def test_a_request_without_raises_answers_with_no_error(rt):
    pid = await Ledger.start()

    with pytest.raises(st.ServerExitError):
        await Ledger.strict(pid, LedgerError())


async def test_what_the_class_declares_counts_for_every_call_and_for_handle_call(rt):
    pid = await Ledger.start()

    for ask in (Ledger.strict, Ledger.enter, Ledger.enter_later, st.GenServer.call):
        with pytest.raises(HouseError):
            await ask(pid, HouseError())

    assert pid.is_alive()


async def test_a_cast_has_no_answer_so_that_an_error_is_a_crash(rt):
    pid = await Ledger.start()

    Ledger.note(pid, HouseError())

    assert isinstance(await wait_down(pid), st.Crashed)


async def test_a_handler_that_calls_its_own_method_gets_the_error(rt):
    pid = await Ledger.start()

    def give(ledger: Ledger) -> str:
        with pytest.raises(LedgerError):
            ledger.enter(LedgerError())
        return "handled"

    assert await Ledger.by(pid, give) == "handled"


async def test_a_posted_request_comes_back_with_the_error(rt):
    pid = await Ledger.start()
    responses: asyncio.Queue[st.Response] = asyncio.Queue()

    class Asking(st.GenServer):
        def init(self) -> None:
            st.post_request(pid, HouseError("no"), tag="asked")

        def handle_info(self, message: Any) -> None:
            responses.put_nowait(message)

    await Asking.start()
    response = await responses.get()

    assert (response.tag, type(response.error)) == ("asked", HouseError)
    with pytest.raises(HouseError, match="no"):
        response.outcome()


async def test_a_private_request_answers_with_what_it_declares(rt):
    pid = await Ledger.start()

    with pytest.raises(LedgerError, match="secret"):
        await Ledger.reveal(pid)


async def test_an_error_that_names_its_caller_more_than_once_is_handled_by_one_handler(rt):
    """An answer goes up through as many servers as declare it."""

    class Middle(st.GenServer):
        @st.call(raises=LedgerError)
        async def enter(self, below: st.Pid[Ledger]) -> None:
            await Ledger.enter(below, ClosedError(1, since="june"))

    below, middle = await Ledger.start(), await Middle.start()

    with pytest.raises(ClosedError):
        await Middle.enter(middle, below)

    assert below.is_alive()
    assert middle.is_alive()


# -- overrides ---------------------------------------------------------------------------------


class Plain(Ledger):
    """Overrides without a mark."""

    def enter(self, error: BaseException | None = None) -> int:  # type: ignore[override]
        raise LedgerError("plain")


class Marked(Ledger):
    """Overrides with a mark of its own."""

    @st.call(raises=OtherError)
    def enter(self, error: BaseException | None = None) -> int:
        if error is None:
            raise LedgerError("as the base declares")
        return super().enter(error)  # type: ignore[no-any-return]


async def test_an_override_answers_with_what_the_overridden_handler_declares(rt):
    for cls in (Plain, Marked):
        pid = await cls.start()

        for client in (Ledger.enter, cls.enter):
            with pytest.raises(LedgerError):
                await client(pid)

        assert pid.is_alive()


async def test_an_override_answers_with_what_it_declares_itself_too(rt):
    pid = await Marked.start()

    with pytest.raises(OtherError):
        await Ledger.enter(pid, OtherError())

    assert pid.is_alive()


async def test_the_nearest_call_raises_counts(rt):
    class Stern(Ledger):
        call_raises = ()

    pid = await Stern.start()

    with pytest.raises(st.ServerExitError):
        await Stern.strict(pid, HouseError())


# -- what is no answer ---------------------------------------------------------------------------


class Fussy(st.GenServer):
    """Declares what is broad."""

    @st.call(raises=(RuntimeError, TypeError))
    def dig(self, depth: int = 1) -> int:
        return self._dig(depth)

    def _dig(self, depth: int) -> int:
        return self._dig(depth + 1)

    @st.call(raises=TypeError)
    def add(self, number: int) -> int:
        return number + 1

    @st.call(raises=LedgerError)
    def stop(self) -> st.Stop:
        return st.Stop("done", reply="bye")

    @st.call(raises=LedgerError)
    def answered(self) -> None:
        self.reply(self.sender, "first")
        raise LedgerError

    @st.call(raises=LedgerError)
    def exits(self) -> None:
        st.exit(self.pid, "gone")
        raise LedgerError

    def terminate(self, reason: object) -> None:
        if reason == "done":
            raise LedgerError("in terminate")


async def test_to_run_out_of_stack_is_a_crash_whatever_is_declared(rt):
    pid = await Fussy.start()

    with pytest.raises(st.ServerExitError):
        await Fussy.dig(pid)


async def test_arguments_that_do_not_fit_are_refused_before_the_declaration_counts(rt):
    pid = await Fussy.start()

    with pytest.raises(st.BadRequestError):
        await Fussy.add(pid)
    with pytest.raises(TypeError, match="concatenate"):
        await Fussy.add(pid, "one")

    assert await Fussy.add(pid, 1) == 2


async def test_what_terminate_raises_is_no_answer(rt):
    pid = await Fussy.start()
    down = rt.down_slot(pid)

    assert await Fussy.stop(pid) == "bye"

    assert isinstance(await down, st.Crashed)


async def test_an_error_after_the_reply_is_a_crash(rt):
    pid = await Fussy.start()
    down = rt.down_slot(pid)

    assert await Fussy.answered(pid) == "first"

    assert isinstance(await down, st.Crashed)


async def test_an_exit_that_came_first_is_the_answer(rt):
    pid = await Fussy.start()

    with pytest.raises(st.ServerExitError, match="gone"):
        await Fussy.exits(pid)


@pytest.mark.suptree_loop("virtual")
async def test_an_error_that_comes_too_late_is_a_late_reply(rt):
    pid = await Ledger.start()

    with pytest.raises(st.CallTimeoutError):
        await Ledger.enter_later.within(1.0)(pid, LedgerError(), 2.0)
    assert await Ledger.enter(pid) == 1

    assert rt.losses.late_replies == 1


async def test_an_error_is_an_answer_however_deep_the_caller_stands(rt):
    pid = await Ledger.start()
    answers = 0

    async def ask() -> None:
        nonlocal answers
        with pytest.raises(LedgerError):
            await Ledger.enter(pid, LedgerError("deep"))
        answers += 1

    for left in (*range(60), 100, 200, 400):
        await at_depth_async(left, ask)

    assert await Ledger.enter(pid) == 1
    assert answers > 20


# -- what the caller gets ------------------------------------------------------------------------


class Canary:
    """Something in a frame of the server."""


@pytest.fixture
def no_gc():
    gc.disable()
    yield
    gc.enable()


@pytest.mark.parametrize("ask", [Ledger.by, Ledger.by_and_by])
async def test_nobody_holds_a_frame_of_the_server(rt, no_gc, ask):
    pid = await Ledger.start()
    canaries = []

    def give(_: Ledger) -> None:
        canary = Canary()
        canaries.append(weakref.ref(canary))
        try:
            raise KeyError(canary)
        except KeyError as inner:
            try:
                raise ValueError("why") from inner
            except ValueError as error:
                raise LedgerError("no") from error

    with pytest.raises(LedgerError) as caught:
        await ask(pid, give)

    text = "".join(traceback.format_exception(caught.value))
    assert "in give" not in text
    assert "ValueError: why" in text  # what it was raised from, without its frames
    assert isinstance(caught.value.__cause__.__cause__, KeyError)
    caught.value.__cause__.__cause__ = None  # whose argument is the canary itself
    assert canaries[0]() is None


async def test_what_the_handler_was_handling_stays_behind(rt):
    pid = await Ledger.start()

    def give(_: Ledger) -> None:
        try:
            raise ValueError("inner")
        except ValueError:
            raise LedgerError("outer")  # noqa: B904

    with pytest.raises(LedgerError) as caught:
        await Ledger.by(pid, give)

    assert caught.value.__context__ is None


async def test_one_error_for_all_is_written_to_by_nobody(rt):
    pid = await Ledger.start()
    shared = ClosedError(1, since="may")
    shared.add_note("ask again")

    caught = []
    for _ in range(3):
        with pytest.raises(ClosedError) as one:
            await Ledger.enter(pid, shared)
        one.value.add_note("mine")
        caught.append(one.value)

    assert len({id(one) for one in (*caught, shared)}) == 4
    assert all(one.__notes__ == ["ask again", "mine"] for one in caught)
    assert shared.__notes__ == ["ask again"]


@ENDS
async def test_an_error_that_is_kept_and_raised_each_time_gathers_no_frames(rt, ask):
    pid = await Ledger.start()
    kept = LedgerError("always the same")

    for _ in range(3):
        with pytest.raises(LedgerError):
            await ask(pid, kept)

    assert kept.__traceback__ is None


@pytest.mark.parametrize("ask", [Ledger.enter, Ledger.enter_later])
async def test_an_error_that_was_caught_is_gone_at_once(rt, no_gc, ask):
    pid = await Ledger.start()

    seen = await _seen(pid, ask)

    assert seen() is None


async def _seen(pid: Any, ask: Any) -> Any:
    try:
        await ask(pid, ClosedError(1, since="may"))
    except ClosedError as error:
        return weakref.ref(error)


class SlotsError(Exception):
    """With slots, one of them empty."""

    __slots__ = ("empty", "fact")


@dataclass(frozen=True)
class FrozenError(Exception):
    """Cannot be assigned to."""

    fact: int


def _slots() -> SlotsError:
    error = SlotsError("text")
    error.fact = 5
    return error


@pytest.mark.parametrize(
    ("error", "facts"),
    [
        (ClosedError(3, since="may"), {"page": 3, "since": "may"}),
        (_slots(), {"fact": 5}),
        (FrozenError(9), {"fact": 9}),
        (FileNotFoundError(2, "no file", "a.txt"), {"errno": 2, "filename": "a.txt"}),
        (OSError(5, "broken"), {"errno": 5, "filename": None}),
        (st.CallTimeoutError("ledger", "enter", 5.0), {"timeout": 5.0}),
        (ImportError("no", name="ledger"), {"name": "ledger"}),
        (UnicodeDecodeError("utf-8", b"\xff", 0, 1, "bad"), {"object": b"\xff", "end": 1}),
        (KeyError("key"), {}),
    ],
    ids=lambda one: type(one).__name__,
)
def test_a_copy_says_what_the_original_says(error, facts):
    copy = detached(error)

    assert copy is not error
    assert type(copy) is type(error)
    assert (str(copy), repr(copy), copy.args) == (str(error), repr(error), error.args)
    assert {name: getattr(copy, name) for name in facts} == facts


def test_a_group_is_copied_with_what_is_in_it():
    def failed(error: Exception) -> Exception:
        try:
            raise error
        except Exception as raised:
            return raised

    group = ExceptionGroup(
        "both", [failed(KeyError(1)), ExceptionGroup("one", [failed(OSError(2))])]
    )

    copy = detached(group)

    assert repr(copy) == repr(group)
    assert copy.exceptions[0].__traceback__ is None
    assert group.exceptions[0].__traceback__ is not None


def test_errors_that_cause_each_other_are_copied_once():
    one, other = KeyError("one"), ValueError("other")
    one.__cause__, other.__cause__ = other, one

    assert repr(detached(one).__cause__) == repr(other)


def test_what_cannot_be_copied_is_given_without_its_frames():
    error = LedgerError()
    for _ in range(getrecursionlimit()):
        cause, error = error, LedgerError()
        error.__cause__ = cause
    with pytest.raises(LedgerError) as caught:
        raise error

    assert detached(caught.value) is caught.value
    assert caught.value.__traceback__ is None


# -- answers that come later -----------------------------------------------------------------------


class Queue(st.GenServer):
    """Keeps who asks waiting."""

    def __init__(self) -> None:
        self.waiting: list[st.ReplyTo] = []

    @st.call
    def wait(self) -> st.NoReply:
        self.waiting.append(self.sender)
        return st.NoReply()

    @st.cast
    def close(self, error: Exception) -> None:
        for sender in self.waiting:
            self.reply_error(sender, error)


async def test_a_deferred_answer_may_be_an_error_for_many(rt):
    pid = await Queue.start()
    waiting = [Queue.wait.send_request(pid) for _ in range(3)]

    Queue.close(pid, ClosedError(1, since="may"))
    ended = await asyncio.gather(*(one.response() for one in waiting), return_exceptions=True)

    assert [(type(one), one.page) for one in ended] == [(ClosedError, 1)] * 3
    assert len(set(map(id, ended))) == 3
    assert not (await sys.get_state(pid))["waiting"][0].callee.pending


async def test_a_second_answer_is_counted_as_late(rt):
    pid = await Queue.start()
    waiting = Queue.wait.send_request(pid)

    Queue.close(pid, LedgerError("first"))
    Queue.close(pid, LedgerError("second"))
    with pytest.raises(LedgerError, match="first"):
        await waiting
    await wait_until(lambda: rt.losses.late_replies == 1)


# -- seen from outside ------------------------------------------------------------------------------


@pytest.mark.parametrize("ask", [Ledger.enter, Ledger.enter_later])
async def test_a_trace_shows_the_error_as_what_was_sent(rt, ask):
    pid = await Ledger.start()
    await sys.log(pid)
    await sys.statistics(pid)

    with pytest.raises(LedgerError):
        await ask(pid, LedgerError("no"))

    _, out = await sys.get_log(pid)
    assert isinstance(out, sys.Out)
    assert (type(out.reply), out.raised) == (LedgerError, True)
    assert str(out) == f"*DBG* {pid!r} sent the error LedgerError('no') to {st.current()!r}"
    counted = await sys.get_statistics(pid)
    assert counted is not None
    assert counted.messages_out_count == 1


async def test_an_answer_is_nothing_to_report(rt, caplog):
    pid = await Ledger.start()
    events: list[str] = []
    rt.telemetry.attach("see", "*", lambda event, *_: events.append(event.name))

    with pytest.raises(LedgerError):
        await Ledger.enter(pid, LedgerError())

    assert (events, caplog.records) == ([], [])


WHO: ContextVar[str] = ContextVar("WHO", default="nobody")


@pytest.mark.parametrize("direct", [True, False])
@pytest.mark.parametrize("ask", [Ledger.enter, Ledger.enter_later])
async def test_what_travels_with_a_request_goes_with_its_error(direct, ask):
    async with st.Runtime(direct_call=direct) as runtime:
        runtime.propagator = st.ContextPropagator(WHO)
        pid = await Ledger.start()
        assert await Ledger.enter_later(pid) == 1
        token = WHO.set("me")
        with pytest.raises(LedgerError):
            await ask(pid, LedgerError())
        WHO.reset(token)
        process = pid._process
        assert process is not None
        assert process.carried is None

        seen = await Ledger.by(pid, lambda _: WHO.get())

    assert seen == "nobody"


# -- state machines ----------------------------------------------------------------------------------


class Door(st.GenStateMachine):
    """Typed requests of a machine."""

    call_raises = (HouseError,)

    def __init__(self) -> None:
        self.story: list[object] = []

    def init(self) -> Any:
        return "closed"

    def closed(self, event: Any) -> Any:
        self.story.append(event)
        if isinstance(event, st.CallMessage):
            raise event.request
        return st.Keep()

    def open(self, event: Any) -> Any:
        return st.Keep()

    @st.call(raises=LedgerError)
    def knock(self, error: Exception | None = None) -> Any:
        if error is not None:
            raise error
        return st.Next("open", st.Reply("come in"))

    @st.call(raises=LedgerError)
    async def knock_later(self, error: Exception) -> Any:
        await asyncio.sleep(0)
        raise error

    @st.call(raises=LedgerError)
    def twice(self) -> Any:
        if self.state == "closed":
            return st.Next("open", st.Postpone(), st.NextEvent(st.Internal("inserted")))
        raise LedgerError("second time")

    @st.call
    def read(self) -> tuple[Any, list[object]]:
        return self.state, list(self.story)


@pytest.mark.parametrize("ask", [Door.knock, Door.knock_later])
async def test_a_machine_answers_with_an_error_and_keeps_its_state(rt, ask):
    pid = await Door.start()

    with pytest.raises(LedgerError):
        await ask(pid, LedgerError())

    assert (await Door.read(pid))[0] == "closed"
    assert await Door.knock(pid) == "come in"


async def test_a_state_function_answers_with_what_the_class_declares(rt):
    pid = await Door.start()

    with pytest.raises(HouseError):
        await st.GenStateMachine.call(pid, HouseError())
    with pytest.raises(st.ServerExitError):
        await st.GenStateMachine.call(pid, LedgerError())


async def test_a_postponed_request_may_answer_with_an_error_in_the_end(rt):
    pid = await Door.start()

    with pytest.raises(LedgerError, match="second time"):
        await Door.twice(pid)

    assert (await Door.read(pid))[0] == "open"


# -- mistakes ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("raises", "says"),
    [
        (None, "exception classes below Exception"),
        ("LedgerError", "exception classes below Exception"),
        (LedgerError(), "exception classes below Exception"),
        (int, "exception classes below Exception"),
        ([LedgerError], "exception classes below Exception"),
        ((LedgerError, (KeyError,)), "exception classes below Exception"),
        (BaseException, "exception classes below Exception"),
        ((LedgerError, asyncio.CancelledError), "exception classes below Exception"),
        (st.ProcessExit, "exception classes below Exception"),
        (Exception, "the errors that callers are to handle"),
        (StopIteration, "errors that a handler means for its caller"),
        (RecursionError, "errors that a handler means for its caller"),
    ],
)
def test_what_cannot_be_declared_is_refused_where_the_class_is_made(raises, says):
    with pytest.raises(TypeError, match=f"renew: raises must be {says}"):

        class Request(st.GenServer):
            @st.call(raises=raises)
            def renew(self) -> None: ...

    with pytest.raises(TypeError, match=f"Whole: call_raises must be {says}"):
        type("Whole", (st.GenServer,), {"call_raises": raises})


def test_a_client_tells_what_it_declares():
    assert Ledger.enter.raises == (LedgerError,)
    assert Ledger.enter_later.raises == (KeyError, LedgerError)
    assert Ledger.enter.within(1.0).raises == (LedgerError,)
    assert Ledger.strict.raises == ()
