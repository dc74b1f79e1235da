"""S180 to S183: one kind of server, n times, found by a key."""

from __future__ import annotations

import asyncio
import enum
import os
import zlib
from typing import Any
from uuid import UUID

import pytest

import suptree as st
from suptree.otp.partition import partition_of
from suptree.testing import wait_down
from tests.otp.probes import settled

P = st.PartitionSupervisor


class Cache(st.GenServer):
    """Knows which one it is."""

    def __init__(self, *args: object) -> None:
        self.args = args

    @st.call
    def me(self) -> tuple[st.Pid[Any], tuple[object, ...]]:
        return self.pid, self.args


async def start(**options: Any) -> st.Pid[Any]:
    top = await st.DynamicSupervisor.start_link()
    spec = P.child(st.child(Cache), **{"name": "caches", "partitions": 4, **options})
    return await st.DynamicSupervisor.start_child(top, spec.with_(restart="temporary"))


@pytest.mark.otp("S180")
async def test_n_children_with_the_ids_0_to_n_minus_1(runtime):
    sup = await start(partitions=3)

    children = await P.which_children(sup)

    assert [child.id for child in reversed(children)] == [0, 1, 2]
    assert (await P.count_children("caches")).active == 3


@pytest.mark.otp("S180")
async def test_one_partition_is_restarted_alone_and_the_limit_is_the_supervisors(runtime):
    sup = await start(max_restarts=1)
    before = {child.id: child.pid for child in await P.which_children(sup)}

    await kill_partition(sup, 2)
    after = {child.id: child.pid for child in await P.which_children(sup)}
    assert [id for id in before if before[id] != after[id]] == [2]
    await kill_partition(sup, 0)

    assert not st.is_alive(sup)


async def kill_partition(sup: st.Pid[Any], key: int) -> st.Pid[Any]:
    pid = st.partition("caches", key).whereis(sup.runtime)
    assert pid is not None
    st.exit(pid, st.KILL)
    await wait_down(pid)
    await settled(sup)
    return pid


@pytest.mark.otp("S180")
def test_the_default_is_one_partition_for_each_processor():
    assert P(st.child(Cache), name="caches").partition_count == (os.cpu_count() or 1)


@pytest.mark.otp("S180")
@pytest.mark.parametrize(
    ("options", "error"),
    [
        ({"name": None}, st.SupervisorOptionsError),
        ({"name": ""}, st.SupervisorOptionsError),
        ({"partitions": 0}, st.SupervisorOptionsError),
        ({"partitions": True}, st.SupervisorOptionsError),
        ({"partitions": 2.0}, st.SupervisorOptionsError),
        ({"max_restarts": -1}, st.SupervisorOptionsError),
    ],
)
def test_wrong_options_are_refused_where_they_are_written(options, error):
    with pytest.raises(error):
        P.child(st.child(Cache), **{"name": "caches", **options})


@pytest.mark.otp("S180")
def test_a_name_and_a_child_spec_are_required():
    with pytest.raises(TypeError):
        P.child(st.child(Cache))  # type: ignore[call-arg]
    with pytest.raises(TypeError):
        P.child(name="caches")  # type: ignore[call-arg]
    with pytest.raises(st.ChildSpecError):
        P.child("cache", name="caches")  # type: ignore[arg-type]
    with pytest.raises(st.ChildSpecError, match="cannot share"):
        P.child(st.child(Cache).with_(name="one"), name="caches")


class Colour(enum.Enum):
    RED = "red"


@pytest.mark.otp("S181")
@pytest.mark.parametrize(
    ("key", "expected"),
    [
        (0, 0),
        (5, 1),
        (-5, 1),
        (10**30 + 3, 3),
        (True, 1),
        ("user-7", zlib.crc32(b"user-7") % 4),
        ("ü", zlib.crc32("ü".encode()) % 4),
        (b"user-7", zlib.crc32(b"user-7") % 4),
        (("a", 1), zlib.crc32(b"('a', 1)") % 4),
        (None, zlib.crc32(b"None") % 4),
        (1.5, zlib.crc32(b"1.5") % 4),
        (UUID(int=7), zlib.crc32(repr(UUID(int=7)).encode()) % 4),
        (Colour.RED, zlib.crc32(b"<Colour.RED: 'red'>") % 4),
    ],
)
def test_a_key_belongs_to_one_partition_in_every_run(key, expected):
    assert partition_of(key, 4) == expected


