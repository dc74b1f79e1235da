"""A job as plain data and back, for a store that may outlive the program; pure.

Times on the runtime's clock mean nothing to the next program: they are written as times
on the wall.  What is no plain data (pids, functions without an import path, live
messages) cannot be written, and `why_not_plain` says what it is.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Final, Literal, cast

import msgspec

from suptree.core import safe_repr
from suptree.services.scheduler.agenda import Entry, Moment
from suptree.services.scheduler.errors import JobRecordError, ScheduleError
from suptree.services.scheduler.job import Job, Run
from suptree.services.scheduler.triggers import After, At, Cron, Every, Trigger

__all__ = ["from_plain", "path_of", "same_job", "to_plain", "why_not_plain"]

_DEPTH: Final = 50
_OPTIONS: Final = (
    *("overlap", "misfire", "jitter", "grace", "timeout"),
    *("max_queued", "max_running", "max_catch_up", "durable"),
)


class _Record(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """What is written; a later version adds fields with defaults."""

    version: Literal[1] = 1
    kind: Literal["every", "after", "at", "cron"]
    seconds: float | None = None  # the period, the delay, or the moment
    first: float | None = None
    expression: str = ""
    tz: str = "UTC"
    message: Any = None
    to: str | None = None
    owner: str | None = None
    function: str | None = None
    args: list[Any] = []
    kwargs: dict[str, Any] = {}
    options: dict[str, Any] = {}
    point: float | None = None  # seconds since 1970
    paused: bool = False
    count: int = 0


def to_plain(entry: Entry, moment: Moment) -> dict[str, object]:
    """The record of an entry whose job is plain data."""
    job = entry.job
    point = entry.point
    if point is not None and not job.trigger.wall:
        point = moment.wall + (point - moment.now)
    state = {"point": point, "paused": entry.paused, "count": entry.count}
    return {"version": 1, **_of_job(job), **state}


def same_job(one: Job, other: Job) -> bool:
    """Whether both are the same, one of them perhaps as it came back from a store.

    What is no data is never compared: that would run the `__eq__` of whoever wrote it.
    """
    if one is other:
        return True
    plain = why_not_plain(one) is None and why_not_plain(other) is None
    return plain and _of_job(one) == _of_job(other)


def from_plain(key: str, value: object, moment: Moment) -> Entry:
    """The entry that a record describes.

    Raises:
        JobRecordError: It describes none.
    """
    try:
        record = msgspec.convert(value, _Record)
        job = Job(
            id=key,
            trigger=_to_trigger(record),
            what=_to_what(record),
            to=record.to,
            owner=record.owner,
            **record.options,
        )
    except (msgspec.ValidationError, ScheduleError, TypeError) as error:
        raise JobRecordError(key, str(error)) from error
    point = record.point
    if point is not None and not job.trigger.wall:
        point = moment.now + (point - moment.wall)
    entry = Entry(job, 0.0 if point is None else point, point)
    entry.paused, entry.count = record.paused, record.count
    return entry


def why_not_plain(job: Job) -> str | None:
    """What in the job is no plain data; None if it is."""
    for name, value in (("owner", job.owner), ("to", job.to)):
        if value is not None and not isinstance(value, str):
            return f"{name} is {safe_repr(value, 100)}"
    if not isinstance(job.what, Run):
        return None if _is_plain(job.what) else f"the message is {safe_repr(job.what, 100)}"
    if path_of(job.what.function) is None:
        return f"{safe_repr(job.what.function, 100)} cannot be imported by its name"
    if not _is_plain(job.what.args) or not _is_plain(dict(job.what.kwargs)):
        return f"the arguments are {safe_repr((job.what.args, job.what.kwargs), 100)}"
    return None


def path_of(function: object) -> str | None:
    """The import path under which *function* itself is found, or None."""
    if isinstance(function, str):
        return function
    module, name = getattr(function, "__module__", None), getattr(function, "__qualname__", None)
    if not isinstance(module, str) or not isinstance(name, str) or "<" in name:
        return None
    path = f"{module}:{name}"
    try:
        return path if Run(path).resolve() is function else None
    except ScheduleError:
        return None


def _of_job(job: Job) -> dict[str, object]:
    run = job.what if isinstance(job.what, Run) else None
    return {
        **_of_trigger(job.trigger),
        "message": None if run is not None else job.what,
        "to": job.to,
        "owner": job.owner,
        "function": None if run is None else path_of(run.function),
        "args": [] if run is None else list(run.args),
        "kwargs": {} if run is None else dict(run.kwargs),
        "options": {name: getattr(job, name) for name in _OPTIONS},
    }


def _of_trigger(trigger: Trigger) -> dict[str, object]:
    match trigger:
        case Every(period, first):
            return {"kind": "every", "seconds": period, "first": first}
        case After(delay):
            return {"kind": "after", "seconds": delay}
        case At(moment):
            return {"kind": "at", "seconds": moment}
        case Cron(expression, tz):
            return {"kind": "cron", "expression": expression, "tz": tz}


def _to_trigger(record: _Record) -> Trigger:
    if record.kind == "cron":
        return Cron(record.expression, record.tz)
    if record.seconds is None:
        raise ScheduleError("seconds", "a number", None)
    if record.kind == "every":
        return Every(record.seconds, record.first)
    return After(record.seconds) if record.kind == "after" else At(record.seconds)


def _to_what(record: _Record) -> object:
    if record.function is None:
        return record.message
    return Run(record.function, tuple(record.args), record.kwargs)


def _is_plain(value: object, depth: int = 0) -> bool:
    """Whether every store can keep *value*; of exactly these types, since a subclass would not come back."""
    if value is None or type(value) in (bool, int, float, str, bytes):
        return True
    if depth > _DEPTH:
        return False
    if type(value) in (list, tuple):
        items: Any = value
        return all(_is_plain(one, depth + 1) for one in items)
    if type(value) is dict:
        pairs: Iterable[tuple[object, object]] = cast("dict[object, object]", value).items()
        return all(_is_plain(key, depth + 1) and _is_plain(one, depth + 1) for key, one in pairs)
    return False
