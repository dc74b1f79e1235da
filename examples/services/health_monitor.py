"""Health monitor: checks of the whole system, side by side, and one verdict with its reasons.

It prints:

    all is well: healthy
    without mail: degraded
        mail is unhealthy: ConnectionError: no route to the mail server
    without the disk: unhealthy
        disk is unhealthy: its check said no
        mail is unhealthy: ConnectionError: no route to the mail server
    repaired: healthy
    the disk was healthy, healthy, unhealthy, healthy
"""

import asyncio

import suptree as st
from suptree.services import HealthCheck, HealthMonitor


class World:
    """Stands for what is outside."""

    def __init__(self) -> None:
        self.mail = self.disk = True

    async def check_mail(self) -> None:
        if not self.mail:
            raise ConnectionError("no route to the mail server")

    def check_disk(self) -> bool:
        return self.disk


async def show(title: str) -> None:
    await HealthMonitor.force_health_check_all("health")
    verdict = await HealthMonitor.verdict("health")
    print(f"{title}: {verdict.health}", *verdict.reasons, sep="\n    ")


async def main() -> None:
    world = World()
    checks = [
        HealthCheck("disk", world.check_disk),
        HealthCheck("mail", world.check_mail, critical=False, timeout=1.0),
    ]
    async with st.Runtime():
        await st.Supervisor.start_link([st.child(HealthMonitor, checks).with_(name="health")])
        await show("all is well")
        world.mail = False
        await show("without mail")
        world.disk = False
        await show("without the disk")
        world.mail = world.disk = True
        await show("repaired")

        history = await HealthMonitor.get_history("health", "disk")
        print("the disk was", ", ".join(record.health for record in history))


if __name__ == "__main__":
    asyncio.run(main())
