"""`FeatureFlags`: switched by many at once, kept through restarts, read without a message."""

from __future__ import annotations

import asyncio
import copy
from collections.abc import Mapping
from typing import Any

import msgspec
import pytest

import suptree as st
from suptree.services import MemoryStore, StateOwner, load_configuration
from suptree.services.flags import (
    START,
    FeatureFlags,
    Flag,
    FlagChanged,
    FlagError,
    FlagSetting,
    FlagsNotRunningError,
    FlagState,
    FlagValue,
    Migration,
    MigrationMoved,
    Stage,
    StageOrderError,
    UnknownFlagError,
)
from suptree.services.flags.events import (
    FLAG_CHANGED,
    FLAG_EVALUATED,
    MIGRATION_ADVANCED,
    MIGRATION_ROLLED_BACK,
)
from suptree.testing import wait_down, wait_restarted

FLAGS = [
    Flag("new_router", default=False),
    Flag("old_cache", default=True),
    Flag("lanes", default=False),
]
ROUTING = Migration("routing", [Stage("half", {"lanes": 50}), Stage("all", {"lanes": True})])


async def started(**options: Any) -> st.Pid[FeatureFlags]:
    return await FeatureFlags.start_link(FLAGS, migrations=[ROUTING], **options)


def tree(**options: Any) -> list[Any]:
    return [
        st.child(StateOwner).with_(id="state"),
        st.child(FeatureFlags, FLAGS, migrations=[ROUTING], store=MemoryStore(), **options).with_(
            id="flags", name="flags"
        ),
    ]


async def killed_and_restarted(supervisor: Any) -> None:
    first = st.whereis("flags")
    st.exit(first, st.KILL)
    await wait_restarted(supervisor, "flags", first)


# -- reading ---------------------------------------------------------------------------------


async def test_reading_sends_no_message(runtime):
    server = await started()
    await st.sys.suspend(server)

    assert not FeatureFlags.enabled("new_router")
    assert FeatureFlags.enabled("old_cache", "agent-7")
    assert list(FeatureFlags.list_all()) == ["new_router", "old_cache", "lanes"]
    assert FeatureFlags.progress("routing").stage == START
    await st.sys.resume(server)


async def test_an_unknown_flag_is_an_error_with_the_near_name(runtime):
    server = await started()

    with pytest.raises(UnknownFlagError, match="did you mean 'new_router'"):
        FeatureFlags.enabled("new_ruoter")
    with pytest.raises(UnknownFlagError, match="did you mean 'new_router'"):
        FeatureFlags.state("new_ruoter")
    with pytest.raises(UnknownFlagError, match=r"migration .* did you mean 'routing'"):
        FeatureFlags.progress("routin")
    with pytest.raises(UnknownFlagError) as caught:
        await FeatureFlags.enable(server, "new_ruoter")
    assert caught.value.near == "new_router"
    assert server.is_alive()


async def test_without_a_server_reading_raises_unless_there_is_a_fallback(runtime):
    for read in (FeatureFlags.enabled, FeatureFlags.state, FeatureFlags.progress):
        with pytest.raises(FlagsNotRunningError, match="give `enabled` a fallback") as caught:
            read("new_router")
        assert caught.value.table == "feature_flags"
        assert isinstance(caught.value, st.NoTableError)
        assert str(copy.copy(caught.value)) == str(caught.value)
    with pytest.raises(FlagsNotRunningError):
        FeatureFlags.list_all()

    assert FeatureFlags.enabled("new_router", fallback=True)
    assert not FeatureFlags.enabled("new_router", fallback=False)


async def test_two_servers_with_tables_of_their_own_do_not_meet(runtime):
    one, _ = await started(), await started(table="other")

    await FeatureFlags.enable(one, "new_router")

    assert FeatureFlags.enabled("new_router")
    assert not FeatureFlags.enabled("new_router", table="other")


# -- switching ---------------------------------------------------------------------------------


async def test_flags_are_switched_by_hand_by_percentage_and_by_id(runtime):
    server = await started()

    assert (await FeatureFlags.enable(server, "new_router")).percentage == 100
    assert FeatureFlags.enabled("new_router")
    await FeatureFlags.disable(server, "new_router")
    assert not FeatureFlags.enabled("new_router", "agent-7")
    await FeatureFlags.set_percentage(server, "new_router", 25)
    inside = [n for n in range(1000) if FeatureFlags.enabled("new_router", f"agent-{n}")]
    assert 200 < len(inside) < 300
    await FeatureFlags.set(server, "new_router", False)
    await FeatureFlags.allow(server, "new_router", ["agent-7"])
    assert FeatureFlags.enabled("new_router", "agent-7")
    await FeatureFlags.deny(server, "new_router", ["agent-7"])
    assert not FeatureFlags.enabled("new_router", "agent-7")
    await FeatureFlags.unlist(server, "new_router", ["agent-7"])
    assert FeatureFlags.state("new_router").deny == frozenset()


