"""The back office's screens, by subject. What changes a payout calls one function of `payouts.actions`."""

from payouts.admin import (
    access,
    bands,
    batches,
    clients,
    clusters,
    exports,
    operations,
    payouts,
    people,
    queue,
    reports,
    rules,
)

__all__ = [
    "access",
    "bands",
    "batches",
    "clients",
    "clusters",
    "exports",
    "operations",
    "payouts",
    "people",
    "queue",
    "reports",
    "rules",
]
