"""The pool of HTTP connections, over real sockets."""

from __future__ import annotations

import asyncio

import pytest

pytest.importorskip("httpx", reason="the example stands on httpx")


def test_six_workers_share_two_connections_and_a_broken_one_is_replaced(
    capsys: pytest.CaptureFixture[str],
) -> None:
    from examples.http_pool import main

    asyncio.run(main())

    assert capsys.readouterr().out.splitlines() == [
        "worker 0: hung up on, and goes on with another connection",
        "29 answers to 6 workers, over 3 connections",
        "1 of them discarded",
    ]
