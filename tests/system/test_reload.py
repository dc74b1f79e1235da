"""Settings that change while the system runs: in the end, settings and services agree."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest

import suptree as st
from suptree.services import (
    Acknowledged,
    ConfigServer,
    ConfigurationFixedError,
    ConfigurationInvalidError,
    CoordinationManager,
    FeatureFlags,
    Flag,
    ReadinessBoard,
    load_configuration,
)
from suptree.system import Declarations, Reconfigurer, System, SystemSettings
from suptree.system.live import LIVE
from suptree.testing import wait_down, wait_until
from tests.system.probing import held_by

pytestmark = pytest.mark.suptree_loop("virtual")  # restarts, retries and waits move time

CALM = "[supervision]\nmax_restarts = 100\n"
OTHERS = """
[metrics]
max_series = 7
[resources]
max_waiting = 8
[breakers]
max_breakers = 9
[retries]
max_policies = 10
capacity = 11
per_success = 0.12
per_second = 0.13
[limits]
max_keys = 14
max_waiting = 15
max_limiters = 16
cleanup_interval = 17
[bulkheads]
max_bulkheads = 18
[cache]
max_entries = 47
default_ttl = 48
cleanup_interval = 49
max_waiting = 50
[flags]
new_path = 19.5
[signals]
log_entries = 20
max_subscriptions = 21
max_dead_letters = 22
max_blocked = 23
[scheduler]
max_jobs = 24
clock_check = 25
[commands]
max_concurrency = 40
max_queued = 41
timeout = 42
cache_ttl = 43
cache_entries = 44
cache_bytes = 45
[coordination]
buffer = 26
overflow = "wait"
ack_timeout = 27
expires = 28
attempts = 29
breaker_failures = 30
breaker_reset = 31
max_lanes = 32
idle_after = 33
history = 34
[dead_letters]
max_letters = 35
max_age = 36
[task_pools]
max_pools = 46
[health]
max_concurrency = 37
max_checks = 38
history = 39
"""
DECLARED = Declarations(flags=(Flag("new_path", default=False),))


class Worker(st.GenServer):
    """An agent."""

    def handle_call(self, request: Any, sender: st.ReplyTo) -> Any:
        return f"did {request}"


class Running:
    """A system, the file that it reads, and what it emits about settings."""

    def __init__(self, runtime: st.Runtime, file: Path) -> None:
        self.file = file
        self.write("")
        configuration = load_configuration(SystemSettings, file=file, environ={})
        self.system = System(configuration, declared=DECLARED)
        self.events: list[tuple[str, dict[str, Any]]] = []
        runtime.telemetry.attach("test", "suptree.system.settings.*", self._hear)

    def _hear(self, event: Any, numbers: Any, facts: Any) -> None:
        self.events.append((event.name.rpartition(".")[2], dict(facts) | dict(numbers)))

    def write(self, text: str) -> None:
        self.file.write_text(CALM + text)

    def path(self, name: str) -> str:
        return self.system.path_of(name)

    def kill(self, *names: str) -> None:
        for name in names:
            pid = st.whereis(self.path(name))
            if pid is not None:
                st.exit(pid, st.KILL)

    async def settled(self) -> None:
        """Until everything is up, the sources are read, and nothing is to be passed on."""
        names = self.system.tree.start_order()
        await wait_until(lambda: all(st.whereis(self.path(name)) for name in names), timeout=60)
        while not (await ReadinessBoard.report(self.path("readiness"))).ready:
            await asyncio.sleep(0.1)
        while (await st.sys.get_state(self.path("configuration")))["_reading"] is not None:
            await asyncio.sleep(0.1)
        await Reconfigurer.settled(self.path("reconfigurer"))

    async def disagreeing(self) -> dict[str, Any]:
        """The services that go by other settings than those that hold."""
        settings = ConfigServer.current(SystemSettings).value
        wanted = {name: live.options(settings) for name, live in LIVE.items()}
        held = {name: await held_by(name, self.path(name)) for name in LIVE}
        return {name: held[name] for name in LIVE if held[name] != wanted[name]}


@pytest.fixture
async def running(runtime: st.Runtime, tmp_path: Path) -> Running:
    running = Running(runtime, tmp_path / "app.toml")
    await runtime.start(running.system)
    await running.settled()
    return running


def new_settings() -> SystemSettings:
    return ConfigServer.current(SystemSettings).value


# -- all of it -----------------------------------------------------------------------------------


def test_every_setting_is_fixed_or_read_by_a_live_service_and_the_file_above_changes_each(tmp_path):
    (tmp_path / "all.toml").write_text(OTHERS)
    default = load_configuration(SystemSettings, environ={})
    other = load_configuration(SystemSettings, file=tmp_path / "all.toml", environ={})
    sections = {path.partition(".")[0] for path, entry in default.entries.items() if entry.fixed}

    unchanged = [
        path
        for path, entry in default.entries.items()
        if not entry.fixed and other.entries[path].value == entry.value
    ]
    for path, entry in other.entries.items():
        if not entry.fixed:
            one = load_configuration(SystemSettings, environ={}, overrides={path: entry.value})
            readers = [
                name
                for name, live in LIVE.items()
                if live.options(one.value) != live.options(default.value)
            ]
            assert len(readers) == 1, path

    assert unchanged == []
    assert sections == {"supervision", "tasks", "agents"}


async def test_a_reload_reaches_every_service_before_it_returns(running):
    before = {name: st.whereis(running.path(name)) for name in LIVE}
    running.write(OTHERS)

    changes = await running.system.reload()

    assert len(changes) == len(new_settings_paths())
    assert await running.disagreeing() == {}
    assert new_settings().coordination.buffer == 26
    assert {name: st.whereis(running.path(name)) for name in LIVE} == before


def new_settings_paths() -> list[str]:
    entries = ConfigServer.current(SystemSettings).entries
    return [path for path, entry in entries.items() if not entry.fixed]


async def test_only_the_services_whose_settings_changed_are_told(running):
    running.events.clear()
    running.write("[limits]\nmax_keys = 5\n[dead_letters]\nmax_letters = 6\n")

    await running.system.reload()

    assert sorted(facts["service"] for name, facts in running.events) == ["dead_letters", "limits"]
    assert {name for name, facts in running.events} == {"passed_on"}


async def test_a_reload_that_changes_nothing_tells_nobody(running):
    running.events.clear()

    assert await running.system.reload() == ()

    assert running.events == []


async def test_what_is_fixed_refuses_the_whole_reload_and_no_service_changes(running):
    running.file.write_text("[supervision]\nmax_restarts = 4\n[limits]\nmax_keys = 5\n")

    with pytest.raises(ConfigurationFixedError, match=r"supervision\.max_restarts: 100 -> 4"):
        await running.system.reload()

    assert new_settings().limits.max_keys == 10_000
    assert await running.disagreeing() == {}


async def test_a_flag_that_is_not_declared_refuses_the_whole_reload_with_its_line(running):
    running.write("[limits]\nmax_keys = 5\n[flags]\nnew_pth = 50\n")

    with pytest.raises(ConfigurationInvalidError, match="did you mean 'new_path'") as caught:
        await running.system.reload()

    (problem,) = caught.value.problems
    assert (problem.path, problem.source.line) == ("flags.new_pth", 5)
    assert new_settings().limits.max_keys == 10_000


async def test_a_percentage_that_is_none_refuses_the_whole_reload(running):
    running.write("[flags]\nnew_path = 101\n")

    with pytest.raises(ConfigurationInvalidError, match="from 0 to 100"):
        await running.system.reload()


async def test_a_flag_in_the_file_is_switched_by_a_reload_and_what_is_set_goes_over_it(running):
    assert not FeatureFlags.enabled("new_path")
    running.write("[flags]\nnew_path = true\n")

    await running.system.reload()

    assert FeatureFlags.enabled("new_path")
    await FeatureFlags.disable(running.path("flags"), "new_path")
    assert not FeatureFlags.enabled("new_path")


def test_a_flag_that_is_not_declared_is_refused_before_anything_starts():
    settings = load_configuration(
        SystemSettings, environ={}, overrides={"flags": {"new_pth": True}}
    )

    with pytest.raises(ConfigurationInvalidError, match="did you mean 'new_path'"):
        System(settings, declared=DECLARED)


# -- under traffic ---------------------------------------------------------------------------------


async def test_reloads_under_traffic_lose_no_message(running):
    await running.system.start_agent(st.child(Worker).with_(name="worker"))
    router = running.path("coordination")

    async def traffic(sender: int) -> list[Any]:
        return [
            await CoordinationManager.coordinate(router, "worker", (sender, n), wait=60.0)
            for n in range(100)
        ]

    async def reloads() -> None:
        for n in range(20):
            policy = ("reject", "wait", "drop_oldest")[n % 3]
            running.write(
                f"[coordination]\nbuffer = {50 + n}\noverflow = '{policy}'\nbreaker_failures = {n + 1}\n"
                f"attempts = {n + 1}\nhistory = {n}\n[dead_letters]\nmax_letters = {n + 1}\n"
            )
            await running.system.reload()

    *outcomes, _ = await asyncio.gather(*(traffic(n) for n in range(10)), reloads())

    assert all(isinstance(one, Acknowledged) for each in outcomes for one in each)
    assert (await CoordinationManager.stats(router)).acknowledged == 1000
    assert new_settings().coordination.buffer == 69
    assert await running.disagreeing() == {}


# -- killed ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("victim", LIVE)
async def test_a_service_killed_right_after_a_reload_comes_up_with_the_new_settings(
    running, victim
):
    running.write(OTHERS)

    await ConfigServer.reload(running.path("configuration"))  # nobody has passed it on yet
    running.kill(victim)
    await running.settled()

    assert await running.disagreeing() == {}
    assert new_settings().coordination.buffer == 26


@pytest.mark.parametrize("victim", LIVE)
async def test_a_service_has_the_settings_of_the_last_reload_from_its_start_without_being_told(
    running, victim
):
    running.write(OTHERS)
    await running.system.reload()
    await st.sys.suspend(running.path("reconfigurer"))
    killed = st.whereis(running.path(victim))

    running.kill(victim)
    await wait_until(lambda: st.whereis(running.path(victim)) not in (None, killed), timeout=60)

    wanted = LIVE[victim].options(new_settings())
    assert await held_by(victim, running.path(victim)) == wanted
    await st.sys.resume(running.path("reconfigurer"))


@pytest.mark.parametrize("moment", range(8))
@pytest.mark.parametrize("stage", ["reading", "passing on"])
@pytest.mark.parametrize(
    "victims",
    [
        ("configuration",),
        ("reconfigurer",),
        ("configuration", "reconfigurer"),
        ("reconfigurer", "limits", "coordination"),
        ("state",),
    ],
    ids=" ".join,
)
async def test_killed_in_the_middle_of_a_reload_settings_and_services_agree_in_the_end(
    runtime, running, victims, stage, moment
):
    applied = asyncio.Event()
    runtime.telemetry.attach(
        "applied", "suptree.configuration.reload.applied", lambda *_: applied.set()
    )
    running.write(OTHERS)

    reload = asyncio.create_task(running.system.reload())
    if stage == "passing on":
        await applied.wait()
    for _ in range(moment):
        await asyncio.sleep(0)
    running.kill(*victims)
    await asyncio.wait([reload])
    reload.exception()
    await running.settled()

    assert new_settings().coordination.buffer == 26  # the file says so
    assert await running.disagreeing() == {}


async def test_changes_while_nobody_passes_them_on_are_passed_on_by_the_next_who_does(running):
    await st.sys.suspend(running.path("reconfigurer"))
    running.write(OTHERS)
    await ConfigServer.reload(running.path("configuration"))
    assert set(await running.disagreeing()) == set(LIVE)

    running.kill("reconfigurer")
    await running.settled()

    assert await running.disagreeing() == {}


async def test_settings_outlive_their_server_though_the_file_is_wrong_meanwhile(running):
    running.write(OTHERS)
    await running.system.reload()
    running.write("[limits]\nmax_kesy = 5\n")

    killed = st.whereis(running.path("configuration"))
    running.kill("configuration")
    await wait_down(killed)
    await running.settled()

    assert new_settings().coordination.buffer == 26
    assert await running.disagreeing() == {}


# -- services that are slow, or say no ----------------------------------------------------------------


async def test_a_service_that_is_stuck_delays_no_other_and_is_told_when_it_answers(running):
    running.events.clear()
    await st.sys.suspend(running.path("limits"))
    running.write(OTHERS)

    reload = asyncio.create_task(running.system.reload())
    await wait_until(lambda: "delayed" in [name for name, _ in running.events], timeout=60)
    told = {facts["service"] for name, facts in running.events if name == "passed_on"}
    stats = await Reconfigurer.stats(running.path("reconfigurer"))
    await st.sys.resume(running.path("limits"))
    await reload

    assert told == set(LIVE) - {"limits"}
    assert stats.behind == ("limits",)
    assert await running.disagreeing() == {}
    assert {facts["service"] for name, facts in running.events if name == "delayed"} == {"limits"}


async def test_what_changes_twice_while_a_service_is_stuck_is_passed_on_as_it_is_in_the_end(
    running,
):
    await st.sys.suspend(running.path("limits"))
    for keys in (5, 6):
        running.write(f"[limits]\nmax_keys = {keys}\n")
        await ConfigServer.reload(running.path("configuration"))

    await st.sys.resume(running.path("limits"))
    await running.settled()

    assert (await held_by("limits", running.path("limits")))["max_keys"] == 6