@pytest.mark.parametrize("key", [object(), {1, 2}, frozenset("ab")])
def test_a_key_that_would_not_stay_where_it_is_is_refused(key):
    with pytest.raises(TypeError, match="the same for equal keys"):
        partition_of(key, 4)


async def test_a_pid_is_a_key_for_life(runtime):
    pid = await Cache.start_link()
    st.register("somebody", pid)
    before = partition_of(pid, 1000)
    await Cache.stop(pid)

    assert partition_of(pid, 1000) == before == pid.id % 1000


@pytest.mark.otp("S181")
async def test_a_restarted_partition_is_found_under_the_same_key(runtime):
    sup = await start()
    first, _ = await Cache.me(st.partition("caches", 6))

    dead = await kill_partition(sup, 6)
    second, _ = await Cache.me(st.partition("caches", 6))

    assert first == dead
    assert second != first
    assert second in [child.pid for child in await P.which_children(sup) if child.id == 2]


@pytest.mark.otp("S182")
async def test_each_partition_can_get_its_own_arguments(runtime):
    class Numbered(Cache):
        pass

    await P.start_link(
        st.child(Numbered, "x"),
        name="numbered",
        partitions=3,
        with_arguments=lambda args, partition: (*args, partition),
    )

    answers = [(await Cache.me(st.partition("numbered", key)))[1] for key in range(3)]

    assert answers == [("x", 0), ("x", 1), ("x", 2)]


@pytest.mark.otp("S182")
async def test_the_number_of_partitions_can_be_asked(runtime):
    sup = await start(partitions=3)

    assert P.partitions("caches") == P.partitions(sup) == 3
    with pytest.raises(st.NoProcessError):
        P.partitions("nobody")


@pytest.mark.otp("S182")
async def test_stop_is_the_supervisors(runtime):
    await start()

    await P.stop("caches")

    assert len(runtime.alive()) == 2


@pytest.mark.otp("S183")
async def test_between_death_and_restart_a_key_still_names_the_dead_process(runtime):
    sup = await start()
    pid, _ = await Cache.me(st.partition("caches", 1))
    await runtime.system(sup, lambda body: body.suspend(), "suspend")
    st.exit(pid, st.KILL)
    await wait_down(pid)

    assert st.partition("caches", 1).whereis(runtime) == pid
    with pytest.raises(st.NoProcessError):
        await Cache.me(st.partition("caches", 1))
    st.GenServer.cast(st.partition("caches", 1), "lost")  # a cast never fails

    await runtime.system(sup, lambda body: body.resume(), "resume")
    await settled(sup)
    assert (await Cache.me(st.partition("caches", 1)))[0] != pid


@pytest.mark.otp("S183")
async def test_a_partition_that_never_came_up_and_an_unknown_name_are_nobody(runtime):
    class Absent(Cache):
        def init(self) -> st.Ignore:
            return st.Ignore()

    await P.start_link(st.child(Absent), name="absent", partitions=1)
    await Cache.start_link()
    plain = await Cache.child().with_(name="plain").start_link()

    for name in ("absent", "nobody", "plain"):
        assert st.partition(name, 1).whereis(runtime) is None
        with pytest.raises(st.NoProcessError):
            await Cache.me(st.partition(name, 1))
    assert st.is_alive(plain)


async def test_a_partition_is_no_name_to_start_under(runtime):
    await start()
    with pytest.raises(st.SuptreeError):
        await Cache.child().with_(name=st.partition("caches", 1)).start_link()
    with pytest.raises(st.NameTakenError):
        await Cache.child().with_(name=st.partition("nobody", 1)).start_link()


async def test_calls_spread_over_the_partitions(runtime):
    await start()

    pids = await asyncio.gather(*(Cache.me(st.partition("caches", f"k{n}")) for n in range(64)))

    assert len({pid for pid, _ in pids}) == 4
