"""Supervision trees for Python: OTP's process model and behaviours on asyncio."""

__version__ = "0.1.0"
