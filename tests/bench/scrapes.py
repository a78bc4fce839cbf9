"""What a scrape of the exporter costs behind many payouts: `python -m tests.bench.scrapes [--rows 5000000]`.

On services of its own. First the running totals catch up with all events, once in an installation's life.
"""

import argparse
import os
import statistics
import time

from tests.bench.fill import fill_office
from tests.bench.stand import Stand, listen, stand

SCRAPES = 20


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.bench.scrapes", description=__doc__)
    parser.add_argument("--rows", type=int, default=5_000_000, help="payouts behind (%(default)s)")
    arguments = parser.parse_args()
    listen()
    with stand() as started:
        measure(started, arguments.rows)


def measure(started: Stand, rows: int) -> None:
    os.environ |= started.settings
    import django

    django.setup()
    from django.contrib.auth.models import User

    from payouts.figures import totals
    from tests.payouts.figures.scraped import scraped

    started.prepare()
    person = User.objects.create(username="operator")
    fill_office(started.services.database, rows, person=person.pk, clients=["bench"])
    counting = totals.Counting()
    began_at = time.monotonic()
    while not counting.bring_up():
        pass
    print(f"{rows:,} payouts: all events counted in {time.monotonic() - began_at:.1f} s", flush=True)
    took = []
    for _each in range(SCRAPES):
        began_at = time.monotonic()
        scraped(counting)
        took.append((time.monotonic() - began_at) * 1000)
    print(f"a scrape: {statistics.median(took):.0f} ms, at most {max(took):.0f} ms of {SCRAPES}", flush=True)


if __name__ == "__main__":
    main()
