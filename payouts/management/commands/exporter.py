import signal
import sys
from argparse import ArgumentParser
from types import FrameType
from typing import Any

import structlog
from django.conf import settings
from django.core.management.base import BaseCommand, CommandError

from payouts.figures import private_port
from payouts.figures.exporter import Exporter

log = structlog.get_logger(__name__)


class Command(BaseCommand):
    help = "Serve the figures for Prometheus at /metrics on METRICS_PORT, which must be private, until SIGTERM."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--host", default="127.0.0.1", help="where it listens (127.0.0.1: this machine alone)")
        parser.add_argument("--port", type=int, default=settings.METRICS_PORT, help="METRICS_PORT by default")

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            server = private_port.server(options["host"], options["port"], Exporter().scrape)
        except (OSError, OverflowError) as error:
            raise CommandError(f"{options['host']}, port {options['port']}: {error}") from None
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, _end)
        log.info("exporter_started", port=server.server_port)
        server.serve_forever()


def _end(number: int, frame: FrameType | None) -> None:
    sys.exit(0)
