"""The back office's screens, by subject. What changes a payout calls one function of `payouts.actions`."""

from payouts.admin import batches, clients, configuration, exports, operations, payouts, people, statements

__all__ = ["batches", "clients", "configuration", "exports", "operations", "payouts", "people", "statements"]
