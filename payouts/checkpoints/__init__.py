"""Signed checkpoints: what had happened to all payouts by one moment, kept in the log and outside the database.

`document.py` says what is in one, `make.py` makes it, `places.py` keeps it outside, and payouts/audit/anchored.py
names what is missing or was put back since.
"""
