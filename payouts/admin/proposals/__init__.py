from payouts.admin.proposals import proposal_admin

__all__ = ["proposal_admin"]
