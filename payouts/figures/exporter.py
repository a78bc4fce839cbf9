"""What `manage.py exporter` serves."""

import time
from collections.abc import Iterator
from threading import Lock

import structlog
from django.db import Error, connections
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import Metric

from payouts.figures import families, totals
from payouts.figures.private_port import Answer

log = structlog.get_logger(__name__)

# Whoever asks again within this hears the same: several may scrape, and the database is asked once.
KEPT_SECONDS = 1.0


class Exporter:
    """The figures as Prometheus reads them; one thread at a time asks the database for them."""

    def __init__(self) -> None:
        self._counting = totals.Counting()
        self._lock = Lock()
        self._text = b""
        self._asked_at = -KEPT_SECONDS

    def scrape(self) -> Answer:
        """503 while the database is away."""
        with self._lock:
            if time.monotonic() - self._asked_at < KEPT_SECONDS:
                return 200, self._text
            try:
                registry = CollectorRegistry()
                registry.register(self)
                self._text = generate_latest(registry)
            except Error as error:
                log.warning("database_away", reason=str(error))
                return 503, b""
            finally:
                connections.close_all()  # of this thread, which ends with its answer
            self._asked_at = time.monotonic()
            return 200, self._text

    def describe(self) -> list[Metric]:
        return []

    def collect(self) -> Iterator[Metric]:
        return families.collected(self._counting)
