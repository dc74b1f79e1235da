"""S60 to S70: state machines: the order of events, state changes, enter calls, timeouts."""

from __future__ import annotations

import asyncio
import enum
from typing import Any

import pytest

import suptree as st
from suptree.core import IDLE, RESTING
from suptree.testing import turn, wait_down, wait_until

VIRTUAL = pytest.mark.suptree_loop("virtual")  # waits, or exact times


Info, Internal, Keep, Next, Postpone, Repeat = (
    st.Info,
    st.Internal,
    st.Keep,
    st.Next,
    st.Postpone,
    st.Repeat,
)


class Script(st.GenStateMachine):
    """Does what its events say: a message is (name, transition, ...), one for each time it is seen.

    Every event is noted as (state, name); any value is a state.
    """

    def __init__(self, story: list[Any], start: Any = "a") -> None:
        self.story = story
        self.start_with = start
        self.seen: dict[str, int] = {}

    def init(self) -> Any:
        return self.start_with

    def handle_event(self, event: Any, state: Any) -> Any:
        match event:
            case st.Enter(previous):
                return self.entered(previous, state)
            case st.CallMessage(_, content) | st.CastMessage(content):
                pass
            case Info(content) | Internal(content):
                pass
            case st.StateExpired(content):
                content = ("state timeout", content)
            case st.EventExpired(content):
                content = ("event timeout", content)
            case st.Expired(name, content):
                content = (name, content)
        name, *answers = content if isinstance(content, tuple) else (content,)
        self.story.append((state, name))
        times = self.seen[name] = self.seen.get(name, 0) + 1
        answer = answers[min(times, len(answers)) - 1] if answers else None
        return answer if not isinstance(answer, str) else None

    def entered(self, previous: Any, state: Any) -> Any:
        """With state_enter, in subclasses."""
        raise NotImplementedError

    def terminate(self, reason: object) -> None:
        self.story.append(("terminate", reason))


class AsyncScript(Script):
    """The same with async handlers."""

    async def init(self) -> Any:
        await asyncio.sleep(0)
        return self.start_with

    async def handle_event(self, event: Any, state: Any) -> Any:
        await asyncio.sleep(0)
        return super().handle_event(event, state)


class Entering(Script, state_enter=True):
    """Notes enter calls, and answers them from `enters`, by state."""

    def __init__(self, story: list[Any], start: Any = "a", enters: Any = None) -> None:
        super().__init__(story, start)
        self.enters: dict[Any, Any] = enters or {}

    def entered(self, previous: Any, state: Any) -> Any:
        self.story.append((state, "enter", previous))
        return self.enters.get(state)


SCRIPTS = pytest.mark.parametrize("cls", [Script, AsyncScript])


async def tell(
    cls: type[Script], *messages: Any, seconds: float | None = None, **options: Any
) -> list[Any]:
    """Start a machine, send it everything at once, and return its story, in the end or *seconds* on."""
    story: list[Any] = []
    pid = await cls.start_link(story, **options)
    for message in messages:
        st.send(pid, message)
    if seconds is not None:
        await asyncio.sleep(seconds)
    await settled(pid)
    if pid.is_alive():
        told = list(story)
        await cls.stop(pid)
        return told
    return story


async def settled(pid: st.Pid[Any]) -> None:
    """Wait until a machine has handled everything that was sent to it, or has ended."""
    process = pid.runtime.find(pid)
    if process is not None:
        await wait_until(lambda: process.state in (IDLE, RESTING) or not pid.is_alive())


async def owing(pid: st.Pid[Any], count: int = 1) -> None:
    """Wait until it owes so many replies: it has put them off, or postponed the calls."""
    await wait_until(lambda: pid.runtime.info(pid).owes == count)


# -- S60: as a server -----------------------------------------------------------------------------


class Door(st.GenStateMachine):
    """Opens for the right code and closes by itself: states are methods."""

    def __init__(self, code: str, story: list[Any] | None = None) -> None:
        self.code = code
        self.story: list[Any] = [] if story is None else story

    def init(self) -> st.Transition:
        return Next(self.locked)

    def locked(self, event: st.Event) -> st.Transition:
        match event:
            case st.CallMessage(_, ("open", code)) if code == self.code:
                return Next(self.open, st.Reply(True), st.StateTimeout(5.0))
            case st.CallMessage(_, ("open", _)):
                return st.Reply(False)
            case st.CallMessage(_, "walk through"):
                return Keep(Postpone())
            case _:
                return Keep()

    def open(self, event: st.Event) -> st.Transition:
        match event:
            case st.StateExpired():
                return Next(self.locked)
            case st.CallMessage(_, "walk through"):
                return st.Reply("through")
            case _:
                return Keep()

    def terminate(self, reason: object) -> None:
        self.story.append((self.state, reason))


@VIRTUAL
@pytest.mark.otp("S60", "S61")
async def test_a_machine_answers_by_the_state_it_is_in(runtime):
    door = await Door.start_link("1234")
    assert await Door.call(door, ("open", "0000")) is False
    assert await st.sys.get_state(door) == ("locked", {"code": "1234", "story": []})
    assert await Door.call(door, ("open", "1234")) is True
    assert (await st.sys.get_state(door)).state == "open"
    await asyncio.sleep(6)
    assert (await st.sys.get_state(door)).state == "locked"


@VIRTUAL
@pytest.mark.otp("S60", "S62")
async def test_a_postponed_call_is_answered_in_the_state_that_can(runtime):
    door = await Door.start_link("1234")
    walking = [asyncio.ensure_future(Door.call(door, "walk through")) for _ in range(3)]
    await asyncio.sleep(60)
    assert not any(task.done() for task in walking)
    await Door.call(door, ("open", "1234"))

    assert await asyncio.gather(*walking) == ["through"] * 3


