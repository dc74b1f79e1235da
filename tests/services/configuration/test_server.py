"""`ConfigServer`: all of a reload holds, or nothing of it."""

from __future__ import annotations

import asyncio
import contextvars
import threading
from pathlib import Path
from typing import Any

import msgspec
import pytest

import suptree as st
from suptree.services import (
    ConfigChanged,
    ConfigServer,
    ConfigurationFixedError,
    ConfigurationInvalidError,
    ConfigurationSchemaError,
    Fixed,
    Problem,
    Secret,
    StateOwner,
    UnknownSectionError,
    load_configuration,
)
from suptree.services.configuration.events import RELOAD_APPLIED, RELOAD_REFUSED
from suptree.testing import wait_down, wait_mailbox_empty, wait_restarted, wait_until


class Scheduler(msgspec.Struct, frozen=True):
    tick: float = 0.5
    workers: Fixed[int] = 4


class Gate:
    """Lets a check of the user wait, in the thread that reads."""

    def __init__(self) -> None:
        self.open = threading.Event()
        self.open.set()


class Pool(msgspec.Struct, frozen=True):
    size: int = 3
    key: Secret[str] = Secret("")


class Settings(msgspec.Struct, frozen=True):
    scheduler: Scheduler = Scheduler()
    pools: dict[str, Pool] = {}
    port: Fixed[int] = 80


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "app.toml"
    path.write_text("[scheduler]\ntick = 1\n")
    return path


async def started(file: Path, **options: Any) -> st.Pid[ConfigServer]:
    server = await ConfigServer.start_link(
        load_configuration(Settings, file=file, environ={}), **options
    )
    await wait_until_read(server)
    return server


async def wait_until_read(server: Any) -> None:
    """Until the reading at its start is over."""
    await ConfigServer.reload(server)


def tick() -> float:
    return ConfigServer.current(Settings).value.scheduler.tick


async def test_current_reads_without_a_message_what_was_loaded(runtime, file):
    server = await started(file)
    await st.sys.suspend(server)

    assert tick() == 1.0
    await st.sys.resume(server)


async def test_current_refuses_the_class_of_another_schema(runtime, file):
    await started(file)

    with pytest.raises(ConfigurationSchemaError, match="must be Settings"):
        ConfigServer.current(Scheduler)


async def test_current_without_a_server_says_so(runtime):
    with pytest.raises(st.NoTableError):
        ConfigServer.current(Settings)


async def test_a_reload_takes_what_changed_and_says_what(runtime, file):
    server = await started(file)
    file.write_text("[scheduler]\ntick = 2\n")

    changes = await ConfigServer.reload(server)

    assert [(one.path, one.old, one.new) for one in changes] == [("scheduler.tick", 1.0, 2.0)]
    assert tick() == 2.0


async def test_a_reload_of_wrong_sources_keeps_the_old_and_tells_every_problem(runtime, file):
    server = await started(file)
    file.write_text("[scheduler]\ntick = 'x'\ntikc = 2\n")

    with pytest.raises(ConfigurationInvalidError) as caught:
        await ConfigServer.reload(server)

    assert len(caught.value.problems) == 2
    assert tick() == 1.0
    assert "tikc" in ((await ConfigServer.stats(server)).last_refusal or "")


async def test_a_reload_that_changes_what_is_fixed_changes_nothing_and_lists_all_of_it(
    runtime, file
):
    server = await started(file)
    await ConfigServer.subscribe(server)
    file.write_text("port = 81\n[scheduler]\ntick = 2\nworkers = 5\n")

    with pytest.raises(ConfigurationFixedError) as caught:
        await ConfigServer.reload(server)

    assert [change.path for change in caught.value.changes] == ["scheduler.workers", "port"]
    assert "port: 80 -> 81" in str(caught.value)
    assert tick() == 1.0
    assert (await ConfigServer.stats(server)).told == 0


