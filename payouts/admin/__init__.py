"""The back office's screens, by subject. To change a payout, a screen calls a function of `payouts.actions`."""

from payouts.admin import (
    batches,
    clients,
    configuration,
    days_shown,
    exports,
    operations,
    payouts,
    people,
    proposals,
    routes,
    statements,
    velocity_limits,
)

__all__ = [
    "batches",
    "clients",
    "configuration",
    "days_shown",
    "exports",
    "operations",
    "payouts",
    "people",
    "proposals",
    "routes",
    "statements",
    "velocity_limits",
]
