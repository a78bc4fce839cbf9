from payouts.admin.operations import clusters, overview, queue_tables

__all__ = ["clusters", "overview", "queue_tables"]
