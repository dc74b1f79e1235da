"""`MigrationControl`: a stage that does badly is given up by itself."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

import suptree as st
from suptree.services import MemoryStore, StateOwner
from suptree.services.flags import (
    START,
    FeatureFlags,
    Flag,
    Migration,
    MigrationControl,
    MigrationGuard,
    MigrationMoved,
    Stage,
    UnknownFlagError,
)
from suptree.services.flags.events import GUARD_TRIPPED
from suptree.testing import wait_mailbox_empty, wait_restarted, wait_until

FLAGS = [Flag("lanes", default=False)]
STAGES = ["few", "half", "all"]
ROUTING = Migration(
    "routing",
    [Stage("few", {"lanes": 1}), Stage("half", {"lanes": 50}), Stage("all", {"lanes": True})],
)


async def started(
    guard: MigrationGuard | None = None, *, stages: int = 2, **options: Any
) -> st.Pid[Any]:
    children = [
        st.child(StateOwner).with_(id="state"),
        st.child(FeatureFlags, FLAGS, migrations=[ROUTING], store=MemoryStore()).with_(
            id="flags", name="flags"
        ),
        st.child(
            MigrationControl, "flags", {"routing": guard or MigrationGuard()}, **options
        ).with_(id="control", name="control"),
    ]
    supervisor = await st.Supervisor.start_link(children, strategy="one_for_one")
    for stage in STAGES[:stages]:
        await FeatureFlags.advance("flags", "routing", stage)
    return supervisor


def report(ok: int, bad: int, took: float | None = None) -> None:
    for good in [True] * ok + [False] * bad:
        MigrationControl.report("control", "routing", ok=good, duration_s=took)


async def settled() -> str:
    await wait_mailbox_empty("control")
    await wait_mailbox_empty("flags")
    return FeatureFlags.progress("routing").stage


async def test_too_many_errors_take_a_migration_back_by_one_stage_and_say_why(runtime):
    await started()

    report(94, 6)

    assert await settled() == "few"
    move = FeatureFlags.progress("routing").history[-1]
    assert (move.kind, move.by, move.old) == ("automatic", "guard", "half")
    assert "calls failed in 60 s; at most 5 % may" in move.reason
    assert FeatureFlags.state("lanes").percentage == 1


async def test_as_many_errors_as_are_allowed_change_nothing(runtime):
    await started()

    report(95, 5)

    assert await settled() == "half"


async def test_the_stage_before_has_a_window_of_its_own(runtime):
    await started()
    report(0, 20)
    assert await settled() == "few"

    report(0, 19)
    assert await settled() == "few"
    report(0, 1)
    assert await settled() == START

    report(0, 100)  # at the start there is nothing to give up
    assert await settled() == START
    assert (await MigrationControl.stats("control")).tripped == 2


async def moved() -> str:
    return (await st.receive(MigrationMoved, timeout=10.0)).move.kind


async def test_a_stage_that_is_tried_again_is_given_up_again_at_once(runtime):
    await started(look_every=1e6)  # so that nothing but reports shows that it was left
    await FeatureFlags.subscribe("flags", "routing")
    report(0, 20)
    assert await moved() == "automatic"
    await FeatureFlags.advance("flags", "routing", "half")
    assert await moved() == "advanced"

    report(0, 20)

    assert await moved() == "automatic"
    assert (await MigrationControl.stats("control")).tripped == 2


async def test_too_many_restarts_take_a_migration_back(runtime):
    await started()
    MigrationControl.restarted("control", "routing", 10)
    assert await settled() == "half"

    MigrationControl.restarted("control", "routing")

    assert await settled() == "few"


async def test_a_response_time_that_doubled_takes_a_migration_back(runtime):
    await started(stages=1)
    report(30, 0, took=0.1)
    await settled()
    await FeatureFlags.advance("flags", "routing", "half")
    report(30, 0, took=0.15)
    assert await settled() == "half"

    report(60, 0, took=0.25)

    assert await settled() == "few"


async def test_a_stage_that_failed_is_no_baseline_for_its_next_attempt(runtime):
    await started(stages=1)
    report(30, 0, took=0.1)
    await settled()
    await FeatureFlags.advance("flags", "routing", "half")
    report(0, 30, took=9.0)
    await settled()
    await FeatureFlags.advance("flags", "routing", "half")

    known = (await MigrationControl.readiness("control", "routing")).report

    assert known.baseline_s == pytest.approx(0.1, rel=0.02)


@pytest.mark.suptree_loop("virtual")
async def test_a_guard_that_trips_is_told_once(runtime):
    seen: list[Any] = []
    runtime.telemetry.attach("guard", GUARD_TRIPPED, lambda *told: seen.append(told))
    await started()
    await st.sys.suspend("flags")

    report(0, 50)
    await wait_mailbox_empty("control")
    await asyncio.sleep(10)
    await st.sys.resume("flags")

    assert await settled() == "few"
    assert len(seen) == 1
    assert seen[0][1]["failures_count"] == 20
    assert seen[0][2]["stage"] == "half"


async def test_a_request_that_is_lost_while_the_flags_are_down_is_made_again(runtime):
    supervisor = await started()
    first = st.whereis("flags")
    await st.sys.suspend("flags")
    report(0, 20)
    await wait_mailbox_empty("control")

    st.exit(first, st.KILL)  # with the request in its mailbox
    await wait_restarted(supervisor, "flags", first)

    assert FeatureFlags.progress("routing").stage == "half"
    await wait_until(lambda: FeatureFlags.progress("routing").stage == "few")


async def test_a_request_that_a_full_mailbox_rejects_is_made_again(runtime):
    flags = st.child(FeatureFlags, FLAGS, migrations=[ROUTING])
    await flags.with_(name="flags", bound=st.MailboxBound(1, "reject")).start_link()
    await (
        st.child(MigrationControl, "flags", {"routing": MigrationGuard()})
        .with_(name="control")
        .start_link()
    )
    await FeatureFlags.advance("flags", "routing", "few")
    await st.sys.suspend("flags")
    st.send("flags", "in the way")

    report(0, 20)
    await wait_mailbox_empty("control")
    await st.sys.resume("flags")

    await wait_until(lambda: FeatureFlags.progress("routing").stage == START)


async def test_a_request_for_a_stage_that_was_left_meanwhile_changes_nothing(runtime):
    await started()

    seen = FeatureFlags.progress("routing")
    await FeatureFlags.rollback("flags", "routing", "few")
    start = await FeatureFlags.advance("flags", "routing", "half")

    FeatureFlags.give_up("flags", "routing", seen, "late")  # half again, but another time
    FeatureFlags.give_up("flags", "no such", start, "late")

    assert await settled() == "half"


async def test_subscribers_hear_of_an_automatic_rollback(runtime):
    await started()
    await FeatureFlags.subscribe("flags", "routing")

    report(0, 20)

    assert (await st.receive(MigrationMoved)).move.kind == "automatic"


@pytest.mark.suptree_loop("virtual")
async def test_errors_of_long_ago_do_not_add_up(runtime):
    await started()
    for _ in range(10):
        report(0, 10)
        await asyncio.sleep(120)

    assert await settled() == "half"


@pytest.mark.suptree_loop("virtual")
async def test_readiness_says_whether_the_next_stage_may_come_and_what_is_missing(runtime):
    await started(MigrationGuard(bake_s=30.0, min_calls=10), stages=1)
    report(5, 0)
    early = await MigrationControl.readiness("control", "routing")
    await asyncio.sleep(30)
    report(5, 0)

    late = await MigrationControl.readiness("control", "routing")

    assert not early.ready
    assert len(early.missing) == 2
    assert (late.ready, late.missing) == (True, ())
    assert (late.report.stage, late.report.calls) == ("few", 10)


async def test_a_migration_without_a_guard_has_no_readiness_and_its_reports_are_counted(runtime):
    await started()
    MigrationControl.report("control", "routin", ok=False)

    with pytest.raises(UnknownFlagError, match="did you mean 'routing'"):
        await MigrationControl.readiness("control", "routin")
    stats = await MigrationControl.stats("control")
    assert (stats.reports, stats.unknown) == (1, 1)


@pytest.mark.parametrize("took", [-1.0, float("nan"), "long"])
async def test_a_report_with_no_time_is_refused_where_it_is_made(runtime, took):
    await started()

    with pytest.raises(ValueError, match="duration_s must be"):
        MigrationControl.report("control", "routing", ok=True, duration_s=took)
    with pytest.raises(ValueError, match="count must be"):
        MigrationControl.restarted("control", "routing", 0)


async def test_a_control_that_is_started_again_watches_on(runtime):
    supervisor = await started()
    first = st.whereis("control")
    st.exit(first, st.KILL)
    await wait_restarted(supervisor, "control", first)

    report(0, 20)

    assert await settled() == "few"


async def test_a_guard_must_be_one(runtime):
    with pytest.raises(st.StartError, match="must be a MigrationGuard"):
        await MigrationControl.start("flags", {"routing": 0.05})  # type: ignore[dict-item]
