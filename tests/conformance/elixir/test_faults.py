"""A comparison that finds nothing may be a weak one: each fault planted here changes the traces of many programs."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from suptree.errors import ChildNotFoundError
from suptree.otp import dynamic_body, supervising
from suptree.otp.dynamic_body import DynamicBody
from suptree.otp.registry_partitions import Book, Partition
from suptree.otp.registry_tables import DuplicateTable, UniqueTable
from suptree.otp.restart import Fate, Intensity, fate
from suptree.otp.shutdown import stop_together
from suptree.otp.stream import _Engine
from suptree.otp.task import Task
from suptree.otp.task_process import Outcome, TaskBody, TaskStart
from tests.conformance.elixir import dynamic, registry, tasks
from tests.conformance.family import Normaliser

PROGRAMS = 1000
ENOUGH = 3

Patch = pytest.MonkeyPatch


def restarts_who_ended_normally(patch: Patch) -> None:
    patch.setattr(
        supervising,
        "fate",
        lambda restart, why: Fate.RESTART if restart == "transient" else fate(restart, why),
    )


def restarts_once_too_often(patch: Patch) -> None:
    allows = Intensity.allows
    patch.setattr(
        Intensity, "allows", lambda self, now: allows(self, now) or self.count == self.limit + 1
    )


def finds_nobody_who_is_restarting(patch: Patch) -> None:
    def find(self: Any, pid: Any) -> Any:
        if pid not in self.running:
            raise ChildNotFoundError(self.process.pid, pid)
        return self.running[pid]

    patch.setattr(DynamicBody, "_find", find)


def kills_who_is_to_be_told(patch: Patch) -> None:
    async def kill(supervisor: Any, children: Any, *rest: Any) -> None:
        await stop_together(supervisor, [(pid, "brutal_kill") for pid, _ in children], *rest)

    patch.setattr(dynamic_body, "stop_together", kill)


def counts_no_restarting_children(patch: Patch) -> None:
    patch.setattr(DynamicBody, "_children", lambda self: list(self.running.values()))


def forgets_extra_arguments(patch: Patch) -> None:
    adopt = DynamicBody.adopt

    def adopt_without(self: Any) -> None:
        adopt(self)
        self.extra = ()

    patch.setattr(DynamicBody, "adopt", adopt_without)


def tries_a_restart_once(patch: Patch) -> None:
    async def forget(self: Any, child: Any, old: Any) -> float:
        self._forget(child, old)
        return 0.0

    patch.setattr(DynamicBody, "_keep", forget)


def keeps_no_value(patch: Patch) -> None:
    patch.setattr(TaskBody, "returned", lambda self, value: None)


def stays_linked(patch: Patch) -> None:
    patch.setattr(Task, "_unlink", lambda self: None)


def knows_one_caller(patch: Patch) -> None:
    init = TaskStart.__init__

    def init_with_one(self: Any, *args: Any, **kwargs: Any) -> None:
        init(self, *args, **kwargs)
        self._callers = self._callers[:1]

    patch.setattr(TaskStart, "__init__", init_with_one)


def streams_in_one_place_more(patch: Patch) -> None:
    init = _Engine.__init__

    def init_with_more(self: Any, *args: Any) -> None:
        init(self, *args)
        self._places += 1

    patch.setattr(_Engine, "__init__", init_with_more)


def survives_its_items(patch: Patch) -> None:
    without = _Engine._without_value

    def without_link(self: Any, item: Any, told: Any) -> Any:
        owner, self._owner = self._owner, None
        try:
            return without(self, item, told)
        finally:
            self._owner = owner

    patch.setattr(_Engine, "_without_value", without_link)


def links_nobody(patch: Patch) -> None:
    tie = TaskStart._tie

    def tie_without(self: Any, runtime: Any, process: Any, asked: Any, outcome: Outcome) -> None:
        self._linked = False
        tie(self, runtime, process, asked, outcome)

    patch.setattr(TaskStart, "_tie", tie_without)


def leaves_the_items_of_a_stream(patch: Patch) -> None:
    patch.setattr(_Engine, "_kill", lambda self, item: None)


def gives_a_key_to_the_next(patch: Patch) -> None:
    def put(self: Any, key: Any, pid: Any, value: Any) -> None:
        held = self._entries.get(key)
        if held is not None:
            self._lose(key, held[0])
        self._entries[key] = (pid, value)
        self._keys.setdefault(pid, set()).add(key)

    patch.setattr(UniqueTable, "put", put)


def takes_all_that_is_under_the_key(patch: Patch) -> None:
    remove = DuplicateTable.remove
    patch.setattr(
        DuplicateTable, "remove", lambda self, key, pid, matching: remove(self, key, pid, None)
    )


def keeps_the_dead(patch: Patch) -> None:
    patch.setattr(Partition, "forget", lambda self, pid: None)


def tells_no_listener(patch: Patch) -> None:
    patch.setattr(Book, "_tell", lambda self, process, news: None)


def changes_what_others_hold(patch: Patch) -> None:
    update = UniqueTable.update

    def update_any(self: Any, key: Any, pid: Any, function: Any) -> Any:
        holder = self.holder(key)
        return update(self, key, pid if holder is None else holder, function)

    patch.setattr(UniqueTable, "update", update_any)


def outlives_its_partition(patch: Patch) -> None:
    register = Partition.register

    def register_unlinked(self: Any, process: Any, key: Any, value: Any) -> Any:
        holder = register(self, process, key, value)
        process.runtime.unlink_processes(process, self._process)
        return holder

    patch.setattr(Partition, "register", register_unlinked)


FAULTS: list[tuple[Any, list[Callable[[Patch], None]]]] = [
    (
        dynamic.FAMILY,
        [
            restarts_who_ended_normally,
            restarts_once_too_often,
            finds_nobody_who_is_restarting,
            kills_who_is_to_be_told,
            counts_no_restarting_children,
            forgets_extra_arguments,
            tries_a_restart_once,
        ],
    ),
    (
        tasks.FAMILY,
        [
            keeps_no_value,
            stays_linked,
            knows_one_caller,
            streams_in_one_place_more,
            survives_its_items,
            links_nobody,
            leaves_the_items_of_a_stream,
        ],
    ),
    (
        registry.FAMILY,
        [
            gives_a_key_to_the_next,
            takes_all_that_is_under_the_key,
            keeps_the_dead,
            tells_no_listener,
            changes_what_others_hold,
            outlives_its_partition,
        ],
    ),
]


@pytest.mark.parametrize(
    ("family", "plant"),
    [
        pytest.param(family, plant, id=plant.__name__)
        for family, faults in FAULTS
        for plant in faults
    ],
)
def test_a_fault_changes_traces(family, plant):
    run, normalise = family.modes["direct"], Normaliser(family.rules).apply
    changed = 0

    for seed in range(PROGRAMS):
        right = normalise(run(family.generate(seed)))
        with pytest.MonkeyPatch.context() as patch:
            plant(patch)
            wrong = normalise(run(family.generate(seed)))
        changed += wrong != right
        if changed == ENOUGH:
            break

    assert changed == ENOUGH