async def test_reset_brings_back_what_is_declared(runtime):
    server = await started(settings={"new_router": 10})
    await FeatureFlags.enable(server, "new_router")
    await FeatureFlags.disable(server, "old_cache")
    await FeatureFlags.advance(server, "routing", "half")

    await FeatureFlags.reset(server, "new_router")
    assert FeatureFlags.state("new_router") == FlagState(
        *("new_router", 10.0, frozenset(), frozenset(), "configured", 0.0)
    )
    await FeatureFlags.reset_all(server)

    assert FeatureFlags.enabled("old_cache")
    assert FeatureFlags.progress("routing").stage == "half"


REFUSED = [
    lambda server: FeatureFlags.set(server, "new_router", 101),
    lambda server: FeatureFlags.set(server, "new_router", "on"),
    lambda server: FeatureFlags.set_percentage(server, "new_router", True),
    lambda server: FeatureFlags.set(server, "lanes", True),
    lambda server: FeatureFlags.allow(server, "new_router", "agent"),
    lambda server: FeatureFlags.allow(server, "new_router", [b"agent"]),
    lambda server: FeatureFlags.load(server, {"new_router": True, "old_cach": False}),
    lambda server: FeatureFlags.load(server, {"new_router": True, "old_cache": 101}),
    lambda server: FeatureFlags.load(server, {"new_router": True, "lanes": 1}),
    lambda server: FeatureFlags.load(server, 5),
    lambda server: FeatureFlags.advance(server, "routing", "all"),
    lambda server: FeatureFlags.rollback(server, "routing"),
    lambda server: FeatureFlags.emergency_rollback(server, " "),
    lambda server: FeatureFlags.emergency_rollback(server, "bad", "routes"),
]


@pytest.mark.parametrize("ask", REFUSED)
async def test_what_is_refused_changes_nothing_and_hurts_only_who_asked(runtime, ask):
    server = await started()
    before = FeatureFlags.list_all()

    with pytest.raises((FlagError, st.BadArgumentError)):
        await ask(server)

    assert FeatureFlags.list_all() == before
    assert (await FeatureFlags.stats(server)).refused == 1


async def test_a_name_that_is_no_text_hurts_only_who_asked(runtime):
    server = await started()

    with pytest.raises(st.BadArgumentError, match="flag must be a text"):
        await FeatureFlags.enable(server, ["new_router"])  # type: ignore[arg-type]
    assert server.is_alive()


async def test_settings_are_loaded_all_at_once(runtime):
    server = await started()

    await FeatureFlags.load(
        server, {"new_router": FlagSetting(5, allow=("a",), deny=("b",)), "old_cache": False}
    )

    assert FeatureFlags.enabled("new_router", "a")
    assert not FeatureFlags.enabled("old_cache", "a")


class Settings(msgspec.Struct, frozen=True):
    flags: dict[str, FlagValue] = {}


async def test_flags_come_from_the_configuration(runtime, tmp_path):
    (tmp_path / "a.toml").write_text(
        "[flags]\nnew_router = 25\nold_cache = false\n[flags.lanes]\nrollout = 0\nallow = ['a']\n"
    )
    configuration = load_configuration(Settings, file=tmp_path / "a.toml", environ={})

    await started(settings=configuration.value.flags)

    assert FeatureFlags.state("new_router").percentage == 25
    assert FeatureFlags.state("old_cache").source == "configured"
    assert FeatureFlags.enabled("lanes", "a")


class Toggler(st.GenServer):
    """Switches a flag many times."""

    def __init__(self, server: Any, number: int) -> None:
        self.server, self.number = server, number

    @st.call
    async def toggle(self, times: int) -> None:
        for turn in range(times):
            await FeatureFlags.set(self.server, "new_router", (turn + self.number) % 101)
            await FeatureFlags.allow(self.server, "new_router", [f"{self.number}-{turn}"])


async def test_toggles_of_many_at_once_are_all_there(runtime):
    server = await started(store=SlowStore(0.001))
    togglers = [await Toggler.start(server, number) for number in range(10)]

    requests = [Toggler.toggle.send_request(toggler, 20) for toggler in togglers]
    for request in requests:
        await request

    assert FeatureFlags.state("new_router").allow == {
        f"{number}-{turn}" for number in range(10) for turn in range(20)
    }


# -- stores --------------------------------------------------------------------------------------


