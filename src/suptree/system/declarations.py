"""`Declarations`: what a user wants of the services of a `System` from the start.

Checked when it is made, field by field, so that what is wrong is told where it is written,
and not by a service that cannot start.

>>> Declarations(jobs=["nightly"])
Traceback (most recent call last):
SpecError: Declarations: jobs must be Jobs; got 'nightly'. Write jobs=[Job(...)].
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final, NoReturn, get_args

from suptree.core import Pid
from suptree.errors import SpecError
from suptree.near import did_you_mean
from suptree.services import (
    ALLOWED_COMMANDS,
    AgentSchema,
    BreakerConfig,
    Budget,
    BulkheadConfig,
    CommandRule,
    Flag,
    HealthCheck,
    Job,
    LanePolicy,
    Limit,
    Metric,
    Migration,
    Receiver,
    ResourceLimit,
    RetryPolicy,
    Subscription,
    TaskPoolConfig,
    Watch,
    platform_metrics,
)
from suptree.system.tree import Branch, Service

__all__ = ["Declarations"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Declarations:
    """What a user wants of the services from the start; it is there again after each restart.

    Attributes:
        breakers: Circuit breakers by name.
        retries: Retry policies by name.
        limits: Rate limits by name.
        bulkheads: Bulkheads by name.
        resources: Limits of resources by type.
        budgets: What those types draw from, by name.
        metrics: What is kept beside `platform_metrics()`.
        subscriptions: Who gets which signals, by name.
        commands: The commands of the operating system that may be run, by name; default:
            `ALLOWED_COMMANDS`, which only look.
        pools: Task pools by name, beside `DEFAULT_POOLS`.
        lanes: How the messages to single receivers are treated.
        flags: Feature flags.
        migrations: Staged migrations over them.
        jobs: Scheduled jobs.
        checks: Health checks of the system.
        watch: Processes that are to be monitored.
        agents: What the metadata of agents must have.
        services: Services and branches of the user's own, beside those that are here.

    Raises:
        SpecError: A field is not as said here, or two of its values have one name.
    """

    breakers: Mapping[str, BreakerConfig] = field(default_factory=dict[str, BreakerConfig])
    retries: Mapping[str, RetryPolicy] = field(default_factory=dict[str, RetryPolicy])
    limits: Mapping[str, Limit] = field(default_factory=dict[str, Limit])
    bulkheads: Mapping[str, BulkheadConfig] = field(default_factory=dict[str, BulkheadConfig])
    resources: Mapping[str, ResourceLimit | int] = field(
        default_factory=dict[str, "ResourceLimit | int"]
    )
    budgets: Mapping[str, Budget] = field(default_factory=dict[str, Budget])
    metrics: Collection[Metric] = ()
    subscriptions: Collection[Subscription] = ()
    commands: Mapping[str, CommandRule] = field(default_factory=lambda: dict(ALLOWED_COMMANDS))
    pools: Mapping[str, TaskPoolConfig] = field(default_factory=dict[str, TaskPoolConfig])
    lanes: Mapping[Receiver, LanePolicy] = field(default_factory=dict[Receiver, LanePolicy])
    flags: Collection[Flag] = ()
    migrations: Collection[Migration] = ()
    jobs: Collection[Job] = ()
    checks: Collection[HealthCheck] = ()
    watch: Collection[Watch] = ()
    agents: AgentSchema | None = None
    services: Collection[Service | Branch] = ()

    def __post_init__(self) -> None:
        for name, kinds in _MAPPINGS.items():
            _check_mapping(name, getattr(self, name), kinds)
        for name, (kind, key) in _LISTS.items():
            _check_list(name, getattr(self, name), kind, key)
        given: object = self.agents
        if given is not None and not isinstance(given, AgentSchema):
            raise SpecError(
                f"Declarations: agents must be an AgentSchema or None; got {given!r}. "
                "Write agents=AgentSchema(...)."
            )
        self._check_together()

    def _check_together(self) -> None:
        """See that each finds what it names."""
        for one in self.subscriptions:
            if one.name is None:
                _refuse(
                    "subscriptions", "of registered names", one, "A pid is another at each start."
                )
        platform = {metric.name for metric in platform_metrics()}
        for metric in self.metrics:
            if metric.name in platform:
                how = "Give it another name: that one is kept already."
                _refuse("metrics", "named unlike those of the platform", metric.name, how)
        for job in self.jobs:
            if not job.id:
                how = "It is known by that when the scheduler starts again: Job(..., id='nightly')."
                _refuse("jobs", "given an id each", job.what, how)
        flags = [flag.name for flag in self.flags]
        for migration in self.migrations:
            for flag in sorted(migration.flags()):
                _check_known(f"the flags of migration {migration.name!r}", "flags", flag, flags)
        for type, limit in self.resources.items():
            for budget in limit.costs if isinstance(limit, ResourceLimit) else ():
                _check_known(f"the costs of resource {type!r}", "budgets", budget, self.budgets)


_MAPPINGS: Final[Mapping[str, tuple[type, ...]]] = {
    "breakers": (BreakerConfig,),
    "retries": (RetryPolicy,),
    "limits": get_args(Limit),
    "bulkheads": (BulkheadConfig,),
    "resources": (ResourceLimit, int),
    "budgets": (Budget,),
    "commands": (CommandRule,),
    "pools": (TaskPoolConfig,),
    "lanes": (LanePolicy,),
}


def _named(one: Any) -> object:
    return one.name


_LISTS: Final[Mapping[str, tuple[tuple[type, ...], Callable[[Any], object]]]] = {
    "metrics": ((Metric,), _named),
    "subscriptions": ((Subscription,), lambda one: one.id),
    "flags": ((Flag,), _named),
    "migrations": ((Migration,), _named),
    "jobs": ((Job,), lambda one: one.id or None),
    "checks": ((HealthCheck,), _named),
    "watch": ((Watch,), lambda one: one.target),
    "services": ((Service, Branch), _named),
}
"""What each list holds, and by what its values must differ; None: by nothing."""


_PLURALS: Final[Mapping[str, str]] = {"Watch": "Watches", "Branch": "Branches"}


def _check_mapping(name: str, given: object, kinds: tuple[type, ...]) -> None:
    example = f"Write {name}={{'name': {kinds[0].__name__}(...)}}."
    if not isinstance(given, Mapping):
        raise SpecError(f"Declarations: {name} must be a dict; got {given!r}. {example}")
    keys = (str, Pid) if name == "lanes" else (str,)
    for key, value in given.items():  # pyright: ignore[reportUnknownVariableType]
        if not isinstance(key, keys) or not key:
            raise SpecError(
                f"Declarations: the names of {name} must be texts that are not empty; got {key!r}. "
                f"{example}"
            )
        if not isinstance(value, kinds) or isinstance(value, bool):
            raise SpecError(
                f"Declarations: {name}[{key!r}] must be {_either(kinds)}; got {value!r}. {example}"
            )


def _check_list(
    name: str, given: object, kinds: tuple[type, ...], key_of: Callable[[Any], object]
) -> None:
    names = [kind.__name__ for kind in kinds]
    what = " and ".join(_PLURALS.get(one, f"{one}s") for one in names)
    example = f"Write {name}=[{kinds[0].__name__}(...)]."
    if isinstance(given, str | Mapping) or not isinstance(given, Collection):
        raise SpecError(f"Declarations: {name} must be a list of {what}; got {given!r}. {example}")
    seen: set[object] = set()
    for one in given:  # pyright: ignore[reportUnknownVariableType]
        if not isinstance(one, kinds):
            raise SpecError(f"Declarations: {name} must be {what}; got {one!r}. {example}")
        key = key_of(one)
        if key is not None and key in seen:
            _refuse(
                name, "named each in its own way", key, "It is there twice: rename one of them."
            )
        seen.add(key)


def _check_known(what: str, field: str, name: str, known: Iterable[str]) -> None:
    if name not in known:
        hint = did_you_mean(name, known)
        raise SpecError(
            f"Declarations: {what} must be in {field}; got {name!r}{hint} Declare it there."
        )


def _refuse(field: str, what: str, got: object, how: str) -> NoReturn:
    raise SpecError(f"Declarations: {field} must be {what}; got {got!r}. {how}")


def _either(kinds: Iterable[type]) -> str:
    names = [kind.__name__ for kind in kinds]
    if len(names) == 1:
        return f"a {names[0]}"
    return f"{', '.join(f'a {name}' for name in names[:-1])} or a {names[-1]}"
