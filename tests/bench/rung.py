"""For tests.bench.idle: `cluster` runs one whose pump only says when it began; `bell` rings for it.

The bell reads lines, rings for each, and answers with the milliseconds until the pump began. Both are on one machine,
so the clock of one is that of the other; it is told through Redis.
"""

import os
import sys
import time

import django

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "backoffice.settings")
django.setup()

from django.conf import settings  # noqa: E402
from django.core.management import execute_from_command_line  # noqa: E402
from django_redis import get_redis_connection  # noqa: E402

from payouts import doorbell, tasks  # noqa: E402
from payouts.worker import database_queue  # noqa: E402

BEGAN = "bench:began"
PATIENCE_SECONDS = 60


def pump() -> None:
    began_at = time.monotonic()
    doorbell.answered()
    get_redis_connection("default").rpush(BEGAN, str(began_at))


def ring() -> float:
    """Milliseconds."""
    rang_at = time.monotonic()
    doorbell.ring()
    connection = get_redis_connection("default")
    give_up = time.monotonic() + PATIENCE_SECONDS
    while (told := connection.lpop(BEGAN)) is None:
        if time.monotonic() > give_up:
            raise TimeoutError("Nobody heard the ring.")
        time.sleep(0.001)
    return (float(told) - rang_at) * 1000


def main() -> None:
    settings.CACHES["default"]["OPTIONS"] |= {"SOCKET_TIMEOUT": 5}
    if looks := os.environ.get("BENCH_LOOK_SECONDS"):
        database_queue.POLLED_SECONDS = float(looks)
    if sys.argv[1] == "cluster":
        tasks.pump = pump
        execute_from_command_line(["manage.py", "cluster"])
        return
    print("ready", flush=True)
    for _line in sys.stdin:
        print(ring(), flush=True)


if __name__ == "__main__":
    main()
