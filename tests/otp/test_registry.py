"""S210 to S219: processes found by keys."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

import suptree as st
from suptree.testing import turn, wait_down


class Member(st.GenServer):
    """Registers itself under what it is asked to."""

    def __init__(self, *keys: Any, trap: bool = False) -> None:
        if trap:
            st.trap_exit()
        for key in keys:
            st.Registry.register("reg", key, f"value of {key}")
        self.exits: list[st.Exit] = []

    @st.call
    def apply(self, function: Callable[..., Any], *args: Any) -> Any:
        return function(*args)

    @st.call
    def seen(self) -> list[st.Exit]:
        return self.exits

    def handle_info(self, message: Any) -> None:
        if isinstance(message, st.Exit):
            self.exits.append(message)


async def registry(keys: Any = "unique", **options: Any) -> st.Pid[Any]:
    return await st.Registry.start_link(name="reg", keys=keys, **options)


async def member(*keys: Any, trap: bool = False) -> st.Pid[Member]:
    return await Member.start(*keys, trap=trap)


def process_of(pid: st.Pid[Any]) -> Any:
    return pid._process


# -- register ---------------------------------------------------------------------------


@pytest.mark.otp("S210")
async def test_register_enters_the_caller_and_links_it_to_the_partition(runtime):
    await registry()

    owner = st.Registry.register("reg", "lobby", 7)

    assert st.Registry.lookup("reg", "lobby") == [(st.current(), 7)]
    assert process_of(owner) in process_of(st.current()).links


@pytest.mark.otp("S210")
async def test_a_taken_unique_key_names_its_holder_itself_too(runtime):
    await registry()
    st.Registry.register("reg", "lobby", 1)

    with pytest.raises(st.AlreadyRegisteredError) as caught:
        st.Registry.register("reg", "lobby", 2)
    assert caught.value.pid == st.current()
    assert caught.value.key == "lobby"
    with pytest.raises(st.StartError, match="AlreadyRegisteredError"):
        await member("lobby")
    assert st.Registry.lookup("reg", "lobby") == [(st.current(), 1)]


@pytest.mark.otp("S210")
async def test_duplicate_keys_hold_many_processes(runtime):
    await registry("duplicate")
    one, two = await member("lobby"), await member("lobby")

    assert {pid for pid, _ in st.Registry.lookup("reg", "lobby")} == {one, two}


async def test_only_the_code_of_a_process_registers(runtime):
    import asyncio

    await registry()

    async def bare() -> None:
        st.Registry.register("reg", "lobby")

    with pytest.raises(st.NotInProcessError):
        await asyncio.create_task(bare())
    assert st.Registry.count("reg") == 0


# -- death ---------------------------------------------------------------------------------


@pytest.mark.otp("S211")
@pytest.mark.parametrize("keys", ["unique", "duplicate"])
async def test_the_entries_of_a_dead_process_are_gone_when_its_death_is_told(runtime, keys):
    await registry(keys)
    pid = await member("a", "b")
    ref = st.monitor(pid)
    st.exit(pid, st.KILL)

    await st.receive(lambda m: isinstance(m, st.Down) and m.ref is ref)
    assert st.Registry.lookup("reg", "a") == []
    assert st.Registry.count("reg") == 0
    assert st.Registry.keys("reg", pid) == []


@pytest.mark.otp("S211")
async def test_a_unique_key_of_a_process_that_is_still_unwinding_can_be_taken_at_once(runtime):
    await registry()
    leave = runtime.park()

    async def slow_to_go() -> None:
        st.Registry.register("reg", "lobby", "old")
        try:
            await st.receive()
        finally:
            await leave

    old = runtime.spawn(slow_to_go)
    await turn(2)
    down = runtime.down_slot(old)
    st.exit(old, "enough")

    assert st.Registry.lookup("reg", "lobby") == []
    assert st.Registry.whereis("reg", "lobby") is None
    st.Registry.register("reg", "lobby", "new")
    leave.set(None)
    await down
    assert st.Registry.lookup("reg", "lobby") == [(st.current(), "new")]
    assert st.Registry.count("reg") == 1


async def test_a_death_leaves_neither_a_link_nor_a_message_with_the_partition(runtime):
    await registry()
    pid = await member("lobby")
    partition = next(p for p in process_of(pid).links if p.label == "Partition")
    st.exit(pid, "enough")
    await turn(2)

    assert all(p.pid is not pid for p in partition.links)
    assert not partition.mailbox


# -- reading ---------------------------------------------------------------------------------


@pytest.mark.otp("S212")
@pytest.mark.parametrize(("keys", "partitions"), [("unique", 1), ("unique", 3), ("duplicate", 3)])
async def test_the_reading_functions_agree(runtime, keys, partitions):
    await registry(keys, partitions=partitions)
    pids = {number: await member(number, number + 10) for number in range(6)}

    assert st.Registry.count("reg") == 12
    assert st.Registry.lookup("reg", 3) == [(pids[3], "value of 3")]
    assert st.Registry.lookup("reg", "nobody") == []
    assert sorted(st.Registry.keys("reg", pids[4])) == [4, 14]
    assert st.Registry.values("reg", 14, pids[4]) == ["value of 14"]
    assert st.Registry.values("reg", 14, pids[3]) == []
    assert st.Registry.match("reg", 3, lambda value: value == "value of 3") == [
        (pids[3], "value of 3")
    ]
    assert st.Registry.match("reg", 3, lambda value: False) == []
    assert st.Registry.count_match("reg", 3, lambda value: True) == 1
    everything = st.Registry.select("reg")
    assert len(everything) == 12
    assert st.RegistryEntry(3, pids[3], "value of 3") in everything
    assert {e.key for e in st.Registry.select("reg", lambda e: e.key >= 10)} == set(range(10, 16))
    assert st.Registry.count_select("reg", lambda e: e.pid is pids[0]) == 2


@pytest.mark.otp("S212")
async def test_a_lookup_needs_no_message_and_costs_the_same_with_many_keys(runtime):
    await registry()
    for number in range(20_000):
        st.Registry.register("reg", number, number)
    before = runtime.runqueue.idle(), [p.messages_in for p in runtime.processes.values()]

    assert st.Registry.lookup("reg", 19_999) == [(st.current(), 19_999)]
    assert (runtime.runqueue.idle(), [p.messages_in for p in runtime.processes.values()]) == before


# -- duplicate, unregister -------------------------------------------------------------------------


@pytest.mark.otp("S213")
async def test_a_process_may_hold_a_duplicate_key_many_times(runtime):
    await registry("duplicate")
    for value in (1, 2, 2):
        st.Registry.register("reg", "lobby", value)

    assert st.Registry.values("reg", "lobby", st.current()) == [1, 2, 2]
    assert st.Registry.keys("reg", st.current()) == ["lobby", "lobby", "lobby"]
    assert st.Registry.count("reg") == 3


@pytest.mark.otp("S213")
@pytest.mark.parametrize("keys", ["unique", "duplicate"])
async def test_unregister_takes_the_callers_own_entries_only_and_is_always_fine(runtime, keys):
    await registry(keys)
    other = await member("theirs")
    st.Registry.register("reg", "mine", 1)
    if keys == "duplicate":
        st.Registry.register("reg", "mine", 2)
        st.Registry.register("reg", "theirs", 3)

    for key in ("mine", "theirs", "nobody's"):
        st.Registry.unregister("reg", key)

    assert [e.pid for e in st.Registry.select("reg")] == [other]
    assert st.Registry.count("reg") == 1
    assert not [p for p in process_of(st.current()).links if p.label == "Partition"]
    assert not process_of(st.current()).owned


@pytest.mark.otp("S213")
async def test_unregister_match_takes_matching_values_only(runtime):
    await registry("duplicate")
    for value in (1, 2, 3):
        st.Registry.register("reg", "lobby", value)

    st.Registry.unregister_match("reg", "lobby", lambda value: value % 2)

    assert st.Registry.values("reg", "lobby", st.current()) == [2]
    assert st.Registry.count("reg") == 1
    st.Registry.unregister_match("reg", "lobby", lambda value: True)
    assert st.Registry.lookup("reg", "lobby") == []


async def test_registering_and_unregistering_for_ever_leaves_nothing(runtime):
    await registry()
    for _ in range(100):
        st.Registry.register("reg", "lobby")
        st.Registry.unregister("reg", "lobby")

    assert not process_of(st.current()).owned


# -- values ------------------------------------------------------------------------------------


@pytest.mark.otp("S214")
async def test_update_value_gives_new_and_old_to_the_holder(runtime):
    await registry()
    st.Registry.register("reg", "count", 1)

    assert st.Registry.update_value("reg", "count", lambda n: n + 1) == (2, 1)
    assert st.Registry.lookup("reg", "count") == [(st.current(), 2)]


@pytest.mark.otp("S214")
async def test_update_value_is_refused_to_others_and_under_duplicate_keys(runtime):
    await registry()
    await member("theirs")

    for key in ("theirs", "nobody's"):
        with pytest.raises(st.RegistryError, match="not held by"):
            st.Registry.update_value("reg", key, lambda value: "stolen")
    assert st.Registry.lookup("reg", "theirs")[0][1] == "value of theirs"
    await st.Registry.start_link(name="dup", keys="duplicate")
    st.Registry.register("dup", "lobby", 1)
    with pytest.raises(st.RegistryError, match="duplicate keys"):
        st.Registry.update_value("dup", "lobby", lambda value: 2)


@pytest.mark.otp("S215")
async def test_dispatch_runs_in_the_caller_once_per_partition_that_has_entries(runtime):
    await registry("duplicate", partitions=3)
    pids = [await member("lobby") for _ in range(2)]
    calls: list[Any] = []

    st.Registry.dispatch("reg", "lobby", lambda entries: calls.append((st.current(), entries)))

    assert {caller for caller, _ in calls} == {st.current()}
    assert len(calls) == len({pid.id % 3 for pid in pids})
    assert {pid for _, entries in calls for pid, _ in entries} == set(pids)
    st.Registry.dispatch("reg", "nobody", lambda entries: calls.clear())
    assert calls


@pytest.mark.otp("S215")
async def test_what_the_function_of_a_dispatch_raises_goes_to_the_caller(runtime):
    await registry()
    await member("lobby")

    with pytest.raises(ZeroDivisionError):
        st.Registry.dispatch("reg", "lobby", lambda entries: 1 / 0)
    assert st.Registry.count("reg") == 1


@pytest.mark.otp("S216")
async def test_metadata_is_kept_and_forgotten(runtime):
    await registry()

    assert st.Registry.meta("reg", "owner") is None
    st.Registry.put_meta("reg", "owner", "Ada")
    assert st.Registry.meta("reg", "owner") == "Ada"
    st.Registry.delete_meta("reg", "owner")
    assert st.Registry.meta("reg", "owner", "nobody") == "nobody"


@pytest.mark.otp("S216")
async def test_an_unknown_registry_is_refused_and_a_call_through_it_finds_nobody(runtime):
    runtime.names.register("not.a.registry", process_of(await Member.start()))

    for name in ("reg", "not.a.registry"):
        with pytest.raises(st.RegistryError, match=f"no registry '{name}'"):
            st.Registry.lookup(name, "lobby")
        with pytest.raises(st.NoProcessError):
            await Member.seen(st.via(name, "lobby"))


# -- via ------------------------------------------------------------------------------------------


@pytest.mark.otp("S217")
async def test_a_server_is_started_and_called_by_its_key(runtime):
    await registry()
    lobby = st.via("reg", "lobby", "first")

    pid = await Member.child().with_(name=lobby).start_unlinked()

    assert st.Registry.lookup("reg", "lobby") == [(pid, "first")]
    assert await Member.apply(lobby, st.current) == pid
    st.send(lobby, st.Exit(pid, "just a message"))
    assert len(await Member.seen(st.via("reg", "lobby"))) == 1


@pytest.mark.otp("S217")
async def test_a_taken_key_refuses_the_start_with_its_holder(runtime):
    await registry()
    holder = await member("lobby")

    with pytest.raises(st.AlreadyStartedError) as caught:
        await Member.child().with_(name=st.via("reg", "lobby")).start_unlinked()

    assert caught.value.pid == holder


@pytest.mark.otp("S217")
async def test_a_key_that_nobody_has(runtime):
    await registry()
    nobody = st.via("reg", "nobody")

    assert nobody.whereis(runtime) is None
    with pytest.raises(st.NoProcessError):
        await Member.seen(nobody)
    with pytest.raises(st.NoProcessError):
        st.send(nobody, "hello")
    st.GenServer.cast(nobody, "hello")


@pytest.mark.otp("S217")
async def test_a_name_needs_a_registry_with_unique_keys(runtime):
    await registry("duplicate")

    with pytest.raises(st.RegistryError, match="duplicate keys"):
        await Member.seen(st.via("reg", "lobby"))


async def test_a_start_under_a_key_of_an_unknown_registry_is_refused_and_leaves_nothing(runtime):
    with pytest.raises(st.RegistryError, match="no registry 'reg'"):
        await Member.child().with_(name=st.via("reg", "lobby")).start_link()

    assert runtime.alive() == [st.current()]
    assert st.is_alive(st.current())


# -- listeners ---------------------------------------------------------------------------------------


@pytest.mark.otp("S218")
async def test_listeners_hear_of_register_and_unregister_and_not_of_deaths(runtime):
    st.register("ear")
    await registry(listeners=["ear", "nobody"])
    pid = await member("lobby")
    st.Registry.register("reg", "mine", 1)
    st.Registry.unregister("reg", "mine")
    st.Registry.unregister("reg", "mine")
    st.exit(pid, st.KILL)
    await wait_down(pid)

    heard = [await st.receive() for _ in range(4)]

    assert heard == [
        st.KeyRegistered("reg", "lobby", pid, "value of lobby"),
        st.KeyRegistered("reg", "mine", st.current(), 1),
        st.KeyUnregistered("reg", "mine", st.current()),
        st.KeyUnregistered("reg", "mine", st.current()),  # again: it holds nothing, as Elixir's say
    ]
    with pytest.raises(st.ReceiveTimeoutError):
        await st.receive(timeout=0)


@pytest.mark.otp("S218")
async def test_listeners_hear_of_unregister_match_when_nothing_is_left(runtime):
    st.register("ear")
    await registry(keys="duplicate", listeners=["ear"])
    for value in (1, 2):
        st.Registry.register("reg", "mine", value)
        await st.receive(st.KeyRegistered)

    st.Registry.unregister_match("reg", "mine", lambda value: value == 1)
    with pytest.raises(st.ReceiveTimeoutError):
        await st.receive(timeout=0)
    st.Registry.unregister_match("reg", "mine", lambda value: value == 2)

    assert await st.receive() == st.KeyUnregistered("reg", "mine", st.current())


# -- partitions ----------------------------------------------------------------------------------------


async def partitions() -> list[st.Pid[Any]]:
    infos = await st.Supervisor.which_children("reg")
    return [info.pid for info in sorted(infos, key=lambda info: info.id)]


@pytest.mark.otp("S219")
async def test_the_registry_is_a_supervisor_of_its_partitions(runtime):
    pid = await registry(partitions=3)

    assert len(await partitions()) == 3
    assert process_of(pid).body.kind == "supervisor"


@pytest.mark.otp("S219")
async def test_unique_keys_spread_by_key_and_duplicate_ones_by_process(runtime):
    await registry(partitions=4)
    assert len({st.Registry.register("reg", number) for number in range(8)}) == 4
    await st.Registry.start_link(name="dup", keys="duplicate", partitions=4)
    assert len({st.Registry.register("dup", number) for number in range(8)}) == 1


@pytest.mark.otp("S219")
async def test_the_crash_of_a_partition_takes_the_registered_along_unless_they_trap(runtime):
    await registry()
    dies, lives = await member("a"), await member("b", trap=True)
    down = runtime.down_slot(dies)
    (partition,) = await partitions()
    st.exit(partition, st.KILL)

    assert await down is st.KILLED
    assert await Member.seen(lives) == [st.Exit(partition, st.KILLED)]
    assert st.Registry.select("reg") == []
    (successor,) = await partitions()
    assert successor is not partition
    assert await Member.apply(lives, st.Registry.register, "reg", "b") is successor


@pytest.mark.otp("S219")
@pytest.mark.parametrize(("keys", "restarted"), [("unique", 2), ("duplicate", 1)])
async def test_partitions_of_unique_keys_restart_together_and_of_duplicate_ones_alone(
    runtime, keys, restarted
):
    await registry(keys, partitions=2)
    before = await partitions()
    st.exit(before[0], st.KILL)
    await turn(5)

    after = await partitions()

    assert sum(old is not new for old, new in zip(before, after, strict=True)) == restarted


async def test_while_a_partition_is_down_register_is_refused_and_lookup_finds_nobody(runtime):
    await registry()
    await member("lobby")
    (partition,) = await partitions()
    st.exit(partition, st.KILL)

    assert st.Registry.lookup("reg", "lobby") == []
    with pytest.raises(st.RegistryError, match="is being restarted"):
        st.Registry.register("reg", "lobby")


@pytest.mark.parametrize(
    ("options", "complaint"),
    [
        ({"name": ""}, "name must be a non-empty string"),
        ({"name": "r", "keys": "uniqe"}, "keys must be 'unique' or 'duplicate'; got 'uniqe'"),
        ({"name": "r", "partitions": 0}, "partitions must be an int of at least 1; got 0"),
        ({"name": "r", "listeners": [1]}, "listeners must be registered names; got 1"),
    ],
)
async def test_wrong_options_are_refused(options, complaint):
    with pytest.raises(st.RegistryError, match=complaint):
        st.Registry.child(**options)
