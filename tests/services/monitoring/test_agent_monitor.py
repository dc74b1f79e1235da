"""One monitor: looks that never block it, health on change only, death once."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

import suptree as st
from suptree.services import AgentMonitor, Finding, Health, Watch, WatchError
from suptree.services.monitoring.events import (
    AGENT_DIED,
    AGENT_HEALTH_CHANGED,
    CHECK_ABANDONED,
    CHECK_FINISHED,
    MONITOR_REBOUND,
    MONITOR_STARTED,
    MONITOR_STOPPED,
    SINK_WRITE_FAILED,
)
from suptree.testing import turn, wait_down, wait_until
from tests.services.monitoring.helpers import Agent, FakeCheck, FakeSink, record

pytestmark = pytest.mark.suptree_loop("virtual")  # hours pass

HEALTHY, UNHEALTHY, DEAD = Health.HEALTHY, Health.UNHEALTHY, Health.DEAD


async def monitor(target: Any, check: Any = None, sink: Any = None, **options: Any) -> Any:
    options = {"jitter": 0.0, **options}
    return await AgentMonitor.start(Watch(target, check, **options), sink=sink)


# -- looking -----------------------------------------------------------------------------


async def test_the_first_look_comes_at_once_and_then_every_interval(runtime):
    check = FakeCheck()
    await monitor(await Agent.start(), check, interval=30.0)
    await asyncio.sleep(1.0)
    assert check.calls == 1

    await asyncio.sleep(90.0)

    assert check.calls == 4


async def test_a_check_gets_the_process_that_is_watched(runtime):
    agent, check = await Agent.start(), FakeCheck()
    pid = await monitor(agent, check)
    await AgentMonitor.force_check(pid)

    assert check.seen[0] is agent


async def test_jitter_makes_an_interval_shorter_never_longer(runtime):
    check = FakeCheck()
    await monitor(await Agent.start(), check, interval=10.0, jitter=0.5)
    await asyncio.sleep(1000.0)

    assert 101 < check.calls <= 201


@pytest.mark.parametrize(
    ("says", "health", "reason"),
    [
        (None, HEALTHY, ""),
        (True, HEALTHY, ""),
        (False, UNHEALTHY, "its check said no"),
        (Health.DEGRADED, Health.DEGRADED, "its check said so"),
        (Finding(Health.DEGRADED, "slow"), Health.DEGRADED, "slow"),
        (OSError("no route"), UNHEALTHY, "OSError: no route"),
        (asyncio.CancelledError(), UNHEALTHY, "CancelledError: "),
        (SystemExit(3), UNHEALTHY, "SystemExit: 3"),
        (GeneratorExit(), UNHEALTHY, "GeneratorExit: "),
        (3, UNHEALTHY, "its check must return None, a bool, a Health or a Finding; got int"),
    ],
)
async def test_whatever_a_check_says_or_raises_is_a_health_and_the_monitor_lives(
    runtime, says, health, reason
):
    pid = await monitor(await Agent.start(), FakeCheck(says))

    found = await AgentMonitor.force_check(pid)
    assert (found.health, found.reason) == (health, reason)
    assert pid.is_alive()


async def test_a_check_that_ends_itself_as_a_process_does_ends_only_itself(runtime):
    def check(process: object) -> None:
        st.exit("I quit")

    pid = await monitor(await Agent.start(), check)

    assert (await AgentMonitor.force_check(pid)).health is UNHEALTHY
    assert pid.is_alive()


async def test_a_plain_function_is_a_check_too(runtime):
    pid = await monitor(await Agent.start(), lambda process: process.is_alive())

    assert (await AgentMonitor.force_check(pid)).health is HEALTHY


# -- a check that hangs ----------------------------------------------------------------------


async def test_the_monitor_answers_while_a_check_hangs(runtime):
    check = FakeCheck()
    check.hangs = True
    pid = await monitor(await Agent.start(), check)
    before = runtime.now()

    assert (await AgentMonitor.status(pid)).health is Health.UNKNOWN
    assert runtime.now() == before


async def test_a_check_that_hangs_is_cancelled_after_its_timeout_and_is_unresponsive(runtime):
    check = FakeCheck()
    check.hangs = True
    pid = await monitor(await Agent.start(), check, timeout=5.0)
    before = runtime.now()

    found = await AgentMonitor.force_check(pid)
    assert runtime.now() - before == pytest.approx(5.0)
    assert (found.health, found.reason) == (Health.UNRESPONSIVE, "no answer within 5 s")
    assert found.timeouts == 1
    await turn(1)
    assert check.at_once == 0
    assert (await AgentMonitor.status(pid)).stuck == 0


async def test_a_check_that_hangs_is_tried_once_in_an_interval(runtime):
    check = FakeCheck()
    check.hangs = True
    await monitor(await Agent.start(), check, interval=10.0, timeout=2.0)
    await asyncio.sleep(99.0)

    assert check.calls == 10


async def test_a_check_that_swallows_its_cancellation_is_abandoned_counted_and_never_doubled(
    runtime,
):
    seen = record(runtime, CHECK_ABANDONED)
    check = FakeCheck()
    check.hangs = check.deaf = True
    pid = await monitor(await Agent.start(), check, interval=10.0, timeout=2.0)
    await asyncio.sleep(45.0)

    found = await AgentMonitor.status(pid)
    assert (found.abandoned, found.stuck, check.calls) == (1, 1, 1)
    assert found.health is Health.UNRESPONSIVE
    assert found.checks == 5  # each due look that found it still running counts
    assert [facts["abandoned_count"] for _, facts in seen] == [1]
    forced = await AgentMonitor.force_check(pid)
    assert forced.reason == "its last check is still running"

    check.leave.set()
    check.hangs = False
    await asyncio.sleep(1.0)
    assert (await AgentMonitor.status(pid)).stuck == 0
    await asyncio.sleep(20.0)
    assert (await AgentMonitor.status(pid)).health is HEALTHY
    assert check.most_at_once == 1


# -- the default check -----------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["server", "supervisor", "plain", "suspended"])
async def test_every_kind_of_process_answers_the_default_check(runtime, kind):
    match kind:
        case "server":
            target: Any = await Agent.start()
        case "supervisor":
            target = await st.Supervisor.start_link([])
        case "plain":
            target = runtime.spawn(st.receive)
        case _:
            target = await Agent.start()
            await st.sys.suspend(target)

    assert (await AgentMonitor.force_check(await monitor(target))).health is HEALTHY


async def test_a_server_that_hangs_is_unresponsive_and_asked_only_once(runtime):
    agent = await Agent.start()
    Agent.hang(agent, 1000.0)
    await turn(1)
    pid = await monitor(agent, interval=10.0, timeout=5.0)
    await asyncio.sleep(500.0)

    found = await AgentMonitor.status(pid)
    assert found.health is Health.UNRESPONSIVE
    assert found.abandoned == 0
    assert runtime.info(agent).mailbox == 1  # one question, not fifty
    await asyncio.sleep(501.0)
    assert (await AgentMonitor.status(pid)).last == Finding(HEALTHY)
    assert (await AgentMonitor.status(pid)).stuck == 0
    await asyncio.sleep(20.0)
    assert (await AgentMonitor.status(pid)).health is HEALTHY


# -- forcing ---------------------------------------------------------------------------------


async def test_a_forced_look_shares_the_one_under_way_and_makes_no_second_chain(runtime):
    check = FakeCheck()
    pid = await monitor(await Agent.start(), check, interval=10.0)
    await asyncio.sleep(3.0)
    await asyncio.gather(*(AgentMonitor.force_check(pid) for _ in range(5)))
    assert check.most_at_once == 1
    calls = check.calls

    await asyncio.sleep(101.0)

    assert check.calls - calls == 10


async def test_a_forced_look_ends_when_the_agent_dies(runtime):
    agent, check = await Agent.start(), FakeCheck()
    check.hangs = True
    pid = await monitor(agent, check, timeout=100.0)
    forced = asyncio.create_task(AgentMonitor.force_check(pid))
    await turn(1)
    st.exit(agent, st.KILL)

    assert (await forced).health is DEAD
    assert runtime.now() < 1.0


# -- writing -----------------------------------------------------------------------------------


async def test_health_is_written_on_change_only(runtime):
    check, sink = FakeCheck(), FakeSink()
    agent = await Agent.start()
    await monitor(agent, check, sink, interval=10.0)
    await asyncio.sleep(50.0)
    check.says = False
    await asyncio.sleep(50.0)
    check.says = None
    await asyncio.sleep(50.0)

    assert sink.healths == [HEALTHY, UNHEALTHY, HEALTHY]
    change = sink.changes[1]
    assert (change.target, change.process, change.previous) == (agent, agent, HEALTHY)
    assert change.reason == "its check said no"


async def test_one_bad_look_among_good_ones_is_not_written(runtime):
    check, sink = FakeCheck(), FakeSink()
    pid = await monitor(await Agent.start(), check, sink, interval=1000.0)
    for says in (None, False, None, False, None):
        check.says = says
        found = await AgentMonitor.force_check(pid)

    assert sink.healths == [HEALTHY]
    assert (found.failures, found.changes) == (2, 1)


async def test_flapping_is_counted(runtime):
    check = FakeCheck()
    pid = await monitor(await Agent.start(), check, fall=1, rise=1)
    for says in (None, False, None, False):
        check.says = says
        await AgentMonitor.force_check(pid)

    assert (await AgentMonitor.status(pid)).flaps == 2


async def test_a_failed_write_is_counted_told_and_tried_again(runtime):
    seen = record(runtime, SINK_WRITE_FAILED)
    sink = FakeSink()
    sink.failing = True
    pid = await monitor(await Agent.start(), FakeCheck(), sink, interval=1000.0)
    await asyncio.sleep(4.5)
    sink.failing = False
    await asyncio.sleep(10.0)

    assert sink.healths == [HEALTHY]
    found = await AgentMonitor.status(pid)
    assert (found.writes, found.write_failures, found.written) == (1, 3, HEALTHY)
    assert seen[0][1]["error"] == "OSError: disk full"


async def test_what_changed_while_a_write_was_slow_is_written_after_it(runtime):
    check, sink = FakeCheck(), FakeSink()
    sink.delay = 3.0
    pid = await monitor(await Agent.start(), check, sink, interval=1000.0, fall=1, rise=1)
    for says in (None, False, None, False):
        check.says = says
        await AgentMonitor.force_check(pid)
    await asyncio.sleep(10.0)

    assert sink.healths == [HEALTHY, UNHEALTHY]


async def test_a_sink_that_hangs_does_not_hold_up_the_monitor(runtime):
    sink = FakeSink()
    sink.delay = 1e6
    check = FakeCheck()
    pid = await monitor(await Agent.start(), check, sink, interval=10.0)
    await asyncio.sleep(100.5)

    assert check.calls == 11
    assert (await AgentMonitor.status(pid)).write_failures > 1


async def test_a_sink_that_swallows_its_cancellation_never_has_two_writes(runtime):
    seen = record(runtime, CHECK_ABANDONED)
    check, sink = FakeCheck(), FakeSink()
    sink.delay, sink.deaf = 40.0, True
    pid = await monitor(await Agent.start(), check, sink, interval=10.0, fall=1)
    await asyncio.sleep(5.0)
    check.says = False
    await asyncio.sleep(20.0)
    found = await AgentMonitor.status(pid)
    assert (found.abandoned, found.stuck, found.writes) == (1, 1, 0)
    assert found.write_failures >= 2
    assert len(seen) == 1
    sink.delay = 0.0
    await asyncio.sleep(60.0)

    assert sink.healths == [HEALTHY, UNHEALTHY]
    assert sink.most_at_once == 1
    assert (await AgentMonitor.status(pid)).stuck == 0


# -- death -------------------------------------------------------------------------------------


async def test_a_death_is_written_once_and_the_monitor_ends_normally(runtime):
    seen = record(runtime, AGENT_DIED)
    agent, sink = await Agent.start(), FakeSink()
    pid = await monitor(agent, FakeCheck(), sink)
    await asyncio.sleep(1.0)
    st.exit(agent, "enough")

    assert await wait_down(pid) is st.NORMAL
    assert sink.healths == [HEALTHY, DEAD]
    assert sink.changes[-1].reason == "it ended: 'enough'"
    assert [facts["reason"] for _, facts in seen] == ["enough"]


async def test_a_process_that_is_dead_already_is_found_dead(runtime):
    agent, sink = await Agent.start(), FakeSink()
    await Agent.stop(agent)
    pid = await monitor(agent, FakeCheck(), sink)

    assert await wait_down(pid) is st.NORMAL
    assert sink.healths == [DEAD]


async def test_a_death_during_a_check_ends_the_check(runtime):
    agent, check = await Agent.start(), FakeCheck()
    check.hangs = True
    pid = await monitor(agent, check, timeout=100.0)
    await turn(1)
    st.exit(agent, st.KILL)

    assert await wait_down(pid) is st.NORMAL
    await turn(1)
    assert check.at_once == 0


async def test_a_death_during_a_check_ends_the_check_where_a_name_is_watched_too(runtime):
    agent, check = await named(), FakeCheck()
    check.hangs = True
    pid = await monitor("agent", check, timeout=50.0, rebind_within=None)
    await asyncio.sleep(1.0)
    st.exit(agent, st.KILL)
    await asyncio.sleep(1.0)

    assert check.at_once == 0
    assert (await AgentMonitor.status(pid)).stuck == 0


async def test_a_death_is_written_though_the_sink_was_down_for_long_before(runtime):
    agent, sink = await Agent.start(), FakeSink()
    sink.failing = True
    pid = await monitor(agent, FakeCheck(), sink)
    await asyncio.sleep(200.0)
    sink.failing = False
    st.exit(agent, st.KILL)

    assert await wait_down(pid) is st.NORMAL
    assert sink.healths == [DEAD]


@pytest.mark.parametrize("trouble", ["failing", "hanging"])
async def test_a_monitor_ends_in_the_end_though_death_cannot_be_written(runtime, trouble):
    agent, sink = await Agent.start(), FakeSink()
    pid = await monitor(agent, FakeCheck(), sink)
    await asyncio.sleep(1.0)
    if trouble == "failing":
        sink.failing = True
    else:
        sink.delay = 1e6
    st.exit(agent, st.KILL)

    assert await wait_down(pid, timeout=60.0) is st.NORMAL
    assert sink.attempts == 4
    assert sink.healths == [HEALTHY]


# -- stopping ------------------------------------------------------------------------------------


@pytest.mark.parametrize("how", ["stop", "shutdown", "kill"])
async def test_stopping_a_monitor_leaves_the_health_of_a_live_process_as_it_is(runtime, how):
    agent, sink, check = await Agent.start(), FakeSink(), FakeCheck()
    check.hangs = how == "kill"
    pid = await monitor(agent, check, sink)
    await asyncio.sleep(1.0)
    written, calls = list(sink.healths), check.calls
    if how == "stop":
        await AgentMonitor.stop(pid)
    else:
        st.exit(pid, st.KILL if how == "kill" else st.SHUTDOWN)
        await wait_down(pid)
    await asyncio.sleep(100.0)

    assert sink.healths == written
    assert agent.is_alive()
    assert check.at_once == 0
    assert runtime.info(agent).monitored_by == ()
    assert check.calls == calls


async def test_the_stop_of_its_supervisor_lets_a_monitor_say_goodbye(runtime):
    seen = record(runtime, MONITOR_STARTED, MONITOR_STOPPED)
    agent = await Agent.start()
    tree = await st.Supervisor.start_link([st.child(AgentMonitor, Watch(agent))])
    await asyncio.sleep(1.0)
    await st.Supervisor.stop(tree)

    assert [name for name, _ in seen] == ["monitor.started", "monitor.stopped"]
    assert seen[1][1]["health"] is HEALTHY
    assert seen[1][1]["reason"] is st.SHUTDOWN


async def test_an_exit_signal_from_a_stranger_ends_a_monitor_a_normal_one_does_not(runtime):
    pid = await monitor(await Agent.start())
    st.exit(pid, st.NORMAL)
    await turn(1)
    assert pid.is_alive()
    st.exit(pid, "go")

    assert await wait_down(pid) == "go"


# -- names -----------------------------------------------------------------------------------------


async def named() -> st.Pid[Agent]:
    return await st.child(Agent).with_(name="agent").start_unlinked()


async def test_a_name_is_followed_to_the_next_process_that_has_it(runtime):
    seen = record(runtime, MONITOR_REBOUND, AGENT_HEALTH_CHANGED)
    tree = await st.Supervisor.start_link([st.child(Agent).with_(name="agent")])
    first, sink = st.whereis("agent"), FakeSink()
    pid = await monitor("agent", None, sink)
    await asyncio.sleep(1.0)
    Agent.crash("agent")
    await asyncio.sleep(1.0)

    found = await AgentMonitor.status(pid)
    assert found.process is st.whereis("agent") is not first
    assert sink.healths == [HEALTHY, DEAD, HEALTHY]
    assert (found.rebinds, found.deaths) == (1, 1)
    gaps = [facts["gap_s"] for name, facts in seen if name == "monitor.rebound"]
    assert gaps[0] < 0.1
    await st.Supervisor.stop(tree)


async def test_a_key_of_a_registry_is_followed_too(runtime):
    await st.Registry.start_link(name="reg")
    name, sink = st.via("reg", "room"), FakeSink()
    first = await st.child(Agent).with_(name=name).start_unlinked()
    pid = await monitor(name, None, sink)
    await asyncio.sleep(1.0)
    await Agent.stop(first)
    await asyncio.sleep(1.0)
    second = await st.child(Agent).with_(name=name).start_unlinked()
    await asyncio.sleep(5.0)

    assert (await AgentMonitor.status(pid)).process is second
    assert sink.healths == [HEALTHY, DEAD, HEALTHY]


async def test_a_name_that_nobody_has_is_dead_until_somebody_takes_it(runtime):
    sink = FakeSink()
    pid = await monitor("agent", None, sink)
    await asyncio.sleep(10.0)
    assert sink.healths == [DEAD]

    await named()
    assert (await AgentMonitor.force_check(pid)).health is HEALTHY


async def test_a_name_is_looked_for_ever_more_rarely_and_not_for_ever(runtime):
    sink = FakeSink()
    agent = await named()
    pid = await monitor("agent", None, sink, rebind_within=60.0)
    await asyncio.sleep(1.0)
    handled = runtime.info(pid).handled
    await Agent.stop(agent)
    await asyncio.sleep(59.0)

    assert pid.is_alive()
    assert runtime.info(pid).handled - handled < 30
    before = runtime.now()
    assert await wait_down(pid) is st.NORMAL
    assert runtime.now() - before == pytest.approx(1.0)
    assert sink.healths == [HEALTHY, DEAD]


async def test_without_a_limit_a_name_is_waited_for_as_long_as_it_takes(runtime):
    pid = await monitor("agent", rebind_within=None)
    await asyncio.sleep(1e5)
    await named()
    await asyncio.sleep(6.0)

    assert (await AgentMonitor.status(pid)).health is HEALTHY


async def test_a_name_given_to_another_process_takes_the_monitor_with_it(runtime):
    first, sink = await named(), FakeSink()
    pid = await monitor("agent", None, sink, interval=10.0)
    await asyncio.sleep(1.0)
    st.unregister("agent")
    second = await named()
    await asyncio.sleep(10.0)
    assert (await AgentMonitor.status(pid)).process is second
    assert runtime.info(first).monitored_by == ()
    await Agent.stop(first)
    await asyncio.sleep(10.0)

    assert sink.healths == [HEALTHY]
    assert (await AgentMonitor.status(pid)).deaths == 0


async def test_an_abandoned_check_of_the_last_process_does_not_hold_up_the_next(runtime):
    tree = await st.Supervisor.start_link([st.child(Agent).with_(name="agent")])
    check = FakeCheck()
    check.hangs = check.deaf = True
    pid = await monitor("agent", check, timeout=1.0)
    await asyncio.sleep(5.0)
    check.hangs = False
    Agent.crash("agent")
    await wait_until(lambda: len(check.seen) == 2)
    await asyncio.sleep(1.0)

    assert (await AgentMonitor.status(pid)).health is HEALTHY
    check.leave.set()
    await turn(2)
    await st.Supervisor.stop(tree)


# -- telemetry and refusals ------------------------------------------------------------------------


async def test_each_look_and_each_change_is_an_event(runtime):
    seen = record(runtime, CHECK_FINISHED, AGENT_HEALTH_CHANGED)
    check = FakeCheck(False)
    pid = await monitor(await Agent.start(), check)
    await AgentMonitor.force_check(pid)

    assert [name for name, _ in seen] == ["health.check.finished", "health.agent.changed"]
    assert seen[0][1]["status"] is UNHEALTHY
    assert seen[1][1]["previous"] is Health.UNKNOWN


async def test_a_check_s_event_says_how_long_it_took(runtime):
    seen = record(runtime, CHECK_FINISHED)

    async def slow(process: object) -> None:
        await asyncio.sleep(2.0)

    pid = await monitor(await Agent.start(), slow)
    await AgentMonitor.force_check(pid)

    assert seen[0][1]["duration_s"] == pytest.approx(2.0)


async def test_an_unknown_message_does_not_hurt(runtime):
    pid = await monitor(await Agent.start())
    st.send(pid, "hello")
    await turn(1)

    assert pid.is_alive()


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"target": 3}, "target must be a pid, a name or via"),
        ({"check": 3}, "check must be a function"),
        ({"interval": 0}, "interval must be a finite number of seconds, above 0; got 0"),
        ({"interval": float("inf")}, "interval must be"),
        ({"timeout": -1}, "timeout must be"),
        ({"timeout": True}, "timeout must be"),
        ({"rebind_within": -1}, "rebind_within must be"),
        ({"jitter": 1.5}, "jitter must be a finite number, 0 or more and 1 or less; got 1.5"),
        ({"fall": 0}, "fall must be a whole number, 1 or more"),
        ({"rise": 0}, "rise must be a whole number, 1 or more"),
    ],
)
def test_a_wrong_option_of_a_watch_is_refused(options, words):
    with pytest.raises(WatchError, match=words):
        Watch(**{"target": "agent", **options})
