"""The control of a chaos run: the same survey, plainly, in another OS process meanwhile.

It knows nothing of processes, supervisors or kills, so what it finds is what there is to find.
"""

from __future__ import annotations

import multiprocessing
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from multiprocessing.connection import Connection

from .discover import Sources
from .survey import plain_survey


@contextmanager
def plain_run(sources: Sources) -> Iterator[Callable[[], list[str]]]:
    """Start the plain survey; yields a function that waits for its sorted lines.

    Leaving the block ends it, finished or not. The function raises EOFError if the other
    process has died.
    """
    context = multiprocessing.get_context("spawn")
    receiver, sender = context.Pipe(duplex=False)
    process = context.Process(target=_survey_and_send, args=(sender, sources), daemon=True)
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)  # inherited: Ctrl-C is not for it
    process.start()
    signal.signal(signal.SIGINT, before)
    sender.close()  # ours, so that its end shows as the end of the pipe
    try:
        yield receiver.recv
    finally:
        process.terminate()
        process.join()
        receiver.close()


def _survey_and_send(sender: Connection, sources: Sources) -> None:
    sender.send(plain_survey(sources.root, sources.paths))
