"""Scenarios made by hand, one for each thing a port gets wrong first, with what the BEAM does written beside.

The expected lines were read off the BEAM and checked against the numbered statements; each case is run on suptree against
them, so these laws hold also where no `erl` is installed, and on the BEAM, so that the lines stay true.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from tests.conformance.supervision.scenario import (
    Ask,
    Burst,
    Die,
    Op,
    Scenario,
    StartChild,
    Stop,
    Tree,
    Worker,
)


@dataclass(frozen=True, slots=True)
class Case:
    """One law: `expect` maps the number of an operation (0 is the start) to its normalised lines."""

    name: str
    statements: tuple[str, ...]
    scenario: Scenario
    expect: dict[int, list[str]]


def _case(name: str, statements: str, root: Tree, *ops: Op, expect: dict[int, list[str]]) -> Case:
    return Case(name, tuple(statements.split()), Scenario(0, root, ops), expect)


def _root(*children: Worker | Tree, **flags: Any) -> Tree:
    return Tree("root", intensity=flags.pop("intensity", 5), children=children, **flags)


A, B, C = Worker("w1"), Worker("w2", traps=True), Worker("w3")

CASES: list[Case] = [
    _case(
        "one_for_one_restarts_only_the_child_that_ended",
        "S110 S113 S154",
        _root(A, B, C),
        Die("w2", "stop", "boom"),
        Ask("root", "which_children"),
        expect={
            1: [
                "terminate w2#1 boom",
                "down w2#1 boom",
                "start w2#2 in root#1 ok",
                "result done",
            ],
            2: [
                "result children w3:worker=w3#1 w2:worker=w2#2 w1:worker=w1#1",
            ],
        },
    ),
    _case(
        "one_for_all_ends_the_others_in_reverse_and_starts_all_in_order",
        "S114 S118",
        _root(A, B, C, strategy="one_for_all"),
        Die("w2", "signal", "kill"),
        expect={
            1: [
                "down w2#1 killed",
                "down w3#1 shutdown",
                "down w1#1 shutdown",
                "start w1#2 in root#1 ok",
                "start w2#2 in root#1 ok",
                "start w3#2 in root#1 ok",
                "result done",
            ],
        },
    ),
    _case(
        "rest_for_one_ends_and_starts_those_after_it",
        "S115",
        _root(A, B, C, strategy="rest_for_one"),
        Die("w2", "stop", "normal"),
        expect={
            1: [
                "terminate w2#1 normal",
                "down w2#1 normal",
                "down w3#1 shutdown",
                "start w2#2 in root#1 ok",
                "start w3#2 in root#1 ok",
                "result done",
            ],
        },
    ),
    _case(
        "children_end_in_reverse_order_when_their_supervisor_is_stopped",
        "S131 S133",
        _root(A, B, C),
        Stop("root", "parent", "boom"),
        expect={
            1: [
                "down w3#1 shutdown",
                "terminate w2#1 shutdown",
                "down w2#1 shutdown",
                "down w1#1 shutdown",
                "down root#1 boom",
                "result gone boom",
            ],
        },
    ),
    _case(
        "a_failing_first_start_takes_down_what_was_started_and_tries_nothing_again",
        "S101",
        _root(A, B, Worker("w3", starts=("error", "ok")), Worker("w4")),
        expect={
            0: [
                "start root#1 in driver ok",
                "start w1#1 in root#1 ok",
                "start w2#1 in root#1 ok",
                "start w3#1 in root#1 error",
                "down w3#1 no_start",
                "terminate w2#1 shutdown",
                "down w2#1 shutdown",
                "down w1#1 shutdown",
                "down root#1 {failed_to_start_child,w3,no_start}",
                "result error {failed_to_start_child,w3,no_start}",
            ],
        },
    ),
    _case(
        "the_reason_of_a_failing_start_nests",
        "S101 S102",
        _root(A, Tree("s1", children=(B, Worker("w3", starts=("crash",))))),
        expect={
            0: [
                "start root#1 in driver ok",
                "start w1#1 in root#1 ok",
                "start s1#1 in root#1 ok",
                "start w2#1 in s1#1 ok",
                "start w3#1 in s1#1 crash",
                "down w3#1 crash(init_boom)",
                "terminate w2#1 shutdown",
                "down w2#1 shutdown",
                "down s1#1 {failed_to_start_child,w3,crash(init_boom)}",
                "down w1#1 shutdown",
                "down root#1 {failed_to_start_child,s1,{failed_to_start_child,w3,crash(init_boom)}}",
                "result error {failed_to_start_child,s1,{failed_to_start_child,w3,crash(init_boom)}}",
            ],
        },
    ),
    _case(
        "a_transient_child_keeps_its_place_after_a_normal_end_and_a_temporary_one_does_not",
        "S110 S111",
        _root(Worker("w1", restart="transient"), Worker("w2", restart="temporary"), C),
        Die("w1", "stop", "shutdown_why"),
        Die("w2", "stop", "boom"),
        Ask("root", "which_children"),
        Ask("root", "count_children"),
        Ask("root", "restart_child", "w1"),
        Ask("root", "restart_child", "w2"),
        expect={
            1: [
                "terminate w1#1 {shutdown,why}",
                "down w1#1 {shutdown,why}",
                "result done",
            ],
            2: [
                "terminate w2#1 boom",
                "down w2#1 boom",
                "result done",
            ],
            3: [
                "result children w3:worker=w3#1 w1:worker=undefined",
            ],
            4: [
                "result counts specs=2 active=1 supervisors=0 workers=2",
            ],
            5: [
                "start w1#2 in root#1 ok",
                "result ok w1#2",
            ],
            6: [
                "result error not_found",
            ],
        },
    ),
    _case(
        "a_group_restart_revives_what_was_done_and_drops_temporary_ones",
        "S116 S117",
        _root(
            Worker("w1", restart="transient"),
            Worker("w2", restart="temporary"),
            C,
            strategy="one_for_all",
        ),
        Die("w1", "stop", "normal"),
        Die("w3", "stop", "boom"),
        Ask("root", "which_children"),
        expect={
            2: [
                "terminate w3#1 boom",
                "down w3#1 boom",
                "down w2#1 shutdown",
                "start w1#2 in root#1 ok",
                "start w3#2 in root#1 ok",
                "result done",
            ],
            3: [
                "result children w3:worker=w3#2 w1:worker=w1#2",
            ],
        },
    ),
    _case(
        "a_supervisor_past_its_intensity_ends_with_shutdown_and_does_not_start_that_child",
        "S120 S121 S122",
        _root(A, B, C, intensity=1),
        Die("w1", "stop", "boom"),
        Die("w3", "stop", "boom"),
        expect={
            1: [
                "terminate w1#1 boom",
                "down w1#1 boom",
                "start w1#2 in root#1 ok",
                "result done",
            ],
            2: [
                "terminate w3#1 boom",
                "down w3#1 boom",
                "terminate w2#1 shutdown",
                "down w2#1 shutdown",
                "down w1#2 shutdown",
                "down root#1 shutdown",
                "result done",
            ],
        },
    ),
    _case(
        "a_transient_supervisor_that_gave_up_is_not_restarted_and_a_permanent_one_starts_with_a_fresh_count",
        "S122 S123",
        _root(
            Tree("s1", restart="transient", intensity=0, children=(A,)),
            Tree("s2", intensity=1, children=(C,)),
        ),
        Die("w1", "stop", "boom"),
        Die("w3", "stop", "boom"),
        Die("w3", "stop", "boom"),
        Die("w3", "stop", "boom"),
        Ask("root", "which_children"),
        expect={
            1: [
                "terminate w1#1 boom",
                "down w1#1 boom",
                "down s1#1 shutdown",
                "result done",
            ],
            3: [
                "terminate w3#2 boom",
                "down w3#2 boom",
                "down s2#1 shutdown",
                "start s2#2 in root#1 ok",
                "start w3#3 in s2#2 ok",
                "result done",
            ],
            4: [
                "terminate w3#3 boom",
                "down w3#3 boom",
                "start w3#4 in s2#2 ok",
                "result done",
            ],
            5: [
                "result children s2:supervisor=s2#2 s1:supervisor=undefined",
            ],
        },
    ),
    _case(
        "a_failed_restart_is_tried_again_behind_what_is_in_the_mailbox_and_each_try_counts",
        "S124 S150 S152 S153",
        _root(Worker("w1", starts=("ok", "error", "crash", "ok")), B, intensity=3),
        Burst(
            "root",
            (
                Die("w1", "stop", "boom"),
                Ask("root", "which_children"),
                Ask("root", "restart_child", "w1"),
                Ask("root", "delete_child", "w1"),
                StartChild("root", A),
            ),
        ),
        Die("w1", "stop", "boom"),
        expect={
            1: [
                "terminate w1#1 boom",
                "down w1#1 boom",
                "start w1#2 in root#1 error",
                "down w1#2 no_start",
                "start w1#3 in root#1 crash",
                "down w1#3 crash(init_boom)",
                "start w1#4 in root#1 ok",
                "result done",
                "result children w2:worker=w2#1 w1:worker=restarting",
                "result error restarting",
                "result error restarting",
                "result error already_present",
            ],
            2: [
                "terminate w1#4 boom",
                "down w1#4 boom",
                "terminate w2#1 shutdown",
                "down w2#1 shutdown",
                "down root#1 shutdown",
                "result done",
            ],
        },
    ),
    _case(
        "terminating_a_restarting_child_cancels_the_next_try",
        "S127 S151",
        _root(Worker("w1", starts=("ok", "error")), B),
        Burst("root", (Die("w1", "stop", "boom"), Ask("root", "terminate_child", "w1"))),
        Ask("root", "which_children"),
        Ask("root", "restart_child", "w1"),
        expect={
            1: [
                "terminate w1#1 boom",
                "down w1#1 boom",
                "start w1#2 in root#1 error",
                "down w1#2 no_start",
                "result done",
                "result ok",
            ],
            2: [
                "result children w2:worker=w2#1 w1:worker=undefined",
            ],
            3: [
                "start w1#3 in root#1 ok",
                "result ok w1#3",
            ],
        },
    ),
    _case(
        "a_group_restart_that_fails_goes_on_from_the_child_that_failed",
        "S125",
        _root(
            A,
            Worker("w2", starts=("ok", "error", "error")),
            C,
            strategy="rest_for_one",
            intensity=5,
        ),
        Die("w1", "stop", "boom"),
        expect={
            1: [
                "terminate w1#1 boom",
                "down w1#1 boom",
                "down w3#1 shutdown",
                "down w2#1 shutdown",
                "start w1#2 in root#1 ok",
                "start w2#2 in root#1 error",
                "down w2#2 no_start",
                "start w2#3 in root#1 error",
                "down w2#3 no_start",
                "start w2#4 in root#1 ok",
                "start w3#2 in root#1 ok",
                "result done",
            ],
        },
    ),
    _case(
        "one_for_all_ends_the_started_ones_again_when_a_group_restart_fails",
        "S125",
        _root(A, Worker("w2", starts=("ok", "error")), C, strategy="one_for_all"),
        Die("w3", "stop", "boom"),
        expect={
            1: [
                "terminate w3#1 boom",
                "down w3#1 boom",
                "down w2#1 shutdown",
                "down w1#1 shutdown",
                "start w1#2 in root#1 ok",
                "start w2#2 in root#1 error",
                "down w2#2 no_start",
                "down w1#2 shutdown",
                "start w1#3 in root#1 ok",
                "start w2#3 in root#1 ok",
                "start w3#2 in root#1 ok",
                "result done",
            ],
        },
    ),
    _case(
        "a_sibling_that_died_too_is_not_restarted_twice",
        "S119",
        _root(A, B, C, strategy="one_for_all", intensity=1),
        Burst("root", (Die("w1", "stop", "boom"), Die("w3", "stop", "boom"))),
        Ask("root", "which_children"),
        expect={
            1: [
                "terminate w1#1 boom",
                "down w1#1 boom",
                "terminate w3#1 boom",
                "down w3#1 boom",
                "terminate w2#1 shutdown",
                "down w2#1 shutdown",
                "start w1#2 in root#1 ok",
                "start w2#2 in root#1 ok",
                "start w3#2 in root#1 ok",
                "result done",
                "result done",
            ],
            2: [
                "result children w3:worker=w3#2 w2:worker=w2#2 w1:worker=w1#2",
            ],
        },
    ),
    _case(
        "a_restart_that_is_ignored_leaves_the_child_without_process",
        "S126 S116",
        _root(Worker("w1", starts=("ok", "ignore", "ok")), B, strategy="one_for_all"),
        Die("w1", "stop", "boom"),
        Ask("root", "which_children"),
        Die("w2", "raise", "boom"),
        expect={
            1: [
                "terminate w1#1 boom",
                "down w1#1 boom",
                "terminate w2#1 shutdown",
                "down w2#1 shutdown",
                "start w1#2 in root#1 ignore",
                "down w1#2 normal",
                "start w2#2 in root#1 ok",
                "result done",
            ],
            2: [
                "result children w2:worker=w2#2 w1:worker=undefined",
            ],
            3: [
                "terminate w2#2 crash(boom)",
                "down w2#2 crash(boom)",
                "start w1#3 in root#1 ok",
                "start w2#3 in root#1 ok",
                "result done",
            ],
        },
    ),
    _case(
        "shutdown_kinds_decide_the_reason_a_child_ends_with",
        "S130 S132 S44",
        _root(
            Worker("w1", shutdown="brutal_kill", traps=True),
            Worker("w2", shutdown=10, traps=True, goodbye="stubborn"),
            Worker("w3", traps=True, goodbye="exit"),
            Worker("w4", shutdown=0),
        ),
        Stop("root", "stop", "shutdown"),
        expect={
            1: [
                "down w4#1 shutdown",
                "terminate w3#1 shutdown",
                "down w3#1 changed",
                "terminate w2#1 shutdown",
                "down w2#1 killed",
                "down w1#1 killed",
                "down root#1 shutdown",
                "result ok",
            ],
        },
    ),
    _case(
        "the_reason_that_terminate_exits_with_decides_the_restart",
        "S44 S256",
        _root(Worker("w1", restart="transient", traps=True, goodbye="exit")),
        Die("w1", "stop", "normal"),
        expect={
            1: [
                "terminate w1#1 normal",
                "down w1#1 changed",
                "start w1#2 in root#1 ok",
                "result done",
            ],
        },
    ),
    _case(
        "a_killed_supervisor_leaves_its_children_to_their_links",
        "S133 S4",
        _root(Tree("s1", children=(A, B, C))),
        Die("s1", "signal", "kill"),
        expect={
            1: [
                "down s1#1 killed",
                "start s1#2 in root#1 ok",
                "start w1#2 in s1#2 ok",
                "start w2#2 in s1#2 ok",
                "start w3#2 in s1#2 ok",
                "down w1#1 killed",
                "terminate w2#1 killed",
                "down w2#1 killed",
                "down w3#1 killed",
                "result done",
            ],
        },
    ),
    _case(
        "a_stranger_cannot_end_a_supervisor_with_a_signal_but_its_parent_can_with_any",
        "S112 S42",
        _root(A),
        Die("root", "signal", "boom"),
        Stop("root", "parent", "normal"),
        expect={
            1: [
                "result survived",
            ],
            2: [
                "down w1#1 shutdown",
                "down root#1 normal",
                "result gone normal",
            ],
        },
    ),
    _case(
        "any_significant_ends_the_supervisor_with_the_first",
        "S140 S141",
        _root(
            Worker("w1", restart="transient", significant=True), B, auto_shutdown="any_significant"
        ),
        Ask("root", "terminate_child", "w1"),
        Ask("root", "restart_child", "w1"),
        Die("w1", "stop", "normal"),
        expect={
            1: [
                "down w1#1 shutdown",
                "result ok",
            ],
            2: [
                "start w1#2 in root#1 ok",
                "result ok w1#2",
            ],
            3: [
                "terminate w1#2 normal",
                "down w1#2 normal",
                "terminate w2#1 shutdown",
                "down w2#1 shutdown",
                "down root#1 shutdown",
                "result done",
            ],
        },
    ),
    _case(
        "all_significant_waits_for_the_last",
        "S141 S142",
        _root(
            Worker("w1", restart="transient", significant=True),
            Worker("w2", restart="temporary", significant=True),
            Worker("w3", restart="temporary"),
            Worker("w4"),
            auto_shutdown="all_significant",
        ),
        Die("w3", "stop", "normal"),
        Die("w2", "stop", "boom"),
        Die("w1", "stop", "shutdown"),
        expect={
            1: [
                "terminate w3#1 normal",
                "down w3#1 normal",
                "result done",
            ],
            2: [
                "terminate w2#1 boom",
                "down w2#1 boom",
                "result done",
            ],
            3: [
                "terminate w1#1 shutdown",
                "down w1#1 shutdown",
                "down w4#1 shutdown",
                "down root#1 shutdown",
                "result done",
            ],
        },
    ),
    _case(
        "significance_without_auto_shutdown_is_refused",
        "S105",
        _root(Worker("w1", restart="transient", significant=True)),
        expect={
            0: [
                "start root#1 in driver ok",
                "down root#1 bad_spec",
                "result error bad_spec",
            ],
        },
    ),
    _case(
        "a_duplicate_id_is_refused_before_anything_starts",
        "S103",
        _root(A, A),
        expect={
            0: [
                "start root#1 in driver ok",
                "down root#1 bad_spec",
                "result error bad_spec",
            ],
        },
    ),
    _case(
        "start_child_says_what_is_in_the_way",
        "S105 S150",
        _root(A, B),
        StartChild("root", A),
        Ask("root", "terminate_child", "w1"),
        StartChild("root", A),
        StartChild("root", Worker("w4", starts=("error",))),
        StartChild("root", Worker("w5", starts=("ignore",))),
        StartChild("root", Worker("w6", restart="temporary", starts=("ignore",))),
        StartChild("root", Worker("w7", significant=True)),
        Ask("root", "which_children"),
        expect={
            1: [
                "result error already_started w1#1",
            ],
            2: [
                "down w1#1 shutdown",
                "result ok",
            ],
            3: [
                "result error already_present",
            ],
            4: [
                "start w4#1 in root#1 error",
                "down w4#1 no_start",
                "result error start_failed no_start",
            ],
            5: [
                "start w5#1 in root#1 ignore",
                "down w5#1 normal",
                "result ok undefined",
            ],
            6: [
                "start w6#1 in root#1 ignore",
                "down w6#1 normal",
                "result ok undefined",
            ],
            7: [
                "result error bad_spec",
            ],
            8: [
                "result children w5:worker=undefined w2:worker=w2#1 w1:worker=undefined",
            ],
        },
    ),
    _case(
        "a_wrong_spec_is_refused_before_its_id_is_looked_up",
        "S105 S150",
        _root(A, B),
        StartChild("root", Worker("w1", restart="transient", significant=True)),
        expect={1: ["result error bad_spec"]},
    ),
    _case(
        "start_child_sees_a_process_whose_end_is_still_in_the_mailbox",
        "S150 S255",
        _root(A, B),
        Burst("root", (StartChild("root", Worker("w3")), Die("w1", "stop", "boom"))),
        Burst(
            "root",
            (StartChild("root", A), Ask("root", "restart_child", "w1"), Die("w1", "stop", "boom")),
        ),
        expect={
            1: [
                "terminate w1#1 boom",
                "down w1#1 boom",
                "start w3#1 in root#1 ok",
                "start w1#2 in root#1 ok",
                "result ok w3#1",
                "result done",
            ],
            2: [
                "terminate w1#2 boom",
                "down w1#2 boom",
                "start w1#3 in root#1 ok",
                "result error already_started w1#2",
                "result error running",
                "result done",
            ],
        },
    ),
    _case(
        "the_child_api_answers_by_the_state_of_the_child",
        "S151 S152 S153 S155",
        _root(A, Worker("w2", restart="temporary")),
        Ask("root", "delete_child", "w1"),
        Ask("root", "restart_child", "w1"),
        Ask("root", "terminate_child", "w1"),
        Ask("root", "terminate_child", "w1"),
        Ask("root", "count_children"),
        Ask("root", "delete_child", "w1"),
        Ask("root", "delete_child", "w1"),
        Ask("root", "terminate_child", "w2"),
        Ask("root", "terminate_child", "w2"),
        expect={
            1: [
                "result error running",
            ],
            2: [
                "result error running",
            ],
            3: [
                "down w1#1 shutdown",
                "result ok",
            ],
            4: [
                "result ok",
            ],
            5: [
                "result counts specs=2 active=1 supervisors=0 workers=2",
            ],
            6: [
                "result ok",
            ],
            7: [
                "result error not_found",
            ],
            8: [
                "down w2#1 shutdown",
                "result ok",
            ],
            9: [
                "result error not_found",
            ],
        },
    ),
    _case(
        "a_failed_restart_child_is_not_tried_again",
        "S152 S123",
        _root(Worker("w1", starts=("ok", "error", "ok")), B, intensity=0),
        Ask("root", "terminate_child", "w1"),
        Ask("root", "restart_child", "w1"),
        Ask("root", "which_children"),
        Ask("root", "restart_child", "w1"),
        expect={
            1: [
                "down w1#1 shutdown",
                "result ok",
            ],
            2: [
                "start w1#2 in root#1 error",
                "down w1#2 no_start",
                "result error start_failed no_start",
            ],
            3: [
                "result children w2:worker=w2#1 w1:worker=undefined",
            ],
            4: [
                "start w1#3 in root#1 ok",
                "result ok w1#3",
            ],
        },
    ),
    _case(
        "a_caller_gets_the_reason_of_a_supervisor_that_gave_up_first",
        "S157",
        _root(A, intensity=0),
        Burst("root", (Die("w1", "stop", "boom"), Ask("root", "count_children"))),
        expect={
            1: [
                "terminate w1#1 boom",
                "down w1#1 boom",
                "down root#1 shutdown",
                "result done",
                "result exit shutdown",
            ],
        },
    ),
]
