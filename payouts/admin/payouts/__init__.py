from payouts.admin.payouts import payout_admin

__all__ = ["payout_admin"]
