"""Scheduler: jobs at intervals and by cron, one that takes too long, and one whose time was missed.

The loop is a virtual one, on which a minute takes no time.

It prints:

    by cron:
        2026-03-29 03:00:00+02:00
        2026-03-30 02:30:00+02:00
    tick on time
    the backup begins
    tick on time
    tick on time
    the backup ends
    tick on time
    runs left out: 2
    the scheduler stands still for 45 s
    tick late, in place of 4
    tick on time
"""

import asyncio
from datetime import UTC, datetime

import suptree as st
from suptree.services import Cron, Every, Job, JobFired, Run, SchedulerManager
from suptree.testing import VirtualLoop


class Clock(st.GenServer):
    """Prints when it is told that a job is due."""

    def handle_info(self, message: object) -> None:
        if isinstance(message, JobFired):
            late = f"late, in place of {message.missed + 1}" if message.missed else "on time"
            print(message.job, late)


async def back_up() -> None:
    print("the backup begins")
    await asyncio.sleep(25.0)
    print("the backup ends")


NIGHTLY = Cron("30 2 * * *", tz="Europe/Berlin")
TICK = Job(id="tick", trigger=Every(10.0), to="clock", misfire="once")
BACKUP = Job(id="backup", trigger=Every(10.0, first=15.0), what=Run(back_up), overlap="skip")


async def main() -> None:
    before = datetime(2026, 3, 28, 12, tzinfo=UTC)  # on the 29th there is no 02:30
    print("by cron:", *NIGHTLY.upcoming(before.timestamp(), 2), sep="\n    ")

    tree = [
        SchedulerManager.tree(jobs=[TICK, BACKUP]),
        st.child(Clock).with_(name="clock"),
    ]
    async with st.Runtime():
        await st.Supervisor.start_link(tree)
        await asyncio.sleep(42.0)
        await SchedulerManager.pause("scheduler", "backup")
        print("runs left out:", (await SchedulerManager.stats("scheduler")).skipped)

        print("the scheduler stands still for 45 s")
        await st.sys.suspend("scheduler")
        await asyncio.sleep(45.0)
        await st.sys.resume("scheduler")
        await asyncio.sleep(4.0)


if __name__ == "__main__":
    with asyncio.Runner(loop_factory=VirtualLoop) as runner:
        runner.run(main())
