from payouts.admin.operations import clusters, overview, pauses, queue_tables, recovery, unknown_payments

__all__ = ["clusters", "overview", "pauses", "queue_tables", "recovery", "unknown_payments"]
