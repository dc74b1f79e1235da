"""Smaller programs: one thing less, what is most likely superfluous first."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import fields, is_dataclass, replace
from typing import Any

from tests.conformance.servers import program as p
from tests.conformance.servers.program import Program


def smaller(program: Program) -> Iterator[Program]:
    """Yield *program* without an operation, the last first; then with something smaller inside one."""
    for k in reversed(range(len(program.ops))):
        yield replace(program, ops=program.ops[:k] + program.ops[k + 1 :])
    for k, op in enumerate(program.ops):
        for less in _less(op):
            yield replace(program, ops=(*program.ops[:k], less, *program.ops[k + 1 :]))


def _less(value: Any) -> Iterator[Any]:
    """Yield *value* with one act less, or with something plainer in it."""
    if isinstance(value, tuple):
        for k in reversed(range(len(value))):
            yield value[:k] + value[k + 1 :]
        for k, item in enumerate(value):
            for less in _less(item):
                yield (*value[:k], less, *value[k + 1 :])
        return
    yield from _plainer(value)
    if isinstance(value, p.Keep):  # what it goes on with may be the only one to answer
        return
    if is_dataclass(value) and not isinstance(value, type):
        for field in fields(value):
            for less in _less(getattr(value, field.name)):
                yield replace(value, **{field.name: less})


def _plainer(value: Any) -> Iterator[Any]:
    match value:
        case p.Rest() | p.Go(p.Rest()):
            return
        case p.Hibernate() | p.Continue() | p.Idle():
            yield p.Rest()
        case p.Go() | p.Given() | p.Default() | p.Ignore() | p.Bad() | p.Raise() | p.Leave():
            yield p.Go()
        case p.Keep() | p.Quit():
            yield p.Go()
        case p.Server():
            yield from _plainer_server(value)
        case _:
            return


def _plainer_server(server: p.Server) -> Iterator[p.Server]:
    if server.link:
        yield replace(server, link=False)
    if server.traps:
        yield replace(server, traps=False)
    if server.registered:
        yield replace(server, registered=False)
    if server.goodbye != "ok":
        yield replace(server, goodbye="ok")
