"""No wrong argument to any client of any service ends the server, changes it, or is kept from the caller.

Clients are found, not listed: whatever a service lets anyone call is tried with many wrong
values in each place, the other places holding what their types ask for.  A new service
must say here how it is started, and nothing else.
"""

from __future__ import annotations

import asyncio
import collections.abc
import contextlib
import dataclasses
import enum
import importlib
import inspect
import pkgutil
import re
import types
import typing
from collections.abc import Awaitable, Callable, Iterator
from datetime import UTC, datetime
from typing import Any

import msgspec
import pytest

import suptree as st
from suptree import services
from suptree.core import safe_repr
from suptree.otp import sys
from suptree.services import (
    AgentRegistry,
    Barriers,
    Bulkheads,
    Cache,
    CircuitBreakers,
    ConfigServer,
    ConnectionPool,
    ConnectionPoolSpec,
    Consensus,
    CoordinationManager,
    DeadLetterQueue,
    Elections,
    FeatureFlags,
    Flag,
    HealthMonitor,
    Leases,
    Metrics,
    Migration,
    MigrationControl,
    RateLimiter,
    ReadinessBoard,
    ResourceManager,
    RetryService,
    SampledEvents,
    SchedulerManager,
    SignalBus,
    Stage,
    TaskPoolManager,
    TokenBucket,
    load_configuration,
)

pytestmark = pytest.mark.suptree_loop("virtual")

FOREVER = 1_000.0
"""Seconds of the virtual clock within which every client must have said something."""


# -- how each service is started -------------------------------------------------------------------


class Settings(msgspec.Struct, frozen=True):
    """Of the program that is configured."""

    size: int = 1
    name: str = "x"


async def _pool() -> Any:
    async def connect() -> object:
        return object()

    spec = ConnectionPoolSpec(name="pool", connect=connect, close=lambda _: None)
    await st.Supervisor.start_link([ConnectionPool.child(spec)])
    return "pool"


async def _control() -> Any:
    await _flags()
    return await MigrationControl.start_link("flags", {})


async def _flags() -> Any:
    migration = Migration("m", (Stage("one", {"a": 1.0}),))
    spec = st.child(
        FeatureFlags, [Flag("a", default=False), Flag("x", default=False)], migrations=[migration]
    )
    await st.Supervisor.start_link([spec.with_(name="flags")])
    return "flags"


STARTS: dict[type, Callable[[], Awaitable[Any]]] = {
    AgentRegistry: AgentRegistry.start_link,
    Barriers: Barriers.start_link,
    Bulkheads: Bulkheads.start_link,
    Cache: Cache.start_link,
    CircuitBreakers: CircuitBreakers.start_link,
    ConfigServer: lambda: ConfigServer.start_link(load_configuration(Settings)),
    ConnectionPool: _pool,
    Consensus: Consensus.start_link,
    CoordinationManager: CoordinationManager.start_link,
    DeadLetterQueue: DeadLetterQueue.start_link,
    Elections: Elections.start_link,
    FeatureFlags: _flags,
    HealthMonitor: HealthMonitor.start_link,
    Leases: Leases.start_link,
    Metrics: Metrics.start_link,
    MigrationControl: _control,
    RateLimiter: lambda: RateLimiter.start_link({"x": TokenBucket(rate=1.0, burst=1)}),
    ReadinessBoard: lambda: ReadinessBoard.start_link({"x": [], "y": ["x"]}),
    ResourceManager: lambda: ResourceManager.start_link({"x": 1}),
    RetryService: RetryService.start_link,
    SampledEvents: SampledEvents.start_link,
    SchedulerManager: SchedulerManager.start_link,
    SignalBus: SignalBus.start_link,
    TaskPoolManager: TaskPoolManager.start_link,
}


# -- finding the clients ----------------------------------------------------------------------------


OF_EVERY_SERVER = {*dir(st.GenServer), *dir(st.Supervisor)}


def servers() -> Iterator[type]:
    """Each class that is a service, or stands before one."""
    for module in pkgutil.walk_packages(services.__path__, "suptree.services."):
        importlib.import_module(module.name)
    for name in services.__all__:
        one = getattr(services, name)
        if inspect.isclass(one) and any(parameters for _, _, parameters in clients(one)):
            yield one


def clients(cls: type) -> Iterator[tuple[str, Callable[..., Any], list[inspect.Parameter]]]:
    """What anyone may call: name, client, and its parameters behind the server."""
    for name in sorted(dir(cls)):
        found = inspect.getattr_static(cls, name)
        client = getattr(cls, name)
        if name.startswith("_") or name in OF_EVERY_SERVER or not callable(client):
            continue
        if hasattr(found, "function"):
            yield name, client, list(inspect.signature(found.function).parameters.values())[1:]
        elif inspect.isfunction(client) or inspect.ismethod(client):
            first, *others = [*inspect.signature(client).parameters.values(), None]
            if first is not None and "ServerRef" in str(first.annotation):
                yield name, client, [one for one in others if one is not None]


