"""Who lives in the system of a soak: agents that are fast, slow, crash or hang, and senders."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any, Final, Literal, TypeAlias

import suptree as st
from suptree.services import Delegation, SignalBus, SignalReceived
from suptree.system import System
from tests.soak.book import Book, Boom, Parcel

__all__ = ["FLOOD", "GO", "Agent", "Kind", "Scene", "Sender"]

Kind: TypeAlias = Literal["fast", "slow", "crashing", "hanging"]
FLOOD: Final = object()
"""A message that means nothing, and comes in hundreds."""
PAUSE: Final = 0.02
ACT_LIMIT: Final = 60.0

GO: Final = object()
"""To senders: the gate has opened."""


@dataclass(slots=True)
class Scene:
    """What everybody in a soak knows.

    Attributes:
        rng: For the driver; everybody else has one of its own.
        seed: Of all of them.
        act: What a sender does once.
        gate: Open while there is trouble.
        running: Acts under way.
        hung: Agents that hang, for whoever looks after them.
        pool: Agents without names.
        named: Agents with names.
        senders: Their names.
        births: How many processes had random numbers.
        system: Where all of it happens.
    """

    seed: int
    act: Callable[[Scene, random.Random], Awaitable[str]]
    book: Book = field(default_factory=Book)
    gate: asyncio.Event = field(default_factory=asyncio.Event)
    acts: dict[str, int] = field(default_factory=dict[str, int])
    hung: set[st.Pid[Any]] = field(default_factory=set["st.Pid[Any]"])
    pool: list[st.Pid[Any]] = field(default_factory=list["st.Pid[Any]"])
    named: list[str] = field(default_factory=list[str])
    senders: list[str] = field(default_factory=list[str])
    births: int = 0
    running: int = 0
    system: System = field(init=False)
    rng: random.Random = field(init=False)

    def __post_init__(self) -> None:
        self.rng = random.Random(self.seed)

    def path(self, service: str) -> str:
        """The registered name of a service."""
        return self.system.path_of(service)

    def new_rng(self) -> random.Random:
        """Random numbers for one process, other ones after each restart."""
        self.births += 1
        return random.Random(f"{self.seed} {self.births}")


class Agent(st.GenServer):
    """Handles parcels, in its own way."""

    def __init__(self, scene: Scene, kind: Kind, name: str = "") -> None:
        self._scene = scene
        self._kind: Kind = kind
        self._name = name
        self._rng = scene.new_rng()

    async def handle_call(self, request: Any, sender: st.ReplyTo) -> object:
        """Note the parcel, then behave."""
        parcel = request.task if isinstance(request, Delegation) else request
        if not isinstance(parcel, Parcel):
            return request
        self._scene.book.handled(parcel, self._name)
        match self._kind:
            case "slow":
                await asyncio.sleep(self._rng.uniform(0.0, 0.04))
            case "crashing" if self._rng.random() < 0.02:
                raise Boom
            case "hanging" if self._rng.random() < 0.01:
                self._scene.hung.add(self.pid)
                await asyncio.Event().wait()
            case _:
                pass
        return parcel.number

    def handle_info(self, message: object) -> None:
        """Signals are acknowledged, now and then not; the rest is noise."""
        if isinstance(message, SignalReceived) and message.ack:
            (SignalBus.nack if self._rng.random() < 0.05 else SignalBus.ack)(message)


class Sender(st.GenServer):
    """Does one thing after another, whatever the services say to it."""

    def __init__(self, scene: Scene) -> None:
        self._scene = scene
        self._rng = scene.new_rng()

    def init(self) -> None:
        """Begin, if there is trouble now; else the driver says when."""
        if self._scene.gate.is_set():
            st.send(self.pid, GO)

    async def handle_info(self, message: object) -> None:
        """Do the next thing; what else arrives is what services bring."""
        scene = self._scene
        if message is not GO or not scene.gate.is_set():
            return
        scene.running += 1
        try:
            async with asyncio.timeout(ACT_LIMIT):
                what = await scene.act(scene, self._rng)
            scene.acts[what] = scene.acts.get(what, 0) + 1
        except st.SuptreeError as error:
            scene.book.refusals[type(error).__name__] += 1
        except TimeoutError:
            scene.book.breach(f"something took more than {ACT_LIMIT:g} s")
        except Exception as error:
            scene.book.breach(f"a service raised {error!r} in its user")
            raise
        finally:
            scene.running -= 1
        self.send_after(self._rng.uniform(0.0, PAUSE), GO)
