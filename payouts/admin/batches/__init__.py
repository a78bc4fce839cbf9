from payouts.admin.batches import page

__all__ = ["page"]
