"""The logger `suptree`, guarded: a logging handler that raises does not hurt who logs.

`logging` itself catches errors of its own handlers, but a handler or filter of the
user's may raise whatever it likes, and who logs here is a runtime that must go on: it
buries a process, or is a supervisor.  What a handler raised is told on stderr.
"""

from __future__ import annotations

import logging
import sys
import traceback
from collections.abc import Mapping, MutableMapping
from typing import Any, Final

__all__ = ["LOG"]


class _Guarded(logging.LoggerAdapter[logging.Logger]):
    """An adapter whose `log` never raises an Exception."""

    def __init__(self, logger: logging.Logger) -> None:
        super().__init__(logger, {})

    def process(
        self, msg: Any, kwargs: MutableMapping[str, Any]
    ) -> tuple[Any, MutableMapping[str, Any]]:
        """Leave `extra` as it was given."""
        return msg, kwargs

    def log(
        self,
        level: int,
        msg: object,
        *args: object,
        exc_info: Any = None,
        stack_info: bool = False,
        stacklevel: int = 1,
        extra: Mapping[str, object] | None = None,
        **kwargs: object,
    ) -> None:
        """As `Logger.log`."""
        try:
            self.logger.log(
                level,
                msg,
                *args,
                exc_info=exc_info,
                stack_info=stack_info,
                stacklevel=stacklevel + 1,  # `logging` leaves its own frames out
                extra=extra,
            )
        except Exception:
            if logging.raiseExceptions:  # as logging does for its own handlers
                print("a handler of the logger 'suptree' raised:", file=sys.stderr)
                traceback.print_exc()


LOG: Final = _Guarded(logging.getLogger("suptree"))
"""Where the runtime and the behaviours say what went wrong."""
