"""The back office's screens, by subject. What changes a payout calls one function of `payouts.actions`."""

from payouts.admin import bands, clients, clusters, payouts, people, queue, reports, rules

__all__ = ["bands", "clients", "clusters", "payouts", "people", "queue", "reports", "rules"]