async def test_subscribers_hear_of_their_section_and_of_nothing_else(runtime, file):
    server = await started(file)
    await ConfigServer.subscribe(server, "scheduler")
    await ConfigServer.subscribe(server, "pools.http.size")
    file.write_text("[scheduler]\ntick = 2\n[pools.db]\nsize = 1\n")
    await ConfigServer.reload(server)
    file.write_text("[scheduler]\ntick = 2\n[pools.http]\nsize = 9\n")
    await ConfigServer.reload(server)

    first = await st.receive(ConfigChanged)
    second = await st.receive(ConfigChanged)

    assert first == ConfigChanged("scheduler", Scheduler(1.0), Scheduler(2.0), ("scheduler.tick",))
    assert (second.section, second.new, second.changed_paths) == (
        *("pools.http.size", 9),
        ("pools.http.size",),
    )
    assert (await ConfigServer.stats(server)).told == 2


async def test_a_reload_that_changes_nothing_tells_nobody(runtime, file):
    server = await started(file)
    await ConfigServer.subscribe(server)

    assert await ConfigServer.reload(server) == ()
    assert (await ConfigServer.stats(server)).told == 0


async def test_an_unknown_section_cannot_be_subscribed_to(runtime, file):
    server = await started(file)

    with pytest.raises(UnknownSectionError, match="did you mean 'scheduler'"):
        await ConfigServer.subscribe(server, "schedular")
    assert server.is_alive()


async def test_code_outside_every_process_cannot_subscribe(runtime, file):
    server = await started(file)

    with pytest.raises(st.NotInProcessError):
        await runtime_task(contextvars.Context(), server)


async def runtime_task(context: Any, server: Any) -> None:
    await asyncio.get_running_loop().create_task(subscribe(server), context=context)


async def subscribe(server: Any) -> None:
    await ConfigServer.subscribe(server)


class Listener(st.GenServer):
    """Subscribes, and can end."""

    def __init__(self, server: Any, section: str) -> None:
        self.server, self.section = server, section

    async def init(self) -> None:
        await ConfigServer.subscribe(self.server, self.section)


async def test_a_subscription_ends_with_its_process(runtime, file):
    server = await started(file)
    listener = await Listener.start(server, "scheduler")
    assert (await ConfigServer.stats(server)).subscribers == 1

    await Listener.stop(listener)

    assert (await ConfigServer.stats(server)).subscribers == 0
    file.write_text("[scheduler]\ntick = 2\n")
    await ConfigServer.reload(server)
    assert (await ConfigServer.stats(server)).told == 0


async def test_unsubscribe_ends_one_subscription_and_leaves_the_others(runtime, file):
    server = await started(file)
    await ConfigServer.subscribe(server, "scheduler")
    await ConfigServer.subscribe(server, "pools")

    await ConfigServer.unsubscribe(server, "scheduler")
    await ConfigServer.unsubscribe(server, "scheduler")

    file.write_text("[scheduler]\ntick = 2\n[pools.a]\n")
    await ConfigServer.reload(server)
    assert (await st.receive(ConfigChanged)).section == "pools"
    assert (await ConfigServer.stats(server)).told == 1


async def test_who_asks_during_a_reading_sees_what_was_written_before_asking(runtime, file):
    server = await started(file)
    file.write_text("[scheduler]\ntick = 2\n")
    first = ConfigServer.reload.send_request(server)
    file.write_text("[scheduler]\ntick = 3\n")
    second = ConfigServer.reload.send_request(server)

    await first
    await second

    assert tick() == 3.0


async def test_every_one_of_many_who_ask_at_once_is_answered(runtime, file):
    server = await started(file)
    file.write_text("[scheduler]\ntick = 'x'\n")
    requests = [ConfigServer.reload.send_request(server) for _ in range(20)]

    for request in requests:
        with pytest.raises(ConfigurationInvalidError):
            await request
    assert server.is_alive()