@VIRTUAL
@pytest.mark.otp("S60")
async def test_a_call_waits_for_ever_unless_told_otherwise(runtime):
    door = await Door.start_link("1234")
    asked = asyncio.ensure_future(Door.call(door, "walk through"))
    await asyncio.sleep(100_000)
    assert not asked.done()
    with pytest.raises(st.CallTimeoutError):
        await Door.call(door, "walk through", timeout=1)
    await Door.stop(door)
    with pytest.raises(st.ServerExitError):
        await asked


@pytest.mark.otp("S60")
@SCRIPTS
@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        (st.Stop("no disk"), "no disk"),
        (None, st.BadReturn(None)),
        (Keep(), st.BadReturn(Keep())),
        (st.Reply(1), st.BadReturn(st.Reply(1))),
    ],
)
async def test_a_failed_start_says_what_init_said(runtime, cls, answer, reason):
    with pytest.raises(st.StartError) as caught:
        await cls.start_link([], start=answer)

    assert caught.value.reason == reason


@pytest.mark.otp("S60")
@SCRIPTS
async def test_init_may_ignore(runtime, cls):
    with pytest.raises(st.StartIgnoredError):
        await cls.start_link([], start=st.Ignore())


@pytest.mark.otp("S60")
@SCRIPTS
@pytest.mark.parametrize("reason", [st.NORMAL, "any"])
async def test_a_trapping_machine_ends_with_its_parent_and_takes_other_exits_as_events(
    runtime, cls, reason
):
    class Trapping(cls):
        trap_exit = True

        def handle_event(self, event: Any, state: Any) -> Any:
            match event:
                case Info(st.Exit() as message):
                    self.story.append(message.reason)
                    return Keep()
            return super().handle_event(event, state)

    story: list[Any] = []
    pid = await Trapping.start_link(story)

    async def stranger() -> None:
        st.exit(pid, "stranger")

    await wait_down(runtime.spawn(stranger))
    down = runtime.down_slot(pid)
    st.exit(pid, reason)

    assert await down == reason
    assert story == ["stranger", ("terminate", reason)]


@pytest.mark.otp("S60", "S69")
async def test_stop_terminates_in_the_state_it_is_in(runtime):
    story: list[Any] = []
    door = await Door.start("1234", story)
    await Door.call(door, ("open", "1234"))
    await Door.stop(door, "told")

    assert story == [("open", "told")]


@VIRTUAL
@pytest.mark.otp("S60")
async def test_casts_infos_downs_and_timers_are_events(runtime):
    class Hearing(st.GenStateMachine):
        def __init__(self, story: list[Any]) -> None:
            self.story = story
            self.send_after(1, "tick")

        def init(self) -> str:
            return "only"

        def only(self, event: st.Event) -> st.Transition:
            self.story.append(event)
            if event == Info("watch"):
                st.monitor(other)
            return None

    story: list[Any] = []
    other = runtime.spawn(st.receive)
    pid = await Hearing.start_link(story)
    Hearing.cast(pid, 1)
    st.GenServer.cast(pid, 2)
    st.send(pid, "watch")
    await settled(pid)
    st.send(other, "end")
    await wait_until(lambda: len(story) == 5)

    assert story[:3] == [st.CastMessage(1), st.CastMessage(2), Info("watch")]
    assert isinstance(story[3].message, st.Down)
    assert story[4] == Info("tick")


@pytest.mark.otp("S60")
async def test_the_answer_to_a_call_may_come_from_a_later_event(runtime):
    class Waiter(st.GenStateMachine):
        def init(self) -> str:
            return "only"

        def only(self, event: st.Event) -> st.Transition:
            match event:
                case st.CallMessage(sender, _):
                    self.waiting = sender
                    return Keep()
                case st.CastMessage(value):
                    return Keep(st.Answer(self.waiting, value))
            return None

    pid = await Waiter.start_link()
    asked = asyncio.ensure_future(Waiter.call(pid, "x"))
    await owing(pid)
    Waiter.cast(pid, "answer")

    assert await asked == "answer"
    assert not runtime.find(pid).pending


# -- S61, S62: the order of events ---------------------------------------------------------------


@pytest.mark.otp("S61")
@SCRIPTS
async def test_events_of_the_mailbox_are_handled_one_at_a_time_in_order(runtime, cls):
    assert await tell(cls, "1", "2", "3") == [("a", "1"), ("a", "2"), ("a", "3")]


@pytest.mark.otp("S62", "S61")
@SCRIPTS
async def test_inserted_events_go_in_the_order_listed_before_anything_queued(runtime, cls):
    story = await tell(
        cls,
        (
            "1",
            Keep(
                st.NextEvent(Internal(("x", Keep(st.NextEvent(Internal("x1")))))),
                st.NextEvent(Internal("y")),
            ),
        ),
        "2",
    )

    assert [name for _, name in story] == ["1", "x", "x1", "y", "2"]


@pytest.mark.otp("S61", "S62")
@SCRIPTS
async def test_after_a_change_come_inserted_then_postponed_then_the_mailbox(runtime, cls):
    story = await tell(
        cls,
        ("p1", Keep(Postpone()), Keep()),
        ("p2", Keep(Postpone()), Keep()),
        ("go", Next("b", st.NextEvent(Internal("i1")), st.NextEvent(Internal("i2")))),
        "last",
    )

    assert story == [
        ("a", "p1"),
        ("a", "p2"),
        ("a", "go"),
        ("b", "i1"),
        ("b", "i2"),
        ("b", "p1"),
        ("b", "p2"),
        ("b", "last"),
    ]


