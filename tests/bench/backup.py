"""How long a backup takes, how much it is, and how long until it is put back: `make bench-backup ROWS=5000000`.

On a durable PostgreSQL of its own, with payouts of `fill.py`; the backup goes to a folder, encrypted. What is put
back is counted, not audited: those payouts have no seals.
"""

import argparse
import os
import sys
import time
from collections.abc import Callable
from pathlib import Path

import django
import psycopg

from tests.bench import fill
from tests.bench.stand import Stand, exit_code

COPY = "put_back"
SIZE = "SELECT pg_database_size(current_database())"


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.bench.backup", description=__doc__)
    parser.add_argument("--rows", type=int, default=5_000_000, help="payouts (%(default)s)")
    arguments = parser.parse_args()
    return exit_code(lambda started: measure(started, arguments.rows))


def measure(started: Stand, rows: int) -> None:
    started.prepare()
    timed(f"fill with {rows:,} payouts", lambda: fill.fill(started.services.database, rows))
    os.environ |= started.settings
    django.setup()

    from payouts.backups import envelope
    from payouts.backups.make import make, where
    from payouts.backups.proof import proof_of
    from payouts.backups.restore import parameters_of, restore

    set_up(started.folder / "backups")
    begun_with = cpu()
    made, seconds = timed("backup", make)
    told(made.bytes, rows, seconds, cpu() - begun_with)
    name = f"{COPY}_{os.getpid()}"
    with psycopg.connect(started.services.database, autocommit=True) as server:
        print(f"database: {server.execute(SIZE).fetchone()[0] / rows:,.0f} bytes a payout")
        server.execute(f"CREATE DATABASE {name}")
    parameters = parameters_of(started.services.database) | {"dbname": name}
    assert envelope.identities()
    _nothing, seconds = timed(
        "put back", lambda: restore(where(), made.name, parameters, proof=proof_of(where(), made.name))
    )
    print(f"  {rows / seconds:,.0f} payouts a second")
    with psycopg.connect(**parameters) as copy:
        counted = copy.execute("SELECT count(*) FROM payouts_payout").fetchone()
    assert counted == (rows,), counted


def set_up(folder: Path) -> None:
    from django.conf import settings

    from payouts.backups import envelope

    settings.BACKUP_IDENTITY, public = envelope.new_key()
    settings.BACKUPS, settings.BACKUP_RECIPIENTS = str(folder), [public]


def told(size: int, rows: int, seconds: float, cpu_seconds: float) -> None:
    print(
        f"  {size / 1e6:,.1f} MB, {size / rows:,.0f} bytes a payout, {rows / seconds:,.0f} payouts a second, "
        f"{cpu_seconds:.1f} s of CPU for pg_dump and encryption"
    )


def cpu() -> float:
    """Seconds of this process and of its children that have ended."""
    return sum(os.times()[:4])


def timed[Answer](name: str, job: Callable[[], Answer]) -> tuple[Answer, float]:
    began_at = time.monotonic()
    answer = job()
    seconds = time.monotonic() - began_at
    print(f"{name}: {seconds:.1f} s", flush=True)
    return answer, seconds


if __name__ == "__main__":
    sys.exit(main())
