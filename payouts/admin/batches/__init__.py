from payouts.admin.batches import batch_admin

__all__ = ["batch_admin"]
