"""Signed checkpoints: what had happened to all payouts by one moment, kept in the log and outside the database.

`document.py` says what is in one, `make.py` makes it, `outside.py` keeps it outside the database, and
payouts/audit/anchored.py names what is missing or was put back since. `erased.py` keeps the list of erased recipients
beside them.
"""
