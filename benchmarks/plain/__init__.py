"""The plain asyncio side: one Task over one Queue per actor, a future for each reply. What one writes without a library.

It is kept generous: calls carry no timeout (asyncio.timeout would cost it more than half of its rate), stopping is a
message, and its "supervisor" is a loop that awaits the task and starts the next.
"""

from benchmarks.plain import flood, lives, messages, service, times
from benchmarks.worker import Workload

VERSION = "standard library"
WORKLOADS: dict[str, Workload] = {
    **messages.WORKLOADS,
    **lives.WORKLOADS,
    **times.WORKLOADS,
    **service.WORKLOADS,
    **flood.WORKLOADS,
}