async def test_a_restarted_server_has_its_configuration_and_catches_up_with_the_file(runtime, file):
    spec = st.child(ConfigServer, load_configuration(Settings, file=file, environ={})).with_(
        id="config"
    )
    supervisor = await st.Supervisor.start_link([spec], strategy="one_for_one")
    pid = runtime.tables["configuration"].owner
    file.write_text("[scheduler]\ntick = 5\n")

    st.exit(pid, st.KILL)
    await wait_restarted(supervisor, "config", pid)

    assert tick() in (1.0, 5.0)
    await wait_until(lambda: tick() == 5.0)


async def test_a_restarted_server_keeps_the_first_value_when_the_file_is_broken_now(runtime, file):
    spec = st.child(ConfigServer, load_configuration(Settings, file=file, environ={})).with_(
        id="config"
    )
    supervisor = await st.Supervisor.start_link([spec], strategy="one_for_one")
    pid = runtime.tables["configuration"].owner
    file.write_text("[scheduler\n")

    st.exit(pid, st.KILL)
    again = await wait_restarted(supervisor, "config", pid)
    with pytest.raises(ConfigurationInvalidError):
        await ConfigServer.reload(again)

    assert tick() == 1.0
    assert again.is_alive()


async def test_a_check_of_the_user_runs_outside_the_servers_turn(runtime, tmp_path):
    gate = Gate()

    class Slow(msgspec.Struct, frozen=True):
        x: int = 1

        def __post_init__(self) -> None:
            assert gate.open.wait(10)

    server = await ConfigServer.start_link(load_configuration(Slow, environ={}))
    await ConfigServer.reload(server)
    gate.open.clear()

    pending = ConfigServer.reload.send_request(server)
    assert (await ConfigServer.stats(server)).refused == 0  # it answers while the check waits
    gate.open.set()

    assert await pending == ()


async def test_a_reading_that_does_not_end_is_refused_after_its_timeout(runtime, tmp_path):
    gate = Gate()

    class Slow(msgspec.Struct, frozen=True):
        def __post_init__(self) -> None:
            gate.open.wait(0.3)

    configuration = load_configuration(Slow, environ={})
    server = await ConfigServer.start_link(configuration, load_timeout=1e-6)
    gate.open.clear()

    with pytest.raises(ConfigurationInvalidError, match="within 1e-06 s"):
        await ConfigServer.reload(server)
    gate.open.set()
    assert server.is_alive()


async def test_a_load_timeout_must_be_a_time(runtime, file):
    with pytest.raises(st.StartError, match="load_timeout"):
        await ConfigServer.start(
            load_configuration(Settings, file=file, environ={}), load_timeout=0.0
        )


async def test_reloads_are_told_as_telemetry_without_secrets(runtime, file):
    seen: list[Any] = []
    for event in (RELOAD_APPLIED, RELOAD_REFUSED):
        runtime.telemetry.attach(event.name, event, lambda *told: seen.append(told))
    server = await started(file)
    seen.clear()
    file.write_text("[pools.a]\nkey = 'hunter2'\n")
    await ConfigServer.reload(server)
    file.write_text("[pools.a]\nkey = ['hunter2']\n")
    with pytest.raises(ConfigurationInvalidError):
        await ConfigServer.reload(server)
    file.write_text("port = 90\n")
    with pytest.raises(ConfigurationFixedError):
        await ConfigServer.reload(server)

    assert [(event, facts.get("reason")) for event, _, facts in seen] == [
        (RELOAD_APPLIED, None),
        (RELOAD_REFUSED, "invalid"),
        (RELOAD_REFUSED, "fixed"),
    ]
    assert "scheduler.tick" in seen[0][2]["paths"]
    assert "hunter2" not in repr(seen)


async def test_the_status_of_the_server_shows_no_secret(runtime, file):
    file.write_text("[pools.a]\nkey = 'hunter2'\n")
    server = await started(file)

    assert "hunter2" not in repr(await st.sys.get_state(server))
    assert "hunter2" not in repr(await st.sys.get_status(server))


