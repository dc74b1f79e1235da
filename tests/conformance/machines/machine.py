"""Random scripts for state machines, run on OTP's gen_statem and on ours, and the stories they tell.

A script decides nothing by itself: each event carries what to answer each time it is seen,
so both sides do the same and only the order of events can differ.  Timeouts are of 0, of an hour
(set to be replaced, updated or cancelled), or none: nothing depends on real time.

    scripts = [random_script(Random(n)) for n in range(100)]
    assert asyncio.run(ours(scripts)) == theirs(scripts)
"""

from __future__ import annotations

import subprocess
import tempfile
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from random import Random
from typing import Any

import suptree as st

SOURCE = Path(__file__).parent / "erl" / "trace_machine.erl"
HOUR = 3_600.0


@dataclass(frozen=True, slots=True)
class Event:
    """An event and what to answer each time it is seen; the last answer from then on."""

    id: int
    answers: tuple[st.Next | st.Keep | st.Repeat, ...]


@dataclass(frozen=True, slots=True)
class Script:
    """One machine's life."""

    enters: dict[str, tuple[st.TimeoutAction, ...]]
    start: tuple[st.Action, ...]
    events: tuple[Event, ...]


# -- making scripts --------------------------------------------------------------------------


def random_script(rng: Random) -> Script:
    """A script whose events always come to an end: a last answer neither postpones nor inserts."""
    ids = count(1)

    def event(depth: int) -> Event:
        name = next(ids)
        answers = [transition(depth) for _ in range(rng.randrange(4))] if depth else []
        return Event(name, (*answers, st.Keep()) if answers else ())

    def transition(depth: int) -> st.Next | st.Keep | st.Repeat:
        actions = [action(depth) for _ in range(rng.choice([0, 0, 1, 1, 2, 3]))]
        kind = rng.choices(["next", "keep", "repeat"], [45, 45, 10])[0]
        if kind == "next":
            return st.Next(rng.choice("abc"), *actions)
        return st.Keep(*actions) if kind == "keep" else st.Repeat(*actions)

    def action(depth: int) -> st.Action:
        kind = rng.choices(["postpone", "insert", "timeout"], [25, 30, 45])[0]
        if kind == "postpone":
            return st.Postpone()
        return st.NextEvent(st.Internal(event(depth - 1))) if kind == "insert" else timeout(depth)

    def timeout(depth: int) -> st.TimeoutAction:
        seconds: Any = rng.choice([0, 0, 0, HOUR, HOUR, None, "update"])
        content = event(depth - 1)
        match rng.randrange(4):
            case 0:
                return st.StateTimeout(seconds, content)
            case 1:
                return st.EventTimeout(0 if seconds == "update" else seconds, content)
            case n:
                return st.GenericTimeout(f"g{n}", seconds, content)

    start = [action(2) for _ in range(rng.randrange(3))]
    return Script(
        {
            state: tuple(timeout(2) for _ in range(rng.randrange(3)))
            for state in "abc"
            if rng.random() < 0.3
        },
        tuple(one for one in start if one != st.Postpone()),
        tuple(event(3) for _ in range(rng.randrange(2, 7))),
    )


# -- our side ----------------------------------------------------------------------------------


class Machine(st.GenStateMachine, state_enter=True):
    """Does what its script says."""

    def __init__(self, script: Script) -> None:
        self.script = script
        self.story: list[str] = []
        self.seen: dict[int, int] = {}

    def init(self) -> st.Next:
        return st.Next("a", *self.script.start)

    def handle_event(self, event: Any, state: str) -> Any:
        match event:
            case st.Enter(previous):
                self.story.append(f"{{enter,{previous},{state}}}")
                return st.Keep(*self.script.enters.get(state, ()))
            case st.CallMessage():
                return st.Reply(f"[{','.join(self.story)}]")
            case st.Info(told):
                kind = "info"
            case st.Internal(told):
                kind = "internal"
            case st.StateExpired(told):
                kind = "state_timeout"
            case st.EventExpired(told):
                kind = "timeout"
            case st.Expired(name, told):
                kind = f"{{timeout,{name}}}"
        self.story.append(f"{{{kind},{told.id},{state}}}")
        times = self.seen[told.id] = self.seen.get(told.id, 0) + 1
        return told.answers[min(times, len(told.answers)) - 1] if told.answers else None


async def ours(scripts: list[Script], **options: Any) -> list[str]:
    """Run *scripts* on our machine; one story each."""
    stories: list[str] = []
    async with st.Runtime(**options):
        for script in scripts:
            pid = await Machine.start(script)
            await st.sys.suspend(pid)
            for event in script.events:
                st.send(pid, event)
            await st.sys.resume(pid)
            stories.append(await Machine.call(pid, "story"))
            await Machine.stop(pid)
    return stories


# -- the BEAM's side --------------------------------------------------------------------------------


def theirs(scripts: list[Script]) -> list[str]:
    """Run *scripts* on OTP's gen_statem; one story each."""
    with tempfile.TemporaryDirectory(prefix="suptree-machine-") as folder:
        subprocess.run(["erlc", "-Wall", "-Werror", "-o", folder, str(SOURCE)], check=True)
        file = Path(folder) / "scripts"
        file.write_text("".join(f"{script_term(script)}.\n" for script in scripts))
        done = subprocess.run(
            ["erl", "-noshell", "-pa", folder, "-run", "trace_machine", "main", str(file)],
            capture_output=True,
            text=True,
            check=True,
            timeout=60,
        )
    return done.stdout.splitlines()


def script_term(script: Script) -> str:
    """The script as an Erlang term."""
    enters = ",".join(
        f"{{{state},[{_terms(actions)}]}}" for state, actions in script.enters.items()
    )
    events = ",".join(_event_term(event) for event in script.events)
    return f"{{[{enters}],[{_terms(script.start)}],[{events}]}}"


def _terms(actions: Any) -> str:
    return ",".join(_action_term(action) for action in actions)


def _event_term(event: Event) -> str:
    return f"{{{event.id},[{','.join(_transition_term(answer) for answer in event.answers)}]}}"


def _transition_term(transition: st.Next | st.Keep | st.Repeat) -> str:
    actions = f"[{_terms(transition.actions)}]"
    if isinstance(transition, st.Next):
        return f"{{next,{transition.state},{actions}}}"
    return f"{{{'keep' if isinstance(transition, st.Keep) else 'repeat'},{actions}}}"


def _action_term(action: Any) -> str:
    match action:
        case st.Postpone():
            return "postpone"
        case st.NextEvent(event):
            return f"{{next_event,internal,{_event_term(event.content)}}}"
        case st.StateTimeout(seconds, content):
            kind = "state_timeout"
        case st.EventTimeout(seconds, content):
            kind = "timeout"
        case st.GenericTimeout(name, seconds, content):
            kind = f"{{timeout,{name}}}"
    time = (
        "infinity" if seconds is None else seconds if seconds == "update" else int(seconds * 1000)
    )
    return f"{{{kind},{time},{_event_term(content)}}}"
