"""`Declarations` says what is wrong where it is written."""

from __future__ import annotations

from typing import Any

import pytest

import suptree as st
from suptree.services import (
    BreakerConfig,
    Budget,
    BulkheadConfig,
    CommandRule,
    Concurrency,
    Every,
    Flag,
    HealthCheck,
    Job,
    LanePolicy,
    Metric,
    Migration,
    ResourceLimit,
    RetryPolicy,
    Stage,
    Subscription,
    TaskPoolConfig,
    Watch,
    platform_metrics,
)
from suptree.system import Branch, Declarations, Service, System

JOB = Job(trigger=Every(1.0), id="nightly", to="till")
FLAG = Flag("new", default=False)
CHECK = HealthCheck("disk", lambda: True)
METRIC = Metric.counter("shop.lamp.sold")


class Part(st.GenServer):
    """A service of the user's own."""


def test_right_declarations_of_every_kind_are_taken_and_fit_into_a_system():
    declared = Declarations(
        breakers={"bank": BreakerConfig()},
        retries={"mail": RetryPolicy.fixed(delay=1.0)},
        limits={"api": Concurrency(limit=1)},
        bulkheads={"db": BulkheadConfig(limit=1)},
        resources={"gpu": 4, "agent": ResourceLimit(10, costs={"memory": 2})},
        budgets={"memory": Budget(4)},
        metrics=[METRIC],
        subscriptions=(Subscription("a.*", "till"),),
        commands={"uptime": CommandRule()},
        pools={"mail": TaskPoolConfig()},
        lanes={"till": LanePolicy()},
        flags=[FLAG],
        migrations=[Migration("move", [Stage("all", {"new": True})])],
        jobs=[JOB, Job(trigger=Every(1.0), to="till", id="hourly")],
        checks=[CHECK],
        watch=[Watch("till")],
        services=[Service("till", st.child(Part)), Branch("shop")],
    )

    assert System(declared=declared).path_of("till") == "system.till"


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        ({"breakers": {"bank": {}}}, r"breakers\['bank'\] must be a BreakerConfig; got {}"),
        (
            {"jobs": [Job(trigger=Every(1.0), to="till")]},
            "jobs must be given an id each.*id='nightly'",
        ),
        ({"breakers": [BreakerConfig()]}, r"breakers must be a dict.*breakers={'name': Breaker"),
        ({"breakers": {1: BreakerConfig()}}, "names of breakers must be texts.*got 1"),
        ({"breakers": {"": BreakerConfig()}}, "texts that are not empty"),
        ({"retries": {"mail": 3}}, "must be a RetryPolicy; got 3"),
        ({"limits": {"api": 10}}, "a TokenBucket, a SlidingWindow or a Concurrency; got 10"),
        ({"bulkheads": {"db": 2}}, "must be a BulkheadConfig; got 2"),
        ({"resources": {"gpu": True}}, "a ResourceLimit or a int; got True"),
        ({"resources": {"gpu": "4"}}, "got '4'"),
        ({"budgets": {"memory": 4}}, "must be a Budget"),
        ({"commands": {"uptime": []}}, "must be a CommandRule"),
        ({"commands": ["uptime"]}, "commands must be a dict"),
        ({"pools": {"mail": 3}}, r"pools\['mail'\] must be a TaskPoolConfig; got 3"),
        ({"lanes": {"till": None}}, "must be a LanePolicy"),
        ({"lanes": {5: LanePolicy()}}, "names of lanes must be texts"),
        ({"metrics": METRIC}, "metrics must be a list of Metrics"),
        ({"metrics": ["sold"]}, r"metrics must be Metrics; got 'sold'. Write metrics=\[Metric"),
        ({"metrics": [METRIC, METRIC]}, "got 'shop.lamp.sold'. It is there twice"),
        ({"subscriptions": ["a.*"]}, "must be Subscriptions"),
        ({"flags": "new"}, "flags must be a list of Flags; got 'new'"),
        ({"flags": {"new": FLAG}}, "flags must be a list of Flags"),
        ({"flags": [FLAG, FLAG]}, "got 'new'. It is there twice"),
        ({"migrations": [FLAG]}, "must be Migrations"),
        ({"jobs": ["nightly"]}, r"jobs must be Jobs; got 'nightly'. Write jobs=\[Job\(...\)\]"),
        ({"jobs": [JOB, JOB]}, "got 'nightly'. It is there twice: rename one"),
        ({"checks": [lambda: True]}, "must be HealthChecks"),
        ({"checks": [CHECK, CHECK]}, "got 'disk'. It is there twice"),
        ({"watch": ["till"]}, "must be Watches"),
        ({"watch": [Watch("till"), Watch("till")]}, "got 'till'. It is there twice"),
        ({"agents": {}}, "agents must be an AgentSchema or None; got {}"),
        ({"services": [Part]}, "must be Services and Branches"),
        ({"services": [Branch("a"), Branch("a")]}, "got 'a'. It is there twice"),
    ],
)
def test_what_is_wrong_is_refused_with_its_field_and_what_to_write(wrong: dict[str, Any], words):
    with pytest.raises(st.SpecError, match=f"Declarations: .*{words}"):
        Declarations(**wrong)


def test_a_metric_of_the_platform_is_not_declared_again():
    with pytest.raises(st.SpecError, match="named unlike those of the platform"):
        Declarations(metrics=[platform_metrics()[0]])


async def test_a_subscription_by_pid_is_refused_since_a_pid_is_another_at_each_start(runtime):
    with pytest.raises(st.SpecError, match="must be of registered names"):
        Declarations(subscriptions=[Subscription("a.*", st.current())])


def test_a_migration_moves_declared_flags():
    move = Migration("move", [Stage("all", {"nwe": True})])

    with pytest.raises(st.SpecError, match="migration 'move' must be in flags; got 'nwe', did you"):
        Declarations(flags=[FLAG], migrations=[move])


def test_a_resource_draws_from_declared_budgets():
    with pytest.raises(st.SpecError, match="must be in budgets; got 'memroy', did you mean 'mem"):
        Declarations(
            resources={"agent": ResourceLimit(1, costs={"memroy": 1})},
            budgets={"memory": Budget(4)},
        )


def test_system_takes_declarations_and_a_store_and_nothing_else():
    with pytest.raises(TypeError, match=r"declared must be Declarations; got a dict\. "):
        System(declared={"flags": [FLAG]})  # type: ignore[arg-type]
    with pytest.raises(TypeError, match="store must be a Store, with async load, put, delete"):
        System(store="memory")  # type: ignore[arg-type]