class SlowStore:
    """Keeps everything, and takes its time."""

    def __init__(self, seconds: float, kept: Any = None) -> None:
        self.seconds = seconds
        self.kept: dict[str, object] = {} if kept is None else {"standing": kept}

    async def load(self, space: str) -> Mapping[str, object]:
        return dict(self.kept)

    async def put(self, space: str, key: str, value: object) -> None:
        await asyncio.sleep(self.seconds)
        self.kept[key] = value

    async def delete(self, space: str, key: str) -> None:
        self.kept.pop(key, None)


async def test_what_was_set_survives_a_restart_of_the_server(runtime):
    supervisor = await st.Supervisor.start_link(tree(), strategy="rest_for_one")
    await FeatureFlags.set_percentage("flags", "new_router", 30)
    await FeatureFlags.allow("flags", "new_router", ["a"])
    await FeatureFlags.advance("flags", "routing", "half")
    before = FeatureFlags.list_all(), FeatureFlags.progress("routing")

    await killed_and_restarted(supervisor)

    assert (FeatureFlags.list_all(), FeatureFlags.progress("routing")) == before
    assert (await FeatureFlags.advance("flags", "routing", "all")).stage == "all"


async def test_without_a_store_a_restart_brings_back_declarations_and_settings(runtime):
    children = [
        st.child(FeatureFlags, FLAGS, settings={"old_cache": False}).with_(id="flags", name="flags")
    ]
    supervisor = await st.Supervisor.start_link(children, strategy="one_for_one")
    await FeatureFlags.enable("flags", "new_router")

    await killed_and_restarted(supervisor)

    assert not FeatureFlags.enabled("new_router")
    assert not FeatureFlags.enabled("old_cache")


@pytest.mark.suptree_loop("virtual")
async def test_a_change_holds_only_once_the_store_has_it(runtime):
    server = await started(store=SlowStore(1.0))
    request = FeatureFlags.enable.send_request(server, "new_router")
    await asyncio.sleep(0.5)
    assert not FeatureFlags.enabled("new_router")

    await request

    assert FeatureFlags.enabled("new_router")


async def test_what_changes_nothing_is_not_written_to_the_store(runtime):
    store = SlowStore(0)
    server = await started(store=store)

    await FeatureFlags.reset(server, "new_router")
    await FeatureFlags.reset_all(server)

    assert store.kept == {}


@pytest.mark.suptree_loop("virtual")
async def test_a_store_that_hangs_ends_the_server_and_every_caller_hears_of_it(runtime, caplog):
    server = await FeatureFlags.start(FLAGS, store=SlowStore(1e9), store_timeout=2.0)

    with pytest.raises(st.ServerExitError):
        await FeatureFlags.enable(server, "new_router")
    assert (await wait_down(server)) is not st.NORMAL


@pytest.mark.parametrize("kept", [{"flags": 5}, {"migrations": {"routing": {"stage": "gone"}}}])
async def test_a_store_that_cannot_be_used_lets_nothing_start(runtime, kept):
    with pytest.raises(st.StartError, match="FlagStateError"):
        await FeatureFlags.start(FLAGS, migrations=[ROUTING], store=SlowStore(0, kept))


async def test_what_is_not_declared_any_more_is_counted_and_kept(runtime):
    store = SlowStore(0, {"flags": {"gone": {"percentage": 5.0}}})
    server = await started(store=store)

    await FeatureFlags.enable(server, "new_router")

    assert (await FeatureFlags.stats(server)).undeclared == ("gone",)
    assert "gone" in store.kept["standing"]["flags"]  # type: ignore[index]


# -- migrations ------------------------------------------------------------------------------------


async def test_a_migration_goes_through_its_stages_in_order_and_back(runtime):
    server = await started()
    with pytest.raises(StageOrderError, match="must advance to the next stage, 'half',"):
        await FeatureFlags.advance(server, "routing", "all")

    await FeatureFlags.advance(server, "routing", "half")
    await FeatureFlags.advance(server, "routing", "all")
    assert FeatureFlags.enabled("lanes")
    await FeatureFlags.rollback(server, "routing", "half", "too early")

    assert FeatureFlags.state("lanes").percentage == 50
    last = FeatureFlags.progress("routing").history[-1]
    assert (last.kind, last.old, last.new, last.reason) == ("rollback", "all", "half", "too early")
    assert last.by == str(st.current())


async def test_an_emergency_takes_every_migration_back_to_its_start_with_its_reason(runtime):
    server = await started()
    await FeatureFlags.advance(server, "routing", "half")
    await FeatureFlags.allow(server, "lanes", ["tester"])

    moved = await FeatureFlags.emergency_rollback(server, "the router loses messages")

    assert moved["routing"].history[-1].reason == "the router loses messages"
    assert not FeatureFlags.enabled("lanes", "tester")
    assert await FeatureFlags.emergency_rollback(server, "again") == {}


