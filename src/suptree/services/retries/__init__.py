"""Retries: what failed is tried again, as a named policy says, within one budget.

`retry.py` tries, in the caller; `service.py` has the policies, the budget and the counts.
"""

from suptree.services.parts.backoff import RetryPolicy
from suptree.services.retries.budget import RetryBudget
from suptree.services.retries.errors import (
    RejectedAnswerError,
    RetriesExhaustedError,
    RetryError,
    TooManyRetryPoliciesError,
    UnknownRetryPolicyError,
)
from suptree.services.retries.retry import retry
from suptree.services.retries.service import PolicyStats, RetryService, RetryStats

__all__ = [
    "PolicyStats",
    "RejectedAnswerError",
    "RetriesExhaustedError",
    "RetryBudget",
    "RetryError",
    "RetryPolicy",
    "RetryService",
    "RetryStats",
    "TooManyRetryPoliciesError",
    "UnknownRetryPolicyError",
    "retry",
]
