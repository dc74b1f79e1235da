"""The registry of agents: what it takes, what it refuses, and what it forgets by itself."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

import suptree as st
from suptree.services import (
    AgentExistsError,
    AgentMetadataError,
    AgentNotAliveError,
    AgentNotFoundError,
    AgentRegistry,
    AgentRegistryError,
    AgentRegistryFullError,
    AgentRegistryNotRunningError,
    AgentSchema,
    CriteriaError,
    where,
)
from suptree.services.agent_registry import events
from suptree.testing import turn, wait_down, wait_mailbox_empty, wait_restarted, wait_until
from tests.services.agent_registry.agents import Agent, metadata


async def registry(**options: Any) -> st.Pid[AgentRegistry]:
    return await AgentRegistry.start_link(**options)


async def agent(agents: Any, id: str, **given: Any) -> st.Pid[Agent]:
    pid = await Agent.start()
    await AgentRegistry.register(agents, id, metadata(**given), pid=pid)
    return pid


def heard(runtime: st.Runtime) -> list[tuple[str, dict[str, Any]]]:
    """Every event of the registry from now on."""
    seen: list[tuple[str, dict[str, Any]]] = []

    def hear(event: Any, numbers: Any, facts: Any) -> None:
        seen.append((event.name.rpartition("agent_registry.")[2], {**numbers, **facts}))

    runtime.telemetry.strict = True
    runtime.telemetry.attach("test", "suptree.agent_registry.*", hear)
    return seen


# -- registering -------------------------------------------------------------------------


async def test_a_registered_agent_is_found_with_what_it_said(runtime):
    agents = await registry()

    entry = await AgentRegistry.register(agents, "ada", metadata(extra={"any": [1]}))

    assert AgentRegistry.lookup(agents, "ada") is entry
    assert (entry.id, entry.pid) == ("ada", st.current())
    assert entry.metadata["extra"] == {"any": (1,)}
    assert AgentRegistry.whereis(agents, "ada") == st.current()
    assert AgentRegistry.count(agents) == 1


async def test_missing_required_fields_are_all_listed(runtime):
    agents = await registry()

    with pytest.raises(AgentMetadataError, match="health_status, node, resources must be") as error:
        await AgentRegistry.register(agents, "ada", {"capability": "chat"})

    assert error.value.fields == ("health_status", "node", "resources")
    assert AgentRegistry.count(agents) == 0


async def test_required_fields_are_what_the_constructor_says_and_may_be_nested(runtime):
    agents = await registry(schema=AgentSchema(required=["team.name"], indexed=["team.name"]))

    with pytest.raises(AgentMetadataError, match=r"team\.name must be there"):
        await AgentRegistry.register(agents, "ada", {"team": {}})
    await AgentRegistry.register(agents, "ada", {"team": {"name": "red"}})

    assert AgentRegistry.explain(agents, where("team.name") == "red").startswith("scan")
    assert [e.id for e in AgentRegistry.query(agents, where("team.name") == "red")] == ["ada"]


@pytest.mark.parametrize(
    ("changes", "text"),
    [
        ({"health_status": "helthy"}, "did you mean 'healthy'"),
        ({"health_status": ["healthy"]}, "health_status must be one of"),
        ({"capability": [{"a": 1}]}, "capability is indexed"),
        ({"capability": object()}, "capability is indexed"),
        ({"resources": {"memory_available": "much"}}, "must be a number or None"),
        ({"pid": 1}, "pid must not be in it"),
    ],
)
async def test_wrong_metadata_is_refused_by_register_update_and_replace(runtime, changes, text):
    agents = await registry()
    await AgentRegistry.register(agents, "bob", metadata())
    before = AgentRegistry.lookup(agents, "bob")

    with pytest.raises(AgentMetadataError, match=text):
        await AgentRegistry.register(agents, "ada", {**metadata(), **changes})
    with pytest.raises(AgentMetadataError, match=text):
        await AgentRegistry.update(agents, "bob", changes)
    with pytest.raises(AgentMetadataError, match=text):
        await AgentRegistry.replace(agents, "bob", {**metadata(), **changes})

    assert AgentRegistry.lookup(agents, "bob") is before
    assert AgentRegistry.count(agents) == 1


@pytest.mark.parametrize(
    ("id", "given", "text"),
    [
        ("", {}, "id must be a string"),
        (7, {}, "id must be a string"),
        ("ada", None, "metadata must be a mapping"),
        ("ada", ["x"], "metadata must be a mapping"),
    ],
)
async def test_what_is_no_registration_is_refused_in_the_caller(runtime, id, given, text):
    agents = await registry()

    with pytest.raises(AgentMetadataError, match=text):
        await AgentRegistry.register(agents, id, given)


async def test_a_duplicate_id_is_refused_with_its_holder(runtime):
    agents = await registry()
    holder = await agent(agents, "ada")

    with pytest.raises(AgentExistsError) as error:
        await AgentRegistry.register(agents, "ada", metadata())

    assert (error.value.id, error.value.pid) == ("ada", holder)
    assert AgentRegistry.whereis(agents, "ada") == holder


async def test_a_dead_process_is_refused(runtime):
    agents = await registry()
    pid = await Agent.start()
    await Agent.stop(pid)

    with pytest.raises(AgentNotAliveError) as error:
        await AgentRegistry.register(agents, "ada", metadata(), pid=pid)

    assert error.value.pid == pid
    assert AgentRegistry.count(agents) == 0


async def test_a_full_registry_refuses_and_has_room_again_when_one_leaves(runtime):
    agents = await registry(max_agents=2)
    await agent(agents, "a")
    await agent(agents, "b")

    with pytest.raises(AgentRegistryFullError, match="holds 2 agents"):
        await agent(agents, "c")
    await AgentRegistry.unregister(agents, "a")
    await agent(agents, "c")

    assert [e.id for e in AgentRegistry.query(agents)] == ["b", "c"]


async def test_what_a_caller_does_to_its_dict_afterwards_changes_nothing(runtime):
    agents = await registry()
    given = metadata(["chat"])
    await AgentRegistry.register(agents, "ada", given)

    given["capability"].append("code")
    given["resources"]["memory_available"] = 0

    assert AgentRegistry.query(agents, where("capability") == "code") == []
    assert AgentRegistry.lookup(agents, "ada").metadata["resources"]["memory_available"] == 100


async def test_bad_options_stop_the_start(runtime):
    for options, text in [
        ({"max_agents": 0}, "max_agents must be an int"),
        ({"max_batch": True}, "max_batch must be an int"),
        ({"keeper": "nobody"}, "keeper must be the name"),
    ]:
        with pytest.raises(st.StartError, match=text):
            await AgentRegistry.start(**options)
    with pytest.raises(AgentRegistryError, match="several strings"):
        AgentSchema(indexed="node")
    with pytest.raises(AgentRegistryError, match="no metadata"):
        AgentSchema(required=["pid"])


# -- death ---------------------------------------------------------------------------------


async def test_a_dead_agent_is_taken_out_with_its_index_rows_and_an_event(runtime):
    agents = await registry()
    seen = heard(runtime)
    pid = await agent(agents, "ada", capability=["chat", "code"])
    await agent(agents, "bob", capability="chat")

    st.exit(pid, "broke")
    await wait_down(pid)
    await wait_mailbox_empty(agents)

    state = st.sys.get_state
    tables = (await state(agents))["tables"]
    assert list(tables.entries) == ["bob"]
    assert [len(i) for several in tables.indexes.values() for i in several] == [1] * 6
    died = [facts for name, facts in seen if name == "agent.died"]
    assert [(d["agent_id"], d["reason"], d["agents_count"]) for d in died] == [("ada", "broke", 1)]


async def test_a_dead_agent_is_never_shown_not_even_before_the_registry_has_heard(runtime):
    agents = await registry()
    pid = await agent(agents, "ada")

    await st.sys.suspend(agents)
    st.exit(pid, st.KILL)
    await wait_down(pid)

    assert AgentRegistry.query(agents, where("capability") == "chat") == []
    assert AgentRegistry.count(agents) == 0
    assert AgentRegistry.whereis(agents, "ada") is None
    with pytest.raises(AgentNotFoundError):
        AgentRegistry.lookup(agents, "ada")
    await st.sys.resume(agents)


async def test_an_agent_restarted_under_its_id_registers_at_once(runtime):
    """The tie between an id and a restarted process: a dead holder never blocks."""
    agents = await registry()
    seen = heard(runtime)
    old = await agent(agents, "ada")
    await st.sys.suspend(agents)
    st.exit(old, st.KILL)
    await wait_down(old)
    new = await Agent.start()
    asked = AgentRegistry.apply.send_request(agents, _register("ada", new, node="n2"))

    await st.sys.resume(agents)
    await asked
    await wait_mailbox_empty(agents)

    assert AgentRegistry.whereis(agents, "ada") == new
    assert [e.id for e in AgentRegistry.query(agents, where("node") == "n2")] == ["ada"]
    assert AgentRegistry.query(agents, where("node") == "n1") == []
    assert sum(name == "agent.died" for name, _ in seen) == 1


async def test_the_late_news_of_the_old_holder_does_not_take_out_the_new_one(runtime):
    """A killed process that is still unwinding is dead already, and its Down comes later."""
    agents = await registry()
    seen = heard(runtime)

    async def slow_to_go() -> None:
        try:
            await st.receive()
        finally:
            await asyncio.sleep(0.5)

    old, new = runtime.spawn(slow_to_go), await Agent.start()
    await AgentRegistry.register(agents, "ada", metadata(), pid=old)
    await agent(agents, "bob")
    await turn()

    st.exit(old, st.KILL)
    await AgentRegistry.register(agents, "ada", metadata(node="n2"), pid=new)
    await wait_down(old)
    await wait_mailbox_empty(agents)

    assert AgentRegistry.whereis(agents, "ada") == new
    assert [e.id for e in AgentRegistry.query(agents, where("node") == "n2")] == ["ada"]
    assert [e.id for e in AgentRegistry.query(agents)] == ["bob", "ada"]  # it came anew
    facts = dict(seen)
    assert facts["agent.registered"]["replaced"] == old
    assert (facts["agent.died"]["agent"], facts["agent.died"]["replaced"]) == (old, True)
    await Agent.stop(new)
    await wait_mailbox_empty(agents)
    assert [e.id for e in AgentRegistry.query(agents)] == ["bob"]


def _register(id: str, pid: Any, **given: Any) -> Any:
    from suptree.services import Register

    return Register(id, pid, metadata(**given))


async def test_one_process_may_be_several_agents_and_all_go_with_it(runtime):
    agents = await registry()
    pid = await Agent.start()
    for id in ("a", "b", "c"):
        await AgentRegistry.register(agents, id, metadata(), pid=pid)

    await Agent.stop(pid)
    await wait_mailbox_empty(agents)

    assert (await AgentRegistry.stats(agents)).agents == 0


# -- changing ------------------------------------------------------------------------------


async def test_update_merges_and_the_indexes_follow(runtime):
    agents = await registry()
    await agent(agents, "bob")
    await agent(agents, "ada", capability=["chat"])

    entry = await AgentRegistry.update(
        agents, "ada", {"capability": ["code"], "resources": {"memory_available": 7}}
    )

    assert entry.metadata["resources"]["cpu_available"] == 1.0
    assert [e.id for e in AgentRegistry.query(agents, where("capability") == "chat")] == ["bob"]
    assert AgentRegistry.query(agents, where("capability") == "code") == [entry]
    assert AgentRegistry.query(agents, where("resources.memory_available") < 50) == [entry]
    assert AgentRegistry.explain(agents, where("capability") == "code") == (
        "index capability: 1 examined, 1 found"
    )


async def test_replace_leaves_nothing_of_the_old_metadata(runtime):
    agents = await registry()
    await agent(agents, "ada", extra=1)

    await AgentRegistry.replace(agents, "ada", metadata(node="n9"))

    entry = AgentRegistry.lookup(agents, "ada")
    assert "extra" not in entry.metadata
    assert AgentRegistry.query(agents, where("node") == "n9") == [entry]


async def test_an_updated_agent_keeps_its_place_and_its_time(runtime):
    agents = await registry()
    await agent(agents, "a")
    await agent(agents, "b")
    before = AgentRegistry.lookup(agents, "a")

    after = await AgentRegistry.update(agents, "a", {"node": "n2"})

    assert [e.id for e in AgentRegistry.query(agents)] == ["a", "b"]
    assert (after.registered_at, after.number) == (before.registered_at, before.number)


@pytest.mark.parametrize("doing", ["update", "replace", "unregister"])
async def test_nothing_is_done_to_who_is_not_there(runtime, doing):
    agents = await registry()
    await agent(agents, "ada")

    with pytest.raises(AgentNotFoundError, match="did you mean 'ada'"):
        await getattr(AgentRegistry, doing)(agents, "adda", *[{}] * (doing != "unregister"))


async def test_unregistering_watches_the_process_no_longer(runtime):
    """No scan of all monitors: the owner's monitor is found by its pid, and ended."""
    agents = await registry()
    pid = await agent(agents, "ada")

    await AgentRegistry.unregister(agents, "ada")

    assert len((await st.sys.get_state(agents))["owners"]) == 0
    assert AgentRegistry.count(agents) == 0
    assert pid.is_alive()


