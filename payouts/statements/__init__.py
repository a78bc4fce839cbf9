"""A provider's report of what became of its payments: read, stored, then held against our record."""

from payouts.statements.listed import listed

__all__ = ["listed"]
