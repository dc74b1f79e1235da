"""A supervisor against a model: who runs, who was started and stopped in which order, and when it gives up."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable
from typing import Any

from hypothesis import settings
from hypothesis import strategies as some
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

import suptree as st
from tests.otp.probes import Book, Log, Worker

IDS = some.sampled_from("abcd")
RESTARTS = some.sampled_from(["permanent", "transient", "temporary"])
SCRIPTS = some.lists(some.sampled_from(["ok", "error", "raise", "ignore"]), max_size=4)
LIMIT = 6


class Kept:
    """A child as the model knows it."""

    def __init__(self, restart: str, significant: bool, script: list[str]) -> None:
        self.restart, self.significant, self.script = restart, significant, list(script)
        self.up = False


class Model:
    """What OTP says about a supervisor (S110 to S127, S140 to S142, S150 to S153), in plain loops."""

    def __init__(self, strategy: str, auto_shutdown: str) -> None:
        self.strategy, self.auto_shutdown = strategy, auto_shutdown
        self.children: dict[str, Kept] = {}
        self.restarts, self.alive = 0, True
        self.log: Log = []

    def launch(self, id: str) -> str:
        child = self.children[id]
        word = child.script.pop(0) if child.script else "ok"
        self.log.append(f"+{id}" if word == "ok" else f"{word} {id}")
        child.up = word == "ok"
        return word

    def halt(self, id: str) -> None:
        if self.children[id].up:
            self.children[id].up = False
            self.log.append(f"-{id}")

    def end(self) -> None:
        for id in reversed(self.children):
            self.halt(id)
        self.alive = False

    def restart(self, culprit: str | None) -> None:
        while culprit is not None:
            self.restarts += 1
            if self.restarts > LIMIT:
                self.end()
                return
            order = list(self.children)
            first = {"one_for_all": 0}.get(self.strategy, order.index(culprit))
            group = order[first : first + 1] if self.strategy == "one_for_one" else order[first:]
            for id in reversed(group):
                self.halt(id)
                if self.children[id].restart == "temporary":
                    del self.children[id]
            back = (id for id in group if id in self.children)
            culprit = next((id for id in back if self.launch(id) in ("error", "raise")), None)

    def ended(self, id: str, normally: bool) -> None:
        child = self.children[id]
        child.up = False
        if child.restart == "permanent" or (child.restart == "transient" and not normally):
            self.restart(id)
            return
        if child.restart == "temporary":
            del self.children[id]
        left = any(other.up for other in self.children.values() if other.significant)
        if child.significant and (self.auto_shutdown == "any_significant" or not left):
            self.end()


class SupervisorMachine(RuleBasedStateMachine):
    """Requests, crashes and exits; both sides note each start and each goodbye."""

    def __init__(self) -> None:
        super().__init__()
        self.loop = asyncio.new_event_loop()
        self.log: Log = []
        self.model: Model | None = None
        self.kept: dict[str, Kept] = {}
        self.closing = asyncio.Event()
        self.opened: asyncio.Future[st.Runtime] = self.loop.create_future()
        self.keeper = self.loop.create_task(self._keep())
        self.runtime = self.loop.run_until_complete(self.opened)

    async def _keep(self) -> None:
        async with st.Runtime() as runtime:
            self.opened.set_result(runtime)
            await self.closing.wait()

    def teardown(self) -> None:
        self.closing.set()
        self.loop.run_until_complete(self.keeper)
        self.loop.close()

    def run(self, request: Awaitable[Any]) -> Any:
        """The answer, or the class of what was raised, once nobody has anything to do any more."""

        async def settled() -> Any:
            try:
                answer = await request
            except st.SuptreeError as error:
                answer = type(error)
            while not self.runtime.runqueue.idle():
                await asyncio.sleep(0)
            return answer

        return self.loop.run_until_complete(settled())

    def alive(self) -> bool:
        return self.model is not None and self.model.alive

    # -- what is done to it ------------------------------------------------------------------

    @precondition(lambda self: not self.alive())
    @rule(
        strategy=some.sampled_from(["one_for_one", "one_for_all", "rest_for_one"]),
        auto_shutdown=some.sampled_from(["never", "any_significant", "all_significant"]),
        first=some.lists(some.tuples(RESTARTS, some.booleans(), SCRIPTS), min_size=2, max_size=4),
    )
    def begin(self, strategy: Any, auto_shutdown: Any, first: list[Any]) -> None:
        model = self.model = Model(strategy, auto_shutdown)
        self.log = []
        specs = [
            self._spec(id, restart, significant, ["ok", *script])
            for id, (restart, significant, script) in zip("abcd", first, strict=False)
        ]
        spec = st.Supervisor.child(
            specs,
            strategy=strategy,
            auto_shutdown=auto_shutdown,
            max_restarts=LIMIT,
            max_seconds=1e9,
        )
        self.supervisor: st.Pid[Any] = self.run(spec.start_unlinked())
        for each in specs:
            model.children[each.id] = self.kept[each.id]
            model.launch(each.id)

    def _spec(self, id: str, restart: Any, significant: bool, script: list[str]) -> Any:
        assert self.model is not None
        significant &= restart != "permanent" and self.model.auto_shutdown != "never"
        self.kept[id] = Kept(restart, significant, script)
        spec = st.child(Worker, id, Book(self.log, list(script)))
        return spec.with_(id=id, restart=restart, significant=significant)

    @precondition(alive)
    @rule(id=IDS, restart=RESTARTS, significant=some.booleans(), script=SCRIPTS)
    def start_child(self, id: str, restart: Any, significant: bool, script: list[str]) -> None:
        model = self.model
        assert model is not None
        spec = self._spec(id, restart, significant, script)
        answer = self.run(st.Supervisor.start_child(self.supervisor, spec))
        present = model.children.get(id)
        if present is not None:
            taken = st.AlreadyStartedError if present.up else st.ChildAlreadyPresentError
            assert answer is taken
            return
        model.children[id] = self.kept[id]
        word = model.launch(id)
        if word in ("error", "raise") or (word == "ignore" and restart == "temporary"):
            del model.children[id]
        self._agrees_with(answer, word)

    @precondition(alive)
    @rule(id=IDS)
    def terminate_child(self, id: str) -> None:
        model = self.model
        assert model is not None
        answer = self.run(st.Supervisor.terminate_child(self.supervisor, id))
        if id not in model.children:
            assert answer is st.ChildNotFoundError
            return
        assert answer is None
        model.halt(id)
        if model.children[id].restart == "temporary":
            del model.children[id]

    @precondition(alive)
    @rule(id=IDS)
    def restart_child(self, id: str) -> None:
        answer = self.run(st.Supervisor.restart_child(self.supervisor, id))
        if self._is_down(id, answer):
            assert self.model is not None
            self._agrees_with(answer, self.model.launch(id))

    @precondition(alive)
    @rule(id=IDS)
    def delete_child(self, id: str) -> None:
        answer = self.run(st.Supervisor.delete_child(self.supervisor, id))
        if self._is_down(id, answer):
            assert self.model is not None
            assert answer is None
            del self.model.children[id]

    @precondition(alive)
    @rule(data=some.data(), how=some.sampled_from(["crash", "kill", "why"]))
    def a_child_crashes(self, data: some.DataObject, how: Any) -> None:
        self._ends(data, how)

    @precondition(alive)
    @rule(data=some.data(), how=some.sampled_from([st.NORMAL, st.SHUTDOWN]))
    def a_child_ends(self, data: some.DataObject, how: Any) -> None:
        self._ends(data, how)

    def _ends(self, data: some.DataObject, how: Any) -> None:
        model = self.model
        assert model is not None
        up = [id for id, child in model.children.items() if child.up]
        if not up:
            return
        id = data.draw(some.sampled_from(up))
        infos = self.run(st.Supervisor.which_children(self.supervisor))
        pid = next(info.pid for info in infos if info.id == id)
        if how == "kill":
            st.exit(pid, st.KILL)
        else:
            model.log.append(f"-{id}")
            Worker.crash(pid) if how == "crash" else Worker.end(pid, how)
        self.run(asyncio.sleep(0))
        model.ended(id, normally=how in (st.NORMAL, st.SHUTDOWN))

    @precondition(alive)
    @rule()
    def stop(self) -> None:
        assert self.model is not None
        assert self.run(st.Supervisor.stop(self.supervisor)) is None
        self.model.end()

    def _agrees_with(self, answer: Any, word: str) -> None:
        match word:
            case "ok":
                assert isinstance(answer, st.Pid)
            case "ignore":
                assert answer is st.StartIgnoredError
            case _:
                assert answer is st.StartError

    def _is_down(self, id: str, answer: Any) -> bool:
        assert self.model is not None
        child = self.model.children.get(id)
        if child is None or child.up:
            assert answer is (st.ChildNotFoundError if child is None else st.ChildRunningError)
            return False
        return True

    # -- what holds then -----------------------------------------------------------------------

    @invariant()
    def agrees(self) -> None:
        model = self.model
        if model is None:
            return
        assert self.log == model.log
        assert self.supervisor.is_alive() == model.alive
        running = 2 + sum(child.up for child in model.children.values())  # it, and the guest
        assert len(self.runtime.processes) == (running if model.alive else 1)
        if model.alive:
            infos = self.run(st.Supervisor.which_children(self.supervisor))
            seen = [(info.id, info.pid is not None) for info in infos]
            assert seen == [(id, child.up) for id, child in reversed(model.children.items())]


TestSupervisor = SupervisorMachine.TestCase
TestSupervisor.settings = settings(max_examples=100, stateful_step_count=30, deadline=None)