async def test_what_is_no_operation_is_refused_and_the_registry_lives_on(runtime):
    agents = await registry()

    with pytest.raises(AgentRegistryError, match="operation must be a Register"):
        await AgentRegistry.apply(agents, "register, please")

    assert agents.is_alive()


# -- reading -------------------------------------------------------------------------------


async def test_reading_sends_no_message(runtime):
    agents = await registry()
    await agent(agents, "ada")
    await st.sys.suspend(agents)  # it would not answer

    assert AgentRegistry.lookup(agents, "ada").id == "ada"
    assert AgentRegistry.count(agents, where("node") == "n1") == 1
    assert AgentRegistry.indexed_attributes(agents) == (
        "capability",
        "health_status",
        "node",
        "resources.memory_available",
        "resources.cpu_available",
        "resources.memory_usage",
    )
    await st.sys.resume(agents)


async def test_only_the_registry_writes_its_entries(runtime):
    agents = await registry()
    await agent(agents, "ada")
    entries = (await st.sys.get_state(agents))["tables"].entries

    with pytest.raises(st.TableAccessError):
        entries["bob"] = entries["ada"]
    with pytest.raises(st.TableAccessError):
        del entries["ada"]


async def test_a_registry_is_read_by_pid_by_name_and_by_key(runtime):
    await st.Registry.start_link(name="reg")
    key = st.via("reg", "agents")
    await st.Supervisor.start_link(
        [
            st.child(AgentRegistry).with_(id="one", name="agents"),
            st.child(AgentRegistry).with_(id="two", name=key),
        ],
        strategy="one_for_one",
    )
    await agent("agents", "ada")
    await agent(key, "bob")

    assert [e.id for e in AgentRegistry.query("agents")] == ["ada"]
    assert [e.id for e in AgentRegistry.query(st.whereis("agents"))] == ["ada"]
    assert [e.id for e in AgentRegistry.query(key)] == ["bob"]


