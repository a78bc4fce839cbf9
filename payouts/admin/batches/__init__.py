from payouts.admin.batches import list

__all__ = ["list"]
