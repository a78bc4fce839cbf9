"""Batches: a file of payouts, checked by row, sent by one person, approved as a whole by another, then submitted.

`columns.py` says what such a file looks like. Read upload, check, decide and submit in this order.
"""