async def test_reading_what_is_not_there_or_no_registry_is_a_clear_error(runtime):
    other = await Agent.start()
    dead = await registry()
    await AgentRegistry.stop(dead)

    for wrong in ("nobody", other, dead, st.via("reg", "x")):
        with pytest.raises(AgentRegistryNotRunningError, match="no table to read") as error:
            AgentRegistry.query(wrong)
        assert error.value.registry is wrong


async def test_what_is_no_criterion_is_refused_in_the_caller(runtime):
    agents = await registry()

    for wrong in (True, {"node": "n1"}, where("node")):
        with pytest.raises(CriteriaError, match="criteria must be made by where"):
            AgentRegistry.query(agents, wrong)


async def test_a_query_uses_the_index_that_leads_to_the_fewest(runtime):
    agents = await registry()
    for number in range(20):
        await agent(
            agents,
            f"a{number}",
            capability=["chat"] + ["rare"] * (number == 3),
            resources={"memory_available": number},
        )

    def way(criteria: Any) -> str:
        return AgentRegistry.explain(agents, criteria)

    chat, rare = where("capability") == "chat", where("capability") == "rare"
    memory = where("resources.memory_available")
    assert way(chat & rare) == "index capability: 1 examined, 1 found"
    assert way(chat & memory.between(4, 7)) == (
        "ordered index resources.memory_available: 4 examined, 4 found"
    )
    assert way((memory > 4) & chat & (memory < 6)) == (
        "ordered index resources.memory_available: 1 examined, 1 found"
    )
    assert way(rare | (memory >= 18)) == (
        "index capability + ordered index resources.memory_available: 3 examined, 3 found"
    )
    assert (
        way(where("capability").in_(["rare", "other"])) == "index capability: 1 examined, 1 found"
    )
    assert way(~rare) == "scan: 20 examined, 19 found"
    assert way(chat) == "scan: 20 examined, 20 found"
    assert way(rare | (where("free") == 1)) == "scan: 20 examined, 1 found"
    assert way(where("node") == ["n1"]) == "scan: 20 examined, 0 found"