@pytest.mark.otp("S62")
@SCRIPTS
async def test_the_event_that_changes_the_state_may_itself_be_postponed(runtime, cls):
    story = await tell(
        cls,
        ("p", Keep(Postpone()), Keep()),
        ("go", Next("b", Postpone()), Keep()),
        "last",
    )

    assert story == [("a", "p"), ("a", "go"), ("b", "p"), ("b", "go"), ("b", "last")]


@pytest.mark.otp("S62")
@SCRIPTS
async def test_events_postponed_again_keep_their_order_among_those_not_yet_tried(runtime, cls):
    story = await tell(
        cls,
        ("p1", Keep(Postpone()), Keep(Postpone()), Keep()),
        ("p2", Keep(Postpone()), Next("c"), Keep()),
        ("go", Next("b")),
        "last",
    )

    assert story == [
        ("a", "p1"),
        ("a", "p2"),
        ("a", "go"),
        ("b", "p1"),
        ("b", "p2"),
        ("c", "p1"),
        ("c", "last"),
    ]


@pytest.mark.otp("S62")
async def test_any_kind_of_event_may_be_inserted(runtime):
    story: list[Any] = []

    class Inserting(st.GenStateMachine):
        def init(self) -> Any:
            return "only"

        def only(self, event: st.Event) -> st.Transition:
            story.append(event)
            match event:
                case st.CallMessage(sender, "go"):
                    return Keep(
                        st.NextEvent(st.CastMessage(1)),
                        st.NextEvent(Info(2)),
                        st.NextEvent(st.StateExpired(3)),
                        st.NextEvent(st.Expired("name", 4)),
                        st.NextEvent(st.CallMessage(sender, "again")),
                    )
                case st.CallMessage(_, "again"):
                    return st.Reply("done")
            return None

    pid = await Inserting.start_link()

    assert await Inserting.call(pid, "go") == "done"
    assert story[1:5] == [st.CastMessage(1), Info(2), st.StateExpired(3), st.Expired("name", 4)]


@pytest.mark.otp("S62")
def test_what_is_no_event_cannot_be_inserted():
    with pytest.raises(TypeError, match="NextEvent: event must be an event such as"):
        st.NextEvent("x")  # type: ignore[arg-type]


@pytest.mark.otp("S61")
async def test_a_long_row_of_inserted_events_lets_others_run(runtime):
    ticks = 0

    class Endless(st.GenStateMachine):
        def init(self) -> Any:
            return "only"

        def only(self, event: st.Event) -> st.Transition:
            return Keep(st.NextEvent(Internal(1))) if ticks < 5 else Keep()

    async def tick() -> None:
        nonlocal ticks
        while ticks < 5:
            ticks += 1
            await asyncio.sleep(0)

    pid = await Endless.start_link()
    st.send(pid, 1)
    await tick()

    assert ticks == 5


# -- S63: what is a change --------------------------------------------------------------------------


@pytest.mark.otp("S63")
@SCRIPTS
@pytest.mark.parametrize("same", [Keep(), Next("a"), None, Repeat()])
async def test_without_a_change_postponed_events_stay_postponed(runtime, cls, same):
    story = await tell(cls, ("p", Keep(Postpone()), Keep()), ("same", same), "last")

    assert story == [("a", "p"), ("a", "same"), ("a", "last")]


@VIRTUAL
@pytest.mark.otp("S63", "S65")
@SCRIPTS
@pytest.mark.parametrize("same", [Keep(), Next("a"), None, Repeat()])
async def test_without_a_change_the_state_timeout_keeps_running(runtime, cls, same):
    story = await tell(cls, ("set", Keep(st.StateTimeout(2, "x"))), ("same", same), seconds=2.5)

    assert story[-1] == ("a", "state timeout")


@pytest.mark.otp("S63")
@pytest.mark.parametrize(
    ("transition", "entered"),
    [(Keep(), False), (Next("a"), False), (None, False), (Repeat(), True), (Next("b"), True)],
)
async def test_an_enter_call_is_made_at_a_change_and_at_a_repeat(runtime, transition, entered):
    story = await tell(Entering, ("go", transition))
    new = "b" if transition == Next("b") else "a"

    assert story[0] == ("a", "enter", "a")
    assert story[2:] == ([(new, "enter", "a")] if entered else [])


@pytest.mark.otp("S63")
@SCRIPTS
async def test_states_are_compared_by_value(runtime, cls):
    story = await tell(
        cls,
        ("p", Keep(Postpone()), Keep()),
        ("same", Next(("x", [1]))),
        ("other", Next(("x", [2]))),
        start=("x", [1]),
    )

    assert story == [
        (("x", [1]), "p"),
        (("x", [1]), "same"),
        (("x", [1]), "other"),
        (("x", [2]), "p"),
    ]


# -- S64: enter calls ----------------------------------------------------------------------------------


@pytest.mark.otp("S64")
async def test_the_first_enter_call_comes_before_any_event_even_those_sent_in_init(runtime):
    story: list[Any] = []

    class Early(Entering):
        def __init__(self, story: list[Any]) -> None:
            super().__init__(story)
            st.send(self.pid, "sent in init")

    await Early.start_link(story)
    await turn(2)

    assert story == [("a", "enter", "a"), ("a", "sent in init")]


@pytest.mark.otp("S64")
async def test_an_enter_call_comes_before_the_inserted_and_postponed_events_of_its_change(runtime):
    story = await tell(
        Entering,
        ("p", Keep(Postpone()), Keep()),
        ("go", Next("b", st.NextEvent(Internal("i")))),
    )

    assert story == [
        ("a", "enter", "a"),
        ("a", "p"),
        ("a", "go"),
        ("b", "enter", "a"),
        ("b", "i"),
        ("b", "p"),
    ]


