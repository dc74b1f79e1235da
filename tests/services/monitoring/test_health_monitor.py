"""The health of the system: looks side by side, bounded memory, and a verdict with reasons."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

import suptree as st
from suptree.services import (
    Finding,
    Health,
    HealthCheck,
    HealthMonitor,
    StateOwner,
    TooManyChecksError,
    UnknownCheckError,
    WatchError,
)
from suptree.services.monitoring.events import (
    AGENT_DIED,
    AGENT_HEALTH_CHANGED,
    CHECK_ABANDONED,
    CHECK_FINISHED,
    CHECK_SUSPENDED,
    VERDICT_CHANGED,
)
from suptree.testing import turn, wait_down
from tests.services.monitoring.helpers import Agent, FakeCheck, record

pytestmark = pytest.mark.suptree_loop("virtual")  # hours pass

M = HealthMonitor
HEALTHY, DEGRADED, UNHEALTHY = Health.HEALTHY, Health.DEGRADED, Health.UNHEALTHY


async def monitor(*checks: HealthCheck, **options: Any) -> st.Pid[HealthMonitor]:
    return await M.start(checks, **{"jitter": 0.0, **options})


def hanging(deaf: bool = False) -> FakeCheck:
    check = FakeCheck()
    check.hangs, check.deaf = True, deaf
    return check


async def health_of(pid: Any, name: str) -> Health:
    return (await M.get_health_status(pid, name)).health


# -- looking ---------------------------------------------------------------------------------


async def test_each_check_runs_on_a_grid_of_its_own(runtime):
    fast, slow = FakeCheck(), FakeCheck()
    await monitor(
        HealthCheck("fast", fast, interval=10.0), HealthCheck("slow", slow, interval=30.0)
    )
    await asyncio.sleep(95.0)

    assert (fast.calls, slow.calls) == (10, 4)


async def test_first_looks_are_spread_so_that_they_do_not_stampede(runtime):
    at: list[float] = []
    checks = [HealthCheck(f"c{n}", lambda: at.append(runtime.now())) for n in range(100)]
    await monitor(*checks, jitter=0.5)
    await asyncio.sleep(15.1)

    assert len(at) == 100
    assert at == sorted(at)
    assert len(set(at)) > 90
    assert at[-1] - at[0] > 10.0


@pytest.mark.parametrize(
    ("says", "health"),
    [(None, HEALTHY), (False, UNHEALTHY), (DEGRADED, DEGRADED), (OSError("x"), UNHEALTHY)],
)
async def test_what_a_check_says_or_raises_is_its_health(runtime, says, health):
    pid = await monitor(HealthCheck("c", FakeCheck(says)))

    assert (await M.force_health_check(pid, "c")).health is health


async def test_twelve_hung_checks_delay_nobody_else(runtime):
    quick = FakeCheck()
    await monitor(
        *(HealthCheck(f"hung{n}", hanging(), interval=10.0) for n in range(12)),
        HealthCheck("quick", quick, interval=10.0),
    )
    await asyncio.sleep(1.0)
    assert quick.calls == 1

    await asyncio.sleep(100.0)

    assert quick.calls == 11


async def test_with_few_places_those_that_hung_leave_half_of_them_to_the_others(runtime):
    at: list[float] = []
    hung = [hanging() for _ in range(12)]
    pid = await monitor(
        *(
            HealthCheck(f"hung{n}", check, interval=10.0, timeout=5.0)
            for n, check in enumerate(hung)
        ),
        HealthCheck("quick", lambda: at.append(runtime.now()), interval=10.0),
        max_concurrency=4,
    )
    await asyncio.sleep(40.0)  # each of them has hung once
    del at[:]
    before = runtime.now()
    await asyncio.sleep(100.0)

    assert len(at) == 10
    late = [round((one - before) % 10.0, 3) for one in at]
    assert set(late) <= {0.0, 10.0}
    assert all(check.most_at_once == 1 for check in hung)
    assert (await M.stats(pid)).running <= 4


async def test_the_bound_on_looks_at_a_time_is_kept(runtime):
    checks = [hanging() for _ in range(10)]
    pid = await monitor(
        *(HealthCheck(f"c{n}", check, timeout=2.0) for n, check in enumerate(checks)),
        max_concurrency=3,
    )
    await asyncio.sleep(1.0)

    assert sum(check.at_once for check in checks) == 3
    stats = await M.stats(pid)
    assert (stats.running, stats.waiting) == (3, 7)
    await asyncio.sleep(25.0)
    stats = await M.stats(pid)
    assert (stats.running, stats.waiting, stats.timeouts) == (0, 0, 10)


async def test_the_monitor_answers_while_checks_hang(runtime):
    pid = await monitor(HealthCheck("c", hanging()))
    await turn(1)
    before = runtime.now()

    assert await health_of(pid, "c") is Health.UNKNOWN
    assert runtime.now() == before


async def test_a_check_that_swallows_its_cancellation_is_abandoned_and_never_doubled(runtime):
    seen = record(runtime, CHECK_ABANDONED)
    check, other = hanging(deaf=True), FakeCheck()
    pid = await monitor(
        HealthCheck("deaf", check, interval=10.0, timeout=2.0),
        HealthCheck("other", other, interval=10.0),
        max_concurrency=1,
    )
    await asyncio.sleep(45.0)

    assert check.most_at_once == 1
    assert other.calls == 5  # its place is free again
    found = await M.get_health_status(pid, "deaf")
    assert (found.health, found.stuck) == (Health.UNRESPONSIVE, True)
    stats = await M.stats(pid)
    assert (stats.abandoned, stats.stuck) == (1, 1)
    assert [facts["subject"] for _, facts in seen] == ["deaf"]

    check.hangs = False
    check.leave.set()
    await asyncio.sleep(1.0)
    assert (await M.stats(pid)).stuck == 0
    assert await health_of(pid, "deaf") is HEALTHY


async def test_an_abandoned_check_of_a_replaced_one_is_told_too(runtime):
    seen = record(runtime, CHECK_ABANDONED)
    check = hanging(deaf=True)
    pid = await monitor(HealthCheck("c", check))
    await asyncio.sleep(1.0)
    await M.unregister(pid, "c")
    await asyncio.sleep(2.0)

    assert [facts["subject"] for _, facts in seen] == ["a check that is gone"]
    check.leave.set()
    await turn(2)


async def test_the_history_is_bounded(runtime):
    check = FakeCheck(False)
    pid = await monitor(HealthCheck("c", check, interval=1.0), history=5)
    await asyncio.sleep(100.5)

    records = await M.get_history(pid, "c")
    assert len(records) == 5
    assert {one.health for one in records} == {UNHEALTHY}
    assert records[0].reason == "its check said no"


async def test_a_history_beyond_every_list_is_a_history_without_end(runtime):
    pid = await monitor(HealthCheck("c", FakeCheck()), history=10**30)
    await M.reconfigure(pid, history=10**40)

    await M.register_check(pid, HealthCheck("d", FakeCheck()))
    await M.force_health_check(pid, "d")

    assert len(await M.get_history(pid, "d")) == 1


async def test_hysteresis_is_there_for_those_who_ask(runtime):
    check = FakeCheck()
    pid = await monitor(HealthCheck("c", check, fall=3, rise=2))
    found = []
    for says in (None, False, False, False, None, None):
        check.says = says
        found.append((await M.force_health_check(pid, "c")).health)

    assert found == [HEALTHY, HEALTHY, HEALTHY, UNHEALTHY, UNHEALTHY, HEALTHY]


async def test_a_check_that_hangs_is_tried_once_in_an_interval(runtime):
    check = hanging()
    await monitor(HealthCheck("c", check, interval=10.0, timeout=2.0))
    await asyncio.sleep(99.0)

    assert check.calls == 10


# -- suspension --------------------------------------------------------------------------------


async def test_a_check_that_fails_again_and_again_is_tried_more_rarely_until_it_succeeds(runtime):
    seen = record(runtime, CHECK_SUSPENDED)
    check = FakeCheck(False)
    spec = HealthCheck("c", check, interval=10.0, suspend_after=3, suspend_for=100.0)
    pid = await monitor(spec)
    await asyncio.sleep(99.0)
    assert check.calls == 3
    assert (await M.get_health_status(pid, "c")).suspended
    assert seen[0][1]["failures_count"] == 3

    check.says = None
    await asyncio.sleep(22.0)
    assert not (await M.get_health_status(pid, "c")).suspended
    await asyncio.sleep(20.0)
    assert check.calls == 6


# -- forcing -----------------------------------------------------------------------------------


async def test_a_forced_look_shares_the_one_under_way(runtime):
    check = FakeCheck()
    pid = await monitor(HealthCheck("c", check))
    await asyncio.gather(*(M.force_health_check(pid, "c") for _ in range(5)))

    assert check.most_at_once == 1


async def test_all_are_looked_at_together(runtime):
    checks = [HealthCheck(f"c{n}", hanging(), timeout=5.0) for n in range(12)]
    pid = await monitor(*checks, HealthCheck("good", FakeCheck()))
    before = runtime.now()

    found = await M.force_health_check_all(pid)

    assert runtime.now() - before == pytest.approx(5.0)
    assert len(found) == 13
    assert found["good"].health is HEALTHY
    assert await M.force_health_check_all(await monitor()) == {}


@pytest.mark.parametrize("how", ["unregister", "death"])
async def test_a_forced_look_ends_when_its_check_goes(runtime, how):
    agent = await Agent.start()
    pid = await monitor(HealthCheck("c", hanging(), agent, timeout=100.0))
    forced = asyncio.create_task(M.force_health_check(pid, "c"))
    every = asyncio.create_task(M.force_health_check_all(pid))
    await turn(1)
    if how == "unregister":
        await M.unregister(pid, "c")
        with pytest.raises(UnknownCheckError):
            await forced
        assert await every == {}
    else:
        st.exit(agent, st.KILL)
        assert (await forced).health is Health.DEAD
        assert (await every)["c"].health is Health.DEAD
    assert runtime.now() < 1.0


# -- processes -------------------------------------------------------------------------------


async def test_a_watched_process_that_dies_is_dead_at_once(runtime):
    seen = record(runtime, AGENT_DIED)
    agent = await Agent.start()
    pid = await monitor()
    await M.register_agent(pid, "agent", agent)
    await asyncio.sleep(1.0)
    assert await health_of(pid, "agent") is HEALTHY
    st.exit(agent, "enough")
    await wait_down(agent)
    await turn(1)

    assert await health_of(pid, "agent") is Health.DEAD
    assert seen[0][1]["reason"] == "enough"
    assert (await M.verdict(pid)).reasons == ("agent is dead: it ended: 'enough'",)


async def test_the_dead_are_shown_for_a_while_and_then_forgotten(runtime):
    pid = await monitor(keep_dead=100.0)
    agent = await Agent.start()
    await M.register_agent(pid, "agent", agent)
    await Agent.stop(agent)
    await asyncio.sleep(99.0)
    assert await health_of(pid, "agent") is Health.DEAD
    assert (await M.force_health_check(pid, "agent")).health is Health.DEAD

    await asyncio.sleep(2.0)

    with pytest.raises(UnknownCheckError):
        await M.get_health_status(pid, "agent")
    assert (await M.verdict(pid)).health is HEALTHY
    stats = await M.stats(pid)
    assert (stats.dead, stats.forgotten, stats.checks) == (0, 1, 0)


async def test_the_dead_that_are_shown_are_bounded(runtime):
    pid = await monitor(max_dead=10)
    for number in range(50):
        agent = await Agent.start()
        await M.register_agent(pid, f"agent{number}", agent)
        await Agent.stop(agent)

    stats = await M.stats(pid)
    assert (stats.dead, stats.forgotten, stats.deaths) == (10, 40, 50)
    assert list(await M.get_all_health_statuses(pid)) == [f"agent{n}" for n in range(40, 50)]


async def test_a_name_is_followed_to_its_next_process(runtime):
    tree = await st.Supervisor.start_link([st.child(Agent).with_(name="agent")])
    pid = await monitor(HealthCheck("agent", process="agent"))
    await asyncio.sleep(1.0)
    Agent.crash("agent")
    await turn(1)
    await asyncio.sleep(3.0)

    found = await M.get_health_status(pid, "agent")
    assert (found.health, found.deaths) == (HEALTHY, 1)
    assert found.process is st.whereis("agent")
    await st.Supervisor.stop(tree)


async def test_a_name_that_nobody_has_is_dead_until_somebody_takes_it(runtime):
    pid = await monitor(HealthCheck("agent", process="agent", interval=30.0))
    await asyncio.sleep(100.0)
    found = await M.get_health_status(pid, "agent")
    assert (found.health, found.deaths) == (Health.DEAD, 1)
    await st.child(Agent).with_(name="agent").start_unlinked()
    await asyncio.sleep(2.0)

    assert await health_of(pid, "agent") is HEALTHY


async def test_an_abandoned_look_at_a_dead_process_does_not_count_for_the_next(runtime):
    tree = await st.Supervisor.start_link([st.child(Agent).with_(name="agent")])
    check = hanging(deaf=True)
    pid = await monitor(HealthCheck("agent", check, "agent", timeout=1.0))
    await asyncio.sleep(5.0)
    check.hangs = False
    Agent.crash("agent")
    await asyncio.sleep(3.0)

    assert await health_of(pid, "agent") is HEALTHY
    check.leave.set()
    await turn(2)
    assert await health_of(pid, "agent") is HEALTHY
    await st.Supervisor.stop(tree)


async def test_a_server_that_hangs_is_unresponsive_and_asked_only_once(runtime):
    agent = await Agent.start()
    Agent.hang(agent, 1000.0)
    await turn(1)
    pid = await monitor(HealthCheck("agent", process=agent, interval=10.0))
    await asyncio.sleep(500.0)

    assert await health_of(pid, "agent") is Health.UNRESPONSIVE
    assert runtime.info(agent).mailbox == 1
    await asyncio.sleep(501.0)
    assert await health_of(pid, "agent") is HEALTHY


# -- registering -------------------------------------------------------------------------------


async def test_a_check_of_the_same_name_is_replaced(runtime):
    first, second = FakeCheck(False), FakeCheck()
    pid = await monitor(HealthCheck("c", first, interval=1.0))
    await asyncio.sleep(3.5)
    await M.register_check(pid, HealthCheck("c", second, interval=1.0))
    await asyncio.sleep(3.5)

    assert (first.calls, second.calls) == (4, 4)
    assert await health_of(pid, "c") is HEALTHY
    assert (await M.stats(pid)).checks == 1


async def test_an_unregistered_check_is_gone(runtime):
    check = FakeCheck(False)
    pid = await monitor(HealthCheck("c", check))
    await asyncio.sleep(1.0)

    assert await M.unregister(pid, "c")
    assert not await M.unregister(pid, "c")
    assert (await M.verdict(pid)).health is HEALTHY
    await asyncio.sleep(100.0)
    assert check.calls == 1


async def test_a_check_goes_with_its_owner(runtime):
    owner, check = await Agent.start(), FakeCheck()
    pid = await monitor()
    await M.register_check(pid, HealthCheck("c", check, interval=1.0), owner=owner)
    await asyncio.sleep(2.5)
    await Agent.stop(owner)
    await asyncio.sleep(10.0)

    assert check.calls == 3
    assert await M.get_all_health_statuses(pid) == {}


async def test_a_function_is_no_check_and_what_to_write_is_said(runtime):
    pid = await monitor()

    with pytest.raises(WatchError, match=r"Write HealthCheck\(name, function\)"):
        await M.register_check(pid, FakeCheck())

    assert await M.get_all_health_statuses(pid) == {}


async def test_the_number_of_checks_is_bounded(runtime):
    pid = await monitor(max_checks=2)
    for number in range(2):
        await M.register_check(pid, HealthCheck(f"c{number}", FakeCheck()))

    with pytest.raises(TooManyChecksError, match="at most 2"):
        await M.register_check(pid, HealthCheck("c2", FakeCheck()))
    await M.register_check(pid, HealthCheck("c1", FakeCheck()))  # in the place of another


@pytest.mark.parametrize(
    "ask", [M.get_health_status, M.get_history, M.force_health_check], ids=lambda one: one.__name__
)
async def test_an_unknown_check_is_refused_with_a_near_name(runtime, ask):
    pid = await monitor(HealthCheck("disk", FakeCheck()))

    with pytest.raises(UnknownCheckError, match=r"no check 'dsik', did you mean 'disk'\?"):
        await ask(pid, "dsik")


# -- restart -----------------------------------------------------------------------------------


async def test_a_restart_brings_back_what_was_configured_and_what_a_table_keeps(runtime):
    await StateOwner.start_link()
    spec = st.child(M, [HealthCheck("given", FakeCheck())], table="state").with_(name="health")
    tree = await st.Supervisor.start_link([spec])
    agent, dying, owner = await Agent.start(), await Agent.start(), await Agent.start()
    await M.register_agent("health", "agent", agent)
    await M.register_agent("health", "dying", dying)
    await M.register_check("health", HealthCheck("owned", FakeCheck()), owner=owner)
    await M.register_check("health", HealthCheck("gone", FakeCheck()))
    await M.unregister("health", "gone")
    for victim in ("health", dying, owner):
        st.exit(victim, st.KILL)
    await asyncio.sleep(1.0)

    found = await M.get_all_health_statuses("health")
    assert list(found) == ["given", "agent", "dying"]
    assert (await M.force_health_check("health", "agent")).health is HEALTHY
    assert found["dying"].health is Health.DEAD
    await st.Supervisor.stop(tree)


async def test_a_restart_does_not_make_the_dead_well(runtime):
    await StateOwner.start_link()
    spec = st.child(M, table="state").with_(name="health")
    tree = await st.Supervisor.start_link([spec])
    agent = await Agent.start()
    await M.register_agent("health", "agent", agent)
    await Agent.stop(agent)
    await asyncio.sleep(1.0)
    st.exit("health", st.KILL)
    await asyncio.sleep(1.0)

    assert (await M.verdict("health")).health is UNHEALTHY
    await asyncio.sleep(301.0)
    assert (await M.verdict("health")).health is HEALTHY
    assert st.Table.lookup("state")["health"] == {}
    await st.Supervisor.stop(tree)


async def test_without_a_table_a_restart_brings_back_what_was_configured(runtime):
    spec = st.child(M, [HealthCheck("given", FakeCheck())]).with_(name="health")
    tree = await st.Supervisor.start_link([spec])
    await M.register_check("health", HealthCheck("later", FakeCheck()))
    st.exit("health", st.KILL)
    await turn(2)

    assert list(await M.get_all_health_statuses("health")) == ["given"]
    await st.Supervisor.stop(tree)


# -- the verdict -------------------------------------------------------------------------------


async def test_the_verdict_changes_with_what_it_is_made_from_and_tells(runtime):
    seen = record(runtime, VERDICT_CHANGED)
    db, mail = FakeCheck(), FakeCheck()
    pid = await monitor(HealthCheck("db", db), HealthCheck("mail", mail, critical=False))
    assert (await M.verdict(pid)).health is Health.UNKNOWN
    verdicts = []
    for db.says, mail.says in [(None, None), (None, False), (False, False), (None, None)]:
        await M.force_health_check_all(pid)
        verdicts.append(await M.verdict(pid))

    assert [one.health for one in verdicts] == [HEALTHY, DEGRADED, UNHEALTHY, HEALTHY]
    assert verdicts[2].reasons == (
        "db is unhealthy: its check said no",
        "mail is unhealthy: its check said no",
    )
    told = [facts["health"] for _, facts in seen]
    assert told[0] is HEALTHY or told[0] is Health.UNKNOWN
    assert told[-1] is HEALTHY
    assert (await M.stats(pid)).verdicts == len(seen)


async def test_what_is_unregistered_weighs_no_more(runtime):
    seen = record(runtime, VERDICT_CHANGED)
    pid = await monitor(HealthCheck("a", FakeCheck(False)), HealthCheck("b", FakeCheck()))
    await M.force_health_check_all(pid)
    await M.unregister(pid, "a")

    assert [facts["health"] for _, facts in seen][-2:] == [UNHEALTHY, HEALTHY]
    assert seen[-1][1]["checks_count"] == 1


async def test_without_checks_the_system_is_healthy(runtime):
    assert (await M.verdict(await monitor())).health is HEALTHY


# -- telemetry and refusals --------------------------------------------------------------------


async def test_each_look_and_each_change_is_an_event(runtime):
    seen = record(runtime, CHECK_FINISHED, AGENT_HEALTH_CHANGED)

    async def slow() -> Finding:
        await asyncio.sleep(2.0)
        return Finding(DEGRADED, "slow")

    pid = await monitor(HealthCheck("c", slow))
    await M.force_health_check(pid, "c")

    assert [name for name, _ in seen] == ["health.check.finished", "health.agent.changed"]
    assert seen[0][1]["duration_s"] == pytest.approx(2.0)
    assert (seen[0][1]["status"], seen[0][1]["reason"]) == (DEGRADED, "slow")


async def test_the_stats_of_all_healths_add_up(runtime):
    pid = await monitor(HealthCheck("a", FakeCheck()), HealthCheck("b", FakeCheck(False)))
    await M.force_health_check_all(pid)

    stats = await M.stats(pid)
    assert stats.by_health == {HEALTHY: 1, UNHEALTHY: 1}
    assert stats.looks == 2


async def test_a_monitor_can_look_at_itself(runtime):
    pid = await st.child(M, [HealthCheck("me", process="me")]).with_(name="me").start_link()

    assert (await M.force_health_check(pid, "me")).health is HEALTHY


async def test_the_end_of_the_monitor_ends_its_looks(runtime):
    check = hanging()
    pid = await monitor(HealthCheck("c", check))
    await turn(1)
    await M.stop(pid)
    await turn(1)

    assert check.at_once == 0


async def test_an_unknown_message_does_not_hurt(runtime):
    pid = await monitor()
    st.send(pid, "hello")
    await turn(1)

    assert pid.is_alive()


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"max_concurrency": 0}, "max_concurrency must be a whole number, 1 or more"),
        ({"max_checks": 0}, "max_checks must be"),
        ({"history": 0}, "history must be"),
        ({"max_dead": 0}, "max_dead must be"),
        ({"jitter": 2}, "jitter must be a finite number, 0 or more and 1 or less"),
        ({"keep_dead": 0}, "keep_dead must be"),
        ({"checks": [HealthCheck("a", print), HealthCheck("a", print)]}, "got 'a' twice"),
        ({"table": "nowhere"}, "no table of that name"),
    ],
)
async def test_a_wrong_option_is_refused_at_the_start(runtime, options, words):
    with pytest.raises(st.StartError, match=words):
        await M.start(**options)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"name": ""}, "name must be a non-empty string"),
        ({"check": None}, "check or process must be given"),
        ({"check": 3}, "check must be a function"),
        ({"process": 3}, "process must be a pid"),
        ({"interval": 0}, "interval must be"),
        ({"timeout": None}, "timeout must be"),
        ({"suspend_for": -1}, "suspend_for must be"),
        ({"suspend_after": 0}, "suspend_after must be"),
        ({"fall": 0}, "fall must be"),
    ],
)
def test_a_wrong_option_of_a_check_is_refused(options, words):
    with pytest.raises(WatchError, match=words):
        HealthCheck(**{"name": "c", "check": print, **options})