# -- restart ---------------------------------------------------------------------------------


async def test_a_restarted_registry_has_its_configuration_and_no_agents(runtime):
    schema = AgentSchema(required=("node",), indexed=("node",), ordered=())
    top = await st.Supervisor.start_link(
        [st.child(AgentRegistry, schema, max_agents=1).with_(id="agents", name="agents")],
        strategy="one_for_one",
    )
    pid = await Agent.start()
    await AgentRegistry.register("agents", "ada", {"node": "n1"}, pid=pid)
    first = st.whereis("agents")

    st.exit(first, st.KILL)
    with pytest.raises(AgentRegistryNotRunningError):
        AgentRegistry.query("agents")
    await wait_restarted(top, "agents", first)

    assert AgentRegistry.query("agents") == []
    assert AgentRegistry.indexed_attributes("agents") == ("node",)
    await AgentRegistry.register("agents", "ada", {"node": "n1"}, pid=pid)
    with pytest.raises(AgentRegistryFullError):
        await AgentRegistry.register("agents", "bob", {"node": "n1"}, pid=pid)


async def kept(**options: Any) -> st.Pid[Any]:
    return await AgentRegistry.tree(max_restarts=10, **options).start_link()


async def test_kept_agents_stay_registered_over_a_crash_of_the_registry(runtime):
    top = await kept()
    pid = await agent("agents", "ada", capability="code")
    other = await agent("agents", "bob")
    for _ in range(3):
        first = st.whereis("agents")
        st.exit(first, st.KILL)
        await wait_restarted(top, "agents", first)

    assert [e.id for e in AgentRegistry.query("agents")] == ["ada", "bob"]
    assert [e.id for e in AgentRegistry.query("agents", where("capability") == "code")] == ["ada"]
    with pytest.raises(AgentExistsError):
        await AgentRegistry.register("agents", "ada", metadata())
    await Agent.stop(pid)
    await wait_until(lambda: len(AgentRegistry.query("agents")) == 1)
    assert (await AgentRegistry.stats("agents")).died == 1
    newcomer = await AgentRegistry.register("agents", "cyd", metadata())
    assert newcomer.number > AgentRegistry.lookup("agents", "bob").number
    assert other.is_alive()