# -- telling -----------------------------------------------------------------------------------------


async def test_subscribers_hear_of_what_they_asked_for_and_of_nothing_else(runtime):
    server = await started()
    await FeatureFlags.subscribe(server, "new_router")
    await FeatureFlags.subscribe(server, "routing")

    await FeatureFlags.disable(server, "old_cache")
    await FeatureFlags.enable(server, "new_router")
    await FeatureFlags.enable(server, "new_router")  # as before: nobody hears of it
    await FeatureFlags.advance(server, "routing", "half")

    changed = await st.receive(FlagChanged)
    moved = await st.receive(MigrationMoved)
    assert (changed.flag, changed.old.percentage, changed.new.percentage) == ("new_router", 0, 100)
    assert (moved.migration, moved.move.new) == ("routing", "half")
    assert (await FeatureFlags.stats(server)).told == 2


async def test_a_subscriber_to_everything_hears_each_change_once(runtime):
    server = await started()
    await FeatureFlags.subscribe(server)
    await FeatureFlags.subscribe(server, "new_router")

    await FeatureFlags.enable(server, "new_router")

    assert (await FeatureFlags.stats(server)).told == 1
    await FeatureFlags.unsubscribe(server)
    await FeatureFlags.unsubscribe(server, "new_router")
    await FeatureFlags.disable(server, "new_router")
    assert (await FeatureFlags.stats(server)).told == 1


class Listener(st.GenServer):
    """Subscribes to everything."""

    def __init__(self, server: Any) -> None:
        self.server = server

    async def init(self) -> None:
        await FeatureFlags.subscribe(self.server)


async def test_a_subscription_ends_with_its_process(runtime):
    server = await started()
    listener = await Listener.start(server)
    assert (await FeatureFlags.stats(server)).subscribers == 1

    await Listener.stop(listener)
    await FeatureFlags.enable(server, "new_router")

    stats = await FeatureFlags.stats(server)
    assert (stats.subscribers, stats.told) == (0, 0)


async def test_an_unknown_name_cannot_be_subscribed_to(runtime):
    with pytest.raises(UnknownFlagError):
        await FeatureFlags.subscribe(await started(), "new_ruoter")


async def test_every_change_is_told_as_telemetry(runtime):
    server = await started()
    seen: list[Any] = []
    runtime.telemetry.attach("all", "suptree.flags.*", lambda *told: seen.append(told))

    FeatureFlags.enabled("new_router", "agent-7")
    await FeatureFlags.advance(server, "routing", "half")
    await FeatureFlags.emergency_rollback(server, "bad")

    assert [event for event, _, _ in seen] == [
        FLAG_EVALUATED,
        FLAG_CHANGED,
        MIGRATION_ADVANCED,
        FLAG_CHANGED,
        MIGRATION_ROLLED_BACK,
    ]
    assert seen[0][2] == {"flag": "new_router", "agent": "agent-7", "on": False}
    assert seen[4][1] == {"stage_count": 0}
    assert (seen[4][2]["kind"], seen[4][2]["reason"]) == ("emergency", "bad")


# -- the gaps of the original ------------------------------------------------------------------------


async def test_a_replacement_that_is_off_is_seen_to_be_off_and_which_path_runs_is_told(runtime):
    """Gap: replacements stood behind flags that default to off, so the legacy path ran unseen."""
    server = await started()
    paths: list[Any] = []
    runtime.telemetry.attach(
        "paths", FLAG_EVALUATED, lambda _, __, facts: paths.append(facts["on"])
    )

    FeatureFlags.enabled("new_router", "agent-7")
    stats = await FeatureFlags.stats(server)
    await FeatureFlags.set_percentage(server, "new_router", 50)
    later = await FeatureFlags.stats(server)

    assert paths == [False]
    assert stats.off == ("new_router", "lanes")
    assert (later.off, later.undecided) == (("lanes",), ("new_router",))


async def test_flags_have_ids_and_stages_beside_booleans_and_percentages_and_are_kept(runtime):
    """Gap: only boolean and percentage; no persistence of the state of flags."""
    store = SlowStore(0)
    server = await started(store=store)
    await FeatureFlags.allow(server, "new_router", ["agent-7"])
    await FeatureFlags.advance(server, "routing", "half")
    await FeatureFlags.stop(server)

    await started(store=store)

    assert FeatureFlags.enabled("new_router", "agent-7")
    assert FeatureFlags.progress("routing").stage == "half"
