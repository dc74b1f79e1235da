"""The orders that Elixir's tasks leave open, and what suptree says it does otherwise."""

from __future__ import annotations

from itertools import groupby

from tests.conformance.elixir.lines import by_segment, side_by_side, sort_after, subject
from tests.conformance.family import Rule, Trace


def _no_exits_of_returned(trace: Trace) -> Trace:
    return [line for line in trace if not line.endswith(" (returned)")]


def _never_begun(events: Trace) -> Trace:
    """Leave out items of streams that were started and killed at once and did nothing else."""
    told: dict[str, list[str]] = {}
    for line in events:
        told.setdefault(subject(line), []).append(line.split()[0])
    unborn = {
        who
        for who, verbs in told.items()
        if who.startswith("x") and verbs == ["start", "down"] and f"down {who} killed" in events
    }
    return [line for line in events if subject(line) not in unborn]


def _mail_of_one_moment(events: Trace) -> Trace:
    def is_mail(line: str) -> bool:
        return " mail exit " in line

    return [
        line
        for mail, lines in groupby(events, is_mail)
        for line in (sorted(lines) if mail else lines)
    ]


RULES = (
    Rule(
        "children in no order",
        "Task.Supervisor.children lists the tasks in an order that is not specified (S170); nor has the list of who "
        "is alive at the end one.",
        lambda trace: sort_after(" alive ")(sort_after(" children ")(trace)),
    ),
    Rule(
        "no exit of a task that returned",
        "There an owner that traps exits finds `EXIT normal` of a linked task beside its value; here the value goes to "
        "the handle of the task and leaves nothing in the mailbox (semantics: the value of a task).",
        _no_exits_of_returned,
        own=True,
        drops=True,
    ),
    Rule(
        "killed before it began",
        "A task that is killed in the moment in which it was started may have had a turn or not.",
        by_segment(_never_begun),
        drops=True,
    ),
    Rule(
        "processes side by side",
        "What one operation makes several processes do, they do side by side: whose turn is first is up to the "
        "scheduler. What each of them does, in its order, is compared, and so is which operation made them do it.",
        by_segment(side_by_side),
    ),
    Rule(
        "mail of one moment",
        "Processes that end side by side are told in the order in which they do.",
        by_segment(_mail_of_one_moment),
    ),
)