async def test_a_kept_agent_that_died_while_the_registry_was_away_is_taken_out(runtime):
    top = await kept()
    pid = await agent("agents", "ada")
    first = st.whereis("agents")
    st.exit(first, st.KILL)
    st.exit(pid, st.KILL)
    await wait_restarted(top, "agents", first)
    await wait_mailbox_empty("agents")

    stats = await AgentRegistry.stats("agents")
    assert (stats.agents, stats.died) == (0, 1)


async def test_without_its_keeper_the_agents_are_lost_and_the_registry_works_again(runtime):
    top = await kept()
    await agent("agents", "ada")
    first = st.whereis("agents")

    st.exit(st.whereis("agents.keeper"), st.KILL)
    await wait_restarted(top, "agents", first)

    assert AgentRegistry.query("agents") == []
    await agent("agents", "ada")
    assert AgentRegistry.count("agents") == 1


# -- what can be seen -------------------------------------------------------------------------


async def test_every_event_is_emitted_as_declared(runtime):
    agents = await registry()
    seen = heard(runtime)
    pid = await agent(agents, "ada")
    await AgentRegistry.update(agents, "ada", {"node": "n2"})
    AgentRegistry.query(agents, where("node") == "n2")
    with pytest.raises(AgentExistsError):
        await AgentRegistry.register(agents, "ada", metadata())
    await AgentRegistry.batch(agents, [])
    await Agent.stop(pid)
    await wait_mailbox_empty(agents)
    await AgentRegistry.register(agents, "bob", metadata())
    await AgentRegistry.unregister(agents, "bob")

    declared = {
        getattr(events, name).name.rpartition("agent_registry.")[2] for name in events.__all__
    }
    assert {name for name, _ in seen} == declared
    facts = dict(seen)
    assert facts["agent.updated"]["before"]["node"] == "n1"
    assert facts["agent.updated"]["after"]["node"] == "n2"
    assert facts["query.answered"]["criteria"] == "node == 'n2'"
    assert facts["query.answered"]["results_count"] == 1
    assert isinstance(facts["operation.refused"]["error"], AgentExistsError)


async def test_statistics_count_both_ways(runtime):
    agents = await registry()
    pid = await agent(agents, "a")
    await agent(agents, "b")
    await AgentRegistry.update(agents, "a", {"node": "n2"})
    await AgentRegistry.unregister(agents, "b")
    with pytest.raises(AgentNotFoundError):
        await AgentRegistry.unregister(agents, "b")
    AgentRegistry.query(agents)
    AgentRegistry.query(agents, where("capability") == "none")
    await Agent.stop(pid)
    await turn()

    stats = await AgentRegistry.stats(agents)

    assert (stats.agents, stats.registered, stats.updated) == (0, 2, 1)
    assert (stats.unregistered, stats.died, stats.refused) == (1, 1, 1)
    assert (stats.queries, stats.scans) == (2, 1)