CASES = [
    pytest.param(cls, name, id=f"{cls.__name__}.{name}")
    for cls in servers()
    for name, _, parameters in clients(cls)
    if parameters
]


def test_each_service_that_has_clients_is_started_here():
    assert {one.__name__ for one in servers()} == {one.__name__ for one in STARTS}


# -- what is right -----------------------------------------------------------------------------------


async def _work(*_: Any, **__: Any) -> bool:
    return True


PLAIN: dict[Any, Callable[[], Any]] = {
    str: lambda: "x",
    bool: lambda: True,
    int: lambda: 1,
    float: lambda: 1.0,
    bytes: lambda: b"x",
    object: lambda: "x",
    Any: lambda: "x",
    types.NoneType: lambda: None,
    datetime: lambda: datetime.now(UTC),
    st.Pid: st.current,
    BaseException: lambda: ValueError("x"),
    Exception: lambda: ValueError("x"),
    collections.abc.Hashable: lambda: "x",
    collections.abc.Callable: lambda: _work,
}


def fitting(hint: Any, depth: int = 4) -> Any:
    """A value of that type, as far as it can be told."""
    origin, args = typing.get_origin(hint) or hint, typing.get_args(hint)
    if origin in PLAIN:
        return PLAIN[origin]()
    if origin is typing.Literal:
        return args[0]
    if origin in (types.UnionType, typing.Union):
        return fitting(next(one for one in args if one is not types.NoneType), depth)
    if isinstance(hint, typing.TypeVar) or depth == 0:
        return "x"
    if origin is type:
        return int
    if not inspect.isclass(origin):
        return "x"
    if issubclass(origin, enum.Enum):
        return next(iter(origin))
    if dataclasses.is_dataclass(origin):
        with contextlib.suppress(Exception):
            return _made(origin, depth - 1)
    if issubclass(origin, collections.abc.Mapping):
        key, value = args or (str, str)
        return {fitting(key, depth - 1): fitting(value, depth - 1)}
    if issubclass(origin, collections.abc.Iterable):
        values = [fitting(one, depth - 1) for one in args[:1] if one is not Ellipsis]
        return origin(values) if origin in (tuple, list, set, frozenset) else values
    return "x"


def _made(cls: type, depth: int) -> Any:
    hints = typing.get_type_hints(cls)
    return cls(
        **{
            field.name: fitting(hints[field.name], depth)
            for field in dataclasses.fields(cls)
            if field.default is dataclasses.MISSING
            and field.default_factory is dataclasses.MISSING
            and field.init
        }
    )


def places(client: Any, parameters: list[inspect.Parameter]) -> dict[str, Any]:
    """The names of all arguments, those in ``**options`` too, each with its type."""
    function = inspect.unwrap(client)
    try:
        hints = typing.get_type_hints(function, include_extras=True)
    except NameError:  # a name for type checkers only
        hints = {}
    found: dict[str, Any] = {}
    for one in parameters:
        hint = hints.get(one.name, object)
        if one.kind is inspect.Parameter.VAR_KEYWORD:
            if typing.get_origin(hint) is typing.Unpack:
                found |= typing.get_type_hints(typing.get_args(hint)[0])
        elif one.kind is not inspect.Parameter.VAR_POSITIONAL:
            found[one.name] = hint
    return found


# -- what is wrong -----------------------------------------------------------------------------------


class Prickly(str):
    """A text that can neither be compared nor hashed."""

    __slots__ = ()

    def __eq__(self, other: object) -> bool:
        raise RuntimeError("compared")

    def __hash__(self) -> int:
        raise RuntimeError("hashed")


class Mute:
    """Neither shown nor compared, and without a hash."""

    __hash__ = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        raise RuntimeError("shown")

    def __eq__(self, other: object) -> bool:
        raise RuntimeError("compared")


GARBAGE: tuple[Any, ...] = (
    [],
    {"x": []},
    {1, 2},
    float("nan"),
    float("inf"),
    -1,
    0.001,
    10**400,
    True,
    "",
    "\ud800",
    b"x",
    None,
    object(),
    int,
    [[]],
    [None],
    Prickly("x"),
    Mute(),
    ValueError,
)

FORGETFUL = re.compile(r"refus|reject|unknown|denied|expired|in_vain|failed|quer|scans|asked|seen")
"""Counters of what was refused, which is what a refusal may change."""


