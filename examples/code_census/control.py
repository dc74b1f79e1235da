"""The control of a chaos run: the same survey, plainly, in another OS process meanwhile.

It knows nothing of processes, supervisors or kills, so what it finds is what there is to find.
"""

from __future__ import annotations

import multiprocessing
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from multiprocessing import resource_tracker
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
    resource_tracker.ensure_running()  # or it is started with the process, and lets all signals in
    try:
        # Held back, and not ignored: the process inherits that, for Ctrl-C is not for it; ours
        # comes as soon as this is over.
        before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
        try:
            process.start()
        finally:
            signal.pthread_sigmask(signal.SIG_SETMASK, before)
        sender.close()  # ours, so that its end shows as the end of the pipe
        yield receiver.recv
    finally:
        if process.pid is not None:
            process.terminate()
            process.join()
        sender.close()
        receiver.close()


def _survey_and_send(sender: Connection, sources: Sources) -> None:
    sender.send(plain_survey(sources.root, sources.paths))
