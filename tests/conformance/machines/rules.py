"""What OTP's state machines leave open, put into one fixed form."""

from __future__ import annotations

import re
from itertools import groupby

from tests.conformance.family import Rule, Trace

_REPLY = re.compile(r"reply (\d+) to (\d+)")


def replies_by_caller(trace: Trace) -> Trace:
    """Sort replies that nothing of the machine stands between by the call that they answer."""
    result: Trace = []
    for replies, lines in groupby(trace, key=lambda line: line.startswith("reply ")):
        run = list(lines)
        result += sorted(run, key=_call) if replies else run
    return result


RULES = (
    Rule(
        "replies to several callers",
        "Each call has a caller of its own, and nothing is promised about messages to different processes: replies that "
        "a machine sends in one go, before anything else of it is seen, are sorted by call.",
        replies_by_caller,
    ),
)


def _call(line: str) -> int:
    found = _REPLY.fullmatch(line)
    return int(found[2]) if found else 0