async def test_the_end_of_the_server_ends_its_reading_and_answers_who_waits(runtime, tmp_path):
    gate = Gate()

    class Slow(msgspec.Struct, frozen=True):
        def __post_init__(self) -> None:
            gate.open.wait(10)

    server = await ConfigServer.start(load_configuration(Slow, environ={}))
    await ConfigServer.reload(server)
    gate.open.clear()
    pending = ConfigServer.reload.send_request(server)
    await ConfigServer.stats(server)

    st.exit(server, st.KILL)
    await wait_down(server)
    gate.open.set()

    with pytest.raises(st.ServerExitError):
        await pending


@pytest.mark.suptree_loop("virtual")
async def test_a_bound_of_its_mailbox_does_not_lose_what_was_read(runtime, file):
    spec = st.child(ConfigServer, load_configuration(Settings, file=file, environ={}))
    server = await spec.with_(bound=st.MailboxBound(1, "drop_new")).start_link()
    await ConfigServer.reload(server)
    request = ConfigServer.reload.send_request(server)
    await wait_mailbox_empty(server)
    await st.sys.suspend(server)
    st.send(server, "in the way")
    await asyncio.sleep(1)  # the reading is over, and its end is in the mailbox

    await st.sys.resume(server)

    assert await request == ()


async def test_a_subscriber_with_a_full_mailbox_misses_its_message_and_it_is_counted(runtime, file):
    server = await started(file)
    spec = st.child(Listener, server, "scheduler")
    listener = await spec.with_(bound=st.MailboxBound(1, "reject")).start_link()
    await st.sys.suspend(listener)
    st.send(listener, "in the way")
    file.write_text("[scheduler]\ntick = 2\n")

    await ConfigServer.reload(server)

    stats = await ConfigServer.stats(server)
    assert (stats.told, stats.lost) == (0, 1)
    await st.sys.resume(listener)


# -- what a schema cannot know, and what outlives the server ----------------------------------------


def no_three(configuration: Any) -> list[Problem]:
    entry = configuration.entries["scheduler.tick"]
    wrong = entry.value == 3.0
    return [Problem("refused", entry.path, "must not be three.", entry.source)] if wrong else []


async def test_a_check_refuses_what_fits_the_schema_and_nothing_changes(runtime, file):
    server = await started(file, check=no_three)
    file.write_text("[scheduler]\ntick = 3\n")

    with pytest.raises(ConfigurationInvalidError, match=r"scheduler\.tick must not be three"):
        await ConfigServer.reload(server)

    assert tick() == 1.0
    file.write_text("[scheduler]\ntick = 4\n")
    await ConfigServer.reload(server)
    assert tick() == 4.0


async def test_a_check_that_fails_refuses_the_reload_and_ends_nothing(runtime, file):
    def broken(configuration: Any) -> list[Problem]:
        raise KeyError("no such thing")

    configuration = load_configuration(Settings, file=file, environ={})
    server = await ConfigServer.start_link(configuration, check=broken)

    with pytest.raises(ConfigurationInvalidError, match="the check must not fail; got KeyError"):
        await ConfigServer.reload(server)

    assert tick() == 1.0


async def test_what_held_last_outlives_the_server_in_the_table_that_keeps_it(runtime, file):
    await StateOwner.start_link()
    server = await started(file, keep="state")
    before = load_configuration(Settings, file=file, environ={})
    file.write_text("[scheduler]\ntick = 2\n")
    await ConfigServer.reload(server)
    await st.GenServer.stop(server)
    file.write_text("[scheduler]\ntick = 'wrong'\n")

    await ConfigServer.start_link(before, keep="state")

    assert tick() == 2.0


async def test_without_a_table_to_keep_it_a_server_begins_with_what_it_is_given(runtime, file):
    server = await started(file)
    before = load_configuration(Settings, file=file, environ={})
    file.write_text("[scheduler]\ntick = 2\n")
    await ConfigServer.reload(server)
    await st.GenServer.stop(server)
    file.write_text("[scheduler]\ntick = 'wrong'\n")

    await ConfigServer.start_link(before)

    assert tick() == 1.0
