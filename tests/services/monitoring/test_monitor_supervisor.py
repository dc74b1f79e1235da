"""A monitor for each: idempotent, found without a message, back after every kind of death."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

import suptree as st
from suptree.services import (
    AgentMonitor,
    Health,
    MonitorSupervisor,
    NoMonitorsError,
    NotMonitoredError,
    Watch,
    WatchError,
)
from suptree.testing import turn, wait_down, wait_until
from tests.services.monitoring.helpers import Agent, FakeCheck, FakeSink

pytestmark = pytest.mark.suptree_loop("virtual")  # hours pass

M = MonitorSupervisor


@pytest.fixture
def sink() -> FakeSink:
    return FakeSink()


async def monitors(sink: Any = None, **options: Any) -> st.Pid[Any]:
    return await st.Supervisor.start_link([M.child(name="m", sink=sink, **options)])


async def settled() -> None:
    await asyncio.sleep(1.0)


# -- starting and stopping -----------------------------------------------------------------


async def test_what_is_watched_already_keeps_its_monitor(runtime):
    await monitors()
    agent, first, second = await Agent.start(), FakeCheck(), FakeCheck()
    pid = await M.start_monitoring("m", agent, first)

    again = await asyncio.gather(*(M.start_monitoring("m", agent, second) for _ in range(5)))

    assert set(again) == {pid}
    assert M.monitor_count("m") == 1
    assert (first.calls, second.calls) == (1, 0)


async def test_many_that_ask_at_once_get_one_monitor(runtime):
    await monitors()
    agent = await Agent.start()

    assert len(set(await asyncio.gather(*(M.start_monitoring("m", agent) for _ in range(9))))) == 1


async def test_stopping_ends_the_monitor_and_leaves_the_health_as_it_is(runtime, sink):
    await monitors(sink)
    agent, check = await Agent.start(), FakeCheck()
    pid = await M.start_monitoring("m", agent, check)
    await settled()

    assert await M.stop_monitoring("m", agent)
    assert not pid.is_alive()
    assert sink.healths == [Health.HEALTHY]
    assert M.list_monitored_agents("m") == []
    assert not await M.stop_monitoring("m", agent)
    await asyncio.sleep(100.0)
    assert check.calls == 1


async def test_the_stop_of_the_monitor_itself_ends_the_watch_too(runtime):
    await monitors()
    agent = await Agent.start()
    await AgentMonitor.stop(await M.start_monitoring("m", agent))
    await settled()

    assert M.list_monitored_agents("m") == []


async def test_who_dies_is_watched_no_more(runtime, sink):
    await monitors(sink)
    agent = await Agent.start()
    await M.start_monitoring("m", agent)
    await settled()
    await Agent.stop(agent)
    await settled()

    assert sink.healths == [Health.HEALTHY, Health.DEAD]
    assert M.list_monitored_agents("m") == []
    assert M.monitor_count("m") == 0


async def test_one_process_and_its_name_are_two_targets(runtime):
    await monitors()
    agent = await st.child(Agent).with_(name="agent").start_unlinked()
    await M.start_monitoring("m", agent)
    await M.start_monitoring("m", "agent")

    assert M.list_monitored_agents("m") == [agent, "agent"]


async def test_a_bound_on_the_monitors_is_kept_and_leaves_no_trace(runtime):
    await monitors(max_monitors=1)
    one, two = await Agent.start(), await Agent.start()
    await M.start_monitoring("m", one)

    with pytest.raises(st.MaxChildrenError):
        await M.start_monitoring("m", two)
    assert M.list_monitored_agents("m") == [one]


# -- asking ------------------------------------------------------------------------------------


async def test_status_is_read_without_a_message_while_the_check_hangs(runtime):
    await monitors()
    agent, check = await Agent.start(), FakeCheck()
    check.hangs = True
    pid = await M.start_monitoring("m", agent, check, timeout=3.0)
    handled = runtime.info(pid).handled

    assert M.get_health_status("m", agent).health is Health.UNKNOWN
    assert runtime.info(pid).handled == handled
    await asyncio.sleep(4.0)
    assert M.get_all_health_statuses("m")[agent].health is Health.UNRESPONSIVE


async def test_a_forced_check_of_one_or_of_all_gives_what_is_known_after_it(runtime):
    await monitors()
    agents = [await Agent.start() for _ in range(3)]
    checks = [FakeCheck() for _ in agents]
    for agent, check in zip(agents, checks, strict=True):
        await M.start_monitoring("m", agent, check, fall=1)
    await settled()
    for check in checks:
        check.says = False

    assert (await M.force_health_check("m", agents[0])).health is Health.UNHEALTHY
    found = await M.force_health_check_all("m")
    assert {agent: one.health for agent, one in found.items()} == dict.fromkeys(
        agents, Health.UNHEALTHY
    )


async def test_all_are_looked_at_together_however_many_hang(runtime):
    await monitors()
    for _ in range(12):
        check = FakeCheck()
        check.hangs = True
        await M.start_monitoring("m", await Agent.start(), check, timeout=5.0)
    before = runtime.now()

    found = await M.force_health_check_all("m")

    assert runtime.now() - before == pytest.approx(5.0)
    assert {one.health for one in found.values()} == {Health.UNRESPONSIVE}


async def test_the_stats_add_up_and_fall_too(runtime):
    await monitors()
    good, bad = await Agent.start(), await Agent.start()
    await M.start_monitoring("m", good)
    await M.start_monitoring("m", bad, FakeCheck(False))
    await settled()

    stats = M.stats("m")
    assert (stats.monitors, stats.checks, stats.failures) == (2, 2, 1)
    assert stats.by_health == {Health.HEALTHY: 1, Health.UNHEALTHY: 1}
    await M.stop_monitoring("m", bad)
    assert M.stats("m").by_health == {Health.HEALTHY: 1}


async def test_what_nobody_watches_is_refused(runtime):
    await monitors()
    agent = await Agent.start()

    with pytest.raises(NotMonitoredError, match="nothing watches"):
        M.get_health_status("m", agent)
    with pytest.raises(NotMonitoredError):
        await M.force_health_check("m", agent)


@pytest.mark.parametrize(
    "ask",
    [
        lambda: M.start_monitoring("x", "agent"),
        lambda: M.stop_monitoring("x", "agent"),
        lambda: M.force_health_check("x", "agent"),
        lambda: M.force_health_check_all("x"),
    ],
)
async def test_without_the_supervisor_every_request_says_what_to_do(runtime, ask):
    with pytest.raises(NoMonitorsError, match="name of one that runs; got 'x'"):
        await ask()


async def test_without_the_supervisor_every_look_says_what_to_do(runtime):
    for look in (M.list_monitored_agents, M.monitor_count, M.stats, M.get_all_health_statuses):
        with pytest.raises(NoMonitorsError):
            look("x")
    with pytest.raises(NoMonitorsError):
        M.get_health_status("x", "agent")
    assert not M.health_check("x")


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"name": ""}, "name must be"),
        ({"write_timeout": 0}, "write_timeout must be"),
        ({"watch": [Watch("a"), Watch("a")]}, "got 'a' twice"),
    ],
)
def test_wrong_options_are_refused_before_anything_starts(options, words):
    with pytest.raises(WatchError, match=words):
        M.child(**options)


async def test_a_wrong_watch_is_refused_and_nothing_is_kept(runtime):
    await monitors()

    with pytest.raises(WatchError):
        await M.start_monitoring("m", "agent", interval=-1)
    assert M.list_monitored_agents("m") == []


# -- crashes ---------------------------------------------------------------------------------------


async def test_a_killed_monitor_is_started_again_and_goes_on(runtime, sink):
    await monitors(sink)
    agent, check = await Agent.start(), FakeCheck()
    pid = await M.start_monitoring("m", agent, check)
    await settled()
    st.exit(pid, st.KILL)
    await settled()

    assert M.get_health_status("m", agent).health is Health.HEALTHY
    assert check.calls == 2


@pytest.mark.parametrize("victim", ["m.index", "m.agents", "m.keeper"])
async def test_whichever_part_is_killed_what_was_watched_is_watched_again(runtime, victim):
    await monitors()
    agents = [await Agent.start() for _ in range(20)]
    for agent in agents:
        await M.start_monitoring("m", agent)
    pid = st.whereis(victim)
    assert pid is not None
    st.exit(pid, st.KILL)
    await wait_down(pid)
    await wait_until(lambda: M.health_check("m"))
    await settled()

    assert M.monitor_count("m") == 20
    assert M.list_monitored_agents("m") == agents
    assert set(await M.force_health_check_all("m")) == set(agents)


async def test_a_crash_of_a_partition_of_the_index_brings_everything_back(runtime):
    await monitors()
    agents = [await Agent.start() for _ in range(150)]  # more than restarts that are allowed
    for agent in agents:
        await M.start_monitoring("m", agent)
    [partition] = await st.Supervisor.which_children("m.index")
    st.exit(partition.pid, st.KILL)
    await settled()
    await wait_until(lambda: M.health_check("m") and M.monitor_count("m") == 150)

    assert set(await M.force_health_check_all("m")) == set(agents)


async def test_if_the_roster_is_lost_what_was_configured_comes_back(runtime):
    await st.child(Agent).with_(name="agent").start_unlinked()
    await monitors(watch=[Watch("agent")])
    await settled()
    extra = await Agent.start()
    await M.start_monitoring("m", extra)
    pid = st.whereis("m.roster")
    assert pid is not None
    st.exit(pid, st.KILL)
    await settled()

    assert M.get_health_status("m", "agent").health is Health.HEALTHY
    assert M.list_monitored_agents("m") == ["agent"]


async def test_the_stop_of_the_supervisor_leaves_nothing_and_marks_nobody(runtime, sink):
    tree = await monitors(sink)
    agent = await Agent.start()
    pid = await M.start_monitoring("m", agent)
    await settled()
    await st.Supervisor.stop(tree)

    assert not pid.is_alive()
    assert sink.healths == [Health.HEALTHY]
    assert runtime.info(agent).monitored_by == ()
    with pytest.raises(NoMonitorsError):
        M.monitor_count("m")


async def test_a_thousand_are_watched_with_one_monitor_each(runtime):
    await monitors()
    agents = [await Agent.start() for _ in range(1000)]
    for agent in agents:
        await M.start_monitoring("m", agent)
    await settled()

    assert M.stats("m").by_health == {Health.HEALTHY: 1000}
    for agent in agents[:500]:
        st.exit(agent, st.KILL)
    await turn(2)
    await settled()
    assert M.monitor_count("m") == 500
