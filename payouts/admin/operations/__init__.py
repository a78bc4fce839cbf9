from payouts.admin.operations import clusters, overview, pauses, queue_tables

__all__ = ["clusters", "overview", "pauses", "queue_tables"]