@VIRTUAL
@pytest.mark.otp("S64")
async def test_an_enter_call_may_set_timeouts_reply_and_stop(runtime):
    story = await tell(
        Entering,
        ("go", Next("b")),
        enters={"b": Keep(st.StateTimeout(1, "x"))},
        seconds=2,
    )
    assert story[-1] == ("b", "state timeout")

    story = await tell(Entering, ("go", Next("b")), enters={"b": Next("b", st.StateTimeout(0))})
    assert story[-1] == ("b", "state timeout")

    pid = await Entering.start([], enters={"b": Keep(st.Reply("from the enter call"))})
    assert await Entering.call(pid, ("go", Next("b"))) == "from the enter call"
    await Entering.stop(pid)

    pid = await Entering.start([], enters={"b": st.StopAndReply("enough", st.Reply("bye"))})
    down = runtime.down_slot(pid)
    assert await Entering.call(pid, ("go", Next("b"))) == "bye"
    assert await down == "enough"


@pytest.mark.otp("S64", "S68")
@pytest.mark.parametrize(
    ("answer", "bad"),
    [
        (Next("c"), Next("c")),
        (Keep(Postpone()), Postpone()),
        (Keep(st.NextEvent(Internal(1))), st.NextEvent(Internal(1))),
        ("text", "text"),
    ],
)
async def test_an_enter_call_may_neither_change_state_nor_postpone_nor_insert(runtime, answer, bad):
    story: list[Any] = []
    pid = await Entering.start(story, enters={"b": answer})
    down = runtime.down_slot(pid)
    st.send(pid, ("go", Next("b")))

    assert await down == st.BadReturn(bad)
    assert story[-1] == ("terminate", st.BadReturn(bad))


@VIRTUAL
@pytest.mark.otp("S64")
async def test_an_enter_call_sees_its_state_as_the_state(runtime):
    story: list[Any] = []

    class Looking(st.GenStateMachine, state_enter=True):
        def init(self) -> Any:
            return self.one

        def one(self, event: Any) -> st.Transition:
            story.append((self.state, event))
            return Next(self.two) if event == Info("go") else None

        async def two(self, event: Any) -> st.Transition:
            await asyncio.sleep(1)
            story.append((self.state, event))
            return None

    pid = await Looking.start_link()
    st.send(pid, "go")
    await asyncio.sleep(2)

    assert story == [
        ("one", st.Enter("one")),
        ("one", Info("go")),
        ("two", st.Enter("one")),
    ]


@pytest.mark.otp("S63", "S64")
async def test_an_enter_call_may_ask_to_be_made_again(runtime):
    story: list[Any] = []

    class Patient(st.GenStateMachine, state_enter=True):
        def init(self) -> Any:
            return "a"

        def handle_event(self, event: Any, state: str) -> Any:
            story.append((event, state))
            return Repeat() if len(story) < 3 else Keep()

    pid = await Patient.start()
    await st.sys.get_state(pid)

    assert story == [(st.Enter("a"), "a")] * 3


@pytest.mark.otp("S64", "S69")
@pytest.mark.parametrize("asynchronous", [False, True])
async def test_a_machine_whose_enter_call_crashes_has_not_left_the_state_before(
    runtime, asynchronous
):
    class Door(st.GenStateMachine, state_enter=True):
        last: Any = None

        def init(self) -> Any:
            return "closed"

        def handle_event(self, event: Any, state: str) -> Any:
            match event:
                case st.Enter() if state == "open":
                    return self.squeak() if asynchronous else 1 / 0
                case Info("open"):
                    return Next("open")
            return None

        async def squeak(self) -> None:
            await asyncio.sleep(0)
            raise ZeroDivisionError

        def terminate(self, reason: object) -> None:
            Door.last = self.state

    pid = await Door.start()
    st.send(pid, "open")
    await wait_down(pid)

    assert Door.last == "closed"


@pytest.mark.otp("S62")
async def test_a_postpone_in_init_has_nothing_to_postpone(runtime):
    class Early(st.GenStateMachine):
        def init(self) -> Any:
            return Next("a", Postpone())

        def handle_event(self, event: Any, state: str) -> Any:
            return Next("b", st.Reply(state))

    pid = await Early.start()

    assert await Early.call(pid, "first") == "a"
    assert await Early.call(pid, "second") == "b"


@pytest.mark.otp("S64")
async def test_a_crash_in_the_first_enter_call_is_a_crash_after_the_start(runtime):
    class Broken(Entering):
        def entered(self, previous: Any, state: Any) -> Any:
            raise ValueError("enter")

    pid = await Broken.start([])

    assert (await wait_down(pid)).text == "enter"


# -- S65, S66, S67, S70: timeouts -----------------------------------------------------------------------------


@VIRTUAL
@pytest.mark.otp("S65")
@SCRIPTS
async def test_a_state_timeout_comes_in_its_state_and_is_cancelled_by_a_change(runtime, cls):
    assert (await tell(cls, ("set", Keep(st.StateTimeout(1))), seconds=2))[1:] == [
        ("a", "state timeout")
    ]
    assert (await tell(cls, ("set", Keep(st.StateTimeout(1))), ("go", Next("b")), seconds=3))[
        2:
    ] == []


@VIRTUAL
@pytest.mark.otp("S65")
@SCRIPTS
async def test_a_state_timeout_set_with_a_change_is_of_the_new_state(runtime, cls):
    story = await tell(
        cls, ("set", Keep(st.StateTimeout(1))), ("go", Next("b", st.StateTimeout(2))), seconds=3
    )

    assert story[2:] == [("b", "state timeout")]


