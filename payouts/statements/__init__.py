"""A provider's report of what became of its payments: read, stored, then held against our record."""
