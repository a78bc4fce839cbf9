"""Figures for monitoring, read from the database, so that they are right whatever the processes remember.

`standing.py` says what there is to do now, `waiting.py` how long the oldest of each queue waits, `totals.py` counts
what has happened, `freshness.py` how long ago what must happen did. `families.py` gives them their names;
`manage.py exporter` serves them on a private port (`private_port.py`).

No query here grows with the table: a queue is counted up to a limit, and what has happened is counted once.
"""
