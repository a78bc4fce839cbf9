from payouts.admin.payouts import page

__all__ = ["page"]