@VIRTUAL
@pytest.mark.otp("S65")
@SCRIPTS
async def test_setting_a_state_timeout_again_replaces_it(runtime, cls):
    story: list[Any] = []
    begun = runtime.now()

    class Timed(cls):
        def handle_event(self, event: Any, state: Any) -> Any:
            if isinstance(event, st.StateExpired):
                story.append((runtime.now() - begun, event.content))
                return None
            return super().handle_event(event, state)

    pid = await Timed.start_link([])
    st.send(pid, ("set", Keep(st.StateTimeout(1, "first"))))
    st.send(pid, ("again", Keep(st.StateTimeout(3, "second"))))
    await asyncio.sleep(5)

    assert story == [(3, "second")]


@VIRTUAL
@pytest.mark.otp("S65")
@SCRIPTS
@pytest.mark.parametrize("other", ["other", ("other", Keep(Postpone())), ("other", Repeat())])
async def test_any_event_cancels_an_event_timeout(runtime, cls, other):
    story = await tell(cls, ("set", Keep(st.EventTimeout(1))), other, seconds=3)

    assert [name for _, name in story] == ["set", "other"]


@VIRTUAL
@pytest.mark.otp("S65")
@SCRIPTS
async def test_an_inserted_event_cancels_an_event_timeout(runtime, cls):
    story = await tell(
        cls, ("set", Keep(st.EventTimeout(1), st.NextEvent(Internal("i")))), seconds=3
    )

    assert [name for _, name in story] == ["set", "i"]


@VIRTUAL
@pytest.mark.otp("S65")
@SCRIPTS
async def test_a_postponed_event_that_is_retried_cancels_an_event_timeout(runtime, cls):
    story = await tell(
        cls,
        ("p", Keep(Postpone()), Keep()),
        ("go", Next("b", st.EventTimeout(1))),
        seconds=3,
    )

    assert [name for _, name in story] == ["p", "go", "p"]


@VIRTUAL
@pytest.mark.otp("S65")
@SCRIPTS
async def test_without_any_event_an_event_timeout_comes(runtime, cls):
    story = await tell(cls, ("set", Next("b", st.EventTimeout(1, "x"))), seconds=3)

    assert story[1:] == [("b", "event timeout")]


@VIRTUAL
@pytest.mark.otp("S65")
async def test_a_system_request_is_no_event(runtime):
    story: list[Any] = []
    pid = await Script.start_link(story)
    st.send(pid, ("set", Keep(st.EventTimeout(1))))
    await asyncio.sleep(0.5)
    await st.sys.get_state(pid)
    await asyncio.sleep(0.6)

    assert story[1:] == [("a", "event timeout")]


@VIRTUAL
@pytest.mark.otp("S65")
@SCRIPTS
async def test_a_generic_timeout_survives_changes_and_events(runtime, cls):
    story = await tell(
        cls,
        ("set", Keep(st.GenericTimeout("one", 1), st.GenericTimeout("two", 2))),
        ("go", Next("b")),
        "other",
        seconds=3,
    )

    assert story[3:] == [("b", "one"), ("b", "two")]


@VIRTUAL
@pytest.mark.otp("S65")
@SCRIPTS
@pytest.mark.parametrize(
    "cancel",
    [
        Keep(st.GenericTimeout("one", None)),
        Keep(st.GenericTimeout.cancel("one")),
        Keep(st.GenericTimeout("one", 100)),
    ],
)
async def test_a_generic_timeout_ends_by_its_name_alone(runtime, cls, cancel):
    story = await tell(
        cls,
        ("set", Keep(st.GenericTimeout("one", 1), st.GenericTimeout("two", 1))),
        ("cancel", cancel),
        seconds=3,
    )

    assert [name for _, name in story] == ["set", "cancel", "two"]


@VIRTUAL
@pytest.mark.otp("S65")
@SCRIPTS
async def test_an_update_changes_the_content_and_not_the_time(runtime, cls):
    story: list[Any] = []
    begun = runtime.now()

    class Timed(cls):
        def handle_event(self, event: Any, state: Any) -> Any:
            if isinstance(event, (st.StateExpired, st.Expired)):
                story.append((runtime.now() - begun, event))
                return None
            return super().handle_event(event, state)

    pid = await Timed.start_link([])
    st.send(pid, ("set", Keep(st.GenericTimeout("n", 2, "old"), st.StateTimeout(2, "old"))))
    await asyncio.sleep(1)
    st.send(pid, ("u", Keep(st.GenericTimeout.update("n", "new"), st.StateTimeout.update("new"))))
    await asyncio.sleep(3)

    assert story == [(2, st.Expired("n", "new")), (2, st.StateExpired("new"))]


@pytest.mark.otp("S65")
@SCRIPTS
async def test_an_update_without_a_running_timeout_comes_at_once(runtime, cls):
    story = await tell(cls, ("u", Keep(st.GenericTimeout.update("n", "x"))), "last")

    assert [name for _, name in story] == ["u", "n", "last"]


@pytest.mark.otp("S66")
@SCRIPTS
@pytest.mark.parametrize(
    ("timeout", "name"),
    [
        (st.StateTimeout(0), "state timeout"),
        (st.EventTimeout(0), "event timeout"),
        (st.GenericTimeout("n", 0), "n"),
    ],
)
async def test_a_timeout_of_zero_comes_before_what_waits_in_the_mailbox(
    runtime, cls, timeout, name
):
    story = await tell(cls, ("set", Keep(timeout)), "waits")

    assert [told for _, told in story] == ["set", name, "waits"]


