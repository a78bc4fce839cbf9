"""Encrypted backups of the database, kept outside it, and the proof that one can be put back.

`programs.py` runs PostgreSQL's own pg_dump and pg_restore, `envelope.py` encrypts, `proof.py` shows that a backup is
ours, `make.py` makes one and removes old ones, `restore.py` puts one into an empty database, and `drill.py` checks
what came out.
"""
