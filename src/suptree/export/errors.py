"""Errors of the exporters.

SuptreeError
  MissingExtraError          a library that an exporter needs is not installed
"""

from __future__ import annotations

from suptree.errors import SuptreeError

__all__ = ["MissingExtraError"]


class MissingExtraError(SuptreeError, ImportError):
    """A library that an exporter needs is not installed.

    Attributes:
        extra: The extra of suptree that brings it.
    """

    def __init__(self, module: str, library: str, extra: str) -> None:
        self.extra = extra
        super().__init__(
            f"{module}: {library} must be installed; it is not. "
            f"Install it with: pip install suptree[{extra}]"
        )