@pytest.mark.otp("S66")
@SCRIPTS
async def test_a_timeout_of_zero_comes_after_inserted_and_retried_events(runtime, cls):
    story = await tell(
        cls,
        ("p", Keep(Postpone()), Keep()),
        ("go", Next("b", st.GenericTimeout("n", 0), st.NextEvent(Internal("i")))),
        "waits",
    )

    assert [name for _, name in story] == ["p", "go", "i", "p", "n", "waits"]


@pytest.mark.otp("S66", "S65")
@SCRIPTS
async def test_an_inserted_event_cancels_an_event_timeout_of_zero(runtime, cls):
    story = await tell(cls, ("set", Keep(st.EventTimeout(0), st.NextEvent(Internal("i")))), "waits")

    assert [name for _, name in story] == ["set", "i", "waits"]


@pytest.mark.otp("S66", "S65")
@SCRIPTS
async def test_a_change_cancels_a_state_timeout_of_zero(runtime, cls):
    story = await tell(
        cls, ("set", Keep(st.StateTimeout(0), st.NextEvent(Internal(("go", Next("b")))))), "waits"
    )

    assert [name for _, name in story] == ["set", "go", "waits"]


@pytest.mark.otp("S66")
@SCRIPTS
async def test_several_timeouts_of_zero_come_in_the_order_they_were_set(runtime, cls):
    story = await tell(
        cls,
        (
            "set",
            Keep(
                st.GenericTimeout("one", 0),
                st.StateTimeout(0),
                st.GenericTimeout("two", 0),
            ),
        ),
        "waits",
    )

    assert [name for _, name in story] == ["set", "one", "state timeout", "two", "waits"]


@VIRTUAL
@pytest.mark.otp("S67")
async def test_a_timeout_cancelled_after_it_fired_never_delivers(runtime):
    """It fires while an async handler runs, and waits in the mailbox when the state changes."""
    story: list[Any] = []

    class Slow(Script):
        async def handle_event(self, event: Any, state: Any) -> Any:
            if event == Info("go"):
                await asyncio.sleep(5)
                self.story.append((state, "go"))
                return Next("b", st.GenericTimeout.cancel("n"))
            return super().handle_event(event, state)

    pid = await Slow.start_link(story)
    st.send(pid, ("set", Keep(st.StateTimeout(1), st.GenericTimeout("n", 1))))
    await settled(pid)
    st.send(pid, "go")
    await wait_until(lambda: runtime.info(pid).mailbox == 2)
    await asyncio.sleep(10)

    assert story == [("a", "set"), ("a", "go")]


@VIRTUAL
@pytest.mark.otp("S70")
@SCRIPTS
@pytest.mark.parametrize(
    ("timeouts", "names"),
    [
        ([st.StateTimeout(1, "x"), st.StateTimeout(2, "y")], ["state timeout"]),
        ([st.StateTimeout(1), st.StateTimeout(None)], []),
        ([st.StateTimeout(None), st.StateTimeout(1)], ["state timeout"]),
        ([st.GenericTimeout("n", 0), st.GenericTimeout("n", None)], []),
        ([st.GenericTimeout("n", 5), st.GenericTimeout("n", 0)], ["n"]),
        ([st.EventTimeout(1), st.EventTimeout(None)], []),
    ],
)
async def test_timeouts_of_one_list_apply_in_order_and_the_last_of_a_kind_wins(
    runtime, cls, timeouts, names
):
    story = await tell(cls, ("set", Keep(*timeouts)), seconds=10)

    assert [name for _, name in story[1:]] == names


@VIRTUAL
@pytest.mark.otp("S70")
async def test_timeouts_of_the_enter_call_come_after_those_of_the_change(runtime):
    story = await tell(
        Entering,
        ("go", Next("b", st.StateTimeout(1, "change"))),
        enters={"b": Keep(st.StateTimeout.cancel())},
        seconds=3,
    )

    assert story[-1] == ("b", "enter", "a")


@pytest.mark.otp("S65")
@pytest.mark.parametrize("seconds", [-1, float("inf"), float("nan"), "soon", True])
@pytest.mark.parametrize(
    "kind", [st.StateTimeout, st.EventTimeout, lambda s: st.GenericTimeout("n", s)]
)
def test_a_timeout_must_be_a_finite_number_or_none(kind, seconds):
    with pytest.raises(ValueError, match="seconds must be a finite number"):
        kind(seconds)


@pytest.mark.otp("S65")
async def test_timeouts_end_with_the_machine(runtime):
    pid = await Script.start([])
    st.send(pid, ("set", Keep(st.StateTimeout(10), st.GenericTimeout("n", 10))))
    await settled(pid)
    live = runtime.ticker.timers.live
    await Script.stop(pid)

    assert runtime.ticker.timers.live == live - 2


@pytest.mark.otp("S65")
@SCRIPTS
async def test_actions_of_init_are_done_after_the_start(runtime, cls):
    story = await tell(
        cls,
        "waits",
        start=Next("a", st.GenericTimeout("n", 0), st.NextEvent(Internal("i"))),
    )

    assert [name for _, name in story] == ["i", "n", "waits"]


# -- S68, S69: bad returns, stops --------------------------------------------------------------------------