def picture(value: Any, seen: tuple[int, ...] = (), name: str = "") -> Any:
    """What a server holds, to be compared: containers and objects down to what is plain."""
    if FORGETFUL.search(name):
        return ""
    if isinstance(value, (str, int, float, bytes, enum.Enum, types.NoneType, st.Pid)):
        return value
    if id(value) in seen or len(seen) > 12:
        return "..."
    seen = (*seen, id(value))
    if isinstance(value, collections.abc.Mapping):
        if FORGETFUL.search(name) and all(isinstance(one, int) for one in value.values()):
            return ""
        return [(safe_repr(key), picture(one, seen, str(key))) for key, one in value.items()]
    if isinstance(value, (list, tuple, set, frozenset, collections.deque)):
        return [picture(one, seen) for one in value]
    if type(value).__module__.startswith("suptree.services"):
        fields = [*getattr(value, "__dict__", ())]
        for cls in type(value).__mro__:
            slots = cls.__dict__.get("__slots__", ())
            fields += [slots] if isinstance(slots, str) else slots
        return [
            (field, picture(getattr(value, field, None), seen, field)) for field in sorted(fields)
        ]
    return type(value).__name__


async def state_of(server: Any) -> Any:
    """A picture of all that the server holds."""
    return picture(await sys.get_state(server))


async def ask(client: Any, server: Any, arguments: dict[str, Any], parameters: Any) -> None:
    """Call it, and wait for what comes."""
    first = [
        arguments[one.name]
        for one in parameters
        if one.kind is inspect.Parameter.POSITIONAL_ONLY and one.name in arguments
    ]
    named = {
        name: value
        for name, value in arguments.items()
        if not any(one.name == name and one.kind is one.POSITIONAL_ONLY for one in parameters)
    }
    result = client(server, *first, **named)
    if hasattr(result, "__aenter__"):
        async with result:
            pass
    elif inspect.isawaitable(result):
        await result


async def error_of(
    client: Any, server: Any, arguments: dict[str, Any], parameters: Any
) -> BaseException | None:
    """What the call raises, if it does."""
    try:
        async with asyncio.timeout(FOREVER):
            await ask(client, server, arguments, parameters)
    except Exception as error:
        return error
    return None


@pytest.mark.parametrize(("cls", "name"), CASES)
async def test_no_wrong_argument_ends_a_server_or_changes_it(runtime, cls, name):
    server = await STARTS[cls]()
    client, parameters = next((c, p) for n, c, p in clients(cls) if n == name)
    wanted = places(client, parameters)
    required = {one.name for one in parameters if one.default is inspect.Parameter.empty}
    fits = {one: fitting(hint) for one, hint in wanted.items() if one in required}
    pid = runtime.whereis(server) if isinstance(server, str) else server
    faults: list[str] = []
    for place in wanted:
        usual = safe_repr(
            await error_of(client, server, fits, parameters)
        )  # not about this argument
        before = await state_of(pid)
        for wrong in GARBAGE:
            said = f"{place}={safe_repr(wrong, 40)}"
            began = runtime.now()
            raised = await error_of(client, server, fits | {place: wrong}, parameters)
            took = runtime.now() - began
            assert pid.is_alive(), f"{said}: ended the server, {safe_repr(raised)}"
            after = await state_of(pid)
            if took >= FOREVER:
                if wrong is not None or place != "timeout":  # which says to wait for ever
                    faults.append(f"{said}: hangs")
            elif raised is not None and took == 0 and safe_repr(raised) != usual:
                faults += [f"{said}: {fault}" for fault in faults_of(raised, place, wrong)]
                if after != before:
                    faults.append(f"{said}: refused, and changed {_differs(before, after)}")
            before = after

    assert not faults, "\n" + "\n".join(faults)


def faults_of(raised: BaseException, place: str, wrong: object) -> Iterator[str]:
    """What is wrong with a refusal."""
    if not isinstance(raised, (st.SuptreeError, TypeError, ValueError)):
        yield f"raised {safe_repr(raised)}"
    if isinstance(raised, st.ServerExitError):
        yield f"ended a server, {raised.reason!r}"
    if not _names(str(raised), place, wrong):
        yield f"does not say which argument: {str(raised)!r}"


def _names(text: str, place: str, wrong: object) -> bool:
    return place.strip("_").removesuffix("s") in text or safe_repr(wrong, 20).rstrip("…") in text


def _differs(before: Any, after: Any) -> str:
    """Where two pictures differ, as deep down as can be told."""
    both = isinstance(before, (list, tuple)) and isinstance(after, (list, tuple))
    if both and len(before) == len(after):
        pairs = zip(before, after, strict=True)
        return "; ".join(_differs(one, other) for one, other in pairs if one != other)
    return f"{before!r} -> {after!r}"
