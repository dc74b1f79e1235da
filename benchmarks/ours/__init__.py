"""suptree's side: a supervised process calls supervised servers through the typed client, 5 s timeout included.

An option `queued` turns the direct call off, `telemetry` attaches one handler to every event.
"""

import suptree
from benchmarks.ours import flatness, flood, lives, lookups, messages, service, services, times
from benchmarks.worker import Workload

VERSION = suptree.__version__
WORKLOADS: dict[str, Workload] = {
    **messages.WORKLOADS,
    **lives.WORKLOADS,
    **times.WORKLOADS,
    **lookups.WORKLOADS,
    **service.WORKLOADS,
    **flood.WORKLOADS,
    **flatness.WORKLOADS,
    **services.WORKLOADS,
}