@pytest.mark.otp("S68")
@SCRIPTS
@pytest.mark.parametrize(
    ("answer", "bad"),
    [
        (1, 1),
        (Keep("x"), "x"),  # type: ignore[arg-type]
        (Keep(st.Reply(1)), st.Reply(1)),  # nobody called
        (st.Reply(1), st.Reply(1)),
        (Next("b", Keep()), Keep()),  # type: ignore[arg-type]
        (st.StopAndReply("enough", st.Reply(1)), st.Reply(1)),
        (st.NoReply(st.Timeout(1)), st.NoReply(st.Timeout(1))),
    ],
)
async def test_a_bad_return_ends_the_machine_with_it_after_terminate(runtime, cls, answer, bad):
    story: list[Any] = []
    pid = await cls.start(story)
    down = runtime.down_slot(pid)
    st.send(pid, ("bad", answer))

    assert await down == st.BadReturn(bad)
    assert story[-1] == ("terminate", st.BadReturn(bad))


@pytest.mark.otp("S68")
async def test_a_call_that_a_state_function_does_not_answer_for_is_a_bad_return(runtime):
    """A `match` without a case for it returns None: its caller would wait for ever."""

    class Forgetful(st.GenStateMachine):
        def init(self) -> Any:
            return "only"

        def only(self, event: st.Event) -> st.Transition:
            match event:
                case st.CallMessage(_, "known"):
                    return st.Reply(1)
            return None

    pid = await Forgetful.start()
    assert await Forgetful.call(pid, "known") == 1
    st.send(pid, "an info may be forgotten")

    with pytest.raises(st.ServerExitError) as caught:
        await Forgetful.call(pid, "unknown")
    assert caught.value.reason == st.BadReturn(None)


@pytest.mark.otp("S68", "S40")
@SCRIPTS
@pytest.mark.parametrize(
    "kind", [ValueError, SystemExit, KeyboardInterrupt, asyncio.CancelledError]
)
async def test_what_a_state_function_raises_ends_that_machine_after_terminate(runtime, cls, kind):
    story: list[Any] = []

    class Broken(cls):
        def handle_event(self, event: Any, state: Any) -> Any:
            raise kind("broken")

    pid = await Broken.start(story)

    with pytest.raises(st.ServerExitError) as caught:
        await Broken.call(pid, 1)

    assert isinstance(caught.value.reason, st.Crashed)
    assert story == [("terminate", caught.value.reason)]


@pytest.mark.otp("S68")
async def test_an_unknown_state_is_a_crash_that_names_the_nearest(runtime):
    class Typo(st.GenStateMachine):
        def init(self) -> Any:
            return "locked"

        def locked(self, event: st.Event) -> st.Transition:
            return Next("lokced") if event == Info("go") else Next("terminate")

    for message, words in [("go", "did you mean 'locked'?"), ("x", "'terminate'")]:
        pid = await Typo.start()
        down = runtime.down_slot(pid)
        st.send(pid, message)
        assert words in (await down).text

    class BadStart(Typo):
        def init(self) -> Any:
            return "lock"

    with pytest.raises(st.StartError) as caught:
        await BadStart.start()
    assert caught.value.reason.type == "suptree.errors.UnknownStateError"


@VIRTUAL
@pytest.mark.otp("S69")
@SCRIPTS
@pytest.mark.parametrize(
    "answer", [st.StopAndReply("enough", st.Reply("bye")), st.Stop("enough", "bye")]
)
async def test_replies_of_a_stop_are_sent_before_terminate(runtime, cls, answer):
    story: list[Any] = []

    class Slow(cls):
        async def terminate(self, reason: object) -> None:
            await asyncio.sleep(1)
            self.story.append(("terminate", reason))

    pid = await Slow.start(story)
    down = runtime.down_slot(pid)
    story.append(await Slow.call(pid, ("stop", answer)))
    assert await down == "enough"

    assert story == [("a", "stop"), "bye", ("terminate", "enough")]


@pytest.mark.otp("S69")
async def test_a_stop_may_answer_earlier_calls_too(runtime):
    class Gathering(st.GenStateMachine):
        def __init__(self) -> None:
            self.waiting: list[st.ReplyTo] = []

        def init(self) -> Any:
            return "only"

        def only(self, event: st.Event) -> st.Transition:
            match event:
                case st.CallMessage(sender, "wait"):
                    self.waiting.append(sender)
                    return Keep()
                case st.CastMessage("stop"):
                    return st.StopAndReply(
                        st.NORMAL, *(st.Answer(sender, "bye") for sender in self.waiting)
                    )
            return None

    pid = await Gathering.start()
    asked = [asyncio.ensure_future(Gathering.call(pid, "wait")) for _ in range(2)]
    await owing(pid, 2)
    Gathering.cast(pid, "stop")

    assert await asyncio.gather(*asked) == ["bye", "bye"]


@pytest.mark.otp("S69", "S30")
@SCRIPTS
async def test_the_death_of_a_machine_answers_postponed_and_open_calls(runtime, cls):
    pid = await cls.start([])
    postponed = asyncio.ensure_future(cls.call(pid, ("p", Keep(Postpone()))))
    opened = asyncio.ensure_future(cls.call(pid, ("open", Keep())))
    await owing(pid, 2)
    st.exit(pid, "gone")

    for asked in (postponed, opened):
        with pytest.raises(st.ServerExitError):
            await asked


# -- ways to say a state ----------------------------------------------------------------------------------


class Light(enum.Enum):
    RED = "r"
    GREEN = "g"


class Sound(enum.StrEnum):
    LOUD = "loud_one"
    QUIET = "quiet_one"


async def test_a_state_may_be_an_enum_member_that_stands_for_a_method(runtime):
    class Lamp(st.GenStateMachine):
        def init(self) -> Any:
            return Light.RED

        def red(self, event: st.Event) -> st.Transition:
            return Next(Light.GREEN, st.Reply(self.state))

        def green(self, event: st.Event) -> st.Transition:
            return Next(Sound.LOUD, st.Reply(self.state))

        def loud_one(self, event: st.Event) -> st.Transition:
            return Next("red", st.Reply(self.state))

    lamp = await Lamp.start_link()

    assert [await Lamp.call(lamp, 1) for _ in range(4)] == [
        Light.RED,
        Light.GREEN,
        Sound.LOUD,
        "red",
    ]


