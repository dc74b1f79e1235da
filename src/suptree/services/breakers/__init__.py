"""Circuit breakers: a call to what is broken is refused at once, until it is found well again.

`state.py` is the server, `service.py` its clients, `guard.py` the caller's side of a protected call.  The
machine itself is `services/parts/breaker.py`.
"""

from suptree.services.breakers.entry import BreakerStats, BreakerStatus, Grant
from suptree.services.breakers.errors import (
    BreakerError,
    BreakerOpenError,
    BreakerTimeoutError,
    TooManyBreakersError,
    UnknownBreakerError,
)
from suptree.services.breakers.guard import Guard
from suptree.services.breakers.service import CircuitBreakers

__all__ = [
    "BreakerError",
    "BreakerOpenError",
    "BreakerStats",
    "BreakerStatus",
    "BreakerTimeoutError",
    "CircuitBreakers",
    "Grant",
    "Guard",
    "TooManyBreakersError",
    "UnknownBreakerError",
]
