"""S110 to S127: what a supervisor does when a child ends, and when a restart fails."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

import suptree as st
from suptree.testing import turn, wait_down, wait_until
from tests.otp.probes import (
    Worker,
    crash,
    die,
    ids_up,
    kill,
    paused,
    settled,
    start,
    states,
    worker,
)

MANY = 1000


async def trio(
    log: list[str], strategy: str, scripts: dict[str, list[str]] | None = None, **changes: Any
) -> st.Pid[Any]:
    """Workers a, b and c; *changes* are of b."""
    scripts = scripts or {}
    sup = await start(
        [
            worker(id, log, scripts.get(id), **(changes if id == "b" else {}))
            for id in ("a", "b", "c")
        ],
        strategy=strategy,
        max_restarts=MANY,
    )
    log.clear()
    return sup


# -- who comes back ---------------------------------------------------------------------------


@pytest.mark.otp("S110", "S111", "S256")
@pytest.mark.parametrize(
    ("restart", "reason", "then"),
    [
        ("permanent", st.NORMAL, "up"),
        ("permanent", "boom", "up"),
        ("transient", st.NORMAL, "down"),
        ("transient", st.SHUTDOWN, "down"),
        ("transient", st.Shutdown("why"), "down"),
        ("transient", "boom", "up"),
        ("temporary", st.NORMAL, None),
        ("temporary", "boom", None),
    ],
)
async def test_restart_type_and_reason_decide_whether_a_child_comes_back(
    runtime, restart, reason, then
):
    sup = await trio([], "one_for_one", restart=restart)

    await die("b", sup, reason)

    assert (await states(sup)).get("b") == then


@pytest.mark.otp("S110", "S256")
async def test_a_killed_transient_child_comes_back(runtime):
    sup = await trio([], "one_for_one", restart="transient")
    before = st.whereis("b")

    await kill("b")
    await settled(sup)

    assert st.whereis("b") not in (None, before)


@pytest.mark.otp("S111")
async def test_a_transient_child_that_ended_normally_can_be_started_again(runtime):
    sup = await trio([], "one_for_one", restart="transient")
    await die("b", sup, st.NORMAL)

    pid = await st.Supervisor.restart_child(sup, "b")

    assert st.whereis("b") == pid


@pytest.mark.otp("S256")
async def test_the_reason_that_terminate_exits_with_is_the_one_that_counts(runtime):
    sup = await trio([], "one_for_one", restart="transient")
    await Worker.say_goodbye_by("b", "changed")

    await die("b", sup, st.NORMAL)

    assert (await states(sup))["b"] == "up"


@pytest.mark.otp("S112")
async def test_the_exit_of_a_stranger_and_other_messages_are_ignored(runtime, caplog):
    log: list[str] = []
    sup = await trio(log, "one_for_all")

    stranger = runtime.spawn(lambda: st.exit(sup, "boom"))
    await wait_down(stranger)
    st.send(sup, "hello")
    st.GenServer.cast(sup, "hello")
    await settled(sup)

    assert log == []
    assert await ids_up(sup) == ["a", "b", "c"]
    assert "hello" in caplog.text


@pytest.mark.otp("S112", "S133")
@pytest.mark.parametrize("reason", [st.NORMAL, st.SHUTDOWN, "boom"])
async def test_the_exit_of_the_parent_ends_it_whatever_the_reason(runtime, reason):
    log: list[str] = []
    sup = await st.Supervisor.start_link([worker("a", log), worker("b", log)])

    st.exit(sup, reason)  # the test is its parent

    assert await wait_down(sup) == reason
    assert log == ["+a", "+b", "-b", "-a"]


# -- with whom ---------------------------------------------------------------------------------


@pytest.mark.otp("S113")
async def test_one_for_one_starts_only_the_child_in_its_old_place(runtime):
    log: list[str] = []
    sup = await trio(log, "one_for_one")

    await crash("b", sup)

    assert log == ["-b", "+b"]
    assert await ids_up(sup) == ["a", "b", "c"]


@pytest.mark.otp("S114")
async def test_one_for_all_stops_the_others_in_reverse_and_starts_all_in_order(runtime):
    log: list[str] = []
    sup = await trio(log, "one_for_all")

    await crash("b", sup)

    assert log == ["-b", "-c", "-a", "+a", "+b", "+c"]


@pytest.mark.otp("S115")
async def test_rest_for_one_takes_those_started_after_it(runtime):
    log: list[str] = []
    sup = await trio(log, "rest_for_one")

    await crash("b", sup)

    assert log == ["-b", "-c", "+b", "+c"]


@pytest.mark.otp("S116", "S250")
async def test_a_group_restart_starts_those_that_were_down_too(runtime):
    log: list[str] = []
    sup = await trio(log, "one_for_all", {"a": ["ignore"]}, restart="transient")
    await die("b", sup, st.NORMAL)  # done
    assert await states(sup) == {"a": "down", "b": "down", "c": "up"}
    log.clear()

    await crash("c", sup)

    assert log == ["-c", "+a", "+b", "+c"]


@pytest.mark.otp("S116")
async def test_a_group_restart_starts_those_that_were_terminated_by_request(runtime):
    log: list[str] = []
    sup = await trio(log, "rest_for_one")
    await st.Supervisor.terminate_child(sup, "c")
    log.clear()

    await crash("b", sup)

    assert log == ["-b", "+b", "+c"]


@pytest.mark.otp("S117", "S251")
async def test_temporary_children_of_a_restarted_group_are_stopped_and_forgotten(runtime):
    log: list[str] = []
    sup = await trio(log, "one_for_all", restart="temporary")

    await crash("c", sup)

    assert log == ["-c", "-b", "-a", "+a", "+c"]
    assert await states(sup) == {"a": "up", "c": "up"}


@pytest.mark.otp("S117", "S251")
async def test_the_end_of_a_temporary_child_touches_nobody(runtime):
    log: list[str] = []
    sup = await trio(log, "one_for_all", restart="temporary")

    await crash("b", sup)

    assert log == ["-b"]
    assert await states(sup) == {"a": "up", "c": "up"}


@pytest.mark.otp("S118")
async def test_a_group_restart_is_one_restart(runtime):
    log: list[str] = []
    sup = await start(
        [worker(id, log) for id in "abc"], strategy="one_for_all", max_restarts=2, max_seconds=3600
    )

    await crash("a", sup)
    await crash("b", sup)
    assert st.is_alive(sup)
    await crash("c", sup)

    assert not st.is_alive(sup)


@pytest.mark.otp("S118")
async def test_siblings_that_are_stopped_are_not_judged_by_their_reason(runtime):
    log: list[str] = []
    sup = await trio(log, "one_for_all", restart="transient")
    await Worker.say_goodbye_by("b", st.NORMAL)

    await crash("a", sup)

    assert await states(sup) == {"a": "up", "b": "up", "c": "up"}


@pytest.mark.otp("S119", "S255")
async def test_siblings_that_died_before_the_group_was_stopped_count_once(runtime):
    log: list[str] = []
    sup = await start(
        [worker(id, log) for id in "abc"], strategy="one_for_all", max_restarts=1, max_seconds=3600
    )
    log.clear()

    async with paused(sup):
        for id in "abc":
            await kill(id)
    await settled(sup)

    assert log == ["+a", "+b", "+c"]
    assert st.is_alive(sup)


# -- failed restarts -----------------------------------------------------------------------------


@pytest.mark.otp("S124")
async def test_a_failed_restart_is_tried_again_until_it_succeeds(runtime):
    log: list[str] = []
    sup = await trio(log, "one_for_one", {"b": ["ok", "error", "raise", "ok"]})

    await crash("b", sup)
    await wait_until(lambda: st.whereis("b"))

    assert log == ["-b", "error b", "raise b", "+b"]


@pytest.mark.otp("S124", "S120")
async def test_each_try_counts_until_the_supervisor_gives_up(runtime):
    log: list[str] = []
    sup = await start([worker("a", log, ["ok", *["error"] * 9])], max_restarts=3)

    await kill("a")

    assert await wait_down(sup) == st.SHUTDOWN
    assert log == ["+a", "error a", "error a", "error a"]


@pytest.mark.otp("S124", "S250", "S255")
async def test_the_next_try_waits_behind_what_is_in_the_mailbox(runtime):
    log: list[str] = []
    sup = await trio(log, "one_for_one", {"b": ["ok", "error", "ok"]})

    async with paused(sup):
        await kill("b")
        asking = asyncio.ensure_future(states(sup))
        await turn()
    seen = await asking
    await settled(sup)

    assert seen == {"a": "up", "b": "restarting", "c": "up"}
    assert log == ["error b", "+b"]


@pytest.mark.otp("S124")
async def test_a_request_to_stop_gets_in_between_two_tries(runtime):
    log: list[str] = []
    sup = await start([worker("a", log, ["ok", *["error"] * 10**6])], max_restarts=10**9)

    await kill("a")
    await st.Supervisor.stop(sup)

    assert len(log) < 1000


@pytest.mark.otp("S124")
async def test_other_processes_run_between_two_tries(runtime):
    log: list[str] = []
    sup = await start(
        [worker("a", log, ["ok", *["error"] * 10**6]), worker("b", log)], max_restarts=10**9
    )

    await kill("a")
    await Worker.say_goodbye_by("b", st.NORMAL)  # answered
    await asyncio.sleep(0)  # and the event loop has its turn

    assert len(log) < 1000
    await st.Supervisor.stop(sup)


@pytest.mark.otp("S125", "S250")
async def test_a_failed_group_restart_leaves_those_before_up_and_those_after_down(runtime):
    log: list[str] = []
    sup = await trio(log, "one_for_all", {"b": ["ok", "error", "ok"]})

    async with paused(sup):
        await kill("c")
        asking = asyncio.ensure_future(states(sup))
        await turn()
    seen = await asking
    await settled(sup)

    assert seen == {"a": "up", "b": "restarting", "c": "down"}
    # once more with b as the culprit: a is stopped again
    assert log == ["-b", "-a", "+a", "error b", "-a", "+a", "+b", "+c"]


@pytest.mark.otp("S125")
async def test_rest_for_one_goes_on_from_the_child_that_failed(runtime):
    log: list[str] = []
    sup = await trio(log, "rest_for_one", {"c": ["ok", "error", "ok"]})

    await kill("b")
    await settled(sup)
    await settled(sup)

    assert log == ["-c", "+b", "error c", "+c"]


@pytest.mark.otp("S126")
async def test_a_restart_that_init_ignores_is_a_success_without_a_process(runtime):
    log: list[str] = []
    sup = await trio(log, "one_for_all", {"b": ["ok", "ignore"]})

    await crash("c", sup)

    assert log == ["-c", "-b", "-a", "+a", "ignore b", "+c"]
    assert await states(sup) == {"a": "up", "b": "down", "c": "up"}


@pytest.mark.otp("S127")
@pytest.mark.parametrize("meanwhile", ["terminate", "delete", "restart"])
async def test_a_try_that_is_not_wanted_any_more_does_nothing_and_does_not_count(
    runtime, meanwhile
):
    log: list[str] = []
    # two restarts are allowed: the first try, and one more at the end
    sup = await start([worker("a", log, ["ok", "error"])], max_restarts=2, max_seconds=3600)
    log.clear()

    async def cancel() -> None:
        await st.Supervisor.terminate_child(sup, "a")
        if meanwhile == "delete":
            await st.Supervisor.delete_child(sup, "a")
            await st.Supervisor.start_child(sup, worker("a", log))
        elif meanwhile == "restart":
            await st.Supervisor.restart_child(sup, "a")

    async with paused(sup):
        await kill("a")
        cancelling = asyncio.ensure_future(cancel())
        await turn()
    await cancelling
    await settled(sup)
    tries = [word for word in log if word == "error a"]
    if meanwhile == "terminate":
        assert await states(sup) == {"a": "down"}
        await st.Supervisor.restart_child(sup, "a")
    await crash("a", sup)

    assert st.is_alive(sup)
    assert (await states(sup)) == {"a": "up"}
    assert tries == ["error a"]


# -- a back-off -----------------------------------------------------------------------------------


def backed_off(**changes: Any) -> st.Backoff:
    return st.Backoff(**{"first": 1.0, "limit": 4.0, "jitter": 0.0, **changes})


@pytest.mark.suptree_loop("virtual")
async def test_a_backed_off_child_waits_longer_after_each_restart_in_a_row(runtime):
    log: list[str] = []
    loop = asyncio.get_running_loop()
    sup = await trio(log, "one_for_one", {"b": ["ok", *["error"] * 4]}, backoff=backed_off())

    began = loop.time()
    await crash("b", sup)
    assert (await states(sup))["b"] == "restarting"
    await wait_until(lambda: st.whereis("b"), timeout=100)

    assert loop.time() - began == pytest.approx(1 + 2 + 4 + 4 + 4)


@pytest.mark.suptree_loop("virtual")
async def test_a_child_that_lived_long_enough_begins_at_the_first_wait_again(runtime):
    loop = asyncio.get_running_loop()
    sup = await trio([], "one_for_one", backoff=backed_off(reset_after=60.0))
    waits = []
    for lived in (0.0, 10.0, 61.0):
        await asyncio.sleep(lived)
        began = loop.time()
        await crash("b", sup)
        await wait_until(lambda: st.whereis("b"), timeout=100)
        waits.append(round(loop.time() - began, 3))

    assert waits == [1.0, 2.0, 1.0]


@pytest.mark.suptree_loop("virtual")
async def test_jitter_shortens_a_wait_and_is_reproducible_under_a_seed(runtime_options):
    async def waits() -> list[float]:
        async with st.Runtime(**{**runtime_options, "seed": 7}):
            loop = asyncio.get_running_loop()
            sup = await start(
                [worker("a", [], backoff=backed_off(limit=1.0, jitter=0.5))], max_restarts=MANY
            )
            found = []
            for _ in range(5):
                began = loop.time()
                await crash("a", sup)
                await wait_until(lambda: st.whereis("a"), timeout=100)
                found.append(round(loop.time() - began, 9))
            return found

    first = await waits()

    assert all(0.5 <= wait <= 1.0 for wait in first)
    assert len(set(first)) == 5
    assert await waits() == first


@pytest.mark.suptree_loop("virtual")
async def test_a_backed_off_group_is_down_while_its_culprit_waits(runtime):
    log: list[str] = []
    sup = await trio(log, "rest_for_one", backoff=backed_off())

    await crash("b", sup)
    assert await states(sup) == {"a": "up", "b": "restarting", "c": "down"}
    await wait_until(lambda: st.whereis("c"), timeout=100)

    assert log == ["-b", "-c", "+b", "+c"]


@pytest.mark.suptree_loop("virtual")
async def test_a_request_cancels_a_backed_off_restart(runtime):
    log: list[str] = []
    sup = await trio(log, "one_for_one", backoff=backed_off())
    await crash("b", sup)

    await st.Supervisor.terminate_child(sup, "b")
    await asyncio.sleep(100)

    assert log == ["-b"]
    assert (await states(sup))["b"] == "down"


async def test_a_stopped_supervisor_leaves_no_timer_of_a_back_off_behind(runtime):
    sup = await trio([], "one_for_one", backoff=backed_off())
    await crash("b", sup)

    await st.Supervisor.stop(sup)

    assert runtime.ticker.timers.live == 0


# -- the end of the runtime ------------------------------------------------------------------------


async def test_nothing_comes_back_into_a_closing_runtime(runtime_options):
    log: list[str] = []
    async with st.Runtime(**runtime_options) as rt:
        sup = await st.Supervisor.start_link([worker("a", log), worker("b", log)])

        async def late() -> None:  # a hook of the closing: both die by themselves
            await kill("a")
            await kill("b")
            await settled(sup)
            log.append("late")

        rt.close_hooks.append(late)

    assert log == ["+a", "+b", "late"]


@pytest.mark.suptree_loop("virtual")
async def test_a_backed_off_restart_does_not_happen_in_a_closing_runtime(runtime_options):
    log: list[str] = []
    async with st.Runtime(**runtime_options) as rt:
        sup = await st.Supervisor.start_link([worker("a", log, backoff=backed_off())])
        await crash("a", sup)

        async def late() -> None:
            await asyncio.sleep(10)

        rt.close_hooks.append(late)

    assert log == ["+a", "-a"]


# -- what is told ------------------------------------------------------------------------------------


def actions(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [r.crash_report.action for r in caplog.records if hasattr(r, "crash_report")]  # type: ignore[attr-defined]


async def test_a_crash_report_says_what_was_done_about_it(runtime, caplog):
    sup = await trio([], "one_for_one", {"b": ["ok", "raise"]})

    await crash("b", sup)
    await settled(sup)

    assert actions(caplog) == [
        "restarted (1 of 1000 in 5 s)",
        "its restart failed: to be tried again",
    ]


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"restart": "temporary"}, "not restarted: it is temporary"),
        ({"backoff": st.Backoff(first=2.0, jitter=0.0)}, "to be restarted in 2 s"),
    ],
)
async def test_a_crash_report_says_why_a_child_is_not_restarted_now(runtime, caplog, changes, told):
    sup = await trio([], "one_for_one", **changes)

    await crash("b", sup)

    assert actions(caplog) == [told]


async def test_the_last_crash_report_says_that_the_supervisor_gives_up(runtime, caplog):
    sup = await start([worker("a", [])], max_restarts=0)

    await crash("a", sup)

    assert actions(caplog) == [
        "not restarted: more than 0 restarts in 5 s, so its supervisor gives up"
    ]
    assert "gives up" in caplog.records[-1].getMessage()


@pytest.mark.parametrize(
    ("request_", "told"),
    [
        (lambda sup: st.Supervisor.restart_child(sup, "b"), "restart_child failed, it stays down"),
        (
            lambda sup: st.Supervisor.start_child(sup, worker("d", [], ["raise"])),
            "start_child failed, its spec is not kept",
        ),
    ],
)
async def test_the_crash_of_a_start_by_request_is_reported(runtime, caplog, request_, told):
    sup = await trio([], "one_for_one", {"b": ["ok", "raise"]})
    await st.Supervisor.terminate_child(sup, "b")

    with pytest.raises(st.StartError):
        await request_(sup)

    assert actions(caplog) == [told]


async def test_restarts_and_giving_up_are_telemetry(runtime):
    seen: list[tuple[str, Any, Any]] = []
    for name in ("suptree.supervisor.child.restarted", "suptree.supervisor.gave_up"):
        runtime.telemetry.attach(
            name,
            name,
            lambda event, numbers, facts: seen.append((event.name, dict(numbers), facts["id"])),
        )
    sup = await start([worker("a", [])], max_restarts=1, max_seconds=9.0)

    await kill("a")
    await settled(sup)
    await kill("a")
    await wait_down(sup)

    assert seen == [
        ("suptree.supervisor.child.restarted", {"restarts_count": 1}, "a"),
        (
            "suptree.supervisor.gave_up",
            {"restarts_count": 2, "max_restarts_count": 1, "max_seconds_s": 9.0},
            "a",
        ),
    ]