@VIRTUAL
async def test_typed_requests_answer_or_change_the_state_in_every_state(runtime):
    class Typed(st.GenStateMachine):
        def __init__(self) -> None:
            self.count = 0

        def init(self) -> Any:
            return self.idle

        @st.call
        def add(self, by: int) -> int:
            self.count += by
            return self.count

        @st.call
        async def slowly(self, by: int) -> int:
            await asyncio.sleep(1)
            return self.add(by)

        @st.call
        def begin(self) -> str | st.Next | st.Keep:
            if self.state == "busy":
                return Keep(Postpone())
            return Next(self.busy, st.Reply("begun"), st.StateTimeout(30))

        @st.cast
        def end(self) -> st.Next:
            return Next(self.idle)

        def idle(self, event: st.Event) -> st.Transition:
            return None

        def busy(self, event: st.Event) -> st.Transition:
            return Next(self.idle) if isinstance(event, st.StateExpired) else None

    pid = await Typed.start_link()
    assert await Typed.add(pid, 2) == 2
    assert await Typed.slowly(pid, by=3) == 5
    assert await Typed.begin(pid) == "begun"
    begun = runtime.now()
    assert await Typed.begin(pid) == "begun"  # postponed until the state timeout
    assert runtime.now() - begun == 30  # with no deadline of five seconds (S60)
    Typed.end(pid)
    assert (await st.sys.get_state(pid)).state == "idle"


async def test_a_machine_may_be_a_child(runtime):
    class Named(Door, restart="transient", shutdown=1.0):
        pass

    spec = st.child(Named, "1234").with_(name="door")
    assert (spec.restart, spec.shutdown) == ("transient", 1.0)
    await spec.start_link()

    assert await Door.call("door", ("open", "1234")) is True


# -- system requests -----------------------------------------------------------------------------------------


@pytest.mark.otp("S60", "S50")
async def test_the_state_of_a_machine_is_replaced_without_a_change(runtime):
    story: list[Any] = []
    pid = await Entering.start_link(story)
    st.send(pid, ("p", Keep(Postpone()), Keep()))
    await st.sys.replace_state(pid, lambda old: st.MachineState("b", old.data))
    st.send(pid, "last")
    await turn(2)

    assert story == [("a", "enter", "a"), ("a", "p"), ("b", "last")]
    with pytest.raises(TypeError, match="MachineState"):
        await st.sys.replace_state(pid, lambda old: "b")


@VIRTUAL
@pytest.mark.otp("S60", "S51")
async def test_a_suspended_machine_handles_nothing_and_its_timeouts_wait(runtime):
    story: list[Any] = []
    pid = await Script.start_link(story)
    st.send(pid, ("set", Keep(st.StateTimeout(1))))
    await st.sys.suspend(pid)
    st.send(pid, "waits")
    await asyncio.sleep(5)
    assert story == [("a", "set")]
    await st.sys.resume(pid)
    await settled(pid)
    assert story[1:] == [("a", "waits"), ("a", "state timeout")]


@pytest.mark.otp("S60", "S52", "S53")
async def test_a_machine_is_debugged_as_a_server_is(runtime):
    pid = await Door.start_link("1234")
    seen: list[Any] = []
    await st.sys.install(pid, seen.append)
    await st.sys.statistics(pid)
    await Door.call(pid, ("open", "1234"))
    Door.cast(pid, "x")
    counted = await st.sys.get_statistics(pid)
    await st.sys.no_debug(pid)

    assert [type(event).__name__ for event in seen] == ["In", "Out", "In", "Handled"]
    assert counted is not None
    assert (counted.messages_in_count, counted.messages_out_count) == (2, 1)
    assert await Door.call(pid, "walk through") == "through"


@pytest.mark.otp("S60", "S54")
async def test_a_machine_changes_its_code(runtime):
    class NewDoor(Door):
        def open(self, event: st.Event) -> st.Transition:
            return st.Reply("new") if isinstance(event, st.CallMessage) else None

    pid = await Door.start_link("1234")
    await Door.call(pid, ("open", "1234"))
    await st.sys.suspend(pid)
    await st.sys.change_code(pid, NewDoor)
    await st.sys.resume(pid)

    assert await Door.call(pid, "walk through") == "new"


async def test_the_last_event_stands_in_the_crash_report(runtime, caplog):
    pid = await Script.start([])
    down = runtime.down_slot(pid)
    st.send(pid, ("first", Keep(st.NextEvent(Internal(("inner", 1))))))
    await down

    assert "last message: Internal(content=('inner', 1))" in caplog.text


@pytest.mark.otp("S26", "S42", "S60")
async def test_a_machine_without_a_parent_is_its_own_and_its_signal_to_itself_stops_it(runtime):
    story: list[object] = []

    class Suicidal(st.GenStateMachine):
        trap_exit = True

        def init(self) -> Any:
            return "here"

        def handle_event(self, event: st.Event, state: Any) -> st.Transition:
            story.append(event)
            st.exit(self.pid, "mine")
            return None

        def terminate(self, reason: object) -> None:
            story.append(("terminate", reason))

    pid = await Suicidal.start()
    down = runtime.down_slot(pid)

    Suicidal.cast(pid, "go")

    assert await down == "mine"
    assert story == [st.CastMessage("go"), ("terminate", "mine")]
